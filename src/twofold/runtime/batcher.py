"""Group work: what arrives while a batch runs goes together into the next one.

A lone item is never made to wait: a batch starts as soon as a lane is free. The same piece commits commands and reads documents.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

from twofold.errors import Unavailable

T = TypeVar("T")
R = TypeVar("R")


class Later:
    """A batch's answer for an item that it could not take on yet: the item goes into the next one."""


LATER: Final = Later()
_PAUSE = 0.005  # seconds between batches that got nothing done


@dataclass(slots=True)
class _Entry(Generic[T, R]):
    item: T
    weight: int
    future: Future[R] = field(default_factory=Future)
    begun: bool = False


class Batcher(Generic[T, R]):
    """Runs `run(items)` on `lanes` threads, with at most `max_items` items and about `max_weight` of weight at a time.

    `run` answers with one result per item: a value, an exception to raise in the caller, or LATER.
    At most `max_waiting` items wait; then `submit` raises Unavailable.
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
        self._ready = threading.Condition()
        self._stopping = False
        self._threads = [threading.Thread(target=self._work, name=f"{name}-{lane}", daemon=True) for lane in range(lanes)]
        for thread in self._threads:
            thread.start()

    def submit(self, item: T, weight: int = 1) -> Future[R]:
        """The item's result, in time. Raises Unavailable when too many wait or the batcher is stopped."""
        entry: _Entry[T, R] = _Entry(item, weight)
        with self._ready:
            if self._stopping or len(self._waiting) >= self._max_waiting:
                raise Unavailable("Stopping." if self._stopping else "Too many requests are waiting.")
            self._waiting.append(entry)
            self._ready.notify()
        return entry.future

    def stop(self) -> None:
        """Takes nothing more, finishes what waits. May be called twice."""
        with self._ready:
            self._stopping = True
            self._ready.notify_all()
        for thread in self._threads:
            thread.join()

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
                if entry.begun or entry.future.set_running_or_notify_cancel():  # what was cancelled meanwhile is not begun
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
        for entry, result in zip(entries, results, strict=True):
            if result is LATER:
                continue
            if isinstance(result, BaseException):
                entry.future.set_exception(result)
            else:
                entry.future.set_result(result)
        if len(later) == len(entries):
            time.sleep(_PAUSE)
