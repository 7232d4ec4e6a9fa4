"""A member of a group on Kafka.

Partitions are given out by `range`, which Java's consumers offer by default too. A rebalance takes all of them away: what was polled
before it is not committed and comes again. Cooperative strategies spare that, which a projector without a state of its own does not need.
"""
# ruff: noqa: SLF001 - the underscore of an error code says that librdkafka itself gives it, not a broker

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from threading import Lock, Thread
from typing import Any, cast

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka import Message as Polled

from twofold.errors import EngineError, NeedsRebuild, Unavailable
from twofold.log.kafka_client import (
    COMMIT_SECONDS,
    CONSUMER,
    CONSUMER_PROMISES,
    OUTAGES,
    OVERTAKEN,
    SLICE_SECONDS,
    closed,
    error_of,
    sound,
    translated,
)
from twofold.log.kafka_watch import STALL_SECONDS, Ends, Watch
from twofold.log.port import Message

_LEFT = "The subscription is closed."


class Subscribed:
    """A subscription: a member of the group, and another one in its place once it makes no progress."""

    def __init__(self, client: Callable[..., Consumer], topic: str, group: str, ends: Ends, forget: Callable[[Subscribed], None]) -> None:
        self.watch = Watch(lambda: Member(client, topic, group), ends)
        self._forget = forget

    def poll(self, limit: int, timeout: float) -> list[Message]:
        return self.watch.poll(limit, timeout)

    def commit(self, messages: Sequence[Message]) -> None:
        with self.watch.calling():
            self.watch.reader.commit(messages)

    def close(self) -> None:
        self.watch.close()
        self._forget(self)


class Member:
    """One consumer. librdkafka is called by one thread at a time: `close` waits for the slice that a poll is in, and not for ever."""

    def __init__(self, client: Callable[..., Consumer], topic: str, group: str) -> None:
        self._topic, self._about = topic, f"Topic {topic}, group {group}"
        self._calls = Lock()
        self._closed = self._paused = False
        self._waiting_since: float | None = time.monotonic()  # for partitions
        self._committing_since = 0.0
        self._read: dict[int, int] = {}  # partition -> the end that was met there: markers of transactions are no messages
        self._given: list[int] | None = None  # what a rebalance gave and `_start` has yet to start
        self._next: dict[int, int] = {}  # started partition -> offset behind what was handed out since
        self._done: dict[int, int] = {}  # started partition -> offset committed, by the group before the start or since
        self._committing = Thread()
        self._refusals: list[KafkaError] = []
        self._ahead: list[Polled] = []  # received, not handed out
        self._trouble: EngineError | None = None  # for the next poll to raise
        promises = {**CONSUMER_PROMISES, "enable.partition.eof": True, "error_cb": self._heard, "group.id": group}
        self._consumer: Any = client(Consumer, CONSUMER, promises)
        self._consumer.subscribe([topic], on_assign=self._give, on_revoke=self._take, on_lost=self._take)

    def poll(self, limit: int, timeout: float) -> list[Message]:
        if self._closed:
            raise Unavailable(_LEFT)
        deadline = time.monotonic() + timeout
        while True:
            with self._calls, translated(self._about):
                left = deadline - time.monotonic()
                found = [] if self._closed else self._poll(limit, max(0.0, min(left, SLICE_SECONDS)))
            if found or left <= 0 or self._closed:
                return found

    def commit(self, messages: Sequence[Message]) -> None:
        if self._closed:
            raise Unavailable(_LEFT)
        ends = {message.partition: message.offset + 1 for message in sorted(messages, key=lambda message: message.offset)}
        with self._calls, translated(self._about):
            new = {number: end for number, end in ends.items() if self._done.get(number, 0) < end <= self._next.get(number, 0)}
            if new and not self._closed:
                self._commit(new)

    def close(self) -> None:
        self._closed = True
        closed(self._close, wait=not self._busy(0))  # which waits for a commit's answer for ever; Kafka finds out by the session's time-out

    def standstill(self, ends: Ends) -> str | None:
        """Why nothing comes although something should. Asked by the thread that polls."""
        there, now = ends(), time.monotonic()
        if self._busy(0) and now - self._committing_since >= STALL_SECONDS:
            return f"{self._about}: Kafka answers, but not a commit of {now - self._committing_since:.0f} s ago."
        if self._waiting_since is not None and now - self._waiting_since >= STALL_SECONDS:
            return f"{self._about}: Kafka answers, but the group has given no partitions for {now - self._waiting_since:.0f} s."
        if self._given is not None:  # and each try to start them has failed
            return f"{self._about}: Kafka answers, but not where the group stands."
        behind = [number for number, offset in self._next.items() if there.get(number, 0) > max(offset, self._read.get(number, 0))]
        return f"{self._about}: nothing comes of partition {behind[0]}, which holds more." if behind else None

    def _close(self) -> None:
        with self._calls:
            consumer, self._consumer = self._consumer, None
            if consumer:
                consumer.close()

    def _poll(self, limit: int, seconds: float) -> list[Message]:
        if trouble := self._trouble:
            self._trouble = trouble if isinstance(trouble, NeedsRebuild) else None  # which does not pass
            raise trouble
        if self._busy(seconds):
            return []
        self._start()
        self._pause(wanted=limit == 0)
        self._receive(1, 0 if limit and self._ahead else seconds)
        if self._ahead and limit > len(self._ahead):  # one call for all of them would wait for the last
            self._receive(limit - len(self._ahead), 0)
        batch, self._ahead = self._ahead[:limit], self._ahead[limit:]
        return [message for one in batch if (message := self._accepted(one))]

    def _receive(self, most: int, seconds: float) -> None:
        arrived = self._consumer.consume(most, seconds)  # calls `_give`, `_take` and `_heard`
        self._ahead += arrived

    def _accepted(self, polled: Polled) -> Message | None:
        """The message, unless it is an error, or its partition was taken away while the batch was collected."""
        error, number, offset = polled.error(), polled.partition(), polled.offset()
        if error is not None and error.code() == KafkaError._PARTITION_EOF:
            self._read[cast(int, number)] = cast(int, offset)
        elif error is not None:
            self._heard(error, f", partition {number}")
        elif number is not None and offset is not None and number in self._next:
            self._next[number] = offset + 1
            return Message(polled.key(), polled.value(), tuple(cast(Any, polled.headers() or ())), number, offset)
        return None

    def _start(self) -> None:
        """Starts what a rebalance gave: at the group's offsets, or at 0 without, which fails where 0 is gone. Tried until it succeeds."""
        if self._given is None:
            return
        partitions = [TopicPartition(self._topic, number) for number in self._given]
        starts = sound(self._consumer.committed(partitions, timeout=COMMIT_SECONDS)) if partitions else []
        for start in starts:
            start.offset = max(0, start.offset)
        self._consumer.assign(starts)
        self._consumer.resume(starts)  # librdkafka keeps what was paused, though it was taken away meanwhile
        self._next = {start.partition: start.offset for start in starts}
        self._done = dict(self._next)  # by whichever member: a commit of what was polled before goes no further back
        self._given, self._paused = None, False

    def _pause(self, *, wanted: bool) -> None:
        if wanted != self._paused:
            partitions = [TopicPartition(self._topic, number) for number in self._next]
            (self._consumer.pause if wanted else self._consumer.resume)(partitions)
            self._paused = wanted

    def _commit(self, offsets: Mapping[int, int]) -> None:
        """Beside: librdkafka's commit returns when a broker answers, however long that takes, and nothing else is served meanwhile."""
        if not self._busy(COMMIT_SECONDS):
            self._committing_since = time.monotonic()
            self._committing = Thread(target=self._send, args=(self._consumer, offsets), daemon=True)
            self._committing.start()
            self._committing.join(COMMIT_SECONDS)
        if self._busy(0):
            raise Unavailable(f"{self._about}: Kafka does not answer a commit.")
        if self._refusals:
            raise KafkaException(self._refusals[0])

    def _send(self, consumer: Consumer, offsets: Mapping[int, int]) -> None:
        asked = [TopicPartition(self._topic, *one) for one in offsets.items()]
        try:
            answers = consumer.commit(offsets=asked, asynchronous=False)
            refusals = [answer.error for answer in answers if answer.error]
        except KafkaException as error:
            refusals = [error.args[0]]
        self._refusals = [refusal for refusal in refusals if refusal.code() not in OVERTAKEN]
        if not refusals:
            self._done.update(offsets)

    def _busy(self, seconds: float) -> bool:
        """Whether a commit is still not answered after some time."""
        if self._committing.is_alive():
            self._committing.join(seconds)
        return self._committing.is_alive()

    def _give(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._reset([partition.partition for partition in partitions])
        self._waiting_since = None
        consumer.assign([])  # `_start` assigns them, where an error has somewhere to go

    def _take(self, consumer: Consumer, _: list[TopicPartition]) -> None:
        self._reset(None)
        self._waiting_since = time.monotonic()
        consumer.unassign()

    def _reset(self, given: list[int] | None) -> None:
        self._given, self._next, self._done, self._read, self._ahead, self._trouble = given, {}, {}, {}, [], None

    def _heard(self, error: KafkaError, where: str = "") -> None:
        """Keeps an error for the next poll: what this one has received is not lost for it."""
        if (where or error.code() in OUTAGES) and not isinstance(self._trouble, NeedsRebuild):
            self._trouble = error_of(self._about + where, error)
