"""From the outbox to the log: in order, by one that leads, and exactly what was reported is removed."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from twofold import App, Resource
from twofold.errors import Unavailable
from twofold.log.port import Message
from twofold.record import Record
from twofold.relay.relay import LEASE, Relay
from twofold.users import User

NOW = "2026-01-31T12:00:00.000Z"


class Post(Resource, name="posts"):
    text: str


class Outbox:
    """Rows by number; leads whoever may."""

    def __init__(self, *rows: tuple[int, str]) -> None:
        self.rows = {number: (resource, record(number, resource)) for number, resource in rows}
        self.may_lead = True
        self.leases: list[float] = []
        self.resigned: list[str] = []
        self.purged = 0

    def lead(self, holder: str, seconds: float) -> bool:
        self.leases.append(seconds)
        return self.may_lead

    def resign(self, holder: str) -> None:
        self.resigned.append(holder)

    def pending(self, limit: int) -> list[tuple[int, str, Record]]:
        return [(number, *row) for number, row in sorted(self.rows.items())][:limit]

    def remove(self, ids: Sequence[int]) -> None:
        for number in ids:
            del self.rows[number]

    def backlog(self) -> tuple[int, float]:
        return len(self.rows), 0.0

    def purge(self) -> None:
        self.purged += 1


class Log:
    """Published messages per topic; a record of a version in `failing` is not stored."""

    def __init__(self) -> None:
        self.published: dict[str, list[int]] = {}
        self.failing: set[int] = set()

    def publish(self, topic: str, messages: Sequence[Message]) -> list[str | None]:
        versions = [int(dict(message.headers)["ce_sequence"] or b"") for message in messages]
        self.published.setdefault(topic, []).extend(version for version in versions if version not in self.failing)
        return ["no leader" if version in self.failing else None for version in versions]


def record(number: int, resource: str) -> Record:
    return Record("00000000-0000-7000-8000-000000000000", number, f"{resource}.updated", "event", NOW, b"{}")


@pytest.fixture
def log() -> Log:
    return Log()


def relay(outbox: Outbox, log: Log) -> Relay:
    return Relay(App(User, Post), outbox, log)  # type: ignore[arg-type]


def test_rows_are_published_in_order_each_to_its_topic_and_removed(log: Log) -> None:
    outbox = Outbox((3, "users"), (1, "users"), (2, "posts"), (4, "posts"))
    assert relay(outbox, log).step() == 0
    assert (log.published, outbox.rows) == ({"users-topic": [1, 3], "posts-topic": [2, 4]}, {})


def test_what_was_not_reported_stays_and_is_published_again(log: Log) -> None:
    outbox = Outbox((1, "users"), (2, "users"), (3, "posts"))
    log.failing = {2}
    relays = relay(outbox, log)
    with pytest.raises(Unavailable, match="1 records were not published: no leader"):
        relays.step()
    assert list(outbox.rows) == [2]
    log.failing = set()
    relays.step()
    assert (log.published["users-topic"], outbox.rows) == ([1, 2], {})


def test_who_does_not_lead_publishes_nothing_and_asks_again_in_time(log: Log) -> None:
    outbox = Outbox((1, "users"))
    outbox.may_lead = False
    assert 0 < relay(outbox, log).step() <= LEASE / 2
    assert (log.published, list(outbox.rows)) == ({}, [1])


def test_the_lease_is_not_asked_for_at_every_step_but_after_every_failure(log: Log) -> None:
    outbox = Outbox((1, "users"))
    log.failing = {1}
    relays = relay(outbox, log)
    for _ in range(3):
        with pytest.raises(Unavailable):
            relays.step()
    assert outbox.leases == [LEASE] * 3
    log.failing = set()
    for _ in range(5):
        relays.step()
    assert outbox.leases == [LEASE] * 4


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


def test_old_rows_are_purged_now_and_then(log: Log) -> None:
    outbox = Outbox()
    relays = relay(outbox, log)
    for _ in range(10):
        relays.step()
    assert outbox.purged == 1


def test_it_resigns_when_it_ends(log: Log) -> None:
    outbox = Outbox()
    relays = relay(outbox, log)
    relays.start()
    assert relays.started.wait(10)
    assert relays.stop()
    assert outbox.resigned == [relays.holder]
