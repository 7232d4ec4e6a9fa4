"""What is kept for a while only goes, whoever else runs; nothing else does."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from mysqld import Stranger, query
from sqlalchemy import insert, select
from store_contract import APP, MEMBERS, SECRETS, member, new_id, receipt, until

from twofold.command import purger as command_purger
from twofold.command.purger import Purger
from twofold.kinds.datetimes import timestamp
from twofold.store import purging
from twofold.store.database import Database
from twofold.store.port import Writes
from twofold.store.sql import SqlStore


def unit_of(when: datetime) -> str:
    """The id that a unit of that moment has: a UUIDv7."""
    stamp = f"{int(when.timestamp() * 1000):012x}"
    return f"{stamp[:8]}-{stamp[8:]}-7abc-8def-{new_id()[-12:]}"


def put(store: SqlStore, units: Sequence[str], receipts: dict[str, datetime]) -> None:
    reply = {"fingerprint": b"", "status": 201, "headers": "", "body": ""}
    with store._database.write() as connection:
        connection.execute(insert(store._tables.unit), [{"id": unit} for unit in units])
        rows = [{"key": key, "created_at": timestamp(when), **reply} for key, when in receipts.items()]
        connection.execute(insert(store._tables.receipt), rows)
        store._database.commit(connection)


def left(store: SqlStore) -> tuple[set[str], set[str]]:
    tables = store._tables
    with store._database.read() as connection:
        return set(connection.scalars(select(tables.unit.c.id))), set(connection.scalars(select(tables.receipt.c.key)))


class Cases:
    """Bound by one fixture, `database`."""

    @pytest.fixture
    def store(self, database: Database) -> SqlStore:
        return SqlStore(APP, database)

    def test_it_removes_old_units_and_old_receipts_only(self, store: SqlStore) -> None:
        row, now = member(), datetime.now(UTC)
        with store.unit() as unit:
            unit.save(MEMBERS, Writes(inserts=[row], secrets={row.id: SECRETS}))
            unit.publish([], [receipt("new")])
            unit.commit()
        old, young = ([unit_of(now - timedelta(minutes=age))] for age in (61, 59))
        put(store, old + young, {"old": now - timedelta(hours=24, minutes=1), "young": now - timedelta(hours=23, minutes=59)})

        assert not store.purge()

        units, keys = left(store)
        assert (units, len(keys), keys & {"old", "young"}) == ({unit.doubt.unit, *young}, 2, {"young"})
        assert store.look(MEMBERS, {}, ["new"])[1].keys() == {"new"}
        assert store.settle(unit.doubt)
        assert store.count(MEMBERS) == 1

    def test_it_removes_a_bounded_number_at_a_call(self, store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(purging, "PURGE_ROWS", 2)
        then = datetime.now(UTC) - timedelta(days=2)
        put(store, [unit_of(then + timedelta(seconds=n)) for n in range(5)], {f"{n}": then for n in range(5)})
        for rest, more in ((3, True), (1, True), (0, False), (0, False)):
            assert store.purge() == more
            assert [len(found) for found in left(store)] == [rest, rest]

    def test_it_goes_on_by_itself_without_a_relay(self, store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(purging, "PURGE_ROWS", 2)
        monkeypatch.setattr(command_purger, "EVERY", 0.01)
        then = datetime.now(UTC) - timedelta(days=2)
        service = Purger(store)
        service.start()
        for _ in range(2):
            put(store, [unit_of(then + timedelta(seconds=n)) for n in range(5)], {f"{n}": then for n in range(5)})
            until(lambda: left(store) == (set(), set()))
        assert service.stop()


class TestSqlite(Cases):
    @pytest.fixture
    def database(self, sqlite_database: Database) -> Database:
        return sqlite_database


@pytest.mark.engine
class TestMysql(Cases):
    @pytest.fixture
    def database(self, mysql_database: Database) -> Database:
        return mysql_database

    @pytest.mark.parametrize("count", [1, 1000])
    def test_it_waits_for_no_open_transaction(self, store: SqlStore, stranger: Stranger, count: int) -> None:
        then = datetime.now(UTC) - timedelta(days=2)
        for table in ("unit", "receipt"):
            query(stranger, f"ANALYZE TABLE {table}")
        put(store, [unit_of(then + timedelta(seconds=number)) for number in range(count)], {f"{number}": then for number in range(count)})
        with store.unit() as unit:
            unit.publish([], [receipt("00"), receipt("zz")])
            store.purge()  # or Contended, after a second
            assert left(store) == (set(), set())
            unit.commit()
        assert store.settle(unit.doubt)

    def test_what_another_process_is_about_to_remove_is_left_to_it(self, store: SqlStore, stranger: Stranger) -> None:
        then = datetime.now(UTC) - timedelta(days=2)
        put(store, [unit_of(then)], {"a": then, "b": then})
        query(stranger, "SELECT * FROM receipt WHERE `key` = 'a' FOR UPDATE")
        store.purge()
        assert left(store) == (set(), {"a"})
