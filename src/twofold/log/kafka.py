"""The event log on Kafka, through librdkafka, which reconnects by itself, for as long as it takes.

While no broker answers, `publish` returns a reason per message after `PUBLISH_SECONDS`, `poll` raises Unavailable once
and then returns nothing, and the rest raises it after `ANSWER_SECONDS`.
"""
# ruff: noqa: SLF001 - the underscore of an error code says that librdkafka itself gives it, not a broker

from __future__ import annotations

import time
import warnings
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from threading import Lock
from typing import Any, cast

from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka import Message as Polled
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ConfigSource,
    ResourceType,
)
from confluent_kafka.cimpl import NewTopic

from twofold.errors import Outdated, SettingsError, Unavailable
from twofold.log.kafka_client import (
    ANSWER_SECONDS,
    CLIENT,
    CONSUMER,
    KEPT,
    LOG,
    MISSING,
    OVERTAKEN,
    PRODUCER,
    PRODUCER_PROMISES,
    PUBLISH_SECONDS,
    PURGED,
    TOPIC,
    WEEK,
    closed,
    sound,
    translated,
)
from twofold.log.kafka_member import Subscribed
from twofold.log.kafka_replay import Replaying
from twofold.log.port import Message, Position

_UNCONFIRMED = f"Kafka did not confirm it within {PUBLISH_SECONDS:.0f} s"


class KafkaLog:
    """`servers` is host:port,host:port; `options` are librdkafka's, but for what the promises rest on."""

    def __init__(self, servers: str, *, options: Mapping[str, str] = {}) -> None:
        self._servers, self._options = servers, options
        self._publishing: defaultdict[str, Lock] = defaultdict(Lock)
        self._producers: dict[str, Producer] = {}  # one for each topic: one that takes nothing keeps no other waiting
        self._askers: dict[str, Consumer] = {}
        self._members: set[Subscribed] = set()
        self._closed = False

    def create(self, topic: str, partitions: int, *, kept: bool = False) -> None:
        with self._asking(f"Topic {topic}") as asker:
            there = len(_partitions(asker, topic)) or len(self._create(asker, topic, partitions, KEPT if kept else TOPIC))
            if kept:
                self._keep(topic)
        if there != partitions:
            raise Outdated(
                f"Topic {topic} has {there} partitions, {partitions} are declared; another count would break the order per key. "
                f"Declare partitions={there}."
            )

    def publish(self, topic: str, messages: Sequence[Message]) -> list[str | None]:
        with self._publishing[topic], translated(f"Topic {topic}"):
            producer = self._producers.pop(topic, None) or self._client(Producer, PRODUCER, PRODUCER_PROMISES)
            delivery = _Delivery(producer, topic, messages)
            delivery.run()
            if delivery.missing:
                raise KafkaException(delivery.missing)
            if delivery.complete:  # a producer that failed for good, or still holds messages, is not used again
                self._producers[topic] = producer
            return delivery.answers

    def subscribe(self, topic: str, group: str) -> Subscribed:
        member = Subscribed(self._client, topic, group, partial(self._ends, topic), self._members.discard)
        self._members.add(member)
        return member

    def replay(self, topic: str, offsets: Mapping[int, int]) -> Replaying:
        with self._asking(f"Topic {topic}") as asker:
            begins = _offsets(asker, topic, _there(asker, topic), OFFSET_BEGINNING)
        starts = {number: offsets.get(number, begin) for number, begin in begins.items()}
        return Replaying(self._client, topic, starts, partial(self._ends, topic))

    def positions(self, topic: str, group: str) -> list[Position]:
        with self._asking(f"Topic {topic}", group) as asker:
            numbers = _there(asker, topic)
            answers = asker.committed([TopicPartition(topic, number) for number in numbers], timeout=ANSWER_SECONDS)
            committed = {one.partition: one.offset for one in sound(answers) if one.offset >= 0}
            begins, ends = _offsets(asker, topic, numbers, OFFSET_BEGINNING), _offsets(asker, topic, numbers, OFFSET_END)
        return [Position(number, begins[number], committed.get(number), ends[number]) for number in numbers]

    def forget(self, topic: str, group: str) -> None:
        with self._asking(f"Group {group}"):
            admin = self._client(AdminClient, {}, {})
            try:
                admin.delete_consumer_groups([group], request_timeout=ANSWER_SECONDS)[group].result()
            except KafkaException as error:
                if error.args[0].code() == KafkaError.NON_EMPTY_GROUP:
                    raise Unavailable(f"Group {group} has members; stop the projectors first.") from error
                if error.args[0].code() != KafkaError.GROUP_ID_NOT_FOUND:
                    raise

    def move(self, topic: str, group: str, offsets: Mapping[int, int]) -> None:
        with self._asking(f"Group {group}", group) as asker:
            try:
                sound(asker.commit(offsets=[TopicPartition(topic, *one) for one in offsets.items()], asynchronous=False))
            except KafkaException as error:
                if error.args[0].code() in OVERTAKEN:  # Kafka takes it from strangers of an empty group only
                    raise Unavailable(f"Group {group} has members; stop the projectors first.") from error
                raise

    def strangers(self, group: str) -> list[str]:
        with self._asking(f"Group {group}"), warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # the call's successor is one that may abort the process: see `_asking`
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
        for topic, lock in list(self._publishing.items()):
            with lock:
                self._producers.pop(topic, None)
        while self._askers:
            closed(self._askers.popitem()[1].close)

    def _ends(self, topic: str) -> dict[int, int]:
        with self._asking(f"Topic {topic}") as asker:
            return _offsets(asker, topic, _there(asker, topic), OFFSET_END)

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
        """A consumer that joins no group: an AdminClient asked about one while its broker dies aborts the process (librdkafka #4605).

        One that got no answer is not asked again: it may never get any. Others may be asking it still, so it is not closed here.
        """
        asker = self._askers.get(group) or self._client(Consumer, CONSUMER, {"group.id": group})
        self._askers[group] = asker
        try:
            with translated(about):
                try:
                    yield asker
                finally:
                    asker.poll(0)  # hands its log lines on
        except Unavailable:
            if self._askers.get(group) is asker:
                del self._askers[group]
            raise

    def _keep(self, topic: str) -> None:
        """Lifts the week that topics of dead letters once had. What somebody else has set stays."""
        admin = self._client(AdminClient, {}, {})
        resource = ConfigResource(ResourceType.TOPIC, topic)
        found = admin.describe_configs([resource], request_timeout=ANSWER_SECONDS)[resource].result()
        if found["retention.ms"].value == WEEK and found["retention.ms"].source == ConfigSource.DYNAMIC_TOPIC_CONFIG.value:
            entries = [ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET) for name, value in KEPT.items()]
            wanted = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=entries)
            admin.incremental_alter_configs([wanted], request_timeout=ANSWER_SECONDS)[wanted].result()

    def _create(self, asker: Consumer, topic: str, partitions: int, config: Mapping[str, str]) -> range:
        brokers = len(asker.list_topics(topic, timeout=ANSWER_SECONDS).brokers)
        new = NewTopic(topic, partitions, min(3, brokers), config={**config} | ({"min.insync.replicas": "2"} if brokers >= 3 else {}))
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
        self.answers[number] = None if error is None else _UNCONFIRMED if error.code() in PURGED else error.str()
        if error is not None:
            self.complete &= not error.fatal()
            self.missing = error if error.code() in MISSING else self.missing
            self._failed.add(self._messages[number].key)


def _partitions(client: Consumer, topic: str) -> range:
    """Their numbers; none where the topic is not there."""
    found = client.list_topics(topic, timeout=ANSWER_SECONDS).topics[topic]
    if found.error and found.error.code() not in MISSING:
        raise KafkaException(found.error)
    return range(len(found.partitions))


def _there(client: Consumer, topic: str) -> range:
    if numbers := _partitions(client, topic):
        return numbers
    raise KafkaException(KafkaError(KafkaError._UNKNOWN_TOPIC))


def _settled(client: Consumer, topic: str) -> range:
    """Waits until the brokers lead the partitions, which comes some time behind the answer that the topic is made."""
    deadline = time.monotonic() + ANSWER_SECONDS
    while time.monotonic() < deadline:
        with suppress(KafkaException, Unavailable):
            if _offsets(client, topic, partitions := _partitions(client, topic), OFFSET_END):
                return partitions
        time.sleep(0.02)
    raise Unavailable(f"Topic {topic} is made, but its partitions have no leader yet.")


def _offsets(client: Consumer, topic: str, partitions: range, end: int) -> dict[int, int]:
    """Per partition the offset of one of its ends, by two numbers that stand for a time. The topic is there: where librdkafka knows nothing
    of a partition, that has no leader for a moment.
    """
    asked = [TopicPartition(topic, number, end) for number in partitions]
    try:
        return {one.partition: one.offset for one in sound(client.offsets_for_times(asked, timeout=ANSWER_SECONDS) if asked else [])}
    except KafkaException as error:
        if error.args[0].code() in MISSING:
            raise Unavailable(f"Topic {topic}: a partition has no leader. {error.args[0].str()}.") from error
        raise
