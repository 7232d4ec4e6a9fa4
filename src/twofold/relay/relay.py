"""From the outbox to the log. Plumbing between two ports: knows neither SQL nor Kafka.

At least once, first occurrences in version order per key: one relay leads by a lease, publishes pending rows in order, and removes
exactly those whose delivery was reported. What it removes after a crash was published; what it did not remove is published again.
A topic that takes no records holds up its own resource only.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import structlog
import uuid_utils

from twofold.errors import Unavailable
from twofold.log.port import EventLog
from twofold.record import Record
from twofold.relay.line import Line
from twofold.resource import App
from twofold.runtime.service import Service
from twofold.store.port import Outbox

log: Any = structlog.get_logger()
LEASE = 12.0  # seconds; a publish ends within half of it, see the log's time-out
BATCH = 2000
QUICKEST, SLOWEST = 0.005, 0.05  # seconds between polls that find nothing
REST = 0.02  # seconds behind a small batch, whoever wakes the relay: publishing one record costs what publishing a hundred does
LOOK_EVERY = 30.0  # of a relay that stands by
STANDSTILL = 60.0  # seconds that a record may be pending until one that stands by says so


class Relay(Service):
    """One relay. Several may run; the others stand by until the lease is free.

    `holder` is a name of its own for each, or one that can only be one relay's at a time: it then takes up its own lease again.
    """

    def __init__(self, app: App, outbox: Outbox, events: EventLog, *, holder: str = "", idle: float = SLOWEST) -> None:
        super().__init__("relay")
        self.holder = holder or str(uuid_utils.uuid7())
        self._alone = bool(holder)  # nobody asks which of several leads
        self._lines = {resource.name: Line(resource.name, resource.topic, events.publish) for resource in app}
        self._outbox = outbox
        self._idle = idle
        self._wait = QUICKEST
        self._leading: bool | None = None
        self._renew_at = 0.0
        self._look_at, self._standstill = 0.0, False

    def step(self) -> float:
        """Takes the lines that are well together, and those in trouble each by itself. Raises Unavailable once none is well."""
        if not self._leads():
            self._look_at_the_leader()
            return LEASE / 4
        self._retry()
        well = [line.resource for line in self._lines.values() if line.trouble is None or len(self._lines) == 1]
        rows = self._outbox.pending(BATCH, well) if well else []
        self._publish(rows)
        troubles = [line.trouble for line in self._lines.values() if line.trouble is not None]
        if len(troubles) == len(self._lines):
            raise Unavailable(troubles[0])
        if not rows:
            self._wait = min(self._wait * 2, self._idle)
            return self._wait
        self._wait = QUICKEST
        if len(rows) < BATCH:
            self.stopping.wait(REST)
        return 0

    def close(self) -> None:
        for line in self._lines.values():
            line.stop()
        pending, _ = self._outbox.backlog()
        if pending:
            log.info("left for the next relay", pending=pending)
        self._outbox.resign(self.holder)

    def _leads(self) -> bool:
        """Renews the lease once a quarter of it is used up: a relay that makes no progress loses it."""
        now = time.monotonic()
        if now < self._renew_at:
            return True
        leads = self._outbox.lead(self.holder, LEASE)
        self._renew_at = now + LEASE / 4 if leads else 0.0
        if leads != self._leading and not (leads and self._alone):
            log.info("relay leads" if leads else "relay stands by", holder=self.holder)
        self._leading = leads
        return leads

    def _look_at_the_leader(self) -> None:
        """Says once that whoever holds the lease does not get on: it may be held for a dead one by a clock that was set back."""
        if time.monotonic() < self._look_at:
            return
        self._look_at = time.monotonic() + LOOK_EVERY
        pending, age = self._outbox.backlog()
        if age >= STANDSTILL and not self._standstill:
            log.warning("another relay holds the lease and does not get on", pending=pending, oldest_seconds=round(age), holder=self.holder)
        self._standstill = age >= STANDSTILL

    def _retry(self) -> None:
        """Removes what lines in trouble have sent, and lets those try again whose time has come."""
        if len(self._lines) == 1:  # which has nobody to hold up
            return
        for line in self._lines.values():
            if taken := line.arrived():
                self._outbox.remove(taken)
            if line.trouble is not None and line.due:
                line.send([(number, record) for number, _, record in self._outbox.pending(BATCH, [line.resource])])

    def _publish(self, rows: Sequence[tuple[int, str, Record]]) -> None:
        by_resource: dict[str, list[tuple[int, Record]]] = {}
        for number, resource, record in rows:
            by_resource.setdefault(resource, []).append((number, record))
        for resource, own in by_resource.items():
            line = self._lines[resource]
            self._outbox.remove(line.publish(own))
            if line.trouble is not None:
                self._renew_at = 0.0  # after a slow failure, ask first whether this relay still leads
                if len(self._lines) > 1 and not self._leads():
                    return
