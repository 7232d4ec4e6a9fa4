"""From the outbox to the log. Plumbing between two ports: knows neither SQL nor Kafka.

At least once, first occurrences in version order per key: one relay leads by a lease, publishes pending rows in order, and removes
exactly those whose delivery was reported. What it removes after a crash was published; what it did not remove is published again.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import structlog
import uuid_utils

from twofold.errors import Unavailable
from twofold.log.port import EventLog, Message
from twofold.record import Record
from twofold.resource import App
from twofold.runtime.service import Service
from twofold.store.port import Outbox

log: Any = structlog.get_logger()
LEASE = 12.0  # seconds; a publish ends within half of it, see the log's time-out
BATCH = 2000
QUICKEST, SLOWEST = 0.005, 0.05  # seconds between polls that find nothing
REST = 0.02  # seconds behind a small batch, whoever wakes the relay: publishing one record costs what publishing a hundred does
PURGE_EVERY = 30.0


class Relay(Service):
    """One relay. Several may run; the others stand by until the lease is free.

    `holder` is a name of its own for each, or one that can only be one relay's at a time: it then takes up its own lease again.
    """

    def __init__(self, app: App, outbox: Outbox, events: EventLog, *, holder: str = "", idle: float = SLOWEST) -> None:
        super().__init__("relay")
        self.holder = holder or str(uuid_utils.uuid7())
        self._topics = {resource.name: resource.topic for resource in app}
        self._outbox, self._events = outbox, events
        self._idle = idle
        self._wait = QUICKEST
        self._leading: bool | None = None
        self._renew_at = 0.0
        self._purge_at = 0.0

    def step(self) -> float:
        if not self._leads():
            return LEASE / 4
        self._purge()
        rows = self._outbox.pending(BATCH)
        if not rows:
            self._wait = min(self._wait * 2, self._idle)
            return self._wait
        self._wait = QUICKEST
        self._publish(rows)
        if len(rows) < BATCH:
            self.stopping.wait(REST)
        return 0

    def close(self) -> None:
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
        if leads != self._leading:
            log.info("relay leads" if leads else "relay stands by", holder=self.holder)
        self._leading = leads
        return leads

    def _publish(self, rows: Sequence[tuple[int, str, Record]]) -> None:
        lines: dict[str, list[tuple[int, Message]]] = {}
        for number, resource, record in rows:
            lines.setdefault(self._topics[resource], []).append((number, record.to_message()))
        failures = []
        for topic, line in lines.items():
            reasons = self._events.publish(topic, [message for _, message in line])
            self._outbox.remove([number for (number, _), reason in zip(line, reasons, strict=True) if reason is None])
            failures += [reason for reason in reasons if reason is not None]
        if failures:
            self._renew_at = 0.0  # after a slow failure, ask first whether this relay still leads
            raise Unavailable(f"{len(failures)} records were not published: {failures[0]}")

    def _purge(self) -> None:
        """Now and then, and at every step while there is more to remove."""
        if time.monotonic() > self._purge_at and not self._outbox.purge():
            self._purge_at = time.monotonic() + PURGE_EVERY
