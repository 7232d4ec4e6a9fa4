"""HTTP as nodes of a search engine, and what stands before them, speak it on a bad day."""

from __future__ import annotations

import datetime as dt
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from twofold.errors import EngineError, Unavailable
from twofold.index import elastic_client, elastic_node
from twofold.index.elastic_client import Client

Serve = Callable[[socket.socket, int], None]


def answer(content: bytes = b'{"took":1}', head: str = "HTTP/1.1 200 OK\r\ncontent-type: application/json") -> bytes:
    return f"{head}\r\ncontent-length: {len(content)}\r\n\r\n".encode() + content


def request(connection: socket.socket) -> bytes:
    """Head and body of one request; empty where the client closed the connection."""
    read = b""
    while b"\r\n\r\n" not in read:
        if not (data := connection.recv(65536)):
            return b""
        read += data
    head, _, body = read.partition(b"\r\n\r\n")
    length = int(next(line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")))
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


class Node:
    """A server by hand: `serve(connection, number)` for each connection, the first one being 0, on a thread of its own."""

    def __init__(self, serve: Serve, context: ssl.SSLContext | None = None) -> None:
        self._serve, self._context = serve, context
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.host = f"127.0.0.1:{self._listening.getsockname()[1]}"
        self.connections = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                connection, _ = self._listening.accept()
                self.connections += 1
                threading.Thread(target=self._handle, args=(connection, self.connections - 1), daemon=True).start()

    def _handle(self, connection: socket.socket, number: int) -> None:
        with suppress(OSError), connection:
            self._serve(connection if self._context is None else self._context.wrap_socket(connection, server_side=True), number)

    def close(self) -> None:
        self._listening.close()


@contextmanager
def serving(serve: Serve, *, path: str = "", context: ssl.SSLContext | None = None) -> Iterator[tuple[Node, Client]]:
    node = Node(serve, context)
    client = Client([f"{'http' if context is None else 'https'}://{node.host}{path}"], "elasticsearch", None, None)
    yield node, client
    client.close()
    node.close()


def asked(client: Client) -> dict[str, object]:
    return client.send("POST", "/_msearch", {"a": 1})[1]


def always(connection: socket.socket, _: int = 0) -> None:
    while request(connection):
        connection.sendall(answer())


def test_one_connection_serves_one_request_after_the_other() -> None:
    with serving(always) as (node, client):
        for _ in range(5):
            assert asked(client) == {"took": 1}
    assert node.connections == 1


def test_a_request_is_what_it_says() -> None:
    seen: list[bytes] = []

    def serve(connection: socket.socket, _: int) -> None:
        while got := request(connection):
            seen.append(got)
            connection.sendall(answer())

    with serving(serve, path="/behind/a/proxy") as (node, client):
        asked(client)
        client.send("GET", "/_cluster/health")
    lines = seen[0].split(b"\r\n")
    assert lines[0] == b"POST /behind/a/proxy/_msearch HTTP/1.1"
    told = {f"host: {node.host}".encode(), b"accept: application/json", b"content-type: application/json", b"content-length: 7"}
    assert told < set(lines)
    assert lines[-2:] == [b"", b'{"a":1}']
    assert b"content-length: 0" in seen[1]
    assert b"content-type" not in seen[1]


def test_a_connection_that_was_closed_meanwhile_is_opened_again() -> None:
    def once(connection: socket.socket, _: int) -> None:
        request(connection)
        connection.sendall(answer())

    with serving(once) as (node, client):
        for _ in range(3):
            assert asked(client) == {"took": 1}
            time.sleep(0.05)  # until the end has arrived
    assert node.connections == 3


@pytest.mark.parametrize(
    "last",
    [
        answer(head="HTTP/1.1 200 OK\r\nconnection: close"),
        answer(head="HTTP/1.0 200 OK"),
        answer() + answer(b"{}", head="HTTP/1.1 408 Request Timeout"),
        answer() + b"HTTP/1.1 408 Request",
    ],
)
def test_a_connection_whose_last_answer_has_come_is_not_used_again(last: bytes) -> None:
    def serve(connection: socket.socket, _: int) -> None:
        while request(connection):
            connection.sendall(last)

    with serving(serve) as (node, client):
        assert [asked(client) for _ in range(3)] == [{"took": 1}] * 3
    assert node.connections == 3


@pytest.mark.parametrize("pause", [0, 0.02])
@pytest.mark.parametrize("head", ["HTTP/1.1 100 Continue", "HTTP/1.1 103 Early Hints\r\ncontent-type: text/html\r\nlink: <x>"])
def test_what_comes_before_an_answer_is_none(head: str, pause: float) -> None:
    def serve(connection: socket.socket, _: int) -> None:
        for number in range(3):
            request(connection)
            connection.sendall(f"{head}\r\n\r\n".encode())
            time.sleep(pause)
            connection.sendall(answer(f'{{"number":{number}}}'.encode(), head="HTTP/1.1 200 OK"))

    with serving(serve) as (node, client):
        assert [asked(client) for _ in range(3)] == [{"number": number} for number in range(3)]
    assert node.connections == 1


def test_too_large_a_request_is_told_though_nobody_reads_it() -> None:
    def serve(connection: socket.socket, _: int) -> None:
        connection.recv(1000)
        connection.sendall(answer(b"<html>", head="HTTP/1.1 413 Content Too Large\r\ncontent-type: text/html\r\nconnection: close"))
        connection.shutdown(socket.SHUT_WR)
        time.sleep(0.2)

    with serving(serve) as (_, client):
        assert client.send_lines("/_bulk", b"x" * 30_000_000, expect=(413,)) == (413, {})


@pytest.mark.parametrize(("status", "well"), [(200, True), (404, True), (409, True), (413, True), (429, False), (500, False), (503, False)])
def test_a_node_that_answers_as_if_unwell_is_left_alone_while_there_is_another(status: int, well: bool) -> None:
    def serve(connection: socket.socket, _: int) -> None:
        while request(connection):
            connection.sendall(answer(b'{"took":0}', head=f"HTTP/1.1 {status} X"))

    other = Node(serve)
    with serving(always) as (node, _):
        client = Client([f"http://{other.host}", f"http://{node.host}"], "elasticsearch", None, None)
        statuses = [client.send("GET", "/", expect=(status,))[0] for _ in range(20)]
        client.close()
    other.close()
    assert statuses.count(status) == (20 if status == 200 else 10 if well else 1)


@pytest.mark.parametrize("mimetype", ["", "\r\ncontent-type: application/json", "\r\ncontent-type: text/html"])
def test_a_status_without_words_means_what_it_says(mimetype: str) -> None:
    def serve(connection: socket.socket, _: int) -> None:
        while request(connection):
            connection.sendall(answer(b"", f"HTTP/1.1 401 X{mimetype}"))

    with serving(serve) as (_, client), pytest.raises(Unavailable, match="does not let us in: 401"):
        asked(client)


def test_no_more_is_asked_once_it_is_closed() -> None:
    with serving(always) as (_, client):
        asked(client)
        client.close()
        with pytest.raises(Unavailable, match="is closed"):
            asked(client)


@pytest.mark.parametrize(
    "sent",
    [b"", b"HTTP/1.1 200 OK\r\n", answer()[:-1], b"SSH-2.0-OpenSSH\r\n", b"\x16\x03\x01", answer(head="HTTP/1.1 200\r\ncontent-length: 4")],
)
def test_what_is_no_whole_answer_is_unavailable_and_the_next_one_is_well(sent: bytes) -> None:
    def serve(connection: socket.socket, number: int) -> None:
        if number == 0:
            request(connection)
            connection.sendall(sent)
        else:
            always(connection)

    with serving(serve) as (_, client):
        with pytest.raises(Unavailable, match="Elasticsearch cannot be reached: http://127"):
            asked(client)
        assert asked(client) == {"took": 1}


def test_an_answer_in_pieces_and_chunks_is_whole() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-", b"Type: application/json; charset=UTF-8\r\ntransfer-encoding: chunked\r\n", b"\r\n"

    def serve(connection: socket.socket, _: int) -> None:
        while request(connection):
            for part in (*head, b"5\r\n", b'{"too', b"\r\n", b'5\r\nk":1}\r\n0\r\n\r\n'):
                connection.sendall(part)
                time.sleep(0.01)

    with serving(serve) as (node, client):
        assert [asked(client), asked(client)] == [{"took": 1}] * 2
    assert node.connections == 1


def test_an_answer_that_came_too_late_is_not_that_of_the_next_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elastic_client, "TIMEOUT_SECONDS", 0.2)

    def serve(connection: socket.socket, number: int) -> None:
        while request(connection):
            if number == 0:
                time.sleep(0.3)
            connection.sendall(answer(f'{{"connection":{number}}}'.encode()))

    with serving(serve) as (_, client):
        with pytest.raises(Unavailable, match="timed out"):
            asked(client)
        time.sleep(0.2)
        assert asked(client) == {"connection": 1}


@pytest.mark.parametrize("place", ["head", "body", "chunks"])
def test_an_answer_that_trickles_ends_with_the_time_for_all_of_it(monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    """A byte every 0.2 s would go on for a minute; each of them alone is in time."""
    monkeypatch.setattr(elastic_client, "TIMEOUT_SECONDS", 0.5)
    sent = threading.Event()
    chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + b"1\r\n \r\n" * 60
    whole = {"head": (b"HTTP/1.1 200 OK\r\nx: " + b"x" * 300, 20), "body": (answer(b" " * 300), 80), "chunks": (chunked, 50)}
    told, start = whole[place]

    def serve(connection: socket.socket, number: int) -> None:
        while request(connection):
            if number:
                connection.sendall(answer())
                continue
            connection.sendall(told[:start])
            for byte in told[start:]:
                time.sleep(0.2)
                connection.sendall(bytes([byte]))
            sent.set()

    with serving(serve) as (_, client):
        with pytest.raises(Unavailable, match="timed out"):
            asked(client)
        assert not sent.is_set()
        assert asked(client) == {"took": 1}


def test_an_answer_without_end_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elastic_node, "MOST", 1 << 20)
    ended = threading.Event()

    def serve(connection: socket.socket, _: int) -> None:
        request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        try:
            while True:
                connection.sendall(b"10000\r\n" + b" " * 65536 + b"\r\n")
        except OSError:
            ended.set()

    with serving(serve) as (_, client), pytest.raises(Unavailable, match="more than 1 MB"):
        asked(client)
    assert ended.wait(10)


def test_a_connection_is_not_waited_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elastic_client, "TIMEOUT_SECONDS", 0.3)
    monkeypatch.setattr(elastic_client, "CONNECTIONS", 1)
    with serving(always) as (_, client):
        [node] = client._nodes.all()
        taken = node._free.get()  # type: ignore[attr-defined]
        with pytest.raises(Unavailable, match="every connection is in use"):
            asked(client)
        node._free.put(taken)  # type: ignore[attr-defined]


def test_more_requests_than_connections_wait_for_a_free_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elastic_client, "CONNECTIONS", 3)
    with serving(always) as (node, client), ThreadPoolExecutor(12) as pool:
        assert list(pool.map(lambda _: asked(client), range(60))) == [{"took": 1}] * 60
    assert node.connections <= 3


def test_a_node_that_failed_is_left_alone_while_there_is_another() -> None:
    unwell = Node(lambda connection, _: connection.close())
    with serving(always) as (node, _):
        client = Client([f"http://{unwell.host}", f"http://{node.host}"], "elasticsearch", None, None)
        failures = 0
        for _ in range(20):
            try:
                asked(client)
            except Unavailable:
                failures += 1
        client.close()
    unwell.close()
    assert failures <= 1


@pytest.mark.parametrize("host", ["http://no-such-host.invalid:9200", f"http://{'a' * 64}.example:9200"])
def test_a_host_that_is_not_found_is_unavailable(host: str) -> None:
    client = Client([host], "elasticsearch", None, None)
    with pytest.raises(EngineError, match="cannot be reached"):
        asked(client)
    client.close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ssl.SSLContext]:
    """Of 127.0.0.1, signed by nobody else, and a server's side of it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "search")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(1))
        .not_valid_after(now + dt.timedelta(1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "search.pem"
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return file, context


def test_a_certificate_that_the_system_trusts_is_trusted(
    certificate: tuple[Path, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    with serving(always, context=certificate[1]) as (node, client):
        assert [asked(client), asked(client)] == [{"took": 1}] * 2
    assert node.connections == 1


def test_a_certificate_that_nobody_trusts_is_refused(certificate: tuple[Path, ssl.SSLContext]) -> None:
    with serving(always, context=certificate[1]) as (_, client), pytest.raises(Unavailable, match="certificate verify failed"):
        asked(client)


def test_a_certificate_of_another_host_is_refused(certificate: tuple[Path, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    with serving(always, context=certificate[1]) as (node, _):
        client = Client([f"https://localhost:{node.host.split(':')[1]}"], "elasticsearch", None, None)
        with pytest.raises(Unavailable, match="certificate verify failed"):
            asked(client)
        client.close()
