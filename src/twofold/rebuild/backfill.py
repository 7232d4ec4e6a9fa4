"""From the table to a generation: rows and tombstones in the order of ids, a chunk read while those before are applied."""

from __future__ import annotations

import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from twofold.rebuild.filler import Filler
from twofold.rebuild.marks import Marks
from twofold.rebuild.parts import Parts
from twofold.rebuild.sources import Refusal, from_rows
from twofold.store.port import Row

CHUNK = 2000
FLIGHTS = 3  # chunks that are applied at the same time: an index works on one bulk with one thread


@dataclass(frozen=True, slots=True)
class Flight:
    """A chunk that is applied: what is refused of it, its last id, and its live documents."""

    refused: Future[list[Refusal]]
    last: str
    documents: int


class Backfill:
    """Moves `marks.after` on behind what is applied. `rate` is documents a second, 0 for as many as go."""

    def __init__(self, parts: Parts, filler: Filler, marks: Marks, rate: float) -> None:
        self._parts, self._filler, self._marks, self._rate = parts, filler, marks, rate
        self._chunk = max(1, int(min(CHUNK, rate))) if rate else CHUNK
        self._after = marks.after
        self._flights: deque[Flight] = deque()
        self._due = 0.0
        self._lanes = ThreadPoolExecutor(FLIGHTS, "backfill")

    def step(self) -> float:
        """One chunk, if it is time. Returns the seconds until there is more to do."""
        if self._marks.backfilled:
            return 1.0
        if (wait := self._due - time.monotonic()) > 0:
            return wait
        rows = self._parts.store.scan(self._parts.resource, self._after, self._chunk)
        items = from_rows(self._parts.resource, rows)
        self._land(FLIGHTS - 1 if rows else 0)
        if not rows:
            self._marks.backfilled = True
            return 1.0
        self._after = rows[-1].id
        filled = self._lanes.submit(self._filler.fill, items, anew=True)
        self._flights.append(Flight(filled, self._after, sum(isinstance(row, Row) for row in rows)))
        if self._rate:
            self._due = max(self._due, time.monotonic()) + len(rows) / self._rate
        return 0.0

    def close(self) -> None:
        self._lanes.shutdown()

    def _land(self, left: int) -> None:
        """All but the last `left` chunks are applied, and what was refused of them put aside."""
        while len(self._flights) > left:
            flight = self._flights[0]
            self._filler.put_aside(flight.refused.result())
            self._marks.after = flight.last
            self._marks.documents += flight.documents
            self._flights.popleft()
