"""Reads bodies: short ones at once, long ones in a thread of their own, so that other requests do not wait meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar, cast

from starlette.requests import Request

from twofold.runtime.batcher import Batcher
from twofold.runtime.web import JSON, MAX_BODY, parsed, read_typed

T = TypeVar("T")
SHORT = 64 * 1024  # bytes


class Reading:
    def __init__(self) -> None:
        self._long: Batcher[Callable[[], Any], Any] = Batcher("reading", _called, max_items=1)

    async def read(
        self, request: Request, make: Callable[[Any], T], content_type: str = JSON, empty: Any = None, limit: int = MAX_BODY
    ) -> tuple[Any, T]:
        """The body, and what `make` makes of it. Raises as `read_json` and `make` do, and Overloaded where too much waits."""
        raw = await read_typed(request, content_type, limit)
        work = partial(_made, raw, empty, make)
        if len(raw) <= SHORT:
            return work()
        return cast("tuple[Any, T]", await self._long.ask(work, len(raw)))

    def stop(self) -> None:
        self._long.stop()


def _made(raw: bytes, empty: Any, make: Callable[[Any], T]) -> tuple[Any, T]:
    body = parsed(raw, empty)
    return body, make(body)


def _called(reads: Sequence[Callable[[], Any]]) -> list[Any]:
    return [read() for read in reads]
