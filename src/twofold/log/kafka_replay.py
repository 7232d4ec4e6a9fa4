"""A topic on Kafka from given offsets on, beside all groups: partitions are assigned, nothing is committed."""
# ruff: noqa: SLF001 - the underscore of an error code says that librdkafka itself gives it, not a broker

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from threading import Thread
from typing import Any, cast

from confluent_kafka import Consumer, KafkaError, TopicPartition
from confluent_kafka import Message as Polled

from twofold.errors import EngineError, NeedsRebuild, Unavailable
from twofold.log.kafka_client import CONSUMER, CONSUMER_PROMISES, OUTAGES, error_of, translated
from twofold.log.kafka_watch import Ends, Watch
from twofold.log.port import Message

_GROUP = "twofold-replay"  # librdkafka wants a name; no group of that name comes to be, since nobody joins it


class Replaying:
    """A replay, and another one in its place, from where it stands, once it makes no progress."""

    def __init__(self, client: Callable[..., Consumer], topic: str, offsets: Mapping[int, int], ends: Ends) -> None:
        self._starts = offsets
        self.watch: Watch[KafkaReplay] = Watch(lambda: KafkaReplay(client, topic, self._starts), ends)

    def poll(self, limit: int, timeout: float) -> list[Message]:
        found = self.watch.poll(limit, timeout)
        self._starts = self.watch.reader.offsets()
        return found

    def offsets(self) -> dict[int, int]:
        return dict(self._starts)

    def close(self) -> None:
        self.watch.close()


class KafkaReplay:
    """One consumer. The end of a partition is an event too, since markers of transactions may be the last thing in it."""

    def __init__(self, client: Callable[..., Consumer], topic: str, offsets: Mapping[int, int]) -> None:
        self._about, self._next = f"Topic {topic}", dict(offsets)
        self._trouble: EngineError | None = None  # for the next poll to raise
        promises = {**CONSUMER_PROMISES, "enable.partition.eof": True, "error_cb": self._heard, "group.id": _GROUP}
        self._consumer: Any = client(Consumer, CONSUMER, promises)
        with translated(self._about):
            self._consumer.assign([TopicPartition(topic, number, offset) for number, offset in offsets.items()])

    def poll(self, limit: int, timeout: float) -> list[Message]:
        deadline = time.monotonic() + timeout
        while True:
            if self._consumer is None:
                raise Unavailable("The replay is closed.")
            if trouble := self._trouble:
                self._trouble = trouble if isinstance(trouble, NeedsRebuild) else None  # which does not pass
                raise trouble
            left = deadline - time.monotonic()
            found = self._some(limit, max(0.0, left)) if limit else []
            if found or left <= 0:
                return found

    def offsets(self) -> dict[int, int]:
        return dict(self._next)

    def standstill(self, ends: Ends) -> str | None:
        behind = [number for number, end in ends().items() if end > self._next.get(number, end)]
        return f"{self._about}: nothing comes of partition {behind[0]}, which holds more." if behind else None

    def close(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:  # beside: with a broker away it takes its time
            Thread(target=consumer.close, daemon=True).start()

    def _some(self, limit: int, seconds: float) -> list[Message]:
        with translated(self._about):
            polled = self._consumer.consume(1, seconds)
            if polled and limit > 1:  # one call for all of them would wait for the last
                polled += self._consumer.consume(limit - 1, 0)
        return [message for one in polled if (message := self._accepted(one))]

    def _accepted(self, polled: Polled) -> Message | None:
        error, number, offset = polled.error(), cast(int, polled.partition()), cast(int, polled.offset())
        if error is None:
            self._next[number] = offset + 1
            return Message(polled.key(), polled.value(), tuple(cast(Any, polled.headers() or ())), number, offset)
        if error.code() == KafkaError._PARTITION_EOF:
            self._next[number] = max(self._next[number], offset)
        else:
            self._heard(error, f", partition {number}")
        return None

    def _heard(self, error: KafkaError, where: str = "") -> None:
        if (where or error.code() in OUTAGES) and not isinstance(self._trouble, NeedsRebuild):
            self._trouble = error_of(self._about + where, error)
