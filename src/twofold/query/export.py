"""All hits of a search as a stream of NDJSON or CSV, in constant memory: the next chunk is read when the client has taken the last one.

Each export has a thread of its own for all it asks of the read store, whose connections belong to threads. Its last line says that it is
whole; where something fails midway, that line is missing and the connection is cut.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import orjson
import structlog
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from twofold.errors import Overloaded
from twofold.index.port import ReadStore
from twofold.index.search import Hit
from twofold.query import parameters
from twofold.query.answer import sparse
from twofold.query.language import Exported
from twofold.record import encoded
from twofold.resource import Declaration
from twofold.runtime.web import SECURITY
from twofold.spreadsheets import safe

log: Any = structlog.get_logger()
MAX_EXPORTS, MAX_OF_CLIENT = 4, 2  # at a time in one process; of them for one address
FIRST_SECONDS = 30.0  # until the first lines are there: they may have to be sorted out of all
TOTAL_SECONDS = 15 * 60.0  # an export holds a snapshot, and what is written meanwhile stays on the disk
LEAST_RATE = 64 * 1024  # bytes a second that a client takes on the whole, once it was waited for so many seconds:
SLOW_SECONDS = 60.0
PIECE = 1 << 18  # bytes that a client takes at a time, so that a slow one is not taken for one that has stopped
STALLED_SECONDS = 60.0  # a client that takes nothing for so long is cut off, since its export holds a snapshot
RETRY_SECONDS = 10
TYPES = {"ndjson": "application/x-ndjson", "csv": "text/csv; charset=utf-8"}
Lines = Generator[bytes, None, None]


class Exports:
    """The exports of one process."""

    def __init__(self, index: ReadStore) -> None:
        self._index = index
        self._threads = [ThreadPoolExecutor(1, thread_name_prefix=f"export-{number}") for number in range(MAX_EXPORTS)]
        self._free = list(self._threads)
        self._clients: Counter[str] = Counter()
        self._lock = threading.Lock()  # a thread says when it is free again

    async def begin(self, resource: Declaration, asked: Exported, headers: Mapping[str, str], client: str) -> Stream:
        """The answer to the client of that address, once its first lines are there.

        Raises what the read store raises, and Overloaded where too many run or the first lines take too long.
        """
        thread = self._taken(client)
        steps = Steps(_lines(self._index, resource, asked), thread, lambda: self._given_back(thread, client))
        try:
            async with asyncio.timeout(FIRST_SECONDS):
                first = await steps.next()
        except BaseException as error:
            steps.close()
            if isinstance(error, TimeoutError):
                raise Overloaded(f"Nothing was found in {FIRST_SECONDS:.0f} s. Export less, or sort by id.", RETRY_SECONDS) from None
            raise
        file = f'attachment; filename="{resource.name}.{asked.format}"'
        return Stream(first, steps, {**headers, "Content-Type": TYPES[asked.format], "Content-Disposition": file})

    def _taken(self, client: str) -> ThreadPoolExecutor:
        with self._lock:
            if not self._free or self._clients[client] >= MAX_OF_CLIENT:
                told = f"{MAX_EXPORTS} exports run already, or {MAX_OF_CLIENT} of this client. Try again when one is done."
                raise Overloaded(told, RETRY_SECONDS)
            self._clients[client] += 1
            return self._free.pop()

    def _given_back(self, thread: ThreadPoolExecutor, client: str) -> None:
        with self._lock:
            self._free.append(thread)
            self._clients[client] -= 1
            if not self._clients[client]:
                del self._clients[client]

    def stop(self) -> None:
        """Waits for what the threads do just now; what is asked of an export afterwards fails."""
        for thread in self._threads:
            thread.shutdown()


class Steps:
    """Lines, taken step by step, each step in the same thread."""

    def __init__(self, lines: Lines, thread: ThreadPoolExecutor, done: Callable[[], None]) -> None:
        self._lines, self._thread, self._done = lines, thread, done

    async def next(self) -> bytes | None:
        """The next lines; None at the end."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, next, self._lines, None)

    def close(self) -> None:
        """Ends the lines behind the step that runs, if one does; then the thread is free."""
        self._thread.submit(self._lines.close).add_done_callback(lambda _: self._done())


class Stream(Response):
    """Lines as the body of an answer; it ends early where the client goes away."""

    def __init__(self, first: bytes | None, steps: Steps, headers: Mapping[str, str]) -> None:
        super().__init__(headers={**SECURITY, **headers})
        del self.headers["content-length"]  # it is not known
        self._first, self._steps = first, steps

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        gone = asyncio.ensure_future(_gone(receive))
        client = _Client(send)
        try:
            async with asyncio.timeout(TOTAL_SECONDS):
                await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
                lines = None if scope["method"] == "HEAD" else self._first
                while lines is not None and not gone.done():
                    for start in range(0, len(lines), PIECE):
                        await client.take(lines[start : start + PIECE])
                    lines = await self._steps.next()
                await send({"type": "http.response.body", "body": b""})
        except TimeoutError:
            log.warning("an export was cut off: its client took too little", bytes=client.taken, waited_seconds=round(client.waited))
        finally:
            gone.cancel()
            self._steps.close()


class _Client:
    """What a client took, and how long it was waited for."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.taken, self.waited = 0, 0.0

    async def take(self, piece: bytes) -> None:
        """Raises TimeoutError for one that takes nothing, or too little on the whole."""
        began = time.monotonic()
        async with asyncio.timeout(STALLED_SECONDS):  # wait_for would now and then swallow that the whole is over (Python 3.11)
            await self._send({"type": "http.response.body", "body": piece, "more_body": True})
        self.waited += time.monotonic() - began
        self.taken += len(piece)
        if self.waited > SLOW_SECONDS and self.taken < self.waited * LEAST_RATE:
            raise TimeoutError


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _lines(index: ReadStore, resource: Declaration, asked: Exported) -> Lines:
    """The head with the first chunk, the other chunks, the line that says that this is all."""
    shape = _FORMATS[asked.format](resource, asked.fields)
    count = 0
    with index.export(resource, replace(asked.search, seconds=FIRST_SECONDS)) as chunks:
        first = next(chunks, [])
        yield shape.head() + shape.rows(first)
        count += len(first)
        for hits in chunks:
            yield shape.rows(hits)
            count += len(hits)
    yield shape.end(count)


class _Ndjson:
    def __init__(self, resource: Declaration, fields: frozenset[str]) -> None:
        self._resource, self._fields = resource, fields

    def head(self) -> bytes:
        return b""

    def rows(self, hits: Sequence[Hit]) -> bytes:
        return b"".join(encoded(sparse(self._resource, hit.document, self._fields)) + b"\n" for hit in hits)

    def end(self, count: int) -> bytes:
        return orjson.dumps({"complete": True, "count": count}, option=orjson.OPT_APPEND_NEWLINE)


class _Csv:
    """A head with the members' names, then a line for each hit (RFC 4180). Texts and lists are in quotes, null is nothing at all."""

    def __init__(self, resource: Declaration, fields: frozenset[str]) -> None:
        self._resource, self._fields = resource, fields
        self._members = [name for name in parameters.members(resource) if not fields or name in fields]
        self._texts = {field.name for field in resource.indexed if field.kind.is_guarded and not field.many}

    def head(self) -> bytes:
        return _csv([self._members])

    def rows(self, hits: Sequence[Hit]) -> bytes:
        shown = (sparse(self._resource, hit.document, self._fields) for hit in hits)
        return _csv([[self._cell(name, each[name]) for name in self._members] for each in shown])

    def end(self, count: int) -> bytes:
        return f"# complete: {count} rows\r\n".encode()

    def _cell(self, name: str, value: Any) -> str:
        """Text that a spreadsheet would take for a formula has an apostrophe before it; lists are JSON."""
        if value is None:
            return ""
        if isinstance(value, str):
            return _quoted(safe(value)) if name in self._texts else value
        text = orjson.dumps(value).decode()
        return _quoted(text) if isinstance(value, list) else text


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _csv(rows: Sequence[Sequence[str]]) -> bytes:
    return "".join(f"{','.join(row)}\r\n" for row in rows).encode()


_FORMATS: dict[str, type[_Ndjson | _Csv]] = {"ndjson": _Ndjson, "csv": _Csv}
