"""A transport that sends the head of an answer together with what follows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any


class OneWrite:
    """Writes head and body at once: each write is a system call, and wakes the client. `close` does what is given, which calls `end`."""

    def __init__(self, transport: asyncio.Transport, close: Callable[[], None]) -> None:
        self._transport = transport
        self._head = b""
        self.close = close

    def write(self, data: bytes) -> None:
        if data.startswith(b"HTTP/1.1 ") and not data.startswith(b"HTTP/1.1 100 "):
            self._head += data
        else:
            self._transport.write(self._head + data)
            self._head = b""

    def flush(self) -> None:
        if self._head:
            self.write(b"")

    def end(self) -> None:
        self.flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
