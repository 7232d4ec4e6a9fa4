"""One rebuild or rollback of a resource at a time: a lease in the write store, renewed by a thread while the work goes on."""

from __future__ import annotations

import hashlib
import threading
import time
from types import TracebackType
from typing import Any, Self

import structlog

from twofold.errors import Contended, EngineError
from twofold.rebuild.parts import Parts

log: Any = structlog.get_logger()
SECONDS = 15.0  # how long one that was killed keeps others waiting
LOOK_SECONDS = 0.5


class Lease:
    """A context manager. Raises Contended where another holds the lease for longer than one that was killed could."""

    def __init__(self, parts: Parts) -> None:
        self._leases, self._holder, self._resource = parts.leases, parts.holder, parts.resource.name
        self._name = "rebuild-" + hashlib.sha256(self._resource.encode()).hexdigest()[:16]
        self._until = 0.0
        self._lost = False
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="lease", daemon=True)

    def check(self) -> None:
        """Raises Contended once the lease may be another's."""
        if self._lost or time.monotonic() > self._until:
            raise Contended(
                f"The lease on {self._resource} was lost: the write store was away too long, or this process stood still. "
                "Run the same command again to go on."
            )

    def __enter__(self) -> Self:
        deadline, told = time.monotonic() + SECONDS + LOOK_SECONDS, False
        while not self._take():
            if time.monotonic() > deadline:
                raise Contended(f"Another process is at work on {self._resource}: a rebuild or a rollback.")
            if not told:
                log.info("waiting for the lease of another rebuild or rollback", resource=self._resource, seconds=SECONDS)
            told = True
            time.sleep(LOOK_SECONDS)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._end.set()
        self._thread.join()
        try:
            self._leases.give_back(self._name, self._holder)
        except EngineError as reason:
            log.warning("the lease runs out by itself", seconds=SECONDS, reason=str(reason))

    def _take(self) -> bool:
        asked_at = time.monotonic()
        taken = self._leases.take(self._name, self._holder, SECONDS)
        if taken:
            self._until = asked_at + SECONDS
        return taken

    def _renew(self) -> None:
        """A lease that has run out is not taken again: another may have had it meanwhile, and have given it back."""
        while not (self._lost or self._end.wait(SECONDS / 5)):
            try:
                self._lost = time.monotonic() > self._until or not self._take()
            except EngineError as reason:  # `check` tells when it is too late
                log.warning("the lease was not renewed", reason=str(reason))
