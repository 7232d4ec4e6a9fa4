"""Group work: what arrives while a batch runs goes together into the next one.

A lone item is never made to wait: a batch starts as soon as a lane is free. The same piece commits commands and reads documents.
"""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar, cast

from twofold.errors import Overloaded, Stopping

T = TypeVar("T")
R = TypeVar("R")


class Later:
    """A batch's answer for an item that it could not take on yet: the item goes into the next one."""


LATER: Final = Later()
MAX_WAITING_WEIGHT = 16 << 20
_PAUSE = 0.005  # seconds between batches that got nothing done


class Begun(Overloaded):
    """Whoever waited for an item gave up, or its time was over, after it was begun: what becomes of it is not known."""


@dataclass(slots=True, eq=False)
class _Entry(Generic[T, R]):
    item: T
    weight: int
    future: Future[R] | asyncio.Future[R]
    until: float = math.inf  # monotonic seconds; nobody waits for it afterwards
    begun: bool = False


class Batcher(Generic[T, R]):
    """Runs `run(items)` on `lanes` threads, with at most `max_items` items and about `max_weight` of weight at a time.

    `run` answers with one result per item: a value, an exception to raise in the caller, or LATER. A weight is whatever bounds the work:
    bytes, or an estimated cost. At most `max_waiting` items of about `max_waiting_weight` wait; beyond that Overloaded is raised.
    """

    def __init__(
        self,
        name: str,
        run: Callable[[list[T]], Sequence[R | BaseException | Later]],
        *,
        max_items: int = 256,
        max_weight: int = 1 << 20,
        max_waiting: int = 4096,
        max_waiting_weight: int = MAX_WAITING_WEIGHT,
        lanes: int = 1,
    ) -> None:
        self._run = run
        self._max_items, self._max_weight, self._max_waiting = max_items, max_weight, max_waiting
        self._waiting: OrderedDict[_Entry[T, R], None] = OrderedDict()
        self._waiting_weight, self._max_waiting_weight = 0, max_waiting_weight
        self._ready = threading.Condition()
        self._stopping = False
        self._threads = [threading.Thread(target=self._work, name=f"{name}-{lane}", daemon=True) for lane in range(lanes)]
        self._started = False

    def submit(self, item: T, weight: int = 1) -> Future[R]:
        """The item's result, in time, for a thread. Raises Overloaded when too much waits, Stopping when the batcher is stopped."""
        future: Future[R] = Future()
        future.set_running_or_notify_cancel()  # what is submitted is not taken back
        self._enter(_Entry(item, weight, future))
        return future

    async def ask(self, item: T, weight: int = 1, deadline: float | None = None) -> R:
        """The item's result, for a coroutine. Raises as `submit` does.

        `deadline` seconds from now, Overloaded is raised if the item was not begun, and is not begun any more, else Begun. One that is
        cancelled takes its item back; where that was begun already, Begun is the cause of its CancelledError.
        """
        loop = asyncio.get_running_loop()
        until = math.inf if deadline is None else time.monotonic() + deadline
        entry: _Entry[T, R] = _Entry(item, weight, loop.create_future(), until)
        self._enter(entry)
        timer = None if deadline is None else loop.call_later(deadline, self._expire, entry)
        try:
            return await cast("asyncio.Future[R]", entry.future)
        except asyncio.CancelledError as cancelled:
            if self._begun_or_withdrawn(entry):
                raise cancelled from Begun()
            raise
        finally:
            if timer is not None:
                timer.cancel()

    def stop(self, timeout: float | None = None) -> None:
        """Takes nothing more, finishes what waits, and waits for that, at most so many seconds per lane. May be called twice."""
        with self._ready:
            self._stopping = True
            self._ready.notify_all()
        for thread in self._threads if self._started else ():
            thread.join(timeout)

    def _enter(self, entry: _Entry[T, R]) -> None:
        with self._ready:
            if self._stopping:
                raise Stopping
            if len(self._waiting) >= self._max_waiting or self._waiting_weight > self._max_waiting_weight:
                raise Overloaded
            self._waiting[entry] = None
            self._waiting_weight += entry.weight
            self._ready.notify()
            if not self._started:  # with the first item
                self._started = True
                for thread in self._threads:
                    thread.start()

    def _begun_or_withdrawn(self, entry: _Entry[T, R]) -> bool:
        """Makes room for others where the entry still waits. Whether it was begun."""
        with self._ready:
            entry.until = 0
            if entry in self._waiting:
                del self._waiting[entry]
                self._waiting_weight -= entry.weight
            return entry.begun

    def _expire(self, entry: _Entry[T, R]) -> None:
        error = Begun() if self._begun_or_withdrawn(entry) else Overloaded()
        if not entry.future.done():
            entry.future.set_exception(error)

    def _work(self) -> None:
        while (entries := self._next()) or not self._stopping or self._waiting:
            if entries:
                self._answer(entries, self._results([entry.item for entry in entries]))

    def _next(self) -> list[_Entry[T, R]]:
        with self._ready:
            while not self._waiting and not self._stopping:
                self._ready.wait()
            taken: list[_Entry[T, R]] = []
            weight, now = 0, time.monotonic()
            while self._waiting and len(taken) < self._max_items:
                entry = next(iter(self._waiting))
                if taken and weight + entry.weight > self._max_weight:
                    break
                del self._waiting[entry]
                self._waiting_weight -= entry.weight
                if entry.until > now:  # else whoever waited is being told
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
            self._put_back(later)
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

    def _put_back(self, later: list[_Entry[T, R]]) -> None:
        """Behind the others: what cannot go on must not hold up what can. Nothing was done for it."""
        with self._ready:
            for entry in later:
                entry.begun = False
                if entry.until > 0:  # else whoever waited has gone
                    self._waiting[entry] = None
                    self._waiting_weight += entry.weight


def _settle_all(answers: Iterable[tuple[asyncio.Future[Any], Any]]) -> None:
    for future, result in answers:
        if not future.done():  # cancelled meanwhile
            _settle(future, result)


def _settle(future: Future[Any] | asyncio.Future[Any], result: Any) -> None:
    if isinstance(result, BaseException):
        future.set_exception(result)
    else:
        future.set_result(result)
