"""The event log on Kafka, through librdkafka, which reconnects by itself, for as long as it takes.

While no broker answers, `publish` returns a reason per message after `PUBLISH_SECONDS`, `poll` raises Unavailable once
and then returns nothing, and the rest raises it after `ANSWER_SECONDS`. Partitions are given out by `range`, which Java's
consumers offer by default too. A rebalance takes all of them away: what was polled before it is not committed and comes
again. Cooperative strategies spare that, which a projector without a state of its own does not need.
"""
# ruff: noqa: SLF001 - the underscore of an error code says that librdkafka itself gives it, not a broker

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from threading import Lock
from typing import Any, cast

from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka import Message as Polled
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from twofold.errors import EngineError, NeedsRebuild, Outdated, Rejected, SettingsError, Unavailable
from twofold.log.port import Message, Position

LOG = logging.getLogger("twofold.kafka")
LOG.addFilter(lambda record: "CONFWARN" not in record.getMessage())  # "this is experimental", "that is for consumers"
PUBLISH_SECONDS = 8.0
ANSWER_SECONDS = 5.0
SLICE_SECONDS = 0.25  # how long a poll keeps `close` waiting
AHEAD = 500  # messages that a commit may receive while it waits, before it pauses their partitions

# fmt: off
CLIENT: dict[str, Any] = {
    "client.id": "twofold", "allow.auto.create.topics": False, "enable.metrics.push": False, "socket.timeout.ms": 10_000,
    # "rebootstrap", the default, forgets its back-off: twenty attempts and log lines a second.
    "metadata.recovery.strategy": "none", "reconnect.backoff.max.ms": 2_000,
}
PRODUCER: dict[str, Any] = {
    "linger.ms": 2, "queue.buffering.max.kbytes": 65_536,
    "compression.type": "none",  # every consumer can read it: kafkajs, the seed's, knows neither lz4 nor zstd nor snappy by itself
    "topic.metadata.propagation.max.ms": 1_000,  # how long a topic may be unknown: half a minute, by default
}
CONSUMER: dict[str, Any] = {
    "session.timeout.ms": 10_000, "heartbeat.interval.ms": 3_000,  # how long a killed member's partitions wait for another
    "max.poll.interval.ms": 120_000,
    "queued.min.messages": 1_000, "queued.max.messages.kbytes": 8_192, "fetch.max.bytes": 2_097_152,  # some 30 MB with all overhead
    "fetch.queue.backoff.ms": 10,  # the default, a second, is what every full queue would cost
}
# What the port's promises rest on: options do not change it. librdkafka's time-out is longer than `publish`'s, which gives
# up all messages at once: given up one by one, they could leave a gap in front of one that is still sent.
PRODUCER_PROMISES: dict[str, Any] = {
    "acks": "all", "enable.idempotence": True, "enable.gapless.guarantee": True,
    "message.timeout.ms": 10_000, "partitioner": "murmur2_random",
}
CONSUMER_PROMISES: dict[str, Any] = {
    "enable.auto.commit": False, "auto.offset.reset": "error", "enable.partition.eof": False,
    "isolation.level": "read_committed", "check.crcs": True, "partition.assignment.strategy": "range",
}
# fmt: on
TOPIC = {"cleanup.policy": "delete", "retention.ms": str(7 * 24 * 3600 * 1000)}
_MISSING = {KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError.UNKNOWN_TOPIC_ID, KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION}
_TRIMMED = {KafkaError.OFFSET_OUT_OF_RANGE, KafkaError._AUTO_OFFSET_RESET, KafkaError._LOG_TRUNCATION, KafkaError._NO_OFFSET}
_REFUSED = {KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.RECORD_LIST_TOO_LARGE, KafkaError.INVALID_RECORD}
_KINDS: dict[type[EngineError], set[int]] = {Outdated: _MISSING, NeedsRebuild: _TRIMMED, Rejected: _REFUSED}  # else: Unavailable
_HINTS = {Outdated: "Run `twofold migrate`.", NeedsRebuild: "The index must be rebuilt from the table, which this version cannot do yet."}
_OUTAGES = {KafkaError._ALL_BROKERS_DOWN, KafkaError._AUTHENTICATION, KafkaError._SSL, KafkaError._FATAL}
_PURGED = {KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT}
# What a commit is answered behind a rebalance.
_OVERTAKEN = {KafkaError.ILLEGAL_GENERATION, KafkaError.UNKNOWN_MEMBER_ID, KafkaError.REBALANCE_IN_PROGRESS, KafkaError._ASSIGNMENT_LOST}
_LEFT = "The subscription is closed."
_UNCONFIRMED = f"Kafka did not confirm it within {PUBLISH_SECONDS:.0f} s"


class KafkaLog:
    """`servers` is host:port,host:port; `options` are librdkafka's, but for what the promises rest on."""

    def __init__(self, servers: str, *, options: Mapping[str, str] = {}) -> None:
        self._servers, self._options = servers, options
        self._publishing = Lock()
        self._producer: Producer | None = None
        self._askers: dict[str, Consumer] = {}
        self._members: set[_Member] = set()
        self._closed = False

    def create(self, topic: str, partitions: int) -> None:
        with self._asking(f"Topic {topic}") as asker:
            there = len(_partitions(asker, topic) or self._create(asker, topic, partitions))
        if there != partitions:
            raise Outdated(
                f"Topic {topic} has {there} partitions, {partitions} are declared; another count would break the order per key. "
                f"Declare partitions={there}."
            )

    def publish(self, topic: str, messages: Sequence[Message]) -> list[str | None]:
        with self._publishing, _translated(f"Topic {topic}"):
            producer, self._producer = self._producer or self._client(Producer, PRODUCER, PRODUCER_PROMISES), None
            delivery = _Delivery(producer, topic, messages)
            delivery.run()
            if delivery.missing:
                raise KafkaException(delivery.missing)
            if delivery.complete:  # a producer that failed for good, or still holds messages, is not used again
                self._producer = producer
            return delivery.answers

    def subscribe(self, topic: str, group: str) -> _Member:
        member = _Member(self._client, topic, group, self._members.discard)
        self._members.add(member)
        return member

    def positions(self, topic: str, group: str) -> list[Position]:
        with self._asking(f"Topic {topic}", group) as asker:
            numbers = _partitions(asker, topic)
            if not numbers:
                raise KafkaException(KafkaError(KafkaError._UNKNOWN_TOPIC))
            answers = asker.committed([TopicPartition(topic, number) for number in numbers], timeout=ANSWER_SECONDS)
            committed = {one.partition: one.offset for one in _sound(answers) if one.offset >= 0}
            begins, ends = _offsets(asker, topic, numbers, OFFSET_BEGINNING), _offsets(asker, topic, numbers, OFFSET_END)
        return [Position(number, begins[number], committed.get(number), ends[number]) for number in numbers]

    def forget(self, topic: str, group: str) -> None:
        with self._asking(f"Group {group}"):
            try:
                self._client(AdminClient, {}, {}).delete_consumer_groups([group], request_timeout=ANSWER_SECONDS)[group].result()
            except KafkaException as error:
                if error.args[0].code() != KafkaError.GROUP_ID_NOT_FOUND:
                    raise

    def strangers(self, group: str) -> list[str]:
        with self._asking(f"Group {group}"):
            found = self._client(AdminClient, {}, {}).list_groups(group, timeout=ANSWER_SECONDS)
        return sorted({str(member.client_id) for one in found for member in one.members} - {CLIENT["client.id"]})

    def check(self) -> str:
        with self._asking("Kafka") as asker:
            cluster = asker.list_topics("any", timeout=ANSWER_SECONDS)  # there or not: not all that there are
        return f"Kafka, {len(cluster.brokers)} broker(s) at {self._servers}, cluster id {cluster.cluster_id}"

    def close(self) -> None:
        self._closed = True
        for member in list(self._members):
            member.close()
        with self._publishing:
            self._producer = None
        while self._askers:
            self._askers.popitem()[1].close()

    def _client(self, kind: type[Any], defaults: Mapping[str, Any], promises: Mapping[str, Any]) -> Any:
        if self._closed:
            raise Unavailable("The log is closed.")
        # Without an error_cb, a fatal error would be raised in the middle of the delivery reports.
        settings = {"error_cb": lambda error: LOG.debug("%s", error), **CLIENT, **defaults, **self._options, **promises}
        try:
            return kind({**settings, "bootstrap.servers": self._servers}, logger=LOG)
        except KafkaException as error:
            raise SettingsError(f"Kafka: {error.args[0].str()}") from error

    @contextmanager
    def _asking(self, about: str, group: str = "twofold") -> Iterator[Consumer]:
        """A consumer that joins no group: an AdminClient asked about one while its broker dies aborts the process (librdkafka #4605)."""
        if group not in self._askers:
            self._askers[group] = self._client(Consumer, CONSUMER, {"group.id": group})
        with _translated(about):
            try:
                yield self._askers[group]
            finally:
                self._askers[group].poll(0)  # hands its log lines on

    def _create(self, asker: Consumer, topic: str, partitions: int) -> range:
        brokers = len(asker.list_topics(topic, timeout=ANSWER_SECONDS).brokers)
        new = NewTopic(topic, partitions, min(3, brokers), config=TOPIC | ({"min.insync.replicas": "2"} if brokers >= 3 else {}))
        admin = self._client(AdminClient, {}, {})
        try:
            admin.create_topics([new], operation_timeout=ANSWER_SECONDS, request_timeout=ANSWER_SECONDS)[topic].result()
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:  # somebody else was faster
                raise
        return _settled(asker, topic)


class _Delivery:
    """One call's messages on their way, with an answer for each."""

    def __init__(self, producer: Producer, topic: str, messages: Sequence[Message]) -> None:
        self.answers: list[str | None] = [_UNCONFIRMED] * len(messages)
        self.complete = True
        self.missing: KafkaError | None = None
        self._producer, self._topic, self._messages = producer, topic, messages
        self._failed: set[bytes | None] = set()
        self._deadline = time.monotonic() + PUBLISH_SECONDS

    def run(self) -> None:
        with suppress(BufferError):  # the queue stays full: nothing gets through
            for number, message in enumerate(self._messages):
                if message.key is not None and message.key in self._failed:
                    self.answers[number] = "an earlier message of its key was not stored"
                else:
                    self._produce(number, message)
        if self._flush():
            self.complete = False
            self._producer.purge()  # the unsent and those under way, all at once: nothing of them is sent later
            self._flush()

    def _produce(self, number: int, message: Message) -> None:
        report, headers = partial(self._report, number), cast(Any, list(message.headers))
        produce = partial(self._producer.produce, self._topic, message.value, message.key, headers=headers, on_delivery=report)
        try:
            produce()
        except BufferError:
            self._flush()
            produce()
        except KafkaException as error:
            report(error.args[0])

    def _flush(self) -> int:
        """Serves the delivery reports. A fatal error is raised in between them, which may turn it into SystemError."""
        try:
            return self._producer.flush(max(0.0, self._deadline - time.monotonic()))
        except (KafkaException, SystemError):
            self.complete = False
            return self._producer.flush(0)

    def _report(self, number: int, error: KafkaError | None, _: Polled | None = None) -> None:
        self.answers[number] = None if error is None else _UNCONFIRMED if error.code() in _PURGED else error.str()
        if error is not None:
            self.complete &= not error.fatal()
            self.missing = error if error.code() in _MISSING else self.missing
            self._failed.add(self._messages[number].key)


class _Member:
    """A subscription. librdkafka's consumer is called by one thread at a time: `close` waits for the slice that a poll is in."""

    def __init__(self, client: Callable[..., Consumer], topic: str, group: str, forget: Callable[[_Member], None]) -> None:
        self._topic, self._about, self._forget = topic, f"Topic {topic}, group {group}", forget
        self._calls = Lock()
        self._closed = self._paused = False
        self._given: list[int] | None = None  # what a rebalance gave and `_start` has yet to start
        self._next: dict[int, int] = {}  # started partition -> offset behind what was handed out since
        self._done: dict[int, int] = {}  # started partition -> offset committed since
        self._unanswered: dict[int, int] = {}  # partition -> offset whose commit Kafka has yet to answer
        self._refusals: list[KafkaError] = []
        self._ahead: list[Polled] = []  # received, not handed out
        self._trouble: EngineError | None = None  # for the next poll to raise
        callbacks = {"error_cb": self._heard, "on_commit": self._answered}
        self._consumer: Any = client(Consumer, CONSUMER, {**CONSUMER_PROMISES, **callbacks, "group.id": group})
        self._consumer.subscribe([topic], on_assign=self._give, on_revoke=self._take, on_lost=self._take)

    def poll(self, limit: int, timeout: float) -> list[Message]:
        if self._closed:
            raise Unavailable(_LEFT)
        deadline = time.monotonic() + timeout
        while True:
            with self._calls, _translated(self._about):
                left = deadline - time.monotonic()
                found = [] if self._closed else self._poll(limit, max(0.0, min(left, SLICE_SECONDS)))
            if found or left <= 0 or self._closed:
                return found

    def commit(self, messages: Sequence[Message]) -> None:
        if self._closed:
            raise Unavailable(_LEFT)
        ends = {message.partition: message.offset + 1 for message in sorted(messages, key=lambda message: message.offset)}
        with self._calls, _translated(self._about):
            new = {number: end for number, end in ends.items() if self._done.get(number, 0) < end <= self._next.get(number, 0)}
            if new and not self._closed:
                self._commit(new)

    def close(self) -> None:
        self._closed = True
        with self._calls:
            consumer, self._consumer = self._consumer, None
            if consumer and not self._unanswered:  # or it would wait for the answer for ever; so Kafka finds out by the session's time-out
                consumer.close()
        self._forget(self)

    def _poll(self, limit: int, seconds: float) -> list[Message]:
        if trouble := self._trouble:
            self._trouble = trouble if isinstance(trouble, NeedsRebuild) else None  # which does not pass
            raise trouble
        self._start()
        self._pause(wanted=limit == 0)
        self._receive(1, 0 if limit and self._ahead else seconds)
        if self._ahead and limit > len(self._ahead):  # one call for all of them would wait for the last
            self._receive(limit - len(self._ahead), 0)
        batch, self._ahead = self._ahead[:limit], self._ahead[limit:]
        return [message for one in batch if (message := self._accepted(one))]

    def _receive(self, most: int, seconds: float) -> None:
        arrived = self._consumer.consume(most, seconds)  # calls `_give`, `_take`, `_answered` and `_heard`
        self._ahead += arrived

    def _accepted(self, polled: Polled) -> Message | None:
        """The message, unless it is an error, or its partition was taken away while the batch was collected."""
        error, number, offset = polled.error(), polled.partition(), polled.offset()
        if error is not None:
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
        starts = _sound(self._consumer.committed(partitions, timeout=ANSWER_SECONDS)) if partitions else []
        for start in starts:
            start.offset = max(0, start.offset)
        self._consumer.assign(starts)
        self._next = {start.partition: start.offset for start in starts}
        self._given, self._paused = None, False

    def _pause(self, *, wanted: bool) -> None:
        if wanted != self._paused:
            partitions = [TopicPartition(self._topic, number) for number in self._next]
            (self._consumer.pause if wanted else self._consumer.resume)(partitions)
            self._paused = wanted

    def _commit(self, offsets: Mapping[int, int]) -> None:
        """Waits by itself: librdkafka's own waiting ends only when a broker answers."""
        deadline = time.monotonic() + ANSWER_SECONDS
        self._refusals.clear()
        self._unanswered.update(offsets)
        self._consumer.commit(offsets=[TopicPartition(self._topic, *one) for one in offsets.items()], asynchronous=True)
        while offsets.items() & self._unanswered.items():
            if time.monotonic() > deadline:
                raise Unavailable(f"{self._about}: Kafka does not answer a commit.")
            self._pause(wanted=len(self._ahead) > AHEAD)
            self._receive(100, 0.001)
        if self._refusals:
            raise KafkaException(self._refusals[0])

    def _answered(self, error: KafkaError | None, partitions: list[TopicPartition]) -> None:
        for one in partitions:
            if self._unanswered.get(one.partition) == one.offset:
                del self._unanswered[one.partition]
                refusal = error or one.error
                if refusal is None:
                    self._done[one.partition] = one.offset
                elif refusal.code() not in _OVERTAKEN:
                    self._refusals.append(refusal)

    def _give(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._reset([partition.partition for partition in partitions])
        consumer.assign([])  # `_start` assigns them, where an error has somewhere to go

    def _take(self, consumer: Consumer, _: list[TopicPartition]) -> None:
        self._reset(None)
        consumer.unassign()

    def _reset(self, given: list[int] | None) -> None:
        self._given, self._next, self._done, self._ahead, self._trouble = given, {}, {}, [], None

    def _heard(self, error: KafkaError, where: str = "") -> None:
        """Keeps an error for the next poll: what this one has received is not lost for it."""
        if (where or error.code() in _OUTAGES) and not isinstance(self._trouble, NeedsRebuild):
            self._trouble = _error(self._about + where, error)


def _partitions(client: Consumer, topic: str) -> range:
    """Their numbers; none where the topic is not there."""
    found = client.list_topics(topic, timeout=ANSWER_SECONDS).topics[topic]
    if found.error and found.error.code() not in _MISSING:
        raise KafkaException(found.error)
    return range(len(found.partitions))


def _settled(client: Consumer, topic: str) -> range:
    """Waits until the brokers lead the partitions, which comes some time behind the answer that the topic is made."""
    deadline = time.monotonic() + ANSWER_SECONDS
    while time.monotonic() < deadline:
        with suppress(KafkaException):
            if _offsets(client, topic, partitions := _partitions(client, topic), OFFSET_END):
                return partitions
        time.sleep(0.02)
    raise Unavailable(f"Topic {topic} is made, but its partitions have no leader yet.")


def _offsets(client: Consumer, topic: str, partitions: range, end: int) -> dict[int, int]:
    """Per partition the offset of one of its ends, by two numbers that stand for a time."""
    asked = [TopicPartition(topic, number, end) for number in partitions]
    return {one.partition: one.offset for one in _sound(client.offsets_for_times(asked, timeout=ANSWER_SECONDS) if asked else [])}


def _sound(answers: list[TopicPartition]) -> list[TopicPartition]:
    for refused in (answer for answer in answers if answer.error):
        raise KafkaException(refused.error)
    return answers


@contextmanager
def _translated(about: str) -> Iterator[None]:
    try:
        yield
    except KafkaException as error:
        raise _error(about, error.args[0]) from error
    except RuntimeError as error:  # closed by another thread
        raise Unavailable(f"{about}: {error}") from error


def _error(about: str, error: KafkaError) -> EngineError:
    """The one place that turns librdkafka's errors into twofold's, by their code."""
    kind = next((kind for kind, codes in _KINDS.items() if error.code() in codes), Unavailable)
    return kind(f"{about}: {error.str()}. {_HINTS.get(kind, '')}".strip())
