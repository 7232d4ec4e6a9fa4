"""From the table to a generation: rows and tombstones in the order of ids, one chunk read while the one before is applied."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor

from twofold.rebuild.filler import Filler
from twofold.rebuild.marks import Marks
from twofold.rebuild.parts import Parts
from twofold.rebuild.sources import Refusal, from_rows
from twofold.store.port import Row

CHUNK = 2000


class Backfill:
    """Moves `marks.after` on behind what is applied. `rate` is documents a second, 0 for as many as go."""

    def __init__(self, parts: Parts, filler: Filler, marks: Marks, rate: float) -> None:
        self._parts, self._filler, self._marks, self._rate = parts, filler, marks, rate
        self._chunk = max(1, int(min(CHUNK, rate))) if rate else CHUNK
        self._after = marks.after
        self._flight: Future[list[Refusal]] | None = None
        self._flying = ("", 0)  # the last id of the chunk that is applied, and its live documents
        self._due = 0.0
        self._lane = ThreadPoolExecutor(1, "backfill")

    def step(self) -> float:
        """One chunk, if it is time. Returns the seconds until there is more to do."""
        if self._marks.backfilled:
            return 1.0
        if (wait := self._due - time.monotonic()) > 0:
            return wait
        rows = self._parts.store.scan(self._parts.resource, self._after, self._chunk)
        items = from_rows(self._parts.resource, rows)
        self._land()
        if not rows:
            self._marks.backfilled = True
            return 1.0
        self._flight = self._lane.submit(self._filler.fill, items, anew=True)
        self._after = rows[-1].id
        self._flying = self._after, sum(isinstance(row, Row) for row in rows)
        if self._rate:
            self._due = max(self._due, time.monotonic()) + len(rows) / self._rate
        return 0.0

    def close(self) -> None:
        self._lane.shutdown()

    def _land(self) -> None:
        """The chunk before is applied, and what was refused of it put aside."""
        if self._flight is not None:
            self._filler.put_aside(self._flight.result())
            self._marks.after = self._flying[0]
            self._marks.documents += self._flying[1]
            self._flight = None
