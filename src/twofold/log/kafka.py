"""The event log on Kafka, through librdkafka.

librdkafka reconnects by itself, for as long as it takes. While no broker answers, `publish` returns a reason per message
after `PUBLISH_SECONDS`, `poll` raises Unavailable once and then returns nothing, and the rest raises it within seconds.

Partitions are given out by `range`, the strategy that Java's consumers offer by default too. A rebalance takes all of
them away: what was polled before it is not committed and comes again, but no message is with two members that both may
commit it. Cooperative strategies would spare a projector, which keeps no state, little, for a protocol in several rounds.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from threading import Lock
from typing import Any, TypeVar, cast

from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka import Message as Polled
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec  # type: ignore[attr-defined]  # public, but not marked so

from twofold.errors import EngineError, NeedsRebuild, Outdated, Rejected, SettingsError, Unavailable
from twofold.log.port import Message, Position

LOG = logging.getLogger("twofold.kafka")
ANSWER_SECONDS = 5.0
PUBLISH_SECONDS = 8.0
SLICE_SECONDS = 0.25  # how long a poll keeps `close` waiting
AHEAD = 500  # messages received beside, before the partitions are paused
RETENTION_MS = 7 * 24 * 3600 * 1000

CLIENT: dict[str, Any] = {
    "client.id": "twofold",
    "reconnect.backoff.max.ms": 2_000,
    "socket.timeout.ms": 10_000,
    "socket.connection.setup.timeout.ms": 5_000,
    "socket.keepalive.enable": True,
    "metadata.recovery.strategy": "none",  # "rebootstrap" forgets its back-off: twenty attempts and log lines a second
    "enable.metrics.push": False,
}
PRODUCER: dict[str, Any] = {
    "linger.ms": 2,
    "compression.type": "none",  # every consumer can read it: kafkajs, the seed's, knows neither lz4 nor zstd nor snappy by itself
    "queue.buffering.max.messages": 20_000,
    "queue.buffering.max.kbytes": 65_536,
}
CONSUMER: dict[str, Any] = {
    "session.timeout.ms": 10_000,  # how long a killed member's partitions wait for another
    "heartbeat.interval.ms": 3_000,
    "max.poll.interval.ms": 120_000,
    "queued.min.messages": 1_000,  # per partition; with the next two, some 30 MB for small messages
    "queued.max.messages.kbytes": 8_192,
    "fetch.queue.backoff.ms": 10,  # the default, a second, is what every full queue would cost
    "fetch.max.bytes": 2_097_152,
    "fetch.wait.max.ms": 500,
    "fetch.error.backoff.ms": 200,
}
# What the port's promises rest on: options do not change it. librdkafka's time-out is longer than `publish`'s, which gives
# up all messages at once: given up one by one, they could leave a gap in front of one that is still sent.
PRODUCER_PROMISES: dict[str, Any] = {
    "acks": "all",
    "enable.idempotence": True,
    "enable.gapless.guarantee": True,
    "max.in.flight.requests.per.connection": 5,
    "message.timeout.ms": 10_000,
    "partitioner": "murmur2_random",
}
CONSUMER_PROMISES: dict[str, Any] = {
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "auto.offset.reset": "error",
    "enable.partition.eof": False,
    "isolation.level": "read_committed",
    "check.crcs": True,
    "partition.assignment.strategy": "range",
}

_KINDS: dict[int, type[EngineError]] = {  # everything else is Unavailable
    KafkaError.UNKNOWN_TOPIC_OR_PART: Outdated,
    KafkaError.UNKNOWN_TOPIC_ID: Outdated,
    KafkaError._UNKNOWN_TOPIC: Outdated,
    KafkaError._UNKNOWN_PARTITION: Outdated,
    KafkaError.OFFSET_OUT_OF_RANGE: NeedsRebuild,
    KafkaError._AUTO_OFFSET_RESET: NeedsRebuild,
    KafkaError._LOG_TRUNCATION: NeedsRebuild,
    KafkaError._NO_OFFSET: NeedsRebuild,
    KafkaError.MSG_SIZE_TOO_LARGE: Rejected,
    KafkaError.RECORD_LIST_TOO_LARGE: Rejected,
    KafkaError.INVALID_RECORD: Rejected,
}
_HINTS = {Outdated: "Run `twofold migrate`.", NeedsRebuild: "The index must be rebuilt: run `twofold rebuild`."}
_OUTAGES = {KafkaError._ALL_BROKERS_DOWN, KafkaError._AUTHENTICATION, KafkaError._SSL, KafkaError._FATAL}
_OVERTAKEN = {  # what a commit is answered behind a rebalance
    KafkaError.ILLEGAL_GENERATION,
    KafkaError.UNKNOWN_MEMBER_ID,
    KafkaError.REBALANCE_IN_PROGRESS,
    KafkaError._ASSIGNMENT_LOST,
}
_PURGED = {KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT}
_UNCONFIRMED = f"Kafka did not confirm it within {PUBLISH_SECONDS:.0f} s"

_EARLIEST, _LATEST = OffsetSpec.earliest(), OffsetSpec.latest()  # type: ignore[no-untyped-call]

Headers = list[tuple[str, bytes | None]]
Client = TypeVar("Client", Producer, Consumer, AdminClient)


class KafkaLog:
    """`servers` is host:port,host:port; `options` are librdkafka's, but for what the promises rest on."""

    def __init__(self, servers: str, *, options: Mapping[str, str] = {}) -> None:
        self._servers = servers
        self._options = options
        self._admin = _client(AdminClient, self._settings({}, {**PRODUCER, **CONSUMER}))
        self._publishing = Lock()
        self._producer: Producer | None = None
        self._known: set[str] = set()  # topics that this producer has seen
        self._members: set[_Member] = set()
        self._closed = False

    def create(self, topic: str, partitions: int) -> None:
        with self._asking(f"Topic {topic}"):
            there = _partitions(self._admin, topic) or self._create(topic, partitions)
        if there != partitions:
            raise Outdated(
                f"Topic {topic} has {there} partitions, {partitions} are declared; another count would break the order per key. "
                f"Declare {there}, or name another topic and run `twofold rebuild`."
            )

    def publish(self, topic: str, messages: Sequence[Message]) -> list[str | None]:
        with self._publishing:
            self._refuse_closed()
            producer, self._producer = self._producer or self._new_producer(), None
            delivery = _Delivery(messages)
            try:
                self._look_for(producer, topic)
            except Unavailable as error:
                return [str(error)] * len(messages)
            delivery.run(producer, topic)
            if delivery.unknown_topic:
                raise _missing(topic)
            if delivery.complete:  # a producer that failed for good, or still holds messages, is not used again
                self._producer = producer
            return delivery.answers

    def subscribe(self, topic: str, group: str) -> _Member:
        self._refuse_closed()
        settings = {**self._settings(CONSUMER, PRODUCER), **CONSUMER_PROMISES, "group.id": group}
        member = _Member(settings, topic, group, self._members.discard)
        self._members.add(member)
        return member

    def positions(self, topic: str, group: str) -> list[Position]:
        with self._asking(f"Topic {topic}"):
            partitions = [TopicPartition(topic, number) for number in range(_partitions(self._admin, topic))]
            if not partitions:
                raise _missing(topic)
            wanted = [ConsumerGroupTopicPartitions(group, partitions)]
            answers = self._admin.list_consumer_group_offsets(wanted, request_timeout=ANSWER_SECONDS)[group].result()
            committed = {one.partition: one.offset for one in answers.topic_partitions if one.offset >= 0}
            begins, ends = self._offsets(partitions, _EARLIEST), self._offsets(partitions, _LATEST)
        return [Position(number, begins[number], committed.get(number), ends[number]) for number in range(len(partitions))]

    def strangers(self, group: str) -> list[str]:
        with self._asking(f"Group {group}"):
            found = self._admin.describe_consumer_groups([group], request_timeout=ANSWER_SECONDS)[group].result()
        return sorted({member.client_id for member in found.members} - {str(CLIENT["client.id"])})

    def check(self) -> str:
        with self._asking("Kafka"):
            cluster = self._admin.describe_cluster(request_timeout=ANSWER_SECONDS).result()
        return f"Kafka, {len(cluster.nodes)} broker(s) at {self._servers}, cluster id {cluster.cluster_id}"

    def close(self) -> None:
        self._closed = True
        for member in list(self._members):
            member.close()
        with self._publishing:
            self._producer = None

    def _settings(self, own: Mapping[str, Any], others: Iterable[str]) -> dict[str, Any]:
        """For one kind of client: it would warn of options that are about the others."""
        options = {name: value for name, value in self._options.items() if name in own or name not in others}
        return {**CLIENT, **own, **options, "bootstrap.servers": self._servers, "allow.auto.create.topics": False}

    def _new_producer(self) -> Producer:
        self._known.clear()
        return _client(Producer, {**self._settings(PRODUCER, CONSUMER), **PRODUCER_PROMISES})

    def _look_for(self, producer: Producer, topic: str) -> None:
        """Raises Outdated at once, where librdkafka would wait half a minute for the topic."""
        if topic not in self._known:
            with _translated(f"Topic {topic}"):
                if not _partitions(producer, topic):
                    raise _missing(topic)
            self._known.add(topic)

    def _create(self, topic: str, partitions: int) -> int:
        brokers = len(self._admin.describe_cluster(request_timeout=ANSWER_SECONDS).result().nodes)
        safe = {"min.insync.replicas": "2"} if brokers >= 3 else {}
        config = {"cleanup.policy": "delete", "retention.ms": str(RETENTION_MS), **safe}
        new = NewTopic(topic, partitions, min(3, brokers), config=config)
        try:
            self._admin.create_topics([new], operation_timeout=ANSWER_SECONDS, request_timeout=ANSWER_SECONDS)[topic].result()
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:  # somebody else was faster
                raise
        return self._settled(topic)

    def _settled(self, topic: str) -> int:
        """Waits until brokers lead all partitions, which comes some time behind the answer that the topic is made."""
        deadline = time.monotonic() + ANSWER_SECONDS
        while not (count := self._led(topic)):
            if time.monotonic() > deadline:
                raise Unavailable(f"Topic {topic} is made, but its partitions have no leader yet.")
            time.sleep(0.02)
        return count

    def _led(self, topic: str) -> int:
        count = _partitions(self._admin, topic)
        try:
            return len(self._offsets([TopicPartition(topic, number) for number in range(count)], _LATEST)) if count else 0
        except KafkaException:
            return 0

    def _offsets(self, partitions: Sequence[TopicPartition], spec: OffsetSpec) -> dict[int, int]:
        asked = self._admin.list_offsets({partition: spec for partition in partitions}, request_timeout=ANSWER_SECONDS)
        return {partition.partition: answer.result().offset for partition, answer in asked.items()}

    @contextmanager
    def _asking(self, about: str) -> Iterator[None]:
        self._refuse_closed()
        try:
            with _translated(about):
                yield
        finally:
            self._admin.poll(0)  # hands its log lines on

    def _refuse_closed(self) -> None:
        if self._closed:
            raise Unavailable("The log is closed.")


class _Delivery:
    """One call's messages on their way, with an answer for each."""

    def __init__(self, messages: Sequence[Message]) -> None:
        self.answers: list[str | None] = [_UNCONFIRMED] * len(messages)
        self.complete = True
        self.unknown_topic = False
        self._messages = messages
        self._failed: set[bytes | None] = set()
        self._deadline = time.monotonic() + PUBLISH_SECONDS

    def run(self, producer: Producer, topic: str) -> None:
        for number, message in enumerate(self._messages):
            if message.key is not None and message.key in self._failed:
                self.answers[number] = "an earlier message of its key was not stored"
            else:
                self._produce(producer, topic, number, message)
        if self._flush(producer, self._left()):
            self.complete = False
            producer.purge()  # the unsent and those under way, all at once: nothing of them is sent later
            self._flush(producer, ANSWER_SECONDS)

    def _flush(self, producer: Producer, seconds: float) -> int:
        """Serves the delivery reports. A fatal error is raised in between them, which also turns into SystemError."""
        try:
            return producer.flush(seconds)
        except (KafkaException, SystemError) as error:
            LOG.debug("producer given up: %r", error)
            self.complete = False
            return producer.flush(0)

    def _produce(self, producer: Producer, topic: str, number: int, message: Message) -> None:
        report = partial(self._report, number)
        produce = partial(producer.produce, topic, message.value, message.key, headers=list(message.headers), on_delivery=report)
        try:
            try:
                produce()
            except BufferError:  # the queue is full
                self._flush(producer, self._left())
                produce()
        except BufferError:
            self._failed.add(message.key)
        except KafkaException as error:
            self._report(number, error.args[0])

    def _report(self, number: int, error: KafkaError | None, _: Polled | None = None) -> None:
        if error is None:
            self.answers[number] = None
            return
        self._failed.add(self._messages[number].key)
        self.answers[number] = _UNCONFIRMED if error.code() in _PURGED else error.str()
        self.complete &= not error.fatal()
        self.unknown_topic |= _KINDS.get(error.code()) is Outdated

    def _left(self) -> float:
        return max(0.0, self._deadline - time.monotonic())


class _Member:
    """A subscription. librdkafka's consumer is called by one thread at a time: `close` waits for the slice that a poll is in."""

    def __init__(self, settings: Mapping[str, Any], topic: str, group: str, forget: Callable[[_Member], None]) -> None:
        self._topic = topic
        self._group = group
        self._forget = forget
        self._calls = Lock()
        self._closed = self._left = False
        self._given: list[int] | None = None  # what a rebalance gave and `_start` has yet to start
        self._next: dict[int, int] = {}  # started partition -> offset behind what was handed out since
        self._done: dict[int, int] = {}  # started partition -> offset committed since
        self._unanswered: dict[int, int] = {}  # partition -> offset whose commit Kafka has yet to answer
        self._refusals: list[KafkaError] = []
        self._ahead: list[Polled] = []  # what arrived while something else was waited for
        self._paused = False
        self._trouble: EngineError | None = None
        self._consumer = _client(Consumer, {**settings, "error_cb": self._heard, "on_commit": self._answered})
        self._consumer.subscribe([topic], on_assign=self._give, on_revoke=self._take, on_lost=self._take)

    def poll(self, limit: int, timeout: float) -> list[Message]:
        self._refuse_closed()
        deadline = time.monotonic() + timeout
        found: list[Message] = []
        while not found:
            left = max(0.0, deadline - time.monotonic())
            with self._calls, self._translated():
                if self._closed:
                    break
                found = self._poll(limit, min(left, SLICE_SECONDS))
            if not left:
                break
        return found

    def commit(self, messages: Sequence[Message]) -> None:
        self._refuse_closed()
        done: dict[int, int] = {}
        for message in messages:
            done[message.partition] = max(done.get(message.partition, 0), message.offset + 1)
        with self._calls, self._translated():
            self._commit({number: end for number, end in done.items() if self._done.get(number, 0) < end <= self._next.get(number, 0)})

    def close(self) -> None:
        self._closed = True
        with self._calls:
            if not self._left:
                self._left = True
                self._leave()
        self._forget(self)

    def _poll(self, limit: int, seconds: float) -> list[Message]:
        self._raise_trouble()
        self._start()
        self._pause(limit == 0)
        self._receive(1, 0 if limit and self._ahead else seconds)
        if self._ahead and limit > len(self._ahead):  # one call for all of them would wait for the last
            self._receive(limit - len(self._ahead), 0)
        batch, self._ahead = self._ahead[:limit], self._ahead[limit:]
        return [message for one in batch if (message := self._accepted(one))]

    def _receive(self, most: int, seconds: float) -> None:
        arrived = self._consumer.consume(most, seconds)  # calls `_give`, `_take`, `_answered`, `_heard`
        self._ahead += arrived

    def _start(self) -> None:
        """Starts what a rebalance gave: at the group's offsets, or at 0 where it has none. Tried at every poll until it succeeds."""
        if self._given is None:
            return
        partitions = [TopicPartition(self._topic, number) for number in self._given]
        starts = self._consumer.committed(partitions, timeout=ANSWER_SECONDS) if partitions else []
        for start in starts:
            if start.error:
                raise KafkaException(start.error)
            if start.offset < 0:
                start.offset = self._beginning(start)
        self._consumer.assign(starts)
        self._next = {start.partition: start.offset for start in starts}
        self._given, self._paused = None, False

    def _beginning(self, partition: TopicPartition) -> int:
        low, _ = self._consumer.get_watermark_offsets(partition, timeout=ANSWER_SECONDS)
        if low > 0:
            where = f"Topic {self._topic}, partition {partition.partition}"
            raise NeedsRebuild(f"{where}: group {self._group} is new, and messages before {low} are gone. {_HINTS[NeedsRebuild]}")
        return 0

    def _pause(self, wanted: bool) -> None:
        if wanted != self._paused:
            partitions = [TopicPartition(self._topic, number) for number in self._next]
            (self._consumer.pause if wanted else self._consumer.resume)(partitions)
            self._paused = wanted

    def _accepted(self, polled: Polled) -> Message | None:
        """The message, unless it is an error, or its partition was taken away while the batch was collected."""
        error, number, offset = polled.error(), polled.partition(), polled.offset()
        if error is not None:
            self._keep(error, f", partition {number}")
        elif number is not None and offset is not None and number in self._next:
            self._next[number] = offset + 1
            return Message(polled.key(), polled.value(), tuple(cast(Headers, polled.headers() or ())), number, offset)
        return None

    def _commit(self, offsets: Mapping[int, int]) -> None:
        """librdkafka's own waiting has no time limit: with the broker away, it would never return."""
        if not offsets:
            return
        deadline = time.monotonic() + ANSWER_SECONDS
        self._refusals.clear()
        self._unanswered.update(offsets)
        self._consumer.commit(offsets=[TopicPartition(self._topic, *one) for one in offsets.items()], asynchronous=True)
        while offsets.items() & self._unanswered.items():
            if time.monotonic() > deadline:
                raise Unavailable(f"Topic {self._topic}, group {self._group}: Kafka does not answer a commit.")
            self._pause(len(self._ahead) > AHEAD)
            self._receive(100, 0.001)
        for refusal in self._refusals:
            if refusal.code() not in _OVERTAKEN:
                raise KafkaException(refusal)

    def _answered(self, error: KafkaError | None, partitions: list[TopicPartition]) -> None:
        for one in partitions:
            if self._unanswered.get(one.partition) == one.offset:
                del self._unanswered[one.partition]
                if refusal := error or one.error:
                    self._refusals.append(refusal)
                else:
                    self._done[one.partition] = one.offset

    def _leave(self) -> None:
        if self._unanswered:
            del self._consumer  # its `close` would wait for the answer for ever; so Kafka finds out by the session's time-out
        else:
            self._consumer.close()

    def _give(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._reset([partition.partition for partition in partitions])
        consumer.assign([])  # `_start` assigns, where an error has somewhere to go

    def _take(self, consumer: Consumer, _: list[TopicPartition]) -> None:
        self._reset(None)
        consumer.unassign()

    def _reset(self, given: list[int] | None) -> None:
        self._given, self._next, self._done, self._ahead, self._trouble = given, {}, {}, [], None

    def _heard(self, error: KafkaError) -> None:
        if error.code() in _OUTAGES:
            self._keep(error)

    def _keep(self, error: KafkaError, where: str = "") -> None:
        """For the next poll to raise: this one may have messages."""
        if error.code() == KafkaError._MAX_POLL_EXCEEDED:
            LOG.warning("Topic %s, group %s: %s", self._topic, self._group, error.str())
        elif not isinstance(self._trouble, NeedsRebuild):
            self._trouble = _error(f"Topic {self._topic}{where}, group {self._group}", error)

    def _raise_trouble(self) -> None:
        """Once, but for NeedsRebuild, which does not pass."""
        trouble = self._trouble
        if not isinstance(trouble, NeedsRebuild):
            self._trouble = None
        if trouble:
            raise trouble

    def _translated(self) -> Any:
        return _translated(f"Topic {self._topic}, group {self._group}")

    def _refuse_closed(self) -> None:
        if self._closed:
            raise Unavailable("The subscription is closed.")


def _client(kind: Callable[..., Client], settings: Mapping[str, Any]) -> Client:
    try:
        return kind({"error_cb": _noted, **settings}, logger=LOG)
    except KafkaException as error:
        raise SettingsError(f"Kafka: {error.args[0].str()}") from error


def _noted(error: KafkaError) -> None:
    """Without a callback, the Python client raises a fatal error in the middle of the delivery reports."""
    LOG.debug("%s: %s", error.name(), error.str())


def _partitions(client: Producer | AdminClient, topic: str) -> int:
    """How many the topic has; 0 where it is not there."""
    found = client.list_topics(topic, timeout=ANSWER_SECONDS).topics[topic]
    if found.error and _KINDS.get(found.error.code()) is not Outdated:
        raise KafkaException(found.error)
    return len(found.partitions)


@contextmanager
def _translated(about: str) -> Iterator[None]:
    try:
        yield
    except KafkaException as error:
        raise _error(about, error.args[0]) from error


def _error(about: str, error: KafkaError) -> EngineError:
    """The one place that turns librdkafka's errors into twofold's, by their code."""
    kind = _KINDS.get(error.code(), Unavailable)
    return kind(f"{about}: {error.str()}. {_HINTS.get(kind, '')}".strip())


def _missing(topic: str) -> Outdated:
    return Outdated(f"Topic {topic} is not there. {_HINTS[Outdated]}")
