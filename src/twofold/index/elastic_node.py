"""One node of Elasticsearch or OpenSearch: HTTP/1.1 (RFC 9112) over connections that are kept, its answers parsed by httptools.

urllib3, by which elastic_transport would ask, takes three times the CPU time (docs/adr/0016-http-by-httptools.md).
"""

from __future__ import annotations

import socket
import ssl
import time
from contextlib import suppress
from http import HTTPStatus
from queue import Empty, LifoQueue

import certifi
from elastic_transport import BaseNode, NodeConfig
from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser
from urllib3.util import wait_for_read

# In place of an answer; the last for a host whose name is none.
FAILURES = (OSError, HttpParserError, HttpParserUpgrade, UnicodeError)
DEFAULT_PORTS = {"http": 80, "https": 443}
PIECE = 1 << 16  # bytes that are read at once
MOST = 256 << 20  # bytes of an answer; whoever asks asks for far less


class Node(BaseNode):
    """Holds `connections_per_node` connections, opened as they are needed; a request beyond that waits for a free one."""

    def __init__(self, config: NodeConfig) -> None:
        super().__init__(config)
        self._head = "".join(f"{name}: {value}\r\n" for name, value in {**self.headers, "host": self._authority()}.items())
        self._seconds = config.request_timeout or 0.0
        self._free: LifoQueue[_Connection] = LifoQueue()
        trust = _trust() if self.scheme == "https" else None
        for _ in range(config.connections_per_node):
            self._free.put(_Connection(config, trust))

    def ask(self, method: str, target: str, body: bytes, mimetype: str) -> Response:
        """`mimetype` is that of the body, if there is one. Raises one of FAILURES where there is no whole answer within the node's time.

        It is asked once: whether again, is the caller's to know.
        """
        deadline = time.monotonic() + self._seconds
        about = f"content-type: {mimetype}\r\n" if body else ""
        head = f"{method} {self.path_prefix}{target} HTTP/1.1\r\n{self._head}{about}content-length: {len(body)}\r\n\r\n"
        try:
            connection = self._free.get(timeout=self._seconds)
        except Empty:
            raise TimeoutError("timed out: every connection is in use") from None
        try:
            return connection.exchange(head.encode() + body, deadline)
        except BaseException:  # Ctrl-C too
            connection.close()  # whatever is still on its way is nobody's answer
            raise
        finally:
            self._free.put(connection)

    def close(self) -> None:
        """The connections that no request is using."""
        for _ in range(self._free.qsize()):
            connection = self._free.get()
            connection.close()
            self._free.put(connection)

    def _authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"


class Response:
    """What httptools tells of an answer while it reads it."""

    __slots__ = ("_chunks", "_parser", "is_json", "is_last", "status", "whole")

    def __init__(self) -> None:
        self.status, self.is_json, self.is_last, self.whole = 0, False, False, False
        self._chunks: list[bytes] = []

    @property
    def body(self) -> bytes:
        return b"".join(self._chunks)

    def receive(self, connection: socket.socket, deadline: float) -> None:
        """Reads until it is whole: however slowly it comes, no longer than until the deadline."""
        self._parser = HttpResponseParser(self)
        size = 0
        try:
            while not self.whole:
                connection.settimeout(_left(deadline))
                if not (data := connection.recv(PIECE)):
                    raise ConnectionResetError("closed in the middle of an answer")
                size += len(data)
                if size > MOST:
                    raise OSError(f"an answer of more than {MOST >> 20} MB")
                self._parser.feed_data(data)
        finally:
            del self._parser  # which holds what it tells

    def on_message_begin(self) -> None:
        if self.whole:
            self.is_last = True  # nobody asked for what comes behind the answer
        else:
            self.is_json = True  # where nothing else is said

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"content-type" and not self.whole:
            self.is_json = b"json" in value

    def on_body(self, data: bytes) -> None:
        if not self.whole:
            self._chunks.append(data)

    def on_message_complete(self) -> None:
        status = self._parser.get_status_code()
        if status >= HTTPStatus.OK and not self.whole:  # 100 to 199 come before an answer
            self.status, self.whole = status, True
            self.is_last = not self._parser.should_keep_alive()  # which is known only now


class _Connection:
    """Opened by its first request, and by the first one after `close`."""

    def __init__(self, config: NodeConfig, trust: ssl.SSLContext | None) -> None:
        self._config, self._trust = config, trust
        self._socket: socket.socket | None = None

    def exchange(self, request: bytes, deadline: float) -> Response:
        if self._socket is not None and wait_for_read(self._socket, 0):  # the other side has closed it meanwhile
            self.close()
        if self._socket is None:
            self._socket = self._open(_left(deadline))
        self._socket.settimeout(_left(deadline))
        with suppress(BrokenPipeError, ConnectionResetError):  # an answer may have come all the same: that it is too much
            self._socket.sendall(request)
        response = Response()
        response.receive(self._socket, deadline)
        if response.is_last:
            self.close()
        return response

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _open(self, seconds: float) -> socket.socket:
        host = self._config.host
        opened = socket.create_connection((host, self._config.port), timeout=seconds)
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return opened if self._trust is None else self._trust.wrap_socket(opened, server_hostname=host.rstrip("."))


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("timed out")
    return left


def _trust() -> ssl.SSLContext:
    """In whom the system trusts (or SSL_CERT_FILE and SSL_CERT_DIR say), and certifi."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context
