"""What comes over a connection before a request is whole has bounds, and whoever passes them is told so."""

from __future__ import annotations

import json
import resource
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import orjson
import pytest
import structlog
import uvloop
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from twofold.runtime import protocol
from twofold.runtime.batcher import Batcher
from twofold.runtime.hosts import LocalHosts
from twofold.runtime.process import bind
from twofold.runtime.server import Server, descriptors
from twofold.runtime.web import Endpoint, Respond, Web, answer, read_body

SECONDS = 20
LARGE = 16 << 20  # bytes, more than the buffers of both ends hold
HEAD = b"POST /echo HTTP/1.1\r\nHost: localhost\r\n"


class App:
    """Says what it was asked; `/wait` waits in a batcher whose lane is busy until `open` is set."""

    def __init__(self) -> None:
        self.open, self.entered, self.ran = threading.Event(), threading.Semaphore(0), []
        self.batcher: Batcher[str, str] = Batcher("app", self._run, max_items=1)
        routes = [Route(path, Endpoint(respond), methods=["GET", "POST"]) for path, respond in self._paths()]
        self.http = LocalHosts(Web(routes))

    def _run(self, items: list[str]) -> list[str]:
        self.ran += items
        self.entered.release()
        assert self.open.wait(SECONDS)
        return items

    def _paths(self) -> tuple[tuple[str, Respond], ...]:
        return ("/echo", self.echo), ("/wait", self.wait), ("/large", self.large)

    async def large(self, _: Request) -> Response:
        return answer(200, b"x" * LARGE)

    async def echo(self, request: Request) -> Response:
        body = await read_body(request)
        return answer(200, orjson.dumps({"body": body.decode(), "headers": request.headers.items(), "path": request.url.path}))

    async def wait(self, request: Request) -> Response:
        return answer(200, orjson.dumps(await self.batcher.ask(request.url.query)))


class Running:
    def __init__(self, app: App, most: int) -> None:
        self.app = app
        self.server = Server(app.http, most)
        bound = bind("127.0.0.1", 0, "TWOFOLD_COMMAND_PORT")
        self.port = bound.getsockname()[1]
        self._thread = threading.Thread(target=lambda: uvloop.run(self.server.serve([bound])), daemon=True)
        self._thread.start()
        while not self.server.started:
            time.sleep(0.001)

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=SECONDS)

    def stop(self) -> None:
        self.server.should_exit = True

    def stopped(self) -> None:
        self.stop()
        self.app.open.set()
        self._thread.join(SECONDS)
        assert not self._thread.is_alive()


@contextmanager
def running(most: int = 1000) -> Iterator[Running]:
    run = Running(App(), most)
    try:
        yield run
    finally:
        run.stopped()


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with running() as run:
        yield run


def read(connection: socket.socket) -> tuple[int, dict[str, str], Any]:
    """One answer: status, headers, body as JSON."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = connection.recv(65536)
        assert part, data
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    while len(body) < int(headers["content-length"]):
        body += connection.recv(65536)
    assert len(body) == int(headers["content-length"]), body
    return int(status.split()[1]), headers, json.loads(body) if headers["content-type"].endswith("json") else body.decode()


def asked(server: Running, *parts: bytes) -> tuple[int, dict[str, str], Any]:
    with server.connect() as connection:
        for part in parts:
            connection.sendall(part)
        return read(connection)


def refused(server: Running, *parts: bytes) -> tuple[int, str]:
    """Status and code of a refusal that is a problem, behind which the connection is closed."""
    with server.connect() as connection:
        for part in parts:
            connection.sendall(part)
        status, headers, body = read(connection)
        assert (headers["content-type"], headers["x-content-type-options"], headers["connection"]) == (
            *("application/problem+json", "nosniff", "close"),
        )
        assert body["status"] == status
        assert connection.recv(1) == b""
        return status, body["code"]


CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n"


@pytest.mark.parametrize(
    ("begin", "endless", "told"),
    [
        (HEAD + b"X: ", b"a", (431, "too-large")),
        (HEAD, b"X" * 64, (431, "too-large")),
        (HEAD, b"X: \r\n", (431, "too-large")),
        (b"GET /", b"a", (414, "too-large")),
        (CHUNKED + b"0\r\nX: ", b"a", (431, "too-large")),
        (CHUNKED + b"2;x=", b"a", (431, "too-large")),
    ],
    ids=["a value", "a name", "lines", "an address", "a trailer", "an extension of a chunk"],
)
def test_what_never_ends_is_refused_before_it_is_much(server: Running, begin: bytes, endless: bytes, told: tuple[int, str]) -> None:
    sent, block = 0, (endless * 65536)[:65536]
    with server.connect() as connection:
        connection.sendall(begin)
        try:
            while sent < 64 << 20:
                connection.sendall(block)
                sent += len(block)
        except OSError:
            pass
        assert sent < 16 << 20  # what fits into the buffers of both ends
    assert refused(server, begin, block * 2) == told


def test_a_head_within_the_bounds_is_taken(server: Running) -> None:
    long = [b"X%d: %b\r\n" % (number, b"v" * 150) for number in range(90)]
    status, _, body = asked(server, HEAD + b"".join(long) + b"\r\n")
    assert (status, len(body["headers"])) == (200, 91)
    assert asked(server, b"GET /echo?" + b"a" * 65_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")[0] == 200
    in_bytes = HEAD + b"X: y\r\n\r\n"
    assert asked(server, *[in_bytes[place : place + 1] for place in range(len(in_bytes))])[0] == 200


def test_a_body_in_many_pieces_is_taken(server: Running) -> None:
    body = b"b" * 60_000
    assert asked(server, HEAD + b"Content-Length: 60000\r\n\r\n", *[body[at : at + 7000] for at in range(0, 60_000, 7000)])[0] == 200
    chunks = b"".join(b"1\r\nb\r\n" for _ in range(20_000)) + b"0\r\n\r\n"
    assert len(asked(server, HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunks)[2]["body"]) == 20_000


@pytest.mark.parametrize("length", [b"65537", b"99999999999", b"18446744073709551615"])
@pytest.mark.parametrize("expect", [b"", b"Expect: 100-continue\r\n"])
def test_a_body_that_is_too_long_is_refused_at_once(server: Running, length: bytes, expect: bytes) -> None:
    assert refused(server, HEAD + expect + b"Content-Length: " + length + b"\r\n\r\n") == (413, "too-large")


def test_who_still_sends_hears_that_it_is_too_much(server: Running) -> None:
    with server.connect() as connection:
        connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        for _ in range(8):
            connection.sendall(b"8000\r\n" + b"x" * 0x8000 + b"\r\n")
        assert read(connection)[0] == 413


def test_fields_of_a_trailer_are_no_headers(server: Running) -> None:
    for parts in ([CHUNKED + b"0\r\nIdempotency-Key: k\r\n\r\n"], [CHUNKED, b"0\r\n", b"Idempotency-Key: k\r\n\r\n"]):
        status, _, body = asked(server, *parts)
        assert (status, body["body"]) == (200, "hi")
        assert "idempotency-key" not in dict(body["headers"])


@pytest.mark.parametrize(
    ("request_", "told"),
    [
        (b"GET /echo HTTP/1.1\r\n\r\n", (400, "malformed-request")),
        (b"GET /echo HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n", (400, "malformed-request")),
        (b"GET /echo\r\n\r\n", (505, "malformed-request")),
        (b"GET /echo HTTP/2.0\r\nHost: localhost\r\n\r\n", (505, "malformed-request")),
        (b"GET /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", (400, "malformed-request")),
        (b"NONSENSE\r\n\r\n", (400, "malformed-request")),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc", (400, "malformed-request")),
        (CHUNKED + b"nonsense\r\n", (400, "malformed-request")),
    ],
)
def test_what_is_not_http_is_a_problem_too(server: Running, request_: bytes, told: tuple[int, str]) -> None:
    assert refused(server, request_) == told


def test_a_request_of_http_1_0_needs_no_host(server: Running) -> None:
    assert asked(server, b"GET /echo HTTP/1.0\r\n\r\n")[0] == 200


def test_the_authority_of_the_address_counts_more_than_host(server: Running) -> None:
    def host(url: bytes, header: bytes) -> int:
        return asked(server, b"GET " + url + b" HTTP/1.1\r\nHost: " + header + b"\r\n\r\n")[0]

    assert host(b"http://evil.com/echo", b"localhost") == 421
    assert host(b"http://localhost:80/echo", b"evil.com") == 200
    assert host(b"/echo", b"evil.com") == 421
    assert host(b"//evil.com/echo", b"localhost") == 404
    assert host(b"http://[::1]:3830/echo", b"evil.com") == host(b"http://[::1]/echo", b"evil.com") == 200
    assert host(b"http://[::2]:3830/echo", b"localhost") == 421


@pytest.mark.parametrize("path", [b"/echo%0a", b"/echo%0d", b"/echo%00", b"/%0aecho", b"/echo%7f"])
def test_a_path_with_control_characters_leads_nowhere(server: Running, path: bytes) -> None:
    assert asked(server, b"GET " + path + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")[0] == 404


@pytest.mark.parametrize("split", [True, False])
@pytest.mark.parametrize("body", [b"Content-Length: 2\r\n\r\nhi", b"Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"])
def test_who_would_upgrade_is_answered_as_anybody(server: Running, split: bool, body: bytes) -> None:
    """As Java's client and curl ask for HTTP/2 with their first request."""
    upgrade = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n"
    parts = [HEAD + upgrade, *([body[:-3], body[-3:]] if split else [body])]
    with server.connect() as connection:
        for _ in range(2):
            for part in parts if split else [b"".join(parts)]:
                connection.sendall(part)
            status, _, found = read(connection)
            assert (status, found["body"]) == (200, "hi")
        connection.sendall(b"GET /echo HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        assert read(connection)[0] == 200


@pytest.mark.parametrize("coding", [b"gzip", b"chunked, gzip", b"gzip, chunked, x"])
def test_a_body_that_the_parser_refuses_behind_an_upgrade_is_malformed(server: Running, coding: bytes) -> None:
    upgrade = b"Connection: Upgrade\r\nUpgrade: h2c\r\nTransfer-Encoding: "
    assert refused(server, HEAD + upgrade + coding + b"\r\n\r\nhi") == (400, "malformed-request")


class TestTime:
    @pytest.fixture
    def quick(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.0)
        monkeypatch.setattr(protocol, "BODY_SECONDS", 0.0)
        monkeypatch.setattr(protocol, "LEAST_RATE", 1 << 30)

    @pytest.mark.parametrize("begun", [b"GET /echo HT", HEAD + b"X-a: b\r\n", HEAD + b"Content-Length: 9\r\n\r\nhi", CHUNKED])
    def test_half_a_request_is_ended(self, server: Running, quick: None, begun: bytes) -> None:
        assert refused(server, begun) == (408, "timeout")

    def test_a_connection_on_which_nothing_comes_is_closed_without_a_word(self, server: Running, quick: None) -> None:
        with server.connect() as connection:
            assert connection.recv(1) == b""

    def test_one_that_is_kept_is_not_ended_by_them(self, server: Running, quick: None) -> None:
        with server.connect() as connection:
            for _ in range(2):
                connection.sendall(HEAD + b"\r\n")
                assert read(connection)[0] == 200
                for each in list(server.server.server_state.connections):
                    each.look(time.monotonic() + 5)  # type: ignore[union-attr]


GET = b"GET %b HTTP/1.1\r\nHost: localhost\r\n\r\n"


class TestDeaf:
    """A client that asks and does not read."""

    def test_one_that_takes_nothing_of_an_answer_is_left(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(protocol, "UNTAKEN_SECONDS", 0.0, raising=False)
        with running() as run, run.connect() as deaf:
            deaf.sendall(GET % b"/large" * 2)
            until(lambda: run.server.server_state.connections)
            until(lambda: not run.server.server_state.connections and not run.server.server_state.tasks)

    def test_one_that_asks_for_too_much_ahead_gets_what_was_begun(self, server: Running) -> None:
        with server.connect() as connection:
            connection.sendall(GET % b"/echo" * 1000)
            status, headers, _ = read(connection)
            assert (status, headers["connection"]) == (200, "close")
            assert connection.recv(1) == b""

    def test_some_requests_ahead_are_all_answered(self, server: Running) -> None:
        with server.connect() as connection:
            connection.sendall(
                b"".join(GET % b"/echo?%d" % number for number in range(10))
                + GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n") % b"/echo"
            )
            data = b""
            while part := connection.recv(65536):
                data += part
            assert data.count(b"HTTP/1.1 200 OK") == 11

    def test_the_end_says_nothing_of_answers_that_it_cuts(self, caplog: pytest.LogCaptureFixture) -> None:
        with running() as run, run.connect() as deaf, run.connect() as waiting:
            deaf.sendall(GET % b"/large" * 2)
            waiting.sendall(GET % b"/large")
            until(lambda: len(run.server.server_state.connections) == 2 and all(c.flow.write_paused for c in run.server._open()))
            run.stop()
            until(lambda: not run.server.server_state.tasks)
        assert caplog.messages == []


def test_connections_above_the_bound_are_told_so_and_logged_once() -> None:
    with running(most=3) as run, structlog.testing.capture_logs() as logs:
        kept = [run.connect() for _ in range(3)]
        for connection in kept:
            connection.sendall(HEAD + b"\r\n")
            assert read(connection)[0] == 200
        for _ in range(5):
            assert refused(run) == (503, "overloaded")
        for connection in kept:
            connection.sendall(HEAD + b"\r\n")
            assert read(connection)[0] == 200
            connection.close()
        assert [entry["event"] for entry in logs] == ["connections are refused: too many are open"]


class TestLeaving:
    def test_who_closes_its_side_has_left(self) -> None:
        with running() as run, run.connect() as connection:
            connection.sendall(b"GET /wait?a HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert run.app.entered.acquire(timeout=SECONDS)
            connection.shutdown(socket.SHUT_WR)
            assert connection.recv(100) == b""
            assert not run.app.open.is_set()

    def test_work_whose_client_has_left_is_not_done(self) -> None:
        with running() as run, structlog.testing.capture_logs() as logs:
            busy = run.connect()
            busy.sendall(b"GET /wait?first HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert run.app.entered.acquire(timeout=SECONDS)
            for number in range(20):
                with run.connect() as leaving:
                    leaving.sendall(b"GET /wait?gone%d HTTP/1.1\r\nHost: localhost\r\n\r\n" % number)
                    until(lambda: len(run.app.batcher._waiting) == 1)
                until(lambda: not run.app.batcher._waiting)
            run.app.open.set()
            assert read(busy)[0] == 200
            busy.close()
            assert run.app.ran == ["first"]
        assert logs == []


class TestStopping:
    def test_what_runs_is_answered_and_what_comes_is_refused(self) -> None:
        with running() as run:
            busy, idle, half = run.connect(), run.connect(), run.connect()
            busy.sendall(b"GET /wait?first HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert run.app.entered.acquire(timeout=SECONDS)
            idle.sendall(HEAD + b"\r\n")
            assert "connection" not in read(idle)[1]
            half.sendall(b"POST /ec")
            run.stop()
            until(lambda: run.server._shared.stopping)
            for connection, rest in ((idle, HEAD + b"Content-Length: 2\r\n\r\nhi"), (half, b"ho HTTP/1.1\r\nHost: x\r\n\r\n")):
                connection.sendall(rest)
                status, headers, body = read(connection)
                assert (status, body["code"], headers["connection"], headers["retry-after"]) == (503, "shutting-down", "close", "1")
            run.app.open.set()
            status, headers, body = read(busy)
            assert (status, body, headers["connection"]) == (200, "first", "close")
            with pytest.raises(OSError, match="refused"):
                run.connect()
            for connection in (busy, idle, half):
                connection.close()

    def test_what_is_not_done_in_time_is_told_that_the_service_stops(self) -> None:
        with running() as run:
            connections = [run.connect() for _ in range(3)]
            for number, connection in enumerate(connections):
                connection.sendall(b"GET /wait?%d HTTP/1.1\r\nHost: localhost\r\n\r\n" % number)
                until(lambda number=number: len(run.app.ran) + len(run.app.batcher._waiting) == number + 1)
            run.stop()
            codes = []
            for connection in connections:
                status, headers, body = read(connection)
                assert (status, headers["connection"]) == (503, "close")
                codes.append(body["code"])
                connection.close()
            assert codes == ["shutting-down"] * 3


def until(true: Any) -> None:
    deadline = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.001)


class Silent:
    """A transport whose client takes nothing any more."""

    def __init__(self) -> None:
        self.aborted = False

    def get_extra_info(self, *_: Any) -> None:
        return None

    def is_closing(self) -> bool:
        return True

    def abort(self) -> None:
        self.aborted = True


def test_an_answer_that_nobody_takes_does_not_hold_its_connection_for_ever() -> None:
    async def run() -> tuple[bool, bool]:
        server, transport = Server(App().http), Silent()
        server.config.load()
        connection: Any = server.config.http_protocol_class(config=server.config, server_state=server.server_state, app_state={})  # type: ignore[call-arg]
        connection.connection_made(transport)
        connection.look(1000)
        before = transport.aborted
        connection.look(1001 + protocol.STUCK_SECONDS)
        return before, transport.aborted

    assert uvloop.run(run()) == (False, True)


@pytest.mark.parametrize(
    ("soft", "hard", "most"), [(1024, 20_000, 7500), (256, 256, 96), (64, 64, 1), (1024, resource.RLIM_INFINITY, 10_000)]
)
def test_there_are_fewer_connections_than_descriptors(monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, most: int) -> None:
    raised: list[Any] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: raised.append(limits))
    assert descriptors(2) == most
    assert raised == [(hard, hard)]
