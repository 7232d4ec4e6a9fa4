"""Brings a generation up to the log's end, puts it behind the alias, and notes how far it is all the while."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import structlog

from twofold.errors import EngineError, Unavailable
from twofold.rebuild.backfill import Backfill
from twofold.rebuild.catchup import CatchUp
from twofold.rebuild.filler import Filler
from twofold.rebuild.lease import Lease
from twofold.rebuild.marks import Marks
from twofold.rebuild.parts import Parts
from twofold.rebuild.progress import Done, Progress, Report
from twofold.rebuild.swap import Swap
from twofold.runtime.retry import Backoff

log: Any = structlog.get_logger()
SAVE_SECONDS = 3.0
REPORT_SECONDS = 0.2
POLL_SECONDS = 0.2
NEAR = 1000  # messages that may be left when the old generation is blocked


def patiently(ask: Callable[[], Any], lease: Lease) -> Any:
    """Asks until no engine is away, for as long as the lease is ours."""
    backoff, told = Backoff(), False
    while True:
        try:
            return ask()
        except Unavailable as error:
            if not told:
                log.warning("waiting for an engine", reason=str(error))
            told = True
            lease.check()
            time.sleep(backoff.next())


class Filling:
    """The work on one generation, from `marks` on."""

    def __init__(self, parts: Parts, generation: str, marks: Marks, lease: Lease, *, rate: float = 0, report: Report) -> None:
        self._parts, self._generation, self._marks, self._lease, self._report = parts, generation, marks, lease, report
        self._filler = Filler(parts, generation, lease.check)
        self._backfill = Backfill(parts, self._filler, marks, rate)
        self._catchup = CatchUp(parts, self._filler, marks)
        self._swap = Swap(parts, generation, marks, self._catchup, lease)
        self._total = 0
        self._saved_at = self._reported_at = 0.0

    def run(self) -> Done:
        try:
            before = patiently(self._parts.live, self._lease).name
            if before != self._generation:
                self._total = 0 if self._marks.backfilled else patiently(lambda: self._parts.store.count(self._parts.resource), self._lease)
                patiently(self._fill, self._lease)
            self._tell("swap")
            patiently(self._swap.run, self._lease)
        except KeyboardInterrupt:
            with suppress(EngineError):  # else it goes on from what was saved before
                self._swap.lift()
                self._save()
            raise
        finally:
            self._filler.stop()
            self._backfill.close()
            self._catchup.close()
        filler = self._filler
        documents = patiently(self._parts.live, self._lease).documents
        return Done(self._generation, before, documents, self._catchup.messages, filler.refused, tuple(filler.examples))

    def _fill(self) -> None:
        while True:
            pause = self._backfill.step()
            self._catchup.step(min(pause, POLL_SECONDS))
            self._keep()
            if self._marks.backfilled and self._catchup.lag() <= NEAR:
                return

    def _keep(self) -> None:
        now = time.monotonic()
        if now - self._reported_at > REPORT_SECONDS:
            self._reported_at = now
            self._tell("catching up" if self._marks.backfilled else "backfill")
        if now - self._saved_at > SAVE_SECONDS:
            self._save()
            self._saved_at = now

    def _save(self) -> None:
        """Whoever goes on after a crash does so from here."""
        self._lease.check()
        self._parts.note(self._generation, self._marks)

    def _tell(self, step: str) -> None:
        self._report(Progress(step, self._generation, self._marks.documents, self._total, self._catchup.messages))
