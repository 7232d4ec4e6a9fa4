"""From the outbox to the log: in order, by one that leads, and exactly what was reported is removed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from threading import Event

import pytest
import structlog

from twofold import App, Resource
from twofold.errors import Outdated, Unavailable
from twofold.log.port import Message
from twofold.record import Record
from twofold.relay import line
from twofold.relay import relay as module
from twofold.relay.relay import BATCH, LEASE, Relay
from twofold.users import User

NOW = "2026-01-31T12:00:00.000Z"


class Post(Resource, name="posts"):
    text: str


class Outbox:
    """Rows by number; leads whoever may."""

    def __init__(self, *rows: tuple[int, str]) -> None:
        self.rows = {number: (resource, record(number, resource)) for number, resource in rows}
        self.may_lead, self.age = True, 0.0
        self.leading: list[bool] = []  # the next answers
        self.leases: list[float] = []
        self.resigned: list[str] = []

    def lead(self, holder: str, seconds: float) -> bool:
        self.leases.append(seconds)
        return self.leading.pop(0) if self.leading else self.may_lead

    def resign(self, holder: str) -> None:
        self.resigned.append(holder)

    def pending(self, limit: int, resources: Sequence[str]) -> list[tuple[int, str, Record]]:
        return [(number, *row) for number, row in sorted(self.rows.items()) if row[0] in resources][:limit]

    def remove(self, ids: Sequence[int]) -> None:
        for number in ids:
            del self.rows[number]

    def backlog(self) -> tuple[int, float]:
        return len(self.rows), self.age


class Log:
    """Published messages per topic; a record of a version in `failing` is not stored."""

    def __init__(self) -> None:
        self.published: dict[str, list[int]] = {}
        self.failing: set[int] = set()
        self.missing = ""
        self.held: Event | None = None  # what publishing into `slow` waits for
        self.slow = ""

    def publish(self, topic: str, messages: Sequence[Message]) -> list[str | None]:
        if topic == self.missing:
            raise Outdated(f"Topic {topic} is not there")
        if topic == self.slow and self.held:
            self.held.wait()
        versions = [int(dict(message.headers)["ce_sequence"] or b"") for message in messages]
        self.published.setdefault(topic, []).extend(version for version in versions if version not in self.failing)
        return ["no leader" if version in self.failing else None for version in versions]


def record(number: int, resource: str) -> Record:
    return Record("00000000-0000-7000-8000-000000000000", number, f"{resource}.updated", "event", NOW, b"{}")


@pytest.fixture(autouse=True)
def _fresh_loggers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the modules keep the configuration that a command of another test may have made."""
    monkeypatch.setattr(module, "log", structlog.get_logger())
    monkeypatch.setattr(line, "log", structlog.get_logger())


@pytest.fixture
def log() -> Log:
    return Log()


def relay(outbox: Outbox, log: Log, *resources: type[Resource]) -> Relay:
    return Relay(App(*(resources or (User, Post))), outbox, log)  # type: ignore[arg-type]


def stepped(relay: Relay, until: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not until():
        assert time.monotonic() < deadline, "it did not happen"
        with suppress(Unavailable):
            relay.step()
        time.sleep(0.001)


def test_rows_are_published_in_order_each_to_its_topic_and_removed(log: Log) -> None:
    outbox = Outbox((3, "users"), (1, "users"), (2, "posts"), (4, "posts"))
    assert relay(outbox, log).step() == 0
    assert (log.published, outbox.rows) == ({"users-topic": [1, 3], "posts-topic": [2, 4]}, {})


def test_what_was_not_reported_stays_and_is_published_again(log: Log) -> None:
    outbox = Outbox((1, "users"), (2, "users"))
    log.failing = {2}
    relays = relay(outbox, log, User)
    with pytest.raises(Unavailable, match="1 records were not published: no leader"):
        relays.step()
    assert list(outbox.rows) == [2]
    log.failing = set()
    relays.step()
    assert (log.published["users-topic"], outbox.rows) == ([1, 2], {})


@pytest.mark.parametrize("fault", ["no leader", "missing"])
def test_a_topic_that_takes_nothing_holds_up_no_other(log: Log, fault: str) -> None:
    """However many rows of it stand before; its trouble is told once, and so is its end."""
    outbox = Outbox(*((number, "users") for number in range(3 * BATCH)), (3 * BATCH, "posts"))
    log.failing, log.missing = (set(range(3 * BATCH)), "") if fault == "no leader" else (set(), "users-topic")
    relays = relay(outbox, log)
    with structlog.testing.capture_logs() as logs:
        stepped(relays, lambda: log.published.get("posts-topic") == [3 * BATCH])
        for number in range(3 * BATCH + 1, 3 * BATCH + 9):
            outbox.rows[number] = ("posts", record(number, "posts"))
            relays.step()
        assert log.published["posts-topic"] == list(range(3 * BATCH, 3 * BATCH + 9))
        assert not [row for row in outbox.rows.values() if row[0] == "posts"]
        log.failing, log.missing = set(), ""
        stepped(relays, lambda: not outbox.rows)
    assert log.published["users-topic"] == list(range(3 * BATCH))
    told = [(each["event"], each.get("topic")) for each in logs if each.get("topic")]
    assert told == [("a topic takes no records", "users-topic"), ("a topic takes records again", "users-topic")]
    assert any(each.get("reason") in {"2000 records were not published: no leader", "Topic users-topic is not there"} for each in logs)


def test_a_topic_that_answers_slowly_is_not_waited_for_a_second_time(log: Log) -> None:
    outbox = Outbox((1, "users"), (2, "posts"))
    log.failing = {1}
    relays = relay(outbox, log)
    relays.step()
    log.slow, log.held = "users-topic", Event()
    stepped(relays, lambda: relays._lines["users"]._sent is not None)
    outbox.rows[3] = ("posts", record(3, "posts"))
    relays.step()
    assert log.published["posts-topic"] == [2, 3]
    log.failing = set()
    log.held.set()
    stepped(relays, lambda: not outbox.rows)
    assert log.published["users-topic"] == [1]


def test_where_no_topic_takes_records_the_engine_is_waited_for(log: Log) -> None:
    outbox = Outbox((1, "users"), (2, "posts"))
    log.failing = {1, 2}
    relays = relay(outbox, log)
    with pytest.raises(Unavailable, match="no leader"):
        relays.step()
    log.failing = set()
    stepped(relays, lambda: not outbox.rows)
    assert relays.step() > 0


def test_a_relay_that_leads_no_more_behind_a_failure_publishes_nothing_more(log: Log) -> None:
    outbox = Outbox((1, "users"), (2, "posts"))
    log.failing = {1}
    relays = relay(outbox, log)
    outbox.leading = [True, False]
    relays.step()
    assert "posts-topic" not in log.published


def test_who_does_not_lead_publishes_nothing_and_asks_again_in_time(log: Log) -> None:
    outbox = Outbox((1, "users"))
    outbox.may_lead = False
    assert 0 < relay(outbox, log).step() <= LEASE / 2
    assert (log.published, list(outbox.rows)) == ({}, [1])


def test_the_lease_is_not_asked_for_at_every_step_but_after_every_failure(log: Log) -> None:
    outbox = Outbox((1, "users"))
    log.failing = {1}
    relays = relay(outbox, log, User)
    for _ in range(3):
        with pytest.raises(Unavailable):
            relays.step()
    assert outbox.leases == [LEASE] * 3
    log.failing = set()
    for _ in range(5):
        relays.step()
    assert outbox.leases == [LEASE] * 4


def test_a_standby_says_once_that_the_leader_does_not_get_on(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_EVERY", 0.0)
    outbox = Outbox((1, "users"))
    outbox.may_lead = False
    relays = relay(outbox, log)
    with structlog.testing.capture_logs() as logs:
        for age in (0.0, 59.0, 61.0, 90.0, 1.0, 70.0):
            outbox.age = age
            relays.step()
    assert [each["oldest_seconds"] for each in logs if "does not get on" in each["event"]] == [61, 70]


def test_a_standby_takes_over(log: Log) -> None:
    outbox = Outbox((1, "users"))
    standby = relay(outbox, log)
    outbox.may_lead = False
    standby.step()
    outbox.may_lead = True
    standby.step()
    assert log.published == {"users-topic": [1]}


def test_polls_that_find_nothing_become_rarer_and_quick_again(log: Log) -> None:
    outbox = Outbox()
    relays = relay(outbox, log)
    waits = [relays.step() for _ in range(6)]
    assert waits == sorted(waits)
    assert waits[-1] == waits[-2] <= 0.05
    outbox.rows = Outbox((1, "users")).rows
    assert relays.step() == 0
    assert relays.step() == waits[0]


def test_it_resigns_when_it_ends(log: Log) -> None:
    outbox = Outbox()
    relays = relay(outbox, log)
    relays.start()
    assert relays.started.wait(10)
    assert relays.stop()
    assert outbox.resigned == [relays.holder]
