"""One resource's way to its topic, and how it stands: a topic that takes nothing holds up its own records and no others."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any

import structlog

from twofold.errors import EngineError
from twofold.log.port import Message
from twofold.record import Record
from twofold.runtime.batcher import Batcher
from twofold.runtime.retry import Backoff

log: Any = structlog.get_logger()
Publish = Callable[[str, Sequence[Message]], Sequence[str | None]]
Rows = list[tuple[int, Record]]


class Line:
    """Used by the relay's thread. `trouble` is why records were not taken, the last time; None where all were.

    A line in trouble publishes in a thread of its own, since a topic without a leader answers only after seconds.
    """

    def __init__(self, resource: str, topic: str, publish: Publish) -> None:
        self.resource, self.topic = resource, topic
        self.trouble: str | None = None
        self._publish = publish
        self._lane: Batcher[Rows, tuple[list[int], str | None]] = Batcher(f"publish {topic}", self._run, max_items=1)
        self._sent: Future[tuple[list[int], str | None]] | None = None
        self._backoff, self._due_at = Backoff(), 0.0

    @property
    def due(self) -> bool:
        """Whether a line in trouble may try again."""
        return self._sent is None and time.monotonic() >= self._due_at

    def publish(self, rows: Rows) -> list[int]:
        """Publishes these rows; the ids of those that the topic has taken."""
        return self._judged(self._tried(rows))

    def send(self, rows: Rows) -> None:
        """The same beside."""
        if rows:
            self._sent = self._lane.submit(rows)
        else:  # whoever has nothing to say is in no trouble
            self._judged(([], None))

    def arrived(self) -> list[int]:
        """The ids of rows that were sent, and that the topic has taken since."""
        if self._sent is None or not self._sent.done():
            return []
        sent, self._sent = self._sent, None
        return self._judged(sent.result())

    def stop(self) -> None:
        self._lane.stop(0)

    def _run(self, batches: list[Rows]) -> list[tuple[list[int], str | None]]:
        return [self._tried(rows) for rows in batches]

    def _tried(self, rows: Rows) -> tuple[list[int], str | None]:
        try:
            reasons = self._publish(self.topic, [record.to_message() for _, record in rows])
        except EngineError as error:
            return [], str(error)
        taken = [number for (number, _), reason in zip(rows, reasons, strict=True) if reason is None]
        failures = [reason for reason in reasons if reason is not None]
        return taken, f"{len(failures)} records were not published: {failures[0]}" if failures else None

    def _judged(self, tried: tuple[list[int], str | None]) -> list[int]:
        taken, trouble = tried
        if trouble is not None and self.trouble is None:
            log.warning("a topic takes no records", topic=self.topic, reason=trouble)
        if trouble is None and self.trouble is not None:
            log.info("a topic takes records again", topic=self.topic)
        self.trouble = trouble
        if trouble is None or taken:
            self._backoff.reset()
        self._due_at = time.monotonic() + self._backoff.next() if trouble else 0.0
        return taken
