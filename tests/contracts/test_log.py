"""Binds the contract of the event log to its engines, and pins what only one of them can get wrong."""

from __future__ import annotations

import os
import sqlite3
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

pytest.register_assert_rewrite("log_contract")

from log_contract import LogContract  # noqa: E402

from twofold.errors import Unavailable  # noqa: E402
from twofold.log.kafka import KafkaLog  # noqa: E402
from twofold.log.port import EventLog  # noqa: E402
from twofold.log.sqlite import SqliteLog  # noqa: E402

QUICK = {"session.timeout.ms": "6000", "heartbeat.interval.ms": "200", "fetch.wait.max.ms": "100"}


class TestSqlite(LogContract):
    @pytest.fixture
    def reopened(self, tmp_path: Path) -> Iterator[Callable[[], EventLog]]:
        logs: list[EventLog] = []

        def reopened() -> EventLog:
            logs.append(SqliteLog(tmp_path / "log.db"))
            return logs[-1]

        yield reopened
        for log in logs:
            log.close()

    @pytest.fixture
    def trim(self, tmp_path: Path) -> Callable[[str, int, int], None]:
        def trim(topic: str, partition: int, before: int) -> None:
            with closing(sqlite3.connect(tmp_path / "log.db")) as connection, connection:
                connection.execute("DELETE FROM message WHERE topic = ? AND partition = ? AND offset < ?", (topic, partition, before))

        return trim


class TestKafka(LogContract):
    @pytest.fixture
    def reopened(self, servers: str) -> Iterator[Callable[[], EventLog]]:
        logs: list[EventLog] = []

        def reopened() -> EventLog:
            logs.append(KafkaLog(servers, options=QUICK))
            return logs[-1]

        yield reopened
        for log in logs:
            log.close()

    @pytest.fixture
    def fresh_topic(self, log: EventLog, admin: AdminClient) -> Iterator[str]:
        topic = f"contract-{uuid.uuid4()}"
        log.create(topic, 2)
        yield topic
        admin.delete_topics([topic])[topic].result()

    @pytest.fixture
    def trim(self, admin: AdminClient) -> Callable[[str, int, int], None]:
        def trim(topic: str, partition: int, before: int) -> None:
            for answer in admin.delete_records([TopicPartition(topic, partition, before)]).values():
                answer.result()

        return trim


@pytest.fixture(scope="module")
def servers() -> str:
    servers = os.environ.get("TWOFOLD_TEST_KAFKA", "127.0.0.1:9092")
    log = KafkaLog(servers)
    try:
        log.check()
    except Unavailable as error:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"Kafka does not answer at {servers}: {error}")
    finally:
        log.close()
    return servers


@pytest.fixture(scope="module")
def admin(servers: str) -> AdminClient:
    return AdminClient({"bootstrap.servers": servers})
