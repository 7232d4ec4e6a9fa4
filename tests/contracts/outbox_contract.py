"""The promises of `twofold.store.port.Outbox`, one test each, for every engine; `test_outbox.py` binds the engines."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from sqlalchemy import insert, update
from store_contract import APP, MEMBERS, SAMPLES, SECRETS, member, new_id, receipt, until

from twofold.kinds.datetimes import timestamp
from twofold.record import Record
from twofold.store import outbox as outbox_module
from twofold.store.database import Database
from twofold.store.leases import SqlLeases
from twofold.store.outbox import SqlOutbox
from twofold.store.port import Writes
from twofold.store.sql import SqlStore
from twofold.store.tables import Tables


class Clock:
    """Monotonic seconds that a test moves on."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


def record(key: str = "", version: int = 1, time: str = "2026-01-02T03:04:05.678Z") -> Record:
    return Record(key or new_id(), version, "members.updated", new_id(), time, b"{}")


def published(store: SqlStore, *records: Record) -> list[Record]:
    with store.unit() as unit:
        unit.publish([(MEMBERS, one) for one in records], [])
        unit.commit()
    return list(records)


def pending(outbox: SqlOutbox, limit: int = 10_000) -> list[Record]:
    return [found for _, _, found in outbox.pending(limit)]


def drained(outbox: SqlOutbox) -> list[int]:
    """Removes what is pending; the ids."""
    ids = [number for number, _, _ in outbox.pending(10_000)]
    outbox.remove(ids)
    return ids


class OutboxContract:
    """Bound by one fixture, `database`: an open database with the tables of APP, empty, closed at the end."""

    @pytest.fixture
    def store(self, database: Database) -> SqlStore:
        return SqlStore(APP, database)

    @pytest.fixture
    def outbox(self, database: Database) -> SqlOutbox:
        return SqlOutbox(APP, database)

    @pytest.fixture
    def standby(self, database: Database) -> SqlOutbox:
        """The same outbox, as another relay has it."""
        return SqlOutbox(APP, database)

    @pytest.fixture
    def clock(self, monkeypatch: pytest.MonkeyPatch) -> Clock:
        clock = Clock()
        monkeypatch.setattr(outbox_module, "time", clock)
        return clock

    # pending, remove

    def test_what_is_committed_is_pending_until_it_is_removed(self, store: SqlStore, outbox: SqlOutbox) -> None:
        with store.unit() as unit:
            unit.publish([(MEMBERS, first := record()), (SAMPLES, second := record())], [])
            assert outbox.pending(10) == []
            unit.commit()
        for _ in range(2):
            found = outbox.pending(10)
            assert [(name, one) for _, name, one in found] == [("members", first), ("samples", second)]
        outbox.remove([number for number, _, _ in found])
        assert outbox.pending(10) == []

    def test_pending_is_in_order_per_key(self, store: SqlStore, outbox: SqlOutbox) -> None:
        keys = [new_id() for _ in range(3)]
        for version in range(1, 20, 2):
            published(store, *(record(key, v) for v in (version, version + 1) for key in reversed(keys)))
        for key in keys:
            assert [one.version for one in pending(outbox) if one.key == key] == list(range(1, 21))

    def test_pending_of_a_resource_leaves_those_of_others_out(self, store: SqlStore, outbox: SqlOutbox, clock: Clock) -> None:
        """However long: what is asked for of one says nothing about where another's rows begin."""
        with store.unit() as unit:
            unit.publish([(SAMPLES, record()) for _ in range(5)] + [(MEMBERS, record())], [])
            unit.commit()
        for _ in range(100):
            clock.now += 1
            assert [name for _, name, _ in outbox.pending(3, ["members"])] == ["members"]
            assert [name for _, name, _ in outbox.pending(3, ["samples"])] == ["samples"] * 3
            assert len(outbox.pending(10)) == len(outbox.pending(10, ["samples", "members"])) == 6

    def test_pending_gives_the_oldest_up_to_the_limit(self, store: SqlStore, outbox: SqlOutbox) -> None:
        given = published(store, *(record() for _ in range(5)))
        assert pending(outbox, 3) == given[:3]

    def test_pending_is_bounded_in_bytes_and_leaves_nothing_out(self, store: SqlStore, outbox: SqlOutbox) -> None:
        large, few = b'"' + b"x" * 200_000 + b'"', outbox_module.BATCH_BYTES // 200_000 + outbox_module.PART
        given = [replace(record(), value=large) for _ in range(150)]
        for start in range(0, 150, 5):
            published(store, *given[start : start + 5])
        found: list[str] = []
        while rows := outbox.pending(2000):
            assert len(rows) <= few
            found += [one.key for _, _, one in rows]
            outbox.remove([number for number, _, _ in rows])
        assert found == [one.key for one in given]
        small = published(store, *(record() for _ in range(500)))
        assert pending(outbox, 2000)[:1] == small[:1]
        assert pending(outbox, 2000) == pending(outbox, 2000) != []

    def test_remove_removes_exactly_these_rows(self, store: SqlStore, outbox: SqlOutbox) -> None:
        given = published(store, *(record() for _ in range(6)))
        ids = [number for number, _, _ in outbox.pending(10)]
        outbox.remove([ids[4], ids[1], ids[1], ids[5] + 1000])
        assert pending(outbox) == [given[0], given[2], given[3], given[5]]

    def test_remove_of_nothing_removes_nothing(self, store: SqlStore, outbox: SqlOutbox) -> None:
        given = published(store, record())
        outbox.remove([])
        assert pending(outbox) == given

    def test_remove_takes_any_number_of_ids(self, store: SqlStore, outbox: SqlOutbox) -> None:
        published(store, *(record() for _ in range(2500)))
        *most, last = [number for number, _, _ in outbox.pending(2500)]
        outbox.remove(most)
        assert [number for number, _, _ in outbox.pending(10)] == [last]

    def test_an_id_is_never_given_a_second_time(self, store: SqlStore, outbox: SqlOutbox) -> None:
        published(store, record(), record())
        before = drained(outbox)
        published(store, record())
        assert drained(outbox)[0] > max(before)

    # the floor

    def test_a_row_that_commits_late_below_removed_ones_is_pending(self, store: SqlStore, outbox: SqlOutbox, clock: Clock) -> None:
        late = self._gap(store, outbox)
        clock.now += 5
        self._insert(outbox, late)
        assert len(pending(outbox)) == 1

    def test_a_unit_may_take_a_minute(self, store: SqlStore, outbox: SqlOutbox, clock: Clock) -> None:
        late = self._gap(store, outbox)
        for _ in range(59):
            clock.now += 1
            assert pending(outbox) == []
        self._insert(outbox, late)
        assert len(pending(outbox)) == 1

    def test_a_row_below_the_floor_is_found_by_the_next_full_scan(self, store: SqlStore, outbox: SqlOutbox, clock: Clock) -> None:
        late = self._gap(store, outbox)
        for _ in range(100):
            clock.now += 1
            outbox.pending(10)
        [floor] = outbox._floors.values()
        assert floor._floor > late, "the test is about a row below the floor"
        self._insert(outbox, late)
        waited = 0
        while not pending(outbox):
            clock.now += 1
            waited += 1
        assert waited <= 11

    def test_a_pending_row_is_never_below_the_floor(self, store: SqlStore, outbox: SqlOutbox, clock: Clock) -> None:
        """The relay cannot publish its oldest row, and goes on with the others."""
        stuck = published(store, record())
        for _ in range(150):
            clock.now += 1
            published(store, record())
            found = outbox.pending(10)
            assert found[0][2] == stuck[0]
            outbox.remove([number for number, _, _ in found[1:]])

    def test_what_was_committed_late_is_never_below_the_floor(self, store: SqlStore, outbox: SqlOutbox, clock: Clock) -> None:
        """A scan that found nothing is no reason to pass over a row that is pending when it comes to count."""
        late = self._gap(store, outbox)
        clock.now += 11
        assert pending(outbox) == []
        self._insert(outbox, late)
        for _ in range(200):
            clock.now += 1
            assert [number for number, _, _ in outbox.pending(1)] == [late]

    @staticmethod
    def _gap(store: SqlStore, outbox: SqlOutbox) -> int:
        """An id that a slow unit has taken, below others that are removed."""
        published(store, record(), record(), record())
        return drained(outbox)[0]

    @staticmethod
    def _insert(outbox: SqlOutbox, number: int) -> None:
        row = {"resource": "members", "key": new_id(), "version": 1, "type": "members.created", "event_id": new_id(), "time": "t"}
        with outbox._database.write() as connection:
            connection.execute(insert(outbox._tables.outbox).values(id=number, **row))
            outbox._database.commit(connection)

    # the lease

    def test_one_of_two_leads(self, outbox: SqlOutbox, standby: SqlOutbox) -> None:
        assert outbox.lead("a", 60)
        assert not standby.lead("b", 60)
        assert outbox.lead("a", 60)

    def test_a_lease_that_is_not_renewed_is_taken_over(self, outbox: SqlOutbox, standby: SqlOutbox) -> None:
        assert outbox.lead("a", 2)
        assert not standby.lead("b", 60)
        until(lambda: standby.lead("b", 60))
        assert not outbox.lead("a", 60)

    def test_a_lease_that_is_renewed_is_not(self, outbox: SqlOutbox, standby: SqlOutbox) -> None:
        assert outbox.lead("a", 0.01)
        assert outbox.lead("a", 60)
        assert not standby.lead("b", 60)

    def test_the_clock_is_the_stores(self, outbox: SqlOutbox, standby: SqlOutbox, monkeypatch: pytest.MonkeyPatch) -> None:
        for clock in ("datetime", "time"):
            monkeypatch.setattr(outbox_module, clock, SimpleNamespace())
        assert outbox.lead("a", 0.05)
        until(lambda: standby.lead("b", 60))

    def test_a_lease_that_is_given_back_is_free_at_once(self, outbox: SqlOutbox, standby: SqlOutbox) -> None:
        outbox.lead("a", 60)
        outbox.resign("a")
        assert standby.lead("b", 60)

    def test_leases_of_other_names_are_independent(self, outbox: SqlOutbox, database: Database) -> None:
        leases = SqlLeases(APP, database)
        assert outbox.lead("a", 60)
        assert leases.take("x" * 63, "b", 60)
        assert not leases.take("x" * 63, "c", 60)
        leases.give_back("x" * 63, "c")
        assert not leases.take("x" * 63, "c", 60)
        leases.give_back("x" * 63, "b")
        assert leases.take("x" * 63, "c", 60)
        assert outbox.lead("a", 60)

    def test_nobody_gives_back_anothers_lease(self, outbox: SqlOutbox, standby: SqlOutbox) -> None:
        outbox.lead("a", 60)
        standby.resign("b")
        assert not standby.lead("b", 60)

    # the rest

    def test_backlog_tells_number_and_age_of_the_oldest(self, store: SqlStore, outbox: SqlOutbox) -> None:
        assert outbox.backlog() == (0, 0.0)
        now = datetime.now(UTC)
        published(store, *(record(time=timestamp(now - timedelta(seconds=age))) for age in (90, 30)))
        count, age = outbox.backlog()
        assert count == 2
        assert 89 < age < 120

    def test_what_no_relay_of_this_app_takes_is_not_its_backlog(self, store: SqlStore, outbox: SqlOutbox, database: Database) -> None:
        """Else whoever waits until nothing is pending would wait for ever."""
        published(store, record())
        with database.write() as connection:
            connection.execute(update(Tables(APP).outbox).values(resource="gone"))
            database.commit(connection)
        assert outbox.backlog() == (0, 0.0)
        published(store, record(time=timestamp(datetime.now(UTC))))
        count, age = outbox.backlog()
        assert count == 1
        assert age < 60

    def test_backlog_is_counted_up_to_a_cap(self, store: SqlStore, outbox: SqlOutbox, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(outbox_module, "COUNT_CAP", 3)
        published(store, *(record() for _ in range(5)))
        assert outbox.backlog()[0] == 3

    def test_what_is_kept_is_counted_up_to_a_cap(self, store: SqlStore, outbox: SqlOutbox, monkeypatch: pytest.MonkeyPatch) -> None:
        assert outbox.kept() == {"receipts": 0, "units": 0, "tombstones": 0}
        row = member()
        with store.unit() as unit:
            unit.save(MEMBERS, Writes(inserts=[row], secrets={row.id: SECRETS}))
            unit.publish([(MEMBERS, record())], [receipt("one"), receipt("other")])
            unit.commit()
        with store.unit() as unit:
            unit.load(MEMBERS, [row.id])
            unit.save(MEMBERS, Writes(deletes=[(row.id, 2, "2026-01-02T00:00:00.000Z")]))
            unit.publish([(MEMBERS, record())], [])
            unit.commit()
        assert outbox.kept() == {"receipts": 2, "units": 2, "tombstones": 1}
        monkeypatch.setattr(outbox_module, "COUNT_CAP", 1)
        assert outbox.kept() == {"receipts": 1, "units": 1, "tombstones": 1}

    def test_an_age_is_never_negative(self, store: SqlStore, outbox: SqlOutbox) -> None:
        published(store, record(time="2999-01-01T00:00:00.000Z"))
        assert outbox.backlog() == (1, 0.0)
