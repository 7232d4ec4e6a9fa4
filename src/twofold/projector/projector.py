"""From the log to the index: poll, keep the newest version per key, one bulk request, judge each item, commit offsets last.

An operation that the index may take later is tried again, in smaller bulks, while polls with nothing asked for keep the group's
membership. One that the index will never take goes to the dead letters with its reason, and the stream goes on.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import structlog

from twofold.errors import Unavailable
from twofold.index.port import Operation, Outcome, ReadStore, Verdict
from twofold.log.port import EventLog, Message, Subscription
from twofold.projector.documents import operation
from twofold.record import MAX_VALUE, Record, Undeclared, Unreadable
from twofold.resource import Declaration
from twofold.runtime.retry import Backoff
from twofold.runtime.service import Service

log: Any = structlog.get_logger()
BATCH = 2000
POLL_SECONDS = 1.0
LIGHT = 500  # a poll that returns fewer messages is light load
LARGE = MAX_VALUE // 2  # bytes; what may be too large for a log that took it once, in a compressed batch
REFRESH_EVERY = 0.1  # seconds, at most, and only under light load


class Projector(Service):
    """One member of a resource's group. Several share the topic's partitions."""

    def __init__(self, resource: Declaration, events: EventLog, index: ReadStore) -> None:
        super().__init__(f"projector {resource.name}")
        self._resource, self._events, self._index = resource, events, index
        self._subscription: Subscription | None = None
        self._held: list[Message] = []
        self._refresh_at: float | None = None

    def step(self) -> float:
        """A batch that could not be finished is held, and taken up again by the next step."""
        if self._subscription is None:
            self._subscription = self._events.subscribe(self._resource.topic, self._resource.group)
        if not self._held:
            self._held = self._subscription.poll(BATCH, self._poll_seconds())
        if self._held:
            self._project(self._subscription, self._held)
            self._schedule_refresh(len(self._held))
            self._held = []
        self._refresh()
        return 0

    def close(self) -> None:
        if self._subscription is not None:
            self._subscription.close()
        if self._held:
            log.info("left for the next start", service=self.name, messages=len(self._held))

    def _project(self, subscription: Subscription, messages: Sequence[Message]) -> None:
        operations, origin, letters = self._read(messages)
        outcomes = self._applied(subscription, operations)
        for each, outcome in zip(operations, outcomes, strict=True):
            if outcome.verdict is Verdict.REJECTED:
                letters.append((origin[each.id], outcome.reason))
        self._bury(letters)
        subscription.commit(messages)

    def _read(self, messages: Sequence[Message]) -> tuple[list[Operation], dict[str, Message], list[tuple[Message, str]]]:
        """Operations, the newest per id; the message that each came from; messages that are no records, with the reason."""
        newest: dict[str, Operation] = {}
        origin: dict[str, Message] = {}
        letters: list[tuple[Message, str]] = []
        undeclared = False
        for message in messages:
            try:
                each = operation(self._resource, self._record(message))
            except Unreadable as reason:
                undeclared |= isinstance(reason, Undeclared)
                letters.append((message, str(reason)))
                continue
            if each.id not in newest or newest[each.id].version < each.version:
                newest[each.id], origin[each.id] = each, message
        if undeclared:  # asked once for all of them: raises Outdated where the index knows such a field, and this code is the older one
            self._index.pending(self._resource)
        return list(newest.values()), origin, letters

    def _record(self, message: Message) -> Record:
        record = Record.from_message(message)
        if record.type.rpartition(".")[0] != self._resource.name:
            raise Unreadable(f"ce_type {record.type[:64]!r} is not of {self._resource.name}")
        return record

    def _applied(self, subscription: Subscription, operations: list[Operation]) -> list[Outcome]:
        """A final outcome for each. Goes on until the index has answered; gives up only when the service is stopped."""
        final: dict[str, Outcome] = {}
        left, size, backoff = operations, len(operations), Backoff()
        while left:
            outcomes, trouble = self._try(left[:size])
            answered = zip(left, outcomes, strict=False)
            final |= {each.id: outcome for each, outcome in answered if outcome.verdict is not Verdict.UNAVAILABLE}
            left = [each for each in left if each.id not in final]
            if trouble is None:
                size *= 2
                backoff.reset()
                self._told(None)
                continue
            size = max(1, size // 2)
            self._told(trouble)
            self._stand_by(subscription, backoff.next())
        return [final[each.id] for each in operations]

    def _try(self, operations: list[Operation]) -> tuple[list[Outcome], str | None]:
        try:
            outcomes = self._index.apply(self._resource, operations)
        except Unavailable as error:
            return [], str(error)
        reasons = [outcome.reason for outcome in outcomes if outcome.verdict is Verdict.UNAVAILABLE]
        return outcomes, f"{len(reasons)} of {len(outcomes)} operations: {reasons[0]}" if reasons else None

    def _stand_by(self, subscription: Subscription, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if self.stopping.is_set():
                raise Unavailable("stopped while waiting for the index")
            subscription.poll(0, min(left, 0.25))

    def _bury(self, letters: Sequence[tuple[Message, str]]) -> None:
        """To the dead letters, with where the message stood and why it was refused."""
        if not letters:
            return
        written = [self._letter(message, reason) for message, reason in letters]
        reasons = self._events.publish(self._resource.dead_letters, written)
        failed = [(letter, reason) for letter, reason in zip(written, reasons, strict=True) if reason is not None]
        large = [_without_content(letter) for letter, _ in failed if _size(letter) > LARGE]
        if len(large) < len(failed) or (large and any(self._events.publish(self._resource.dead_letters, large))):
            raise Unavailable(f"dead letters were not published: {failed[0][1]}")
        log.warning("dead letters", service=self.name, count=len(letters), first=letters[0][1])

    def _letter(self, message: Message, reason: str) -> Message:
        place = {"topic": self._resource.topic, "partition": message.partition, "offset": message.offset, "reason": reason}
        headers = [(f"dlq_{name}", str(value).encode()) for name, value in place.items()]
        return Message(message.key, message.value, (*message.headers, *headers))

    def _poll_seconds(self) -> float:
        return POLL_SECONDS if self._refresh_at is None else max(0.001, self._refresh_at - time.monotonic())

    def _schedule_refresh(self, count: int) -> None:
        """Under light load what was just applied is soon refreshed; under heavy load the index's own interval does it."""
        if count >= LIGHT:
            self._refresh_at = None
        elif self._refresh_at is None:
            self._refresh_at = time.monotonic() + REFRESH_EVERY / 2

    def _refresh(self) -> None:
        if self._refresh_at is not None and time.monotonic() >= self._refresh_at:
            self._refresh_at = None
            self._index.refresh(self._resource)


def _size(letter: Message) -> int:
    return len(letter.key or b"") + len(letter.value or b"") + sum(len(name) + len(value or b"") for name, value in letter.headers)


def _without_content(letter: Message) -> Message:
    """Where it stood, why it was refused, and how large it was: the message itself stays in the topic."""
    own = tuple((name, value) for name, value in letter.headers if name.startswith("dlq_"))
    return Message(None, None, (*own, ("dlq_size", str(_size(letter)).encode())))
