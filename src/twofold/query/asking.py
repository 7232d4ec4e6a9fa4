"""Reads what requests ask for: short ones at once, long ones in a thread of their own, so that other requests do not wait meanwhile.

A filter of 4,000 characters takes some 50 ms to read, and the loop that serves everybody has nothing else to do it in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar, cast

from twofold.query.parameters import Parameters
from twofold.query.reader import SECONDS
from twofold.resource import Declaration
from twofold.runtime.batcher import Batcher

T = TypeVar("T")
SHORT = 500  # characters of all values
MAX_WAITING = 400_000  # characters: about what is read in the time that a read has


class Asking:
    def __init__(self) -> None:
        self._long: Batcher[Callable[[], Any], Any] = Batcher("asking", _called, max_items=1, max_waiting_weight=MAX_WAITING)

    async def read(self, read: Callable[[Declaration, Parameters], T], resource: Declaration, given: Parameters) -> T:
        """What `read` makes of these parameters. Raises what it raises, and Overloaded where too much waits."""
        size = sum(len(value) for _, value in given)
        if size <= SHORT:
            return read(resource, given)
        return cast("T", await self._long.ask(partial(read, resource, given), size, deadline=SECONDS))

    def stop(self) -> None:
        self._long.stop()


def _called(reads: Sequence[Callable[[], Any]]) -> list[Any]:
    return [read() for read in reads]
