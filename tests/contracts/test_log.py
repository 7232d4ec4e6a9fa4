"""Binds the contract of the event log to its engines, and pins what only one of them can get wrong."""

from __future__ import annotations

import logging
import os
import re
import sqlite3
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

pytest.register_assert_rewrite("log_contract")

from log_contract import PATIENCE, LogContract, note, per_key, published, read, until, values  # noqa: E402

from twofold.errors import NeedsRebuild, Outdated, Rejected, SettingsError, Unavailable  # noqa: E402
from twofold.log import kafka, kafka_client, kafka_member, sqlite  # noqa: E402
from twofold.log.kafka import KafkaLog  # noqa: E402
from twofold.log.port import EventLog, Message, Subscription  # noqa: E402
from twofold.log.sqlite import SqliteLog  # noqa: E402

QUICK = {"session.timeout.ms": "6000", "heartbeat.interval.ms": "200", "fetch.wait.max.ms": "100"}
NOWHERE = "127.0.0.1:1"


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
    def edit(self, tmp_path: Path) -> Callable[..., None]:
        def edit(statement: str, *arguments: object) -> None:
            with closing(sqlite3.connect(tmp_path / "log.db")) as connection, connection:
                connection.execute(statement, arguments)

        return edit

    @pytest.fixture
    def trim(self, edit: Callable[..., None]) -> Callable[[str, int, int], None]:
        return lambda *place: edit("DELETE FROM message WHERE topic = ? AND partition = ? AND offset < ?", *place)

    @pytest.fixture
    def log(self, reopened: Callable[[], EventLog], monkeypatch: pytest.MonkeyPatch) -> EventLog:
        monkeypatch.setattr(sqlite, "TRIM_EVERY", 4)
        return reopened()

    def test_publish_deletes_what_is_older_than_a_week(
        self, log: EventLog, fresh_topic: str, edit: Callable[..., None], join: Callable[..., Subscription]
    ) -> None:
        published(log, fresh_topic, [note("a", number) for number in range(20)])
        edit("UPDATE message SET time = ? WHERE offset < 15", time.time() - sqlite.RETENTION_SECONDS - 1)
        edit("INSERT INTO position SELECT 'reader', topic, partition, 20 FROM message GROUP BY topic, partition")
        join(log, fresh_topic, "reader")

        published(log, fresh_topic, [note("a", number) for number in range(4)])
        after_four = max(position.begin for position in log.positions(fresh_topic, "any"))
        published(log, fresh_topic, [note("a", number) for number in range(3)])
        after_seven = max(position.begin for position in log.positions(fresh_topic, "any"))
        published(log, fresh_topic, [note("a", number) for number in range(40)])
        at_last = max(position.begin for position in log.positions(fresh_topic, "any"))

        assert (after_four, after_seven, at_last) == (8, 8, 15)
        with pytest.raises(NeedsRebuild):
            read(join(log, fresh_topic), 1)

    def test_a_group_that_nobody_is_a_member_of_does_not_hold_the_log(
        self, log: EventLog, fresh_topic: str, edit: Callable[..., None], join: Callable[..., Subscription], reopened: Callable[[], Any]
    ) -> None:
        """As one that was renamed: its rows stay, and nobody moves them on."""
        published(log, fresh_topic, [note("a", number) for number in range(20)])
        edit("INSERT INTO position SELECT 'old name', topic, partition, 1 FROM message GROUP BY topic, partition")
        log = reopened()
        member = join(log, fresh_topic, "new name")
        member.commit(read(member, 20))
        edit("UPDATE message SET time = 0 WHERE offset < 15")

        published(log, fresh_topic, [note("a", number) for number in range(40)])

        assert max(position.begin for position in log.positions(fresh_topic, "any")) == 15

    def test_what_nobody_reads_is_not_deleted(self, log: EventLog, fresh_topic: str, edit: Callable[..., None]) -> None:
        published(log, fresh_topic, [note("a", number) for number in range(20)])
        edit("INSERT INTO position SELECT 'away', topic, partition, 20 FROM message GROUP BY topic, partition")
        edit("UPDATE message SET time = 0")

        published(log, fresh_topic, [note("b", number) for number in range(40)])

        assert {position.begin for position in log.positions(fresh_topic, "any")} == {0}

    def test_a_topic_that_is_kept_loses_only_what_is_too_much(
        self, log: EventLog, edit: Callable[..., None], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sqlite, "KEPT", 30)
        log.create("kept", 1, kept=True)
        published(log, "kept", [note("a", number) for number in range(30)])
        edit("UPDATE message SET time = 0")
        published(log, "kept", [note("a", 30)] * 4)
        assert log.positions("kept", "any")[0].begin == 4

    def test_publish_deletes_from_the_front_only(self, log: EventLog, fresh_topic: str, edit: Callable[..., None]) -> None:
        published(log, fresh_topic, [note("a", number) for number in range(3)])
        edit("UPDATE message SET time = 0 WHERE offset > 0")

        published(log, fresh_topic, [note("b", number) for number in range(10)])

        assert {position.begin for position in log.positions(fresh_topic, "any")} == {0}

    def test_a_position_behind_the_end_needs_a_rebuild(
        self, log: EventLog, fresh_topic: str, edit: Callable[..., None], join: Callable[..., Subscription], group: str
    ) -> None:
        """As after an older copy of the file was put back."""
        edit('INSERT INTO position ("group", topic, partition, offset) VALUES (?, ?, 0, 7)', group, fresh_topic)

        with pytest.raises(NeedsRebuild, match="message 7"):
            read(join(log, fresh_topic), 1)

    def test_a_busy_partition_does_not_keep_the_other_waiting(
        self, log: EventLog, fresh_topic: str, join: Callable[..., Subscription]
    ) -> None:
        published(log, fresh_topic, [note("a", number) for number in range(100)])
        published(log, fresh_topic, [note(f"key {number}", number) for number in range(10)])

        assert {message.partition for message in read(join(log, fresh_topic), 10, limit=5)} == {0, 1}


class TestKafka(LogContract):
    @pytest.fixture
    def reopened(self, servers: str) -> Iterator[Callable[..., KafkaLog]]:
        logs: list[KafkaLog] = []

        def reopened(**options: str) -> KafkaLog:
            logs.append(KafkaLog(servers, options={**QUICK, **options}))
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

    def test_keys_go_where_the_java_client_puts_them(self, log: EventLog, admin: AdminClient, join: Callable[..., Subscription]) -> None:
        """The hashes are from Kafka's own UtilsTest.testMurmur2."""
        hashes = {
            b"21": -973932308,
            b"foobar": -790332482,
            b"a-little-bit-long-string": -985981536,
            b"a-little-bit-longer-string": -1486304829,
            b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
            b"abc": 479470107,
        }
        topic = f"contract-{uuid.uuid4()}"
        log.create(topic, 23)
        published(log, topic, [Message(key, b"") for key in hashes])

        got = {message.key: message.partition for message in read(join(log, topic), len(hashes))}

        assert got == {key: (value & 0x7FFFFFFF) % 23 for key, value in hashes.items()}
        admin.delete_topics([topic])[topic].result()

    def test_a_topic_is_made_to_keep_all_for_a_week(self, fresh_topic: str, admin: AdminClient) -> None:
        resource = ConfigResource(ResourceType.TOPIC, fresh_topic)
        config = admin.describe_configs([resource])[resource].result()

        assert {name: config[name].value for name in kafka_client.TOPIC} == {"cleanup.policy": "delete", "retention.ms": "604800000"}

    def test_a_topic_that_is_kept_has_no_limit_of_time(self, log: EventLog, admin: AdminClient) -> None:
        """Nor one that was made when it had: unless somebody has set another."""
        topic = f"contract-{uuid.uuid4()}"
        log.create(topic, 1)
        kept = []
        for retention in (None, "1234567", "-1"):
            resource = ConfigResource(ResourceType.TOPIC, topic)
            if retention:
                entry = ConfigEntry("retention.ms", retention, incremental_operation=AlterConfigOpType.SET)
                wanted = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
                admin.incremental_alter_configs([wanted])[wanted].result()
            log.create(topic, 1, kept=True)
            kept.append(admin.describe_configs([resource])[resource].result()["retention.ms"].value)
        assert kept == ["-1", "1234567", "-1"]
        admin.delete_topics([topic])[topic].result()
        log.create(topic + "-new", 1, kept=True)
        resource = ConfigResource(ResourceType.TOPIC, topic + "-new")
        config = admin.describe_configs([resource])[resource].result()
        assert {name: config[name].value for name in kafka_client.KEPT} == kafka_client.KEPT
        admin.delete_topics([topic + "-new"])[topic + "-new"].result()

    def test_polls_for_nothing_keep_the_membership(
        self, reopened: Callable[..., KafkaLog], fresh_topic: str, join: Callable[..., Subscription], group: str
    ) -> None:
        log = reopened(**{"max.poll.interval.ms": "6000"})
        published(log, fresh_topic, [note("a", 1), note("a", 2)])
        member = join(log, fresh_topic)
        got = read(member, 1, limit=1)
        began = time.monotonic()
        while time.monotonic() - began < 7.5:
            assert member.poll(0, 0.5) == []
        member.commit(got)

        assert [position.committed for position in log.positions(fresh_topic, group) if position.end] == [1]
        assert values(read(member, 1)) == [b"2"]

    def test_behind_a_message_that_the_broker_refuses_none_of_its_key_is_stored(
        self, log: EventLog, fresh_topic: str, admin: AdminClient, join: Callable[..., Subscription]
    ) -> None:
        """librdkafka's gapless guarantee: the producer gives itself up, and the next call has another one."""
        limit = ConfigEntry("max.message.bytes", "2000", incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource(ResourceType.TOPIC, fresh_topic, incremental_configs=[limit])
        admin.incremental_alter_configs([resource])[resource].result()
        published(log, fresh_topic, [note("k", 1)])

        answers = log.publish(fresh_topic, [note("k", "x" * 5000), *(note("k", number) for number in range(2, 2000))])
        published(log, fresh_topic, [note("k", "next")])

        assert None not in answers
        assert values(read(join(log, fresh_topic), 2)) == [b"1", b"next"]

    def test_more_than_the_producers_queue_holds_is_published(
        self, reopened: Callable[..., KafkaLog], fresh_topic: str, join: Callable[..., Subscription]
    ) -> None:
        log = reopened(**{"queue.buffering.max.messages": "10"})
        sent = [note(f"key {number % 3}", number) for number in range(100)]
        published(log, fresh_topic, sent)

        assert per_key(read(join(log, fresh_topic), 100)) == per_key(sent)

    def test_a_publish_that_waits_for_its_answer_keeps_no_other_topic_waiting(self, log: Any, fresh_topic: str) -> None:
        with log._publishing["another topic"], ThreadPoolExecutor(1) as threads:
            assert threads.submit(log.publish, fresh_topic, [note("a", 1)]).result(PATIENCE) == [None]

    def test_a_topic_that_was_deleted_is_outdated(self, log: EventLog, admin: AdminClient) -> None:
        topic = f"contract-{uuid.uuid4()}"
        log.create(topic, 1)
        published(log, topic, [note("a", 1)])
        admin.delete_topics([topic])[topic].result()

        with pytest.raises(Outdated, match=f"{topic}.*twofold migrate"):
            until(lambda: None in log.publish(topic, [note("a", 2)]) and False)

    @pytest.mark.parametrize("fault", ["assigned nothing", "given nothing", "commit unanswered"])
    def test_a_member_that_gets_nothing_any_more_is_opened_anew(
        self, log: EventLog, fresh_topic: str, join: Callable[..., Subscription], monkeypatch: pytest.MonkeyPatch, fault: str
    ) -> None:
        """As librdkafka stands behind some pauses of a broker: it waits for what never comes, without a word."""
        published(log, fresh_topic, [note("a", 1)])
        member: Any = join(log, fresh_topic)
        got = read(member, 1)
        first = member.watch.reader
        if fault == "assigned nothing":
            first._consumer.unassign()
        elif fault == "given nothing":
            first._take(first._consumer, [])
            first._consumer.unsubscribe()
        else:
            monkeypatch.setattr(kafka_member, "COMMIT_SECONDS", 0.1)
            never = Event()
            first._send = lambda *_: never.wait()
            with pytest.raises(Unavailable, match="does not answer a commit"):
                member.commit(got)
        published(log, fresh_topic, [note("a", 2)])
        monkeypatch.setattr(kafka_member, "STALL_SECONDS", 0.1)
        member.watch._look_at = 0.0

        with pytest.raises(Unavailable, match=r"Kafka answers|holds more"):
            until(lambda: bool(member.poll(10, 0.2)))

        monkeypatch.undo()
        assert values(read(member, 2)) == [b"1", b"2"]
        assert member.watch.reader is not first

    def test_a_replay_that_gets_nothing_any_more_goes_on_where_it_was(
        self, log: EventLog, fresh_topic: str, replay: Callable[..., Any]
    ) -> None:
        published(log, fresh_topic, [note("a", 1)])
        reading = replay(log, fresh_topic, {})
        got = read(reading, 1)
        reading.watch.reader._consumer.unassign()
        published(log, fresh_topic, [note("a", 2)])
        reading.watch._look_at = 0.0

        with pytest.raises(Unavailable, match="holds more"):
            until(lambda: bool(reading.poll(10, 0.2)))

        assert values(got + read(reading, 1)) == [b"1", b"2"]

    def test_markers_of_a_transaction_are_nothing_to_wait_for(
        self, log: EventLog, fresh_topic: str, join: Callable[..., Subscription], servers: str
    ) -> None:
        producer = Producer({"bootstrap.servers": servers, "transactional.id": f"{uuid.uuid4()}"})
        producer.init_transactions(PATIENCE)
        for end in (producer.commit_transaction, producer.abort_transaction):
            producer.begin_transaction()
            producer.produce(fresh_topic, b"1", b"a")
            end(PATIENCE)
        member: Any = join(log, fresh_topic)

        assert values(read(member, 1)) == [b"1"]
        until(lambda: member.poll(10, 0.2) == [] and len(member.watch.reader._read) == 2)
        assert member.watch.reader.standstill(lambda: {each.partition: each.end for each in log.positions(fresh_topic, "any")}) is None

    def test_an_asker_that_got_no_answer_is_not_asked_again(self, log: Any, fresh_topic: str) -> None:
        log.positions(fresh_topic, "any")
        deaf = log._askers["any"] = Deaf()

        with pytest.raises(Unavailable, match="timed out"):
            log.positions(fresh_topic, "any")

        assert len(log.positions(fresh_topic, "any")) == 2
        assert log._askers["any"] is not deaf

    def test_strangers_are_named(self, log: EventLog, fresh_topic: str, servers: str, group: str) -> None:
        with Consumer({"bootstrap.servers": servers, "group.id": group, "client.id": "kafkajs"}) as stranger:
            stranger.subscribe([fresh_topic])

            def named() -> bool:
                stranger.poll(0.05)
                return log.strangers(group) == ["kafkajs"]

            until(named)


class TestKafkaWithoutABroker:
    @pytest.fixture
    def log(self) -> Iterator[KafkaLog]:
        log = KafkaLog(NOWHERE)
        yield log
        log.close()

    def test_a_broker_that_is_away(
        self, log: KafkaLog, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Every call ends in time, with a reason; what librdkafka logs goes to Python's logging, the same line once."""
        monkeypatch.setattr(kafka_client.SELDOM, "passed", {})
        member = log.subscribe("any", "any")

        def polled() -> list[Message]:
            with pytest.raises(Unavailable, match="down"):
                member.poll(1, 5)
            return member.poll(1, 0.1)

        asked: list[Callable[[], object]] = [log.check, lambda: log.create("any", 1), lambda: log.positions("any", "any")]
        began = time.monotonic()
        with caplog.at_level(logging.DEBUG), ThreadPoolExecutor(5) as threads:
            answers = threads.submit(log.publish, "any", [note("a", 1), note("a", 2)])
            nothing = threads.submit(polled)
            errors = [threads.submit(question).exception() for question in asked]
            took = time.monotonic() - began
            assert [type(error) for error in errors] == [Unavailable] * 3
            assert took < 3 * kafka_client.ANSWER_SECONDS + 2
            assert answers.result() == ["Kafka did not confirm it within 4 s"] * 2
            assert nothing.result() == []
        log.close()

        assert time.monotonic() - began < 20
        assert capfd.readouterr().err == ""
        lines = [re.sub(r"\d+", "", record.getMessage()) for record in caplog.records if record.name == "twofold.kafka"]
        assert any("Connection refused" in line for line in lines)
        assert len(lines) == len(set(lines))

    def test_every_error_of_the_driver_is_mapped(self) -> None:
        codes = {name: code for name, code in vars(KafkaError).items() if isinstance(code, int)}
        kinds = {name: type(kafka_client.error_of("Topic any", KafkaError(code))) for name, code in codes.items()}

        assert len(codes) > 150
        assert {name: kind for name, kind in kinds.items() if kind is not Unavailable} == {
            "UNKNOWN_TOPIC_OR_PART": Outdated,
            "UNKNOWN_TOPIC_ID": Outdated,
            "_UNKNOWN_TOPIC": Outdated,
            "_UNKNOWN_PARTITION": Outdated,
            "OFFSET_OUT_OF_RANGE": NeedsRebuild,
            "_AUTO_OFFSET_RESET": NeedsRebuild,
            "_LOG_TRUNCATION": NeedsRebuild,
            "_NO_OFFSET": NeedsRebuild,
            "MSG_SIZE_TOO_LARGE": Rejected,
            "RECORD_LIST_TOO_LARGE": Rejected,
            "INVALID_RECORD": Rejected,
        }

    def test_the_settings_that_promises_rest_on_are_explicit_and_no_options(self) -> None:
        risky = {
            "acks": "1",
            "enable.idempotence": "false",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": "true",
            "linger.ms": "9",
        }
        log = KafkaLog(NOWHERE, options=risky)
        producer = log._client(lambda settings, logger: settings, kafka_client.PRODUCER, kafka_client.PRODUCER_PROMISES)
        consumer = log._client(lambda settings, logger: settings, kafka_client.CONSUMER, kafka_client.CONSUMER_PROMISES)

        assert kafka_client.PRODUCER_PROMISES == {
            "acks": "all",
            "enable.idempotence": True,
            "enable.gapless.guarantee": True,
            "message.timeout.ms": 5_000,
            "partitioner": "murmur2_random",
        }
        assert kafka_client.CONSUMER_PROMISES == {
            "enable.auto.commit": False,
            "auto.offset.reset": "error",
            "enable.partition.eof": False,
            "isolation.level": "read_committed",
            "check.crcs": True,
            "partition.assignment.strategy": "range",
        }
        assert producer.items() >= kafka_client.PRODUCER_PROMISES.items()
        assert consumer.items() >= kafka_client.CONSUMER_PROMISES.items()
        assert (producer["linger.ms"], consumer["allow.auto.create.topics"]) == ("9", False)
        assert kafka_client.PRODUCER_PROMISES["message.timeout.ms"] > 1000 * kafka_client.PUBLISH_SECONDS

    @pytest.mark.parametrize("options", [{"nonsense": "1"}, {"linger.ms": "soon"}])
    def test_a_wrong_option_is_an_error_of_the_settings(self, options: dict[str, str]) -> None:
        with pytest.raises(SettingsError, match=r"nonsense|queue\.buffering\.max\.ms"):
            KafkaLog(NOWHERE, options=options).subscribe("any", "any")

    @pytest.mark.parametrize("name", ["ILLEGAL_GENERATION", "UNKNOWN_MEMBER_ID", "REBALANCE_IN_PROGRESS", "_ASSIGNMENT_LOST"])
    def test_a_commit_that_a_rebalance_has_overtaken_is_passed_over(self, log: KafkaLog, name: str) -> None:
        self.answering(log, KafkaError(getattr(KafkaError, name))).commit([Message(b"a", b"", (), 0, 4)])

    def test_a_commit_that_is_refused_is_unavailable(self, log: KafkaLog) -> None:
        member = self.answering(log, KafkaError(KafkaError.GROUP_AUTHORIZATION_FAILED))

        with pytest.raises(Unavailable, match="authorization"):
            member.commit([Message(b"a", b"", (), 0, 4)])

    def test_a_commit_that_is_not_answered_is_unavailable_and_close_does_not_wait_for_it(
        self, log: KafkaLog, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(kafka_member, "COMMIT_SECONDS", 0.2)
        member = log.subscribe("any", "any")
        member.watch.reader._next = {0: 5}

        with pytest.raises(Unavailable, match="does not answer a commit"):
            member.commit([Message(b"a", b"", (), 0, 4)])
        began = time.monotonic()
        member.close()

        assert time.monotonic() - began < 3

    @pytest.mark.parametrize(("committed", "sent"), [(10, [12]), (-1001, [5, 12])], ids=["another", "nobody"])
    def test_what_another_member_committed_meanwhile_is_not_taken_back(self, log: KafkaLog, committed: int, sent: list[int]) -> None:
        """A partition that went and came back starts behind what was polled before."""
        reader = log.subscribe("any", "any").watch.reader
        reader._consumer.close()
        reader._consumer = consumer = Keeping(committed)
        reader._give(consumer, [TopicPartition("any", 0)])
        reader._start()
        reader._next[0] = 12

        reader.commit([Message(b"a", b"", (), 0, 4)])
        reader.commit([Message(b"a", b"", (), 0, 11)])

        assert consumer.sent == sent

    def test_a_producer_that_fails_for_good_is_not_used_again(self, log: KafkaLog, monkeypatch: pytest.MonkeyPatch) -> None:
        made: list[Broken] = []
        monkeypatch.setattr(kafka, "Producer", lambda settings, logger: made.append(Broken()) or made[-1])

        assert log.publish("any", [note("a", 1)]) == ["Kafka did not confirm it within 4 s"]
        assert log.publish("any", [note("a", 1)]) == ["Kafka did not confirm it within 4 s"]
        assert len(made) == 2

    def answering(self, log: KafkaLog, refusal: KafkaError) -> Any:
        """A member of whom 5 messages were polled, and whose commits are refused."""
        member = log.subscribe("any", "any")
        consumer = member.watch.reader
        consumer._next = {0: 5}
        consumer._consumer.close()
        consumer._consumer = Refusing(refusal)
        return member


class Deaf:
    """A consumer that knows no broker any more."""

    def list_topics(self, *_: object, **__: object) -> None:
        raise KafkaException(KafkaError(KafkaError._TIMED_OUT, "timed out"))

    def poll(self, _: float) -> None:
        pass


class Refusing:
    """A consumer whose commits are refused."""

    def __init__(self, refusal: KafkaError) -> None:
        self.refusal = refusal

    def commit(self, **_: object) -> None:
        raise KafkaException(self.refusal)

    def close(self) -> None:
        pass


class Keeping:
    """A consumer of a group that stands there, and what is committed with it."""

    def __init__(self, offset: int) -> None:
        self.offset, self.sent = offset, list[int]()

    def assign(self, _: object) -> None:
        pass

    def resume(self, _: object) -> None:
        pass

    def committed(self, partitions: list[TopicPartition], **_: object) -> list[TopicPartition]:
        return [TopicPartition(each.topic, each.partition, self.offset) for each in partitions]

    def commit(self, *, offsets: list[TopicPartition], **_: object) -> list[TopicPartition]:
        self.sent += [each.offset for each in offsets]
        return offsets

    def close(self) -> None:
        pass


class Broken:
    """A producer whose fatal error comes out as the Python client lets it out: between the delivery reports."""

    def produce(self, *arguments: object, **named: object) -> None:
        pass

    def flush(self, seconds: float) -> int:
        if seconds:
            raise SystemError("<method 'flush'> returned NULL without setting an exception")
        return 0


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
    return AdminClient({"bootstrap.servers": servers}, logger=logging.getLogger("test"))
