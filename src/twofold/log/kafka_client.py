"""What the producer, the consumers and the admin of Kafka share: settings, and the one place that translates errors."""
# ruff: noqa: SLF001 - the underscore of an error code says that librdkafka itself gives it, not a broker

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from twofold.errors import EngineError, NeedsRebuild, Outdated, Rejected, Unavailable
from twofold.log.port import LOST

LOG = logging.getLogger("twofold.kafka")
QUIET_SECONDS = 60.0
LINES = 1000  # that are remembered


class Seldom:
    """Lets a line of librdkafka's pass once a minute: it says the same again with each try. Numbers in it do not make it another."""

    def __init__(self) -> None:
        self.passed: dict[str, float] = {}

    def __call__(self, record: logging.LogRecord) -> bool:
        line, now = re.sub(r"\d+", "", record.getMessage()), time.monotonic()
        if "CONFWARN" in line or now - self.passed.get(line, -QUIET_SECONDS) < QUIET_SECONDS:  # the former says "this is experimental"
            return False
        if len(self.passed) >= LINES:
            self.passed.clear()
        self.passed[line] = now
        return True


SELDOM = Seldom()
LOG.addFilter(SELDOM)
PUBLISH_SECONDS = 4.0  # with "message.timeout.ms" below half of the relay's lease
ANSWER_SECONDS = 5.0
COMMIT_SECONDS = 2.5  # twice that, and `close`, are still below what a loop has to end
SLICE_SECONDS = 0.25  # how long a poll keeps `close` waiting
CLOSE_SECONDS = 1.0  # a client that takes longer is left to itself: librdkafka may wait for a broker for ever

CLIENT: dict[str, Any] = {
    "client.id": "twofold",
    "allow.auto.create.topics": False,
    "enable.metrics.push": False,
    "socket.timeout.ms": 10_000,
    # A broker that was paused is fenced for a moment, and librdkafka then strikes it off. "none" would leave it without any for good.
    "metadata.recovery.strategy": "rebootstrap",
    # "rebootstrap" begins each round of tries with the first of these again: 100, the default, would be twenty tries a second.
    "reconnect.backoff.ms": 1_000,
    "reconnect.backoff.max.ms": 2_000,
}
PRODUCER: dict[str, Any] = {
    "linger.ms": 2,
    "queue.buffering.max.kbytes": 65_536,
    "compression.type": "none",  # every consumer can read it: kafkajs, the seed's, knows neither lz4 nor zstd nor snappy by itself
    "topic.metadata.propagation.max.ms": 1_000,  # how long a topic may be unknown: half a minute, by default
}
CONSUMER: dict[str, Any] = {
    "session.timeout.ms": 10_000,  # how long a killed member's partitions wait for another
    "heartbeat.interval.ms": 3_000,
    "max.poll.interval.ms": 120_000,
    "queued.min.messages": 1_000,
    "queued.max.messages.kbytes": 8_192,
    "fetch.max.bytes": 2_097_152,  # some 30 MB with all overhead
    "fetch.queue.backoff.ms": 10,  # the default, a second, is what every full queue would cost
}
# What the port's promises rest on: options do not change it. librdkafka's time-out is longer than `publish`'s, which gives
# up all messages at once: given up one by one, they could leave a gap in front of one that is still sent.
PRODUCER_PROMISES: dict[str, Any] = {
    "acks": "all",
    "enable.idempotence": True,
    "enable.gapless.guarantee": True,
    "message.timeout.ms": 5_000,
    "partitioner": "murmur2_random",
}
CONSUMER_PROMISES: dict[str, Any] = {
    "enable.auto.commit": False,
    "auto.offset.reset": "error",
    "enable.partition.eof": False,
    "isolation.level": "read_committed",
    "check.crcs": True,
    "partition.assignment.strategy": "range",
}
WEEK = str(7 * 24 * 3600 * 1000)
TOPIC = {"cleanup.policy": "delete", "retention.ms": WEEK}
KEPT = {"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": str(1 << 30)}
MISSING = {KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError.UNKNOWN_TOPIC_ID, KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION}
_TRIMMED = {KafkaError.OFFSET_OUT_OF_RANGE, KafkaError._AUTO_OFFSET_RESET, KafkaError._LOG_TRUNCATION, KafkaError._NO_OFFSET}
_REFUSED = {KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.RECORD_LIST_TOO_LARGE, KafkaError.INVALID_RECORD}
_KINDS: dict[type[EngineError], set[int]] = {Outdated: MISSING, NeedsRebuild: _TRIMMED, Rejected: _REFUSED}  # else: Unavailable
_HINTS = {Outdated: "Run `twofold migrate`.", NeedsRebuild: "The index must be rebuilt from the table: run `twofold rebuild`."}
OUTAGES = {KafkaError._ALL_BROKERS_DOWN, KafkaError._AUTHENTICATION, KafkaError._SSL, KafkaError._FATAL}
PURGED = {KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT}
# What a commit is answered behind a rebalance.
OVERTAKEN = {KafkaError.ILLEGAL_GENERATION, KafkaError.UNKNOWN_MEMBER_ID, KafkaError.REBALANCE_IN_PROGRESS, KafkaError._ASSIGNMENT_LOST}


def closed(close: Callable[[], object], *, wait: bool = True) -> None:
    """Calls `close` beside, and waits for it, but not for ever."""
    thread = Thread(target=close, daemon=True)
    thread.start()
    if wait:
        thread.join(CLOSE_SECONDS)


def sound(answers: list[TopicPartition]) -> list[TopicPartition]:
    for refused in (answer for answer in answers if answer.error):
        raise KafkaException(refused.error)
    return answers


@contextmanager
def translated(about: str) -> Iterator[None]:
    try:
        yield
    except KafkaException as error:
        raise error_of(about, error.args[0]) from error
    except RuntimeError as error:  # closed by another thread
        raise Unavailable(f"{about}: {error}") from error


def error_of(about: str, error: KafkaError) -> EngineError:
    """The one place that turns librdkafka's errors into twofold's, by their code."""
    kind = next((kind for kind, codes in _KINDS.items() if error.code() in codes), Unavailable)
    told = error.str().replace(f"offset {LOST}", "a place that is no longer there")
    return kind(f"{about}: {told}. {_HINTS.get(kind, '')}".strip())
