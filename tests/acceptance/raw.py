"""Kafka as somebody sees it who is not twofold."""

from __future__ import annotations

import time

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

ANSWER_SECONDS = 10


def topic(servers: str, name: str) -> list[Message]:
    """The whole topic: all partitions, each in its order."""
    consumer = Consumer({"bootstrap.servers": servers, "group.id": f"check-{time.time_ns()}", "enable.partition.eof": True})
    partitions = list(consumer.list_topics(name, ANSWER_SECONDS).topics[name].partitions)
    consumer.assign([TopicPartition(name, partition, 0) for partition in partitions])
    found, ended = [], set()
    while len(ended) < len(partitions):
        for message in consumer.consume(1000, 1.0):
            if message.error() is None:
                found.append(message)
            elif message.error().code() == KafkaError._PARTITION_EOF:
                ended.add(message.partition())
    consumer.close()
    return found


def lag(servers: str, name: str, group: str) -> int:
    """Messages of the topic that the group has not committed."""
    consumer = Consumer({"bootstrap.servers": servers, "group.id": group, "enable.auto.commit": False})
    try:
        partitions = [TopicPartition(name, number) for number in consumer.list_topics(name, ANSWER_SECONDS).topics[name].partitions]
        done = {each.partition: max(0, each.offset) for each in consumer.committed(partitions, ANSWER_SECONDS)}
        return sum(consumer.get_watermark_offsets(each, ANSWER_SECONDS)[1] - done[each.partition] for each in partitions)
    finally:
        consumer.close()
