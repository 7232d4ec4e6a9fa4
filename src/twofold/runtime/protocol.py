"""HTTP/1.1 as it comes over a connection. What is read before a request is whole has bounds, in bytes and in time, before the parser:
that keeps what it has not finished, and copies it at each piece.

This builds on uvicorn's protocol, and on members of it that are its own: pyproject.toml bounds the version, tests/runtime the use.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any, cast

import httptools
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from twofold.errors import Overloaded, Problem, Stopping
from twofold.runtime.failures import Failures
from twofold.runtime.onewrite import OneWrite
from twofold.runtime.web import CLIENT, MOST_BODY, Client, Endpoint, Web, overloaded, problem, read_body

MAX_HEADERS = 16 * 1024  # bytes
MAX_LINES = 100
MAX_URL = 64 * 1024  # bytes; a cursor holds the values that a page was sorted by
PIECE = 16 * 1024  # bytes that the parser is given at a time, and so about the most by which a bound can be passed
HEAD_SECONDS = 10.0
BODY_SECONDS, LEAST_RATE = 30.0, 2048  # bytes a second, below which a body that takes longer is given up
STUCK_SECONDS = 30.0  # for a client to take the end of an answer, behind which the connection is closed
UNTAKEN_SECONDS = 60.0  # for which a client may take nothing of an answer that goes on
MOST_AHEAD = 16  # requests that wait for the answer to the one before
DEAF_SECONDS, DEAF_BYTES = 1.0, 4 << 20  # for which a client is listened to that is refused: a reset would take the answer from it
_WATCHED = frozenset({b"host", b"expect", b"content-length", b"transfer-encoding"})
SPARE = 32  # connections above the bound that are told so


@dataclass(slots=True)
class Shared:
    """What all connections of a server share: how many there may be, and whether the server stops."""

    most: int = 10_000
    stopping: bool = False
    failures: Failures = field(default_factory=Failures)


async def _refuse(request: Request) -> Response:
    await read_body(request)  # so that the client has done with sending, and hears
    raise Stopping


_REFUSING: ASGIApp = Web([Mount("", Endpoint(_refuse))])


class Protocol(HttpToolsProtocol):
    """One connection."""

    def __init__(self, *given: Any, shared: Shared, **named: Any) -> None:
        super().__init__(*given, **named)
        self._shared, self._client = shared, Client()
        self._since = self.loop.time()  # when what is read now began to come; 0 while nothing is expected
        self._closing_since = self._unsent_since = 0.0
        self._unsent = 0  # bytes that the client has not taken, when some were last taken
        self._unfinished = 0  # bytes behind the last one that led on
        self._came = self._head = self._hosts = 0
        self._in_head, self._deaf, self._ignored = True, False, 0
        self._length: list[tuple[bytes, bytes]] = []  # the headers that tell of a body
        self._resumed = False
        self._answering: RequestResponseCycle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(cast(asyncio.Transport, OneWrite(transport, self._close)))
        count = len(self.connections)
        if count > self._shared.most:
            self._shared.failures.told("connections are refused: too many are open", most=self._shared.most)
            if count > self._shared.most + SPARE:
                transport.abort()
            else:
                self._refused(overloaded(Overloaded("Too many connections are open. Try again in a moment.")))

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answering is not None and not self._answering.response_complete:
            self._answering.disconnected = True  # of several that were sent at once, uvicorn knows the last one only
        super().connection_lost(exc)
        self.pipeline.clear()
        self.cycle = self._answering = None  # type: ignore[assignment]
        self._client.leaves()

    def data_received(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        self._since = self._since or self.loop.time()
        if len(data) <= PIECE and not self._deaf:
            self._read(data)
            return
        for start in range(0, len(data), PIECE):
            if self._deaf or self.transport.is_closing():
                self._ignore(len(data) - start)
                break
            self._read(data[start : start + PIECE])

    def _read(self, piece: bytes) -> None:
        try:
            self._parse(piece)
        except httptools.HttpParserError as error:
            told = error.__context__
            malformed = Problem(400, "malformed-request", "What was sent is not HTTP/1.1.")
            self._refused(told if isinstance(told, Problem) else malformed)
            return
        self._unfinished += len(piece)
        if self._unfinished > MAX_HEADERS + PIECE + (len(self.url or b"") if self._in_head else 0):
            self._refused(_headers_too_large())

    def _parse(self, piece: bytes) -> None:
        rest: bytes | None = piece
        while rest:
            rest = self._behind_upgrade(rest)
            if rest is not None:
                self._go_on_without_upgrade()

    def _behind_upgrade(self, piece: bytes) -> bytes | None:
        """What the parser has not read, where it stopped at a request to upgrade."""
        try:
            self.parser.feed_data(piece)
        except httptools.HttpParserUpgrade as upgrade:
            return piece[upgrade.args[0] :]
        return None

    def _ignore(self, count: int) -> None:
        self._ignored += count
        if self._ignored > DEAF_BYTES:
            self.transport.abort()

    # What the parser calls

    def on_message_begin(self) -> None:
        if self._resumed:
            return
        super().on_message_begin()
        self.scope[CLIENT] = self._client  # type: ignore[literal-required]
        self._since, self._in_head = self.loop.time(), True
        self._unfinished = self._came = self._head = self._hosts = 0
        self._length.clear()

    def on_url(self, url: bytes) -> None:
        if self._resumed:
            return
        super().on_url(url)
        if len(self.url) > MAX_URL:
            raise Problem(414, "too-large", f"The address should have at most {MAX_URL // 1024} KiB.")

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head += len(name) + len(value) + len(b": \r\n")
        if self._head > MAX_HEADERS or len(self.headers) >= MAX_LINES:
            raise _headers_too_large()
        if self._in_head and not self._resumed:  # not of a trailer: who stands between us and the client may have looked at headers only
            name = name.lower()
            if name in _WATCHED:
                self._watch(name, value)
            self.headers.append((name, value))

    def _watch(self, name: bytes, value: bytes) -> None:
        if name == b"host":
            self._hosts += 1
        elif name == b"expect":
            self.expect_100_continue = value.lower() == b"100-continue"
        else:
            self._length.append((name, value))
            if value.isdigit() and (len(value) > 18 or int(value) > MOST_BODY):
                raise Problem(413, "too-large", f"The body should have at most {MOST_BODY // 1024} KiB.")

    def on_headers_complete(self) -> None:
        if self._resumed:
            return
        if len(self.pipeline) >= MOST_AHEAD:
            raise Problem(400, "malformed-request", f"At most {MOST_AHEAD} requests may wait for the answer to one before them.")
        version = self.parser.get_http_version()
        if version not in ("1.0", "1.1"):
            raise Problem(505, "malformed-request", "The service speaks HTTP/1.1.")
        if self._hosts > 1 or (version == "1.1" and not self._hosts):
            raise Problem(400, "malformed-request", "A request of HTTP/1.1 should have one Host.")
        if not self.url.startswith(b"/"):
            self._take_host_of_url()
        self._since, self._in_head = self.loop.time(), False
        if self._shared.stopping:
            self.app = _REFUSING
        super().on_headers_complete()
        if self._shared.stopping:
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        self._unfinished = 0
        self._came += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        if self.parser.should_upgrade() and self._length:
            return  # its body is still to come
        self._since, self._in_head = 0, True
        super().on_message_complete()

    def _go_on_without_upgrade(self) -> None:
        """We upgrade to nothing, so the request is one as any other (RFC 9110, section 7.8). But the parser has stopped behind the head: a
        new one is told what body comes.
        """
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        if self._length:
            self._resumed = True
            lines = b"".join(b"%b: %b\r\n" % header for header in self._length)
            try:
                self.parser.feed_data(b"POST / HTTP/1.1\r\n" + lines + b"\r\n")
            finally:
                self._resumed = False

    def _take_host_of_url(self) -> None:
        """Of an address in absolute form, its authority counts, and not the header (RFC 9112, section 3.2.2)."""
        url = httptools.parse_url(self.url)
        if url.host is not None:
            name = b"[%b]" % url.host if b":" in url.host else url.host
            host = name if url.port is None else b"%b:%d" % (name, url.port)
            self.headers[:] = [(b"host", host), *((name, value) for name, value in self.headers if name != b"host")]

    # Answers, and the end

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._answering = cycle
        super()._start_asgi_task(cycle, app)

    def on_response_complete(self) -> None:
        cast(OneWrite, self.transport).flush()
        super().on_response_complete()

    def look(self, now: float) -> None:
        """Ends what takes too long. Called about once a second."""
        if self.transport.is_closing():
            self._closing_since = self._closing_since or now
            if now - self._closing_since > STUCK_SECONDS:
                self.transport.abort()
            return
        if self._takes_nothing(now):
            self.transport.abort()
            return
        seconds = now - self._since
        late = seconds > HEAD_SECONDS if self._in_head else seconds > BODY_SECONDS and self._came < seconds * LEAST_RATE
        if late and self._since and not self._deaf and not self.flow.read_paused:
            self._end(Problem(408, "timeout", "It took too long until the request was whole."))

    def _takes_nothing(self, now: float) -> bool:
        """Whether the client has taken nothing of an answer for too long. Nothing is written while it has much to take."""
        unsent = self.transport.get_write_buffer_size() if self.flow.write_paused else 0
        if unsent == 0 or unsent != self._unsent:
            self._unsent, self._unsent_since = unsent, now
        return now - self._unsent_since > UNTAKEN_SECONDS

    def stop(self) -> None:
        """What is being answered is answered as the last on this connection."""
        if self.cycle is not None:
            self.cycle.keep_alive = False

    def close_idle(self) -> None:
        """Closes the connection if no answer is owed on it."""
        if not self._owes() and not self._deaf and not self.transport.is_closing():
            self._end(overloaded(Stopping()))

    def cut(self) -> None:
        """Ends the connection where an answer is begun, or waits for its client: the work on it is given up, and it is not made whole."""
        cycle = self._answering
        if cycle is None or cycle.response_complete or not (self.flow.write_paused or cycle.response_started):
            return
        cycle.disconnected = True
        self._client.leaves()
        if self.flow.write_paused:
            self.transport.abort()
        else:
            self.transport.close()

    def _end(self, error: Problem) -> None:
        """With this answer, where part of a request is there that has none yet."""
        answered = self.cycle is not None and self.cycle.response_complete and not self._in_head
        if answered or not self._since or (self._in_head and not self._unfinished):
            self.transport.close()
        else:
            self._refused(error)

    def _owes(self) -> bool:
        return self._answering is not None and not self._answering.response_complete

    def _refused(self, error: Problem) -> None:
        """Reads no further. What is owed is answered; else this is the answer. Then the connection is closed."""
        self._deaf = True
        if self._owes():
            cycle = cast(RequestResponseCycle, self._answering)
            cycle.keep_alive = False
            self.pipeline.clear()
            if cycle is not self.cycle or not cycle.more_body:
                return
            cycle.disconnected = True  # the request that is not whole
            cycle.message_event.set()
            if cycle.response_started:
                self.transport.close()
                return
        answer = problem(error)
        headers = [*self.server_state.default_headers, *answer.raw_headers, (b"connection", b"close")]
        head = STATUS_LINE[error.status] + b"".join(b"%b: %b\r\n" % header for header in headers)
        self.transport.write(head + b"\r\n" + answer.body)
        self._stay_deaf()

    def _close(self) -> None:
        """In place of the transport's own: a client that still sends its request would not hear its answer."""
        if self.cycle is not None and self.cycle.more_body and not self._deaf and not self.cycle.disconnected:
            self._stay_deaf()
        else:
            cast(OneWrite, self.transport).end()

    def _stay_deaf(self) -> None:
        self._deaf = True
        self.pipeline.clear()
        transport = cast(OneWrite, self.transport)
        transport.flush()
        transport.write_eof()
        self.flow.resume_reading()
        self.loop.call_later(DEAF_SECONDS, transport.end)


def _headers_too_large() -> Problem:
    return Problem(431, "too-large", f"The headers should have at most {MAX_HEADERS // 1024} KiB, in at most {MAX_LINES} lines.")
