"""Group work: what arrives while a batch runs goes together into the next one.

A lone item is never made to wait: a batch starts as soon as a lane is free. The same piece commits commands and reads documents.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar, cast

from twofold.errors import Unavailable

T = TypeVar("T")
R = TypeVar("R")


class Later:
    """A batch's answer for an item that it could not take on yet: the item goes into the next one."""


LATER: Final = Later()
MAX_WAITING_WEIGHT = 16 << 20
_PAUSE = 0.005  # seconds between batches that got nothing done


class Begun(Unavailable):
    """Whoever waited for an item gave up after it was begun: what becomes of it is not known."""


@dataclass(slots=True, eq=False)
class _Entry(Generic[T, R]):
    item: T
    weight: int
    future: Future[R] | asyncio.Future[R]
    begun: bool = False
    withdrawn: bool = False


class Batcher(Generic[T, R]):
    """Runs `run(items)` on `lanes` threads, with at most `max_items` items and about `max_weight` of weight at a time.

    `run` answers with one result per item: a value, an exception to raise in the caller, or LATER.
    At most `max_waiting` items of about `MAX_WAITING_WEIGHT` wait; beyond that Unavailable is raised.
    """

    def __init__(
        self,
        name: str,
        run: Callable[[list[T]], Sequence[R | BaseException | Later]],
        *,
        max_items: int = 256,
        max_weight: int = 1 << 20,
        max_waiting: int = 4096,
        lanes: int = 1,
    ) -> None:
        self._run = run
        self._max_items, self._max_weight, self._max_waiting = max_items, max_weight, max_waiting
        self._waiting: deque[_Entry[T, R]] = deque()
        self._waiting_weight = 0
        self._ready = threading.Condition()
        self._stopping = False
        self._threads = [threading.Thread(target=self._work, name=f"{name}-{lane}", daemon=True) for lane in range(lanes)]
        self._started = False

    def submit(self, item: T, weight: int = 1) -> Future[R]:
        """The item's result, in time, for a thread. Raises Unavailable when too many wait or the batcher is stopped."""
        future: Future[R] = Future()
        future.set_running_or_notify_cancel()  # what is submitted is not taken back
        self._enter(_Entry(item, weight, future))
        return future

    async def ask(self, item: T, weight: int = 1) -> R:
        """The item's result, for a coroutine. Raises Unavailable as `submit` does.

        One that is cancelled takes its item back; where that was begun already, Begun is raised instead of CancelledError.
        """
        entry: _Entry[T, R] = _Entry(item, weight, asyncio.get_running_loop().create_future())
        self._enter(entry)
        try:
            return await cast("asyncio.Future[R]", entry.future)
        except asyncio.CancelledError:
            with self._ready:
                entry.withdrawn = True
            if entry.begun:
                raise Begun from None
            raise

    def stop(self, timeout: float | None = None) -> None:
        """Takes nothing more, finishes what waits, and waits for that, at most so many seconds per lane. May be called twice."""
        with self._ready:
            self._stopping = True
            self._ready.notify_all()
        for thread in self._threads if self._started else ():
            thread.join(timeout)

    def _enter(self, entry: _Entry[T, R]) -> None:
        with self._ready:
            full = len(self._waiting) >= self._max_waiting or self._waiting_weight > MAX_WAITING_WEIGHT
            if self._stopping or full:
                raise Unavailable("Stopping." if self._stopping else "Too many requests are waiting.")
            self._waiting.append(entry)
            self._waiting_weight += entry.weight
            self._ready.notify()
            if not self._started:  # with the first item
                self._started = True
                for thread in self._threads:
                    thread.start()

    def _work(self) -> None:
        while (entries := self._next()) or not self._stopping or self._waiting:
            if entries:
                self._answer(entries, self._results([entry.item for entry in entries]))

    def _next(self) -> list[_Entry[T, R]]:
        with self._ready:
            while not self._waiting and not self._stopping:
                self._ready.wait()
            taken: list[_Entry[T, R]] = []
            weight = 0
            while self._waiting and len(taken) < self._max_items and (not taken or weight + self._waiting[0].weight <= self._max_weight):
                entry = self._waiting.popleft()
                self._waiting_weight -= entry.weight
                if entry.begun or not entry.withdrawn:
                    entry.begun = True
                    taken.append(entry)
                    weight += entry.weight
            return taken

    def _results(self, items: list[T]) -> Sequence[R | BaseException | Later]:
        try:
            results = self._run(items)
            if len(results) != len(items):
                raise RuntimeError(f"{len(results)} results for {len(items)} items")
        except BaseException as error:  # noqa: BLE001 - the callers are told; the lane must live on
            return [error] * len(items)
        return results

    def _answer(self, entries: list[_Entry[T, R]], results: Sequence[Any]) -> None:
        later = [entry for entry, result in zip(entries, results, strict=True) if result is LATER]
        if later:
            with self._ready:
                self._waiting.extend(later)  # behind the others: what cannot go on must not hold up what can
                self._waiting_weight += sum(entry.weight for entry in later)
        loops: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[R], Any]]] = {}
        for entry, result in zip(entries, results, strict=True):
            if result is LATER:
                continue
            if isinstance(entry.future, asyncio.Future):
                loops.setdefault(entry.future.get_loop(), []).append((entry.future, result))
            else:
                _settle(entry.future, result)
        for loop, answers in loops.items():
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(_settle_all, answers)  # one for all: each wakes the loop's thread
        if len(later) == len(entries):
            time.sleep(_PAUSE)


def _settle_all(answers: Iterable[tuple[asyncio.Future[Any], Any]]) -> None:
    for future, result in answers:
        if not future.done():  # cancelled meanwhile
            _settle(future, result)


def _settle(future: Future[Any] | asyncio.Future[Any], result: Any) -> None:
    if isinstance(result, BaseException):
        future.set_exception(result)
    else:
        future.set_result(result)
