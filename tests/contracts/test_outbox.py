"""Binds the contract of the outbox to its engines, and pins what only MySQL can get wrong."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from mysqld import Stranger, query
from outbox_contract import OutboxContract, drained, pending, published, record
from store_contract import APP, MEMBERS, counted, emptied

from twofold.errors import Contended
from twofold.store.database import Database
from twofold.store.outbox import SqlOutbox
from twofold.store.sql import SqlStore


class TestSqlite(OutboxContract):
    @pytest.fixture
    def database(self, sqlite_database: Database) -> Database:
        return sqlite_database


@pytest.mark.engine
class TestMysql(OutboxContract):
    """Ids are given at insert and become visible at commit: what SQLite, with one writer, cannot show."""

    @pytest.fixture
    def database(self, mysql_database: Database) -> Database:
        return mysql_database

    def test_a_low_id_that_commits_between_read_and_removal_stays(self, store: SqlStore, outbox: SqlOutbox) -> None:
        """A range as the statement of removal would take it along, and its event would be lost."""
        slow, quick = record(), record()
        with store.unit() as unit:
            unit.publish([(MEMBERS, slow)], [])
            published(store, quick)
            found = outbox.pending(10)
            assert [one for _, _, one in found] == [quick]
            unit.commit()
        outbox.remove([number for number, _, _ in found])
        assert pending(outbox) == [slow]

    def test_a_low_id_that_commits_after_removal_is_pending(self, store: SqlStore, outbox: SqlOutbox) -> None:
        slow, quick = record(), record()
        with store.unit() as unit:
            unit.publish([(MEMBERS, slow)], [])
            published(store, quick)
            assert pending(outbox) == [quick]
            drained(outbox)
            assert pending(outbox) == []
            unit.commit()
        assert pending(outbox) == [slow]

    @pytest.mark.parametrize("count", [1, 100, 500, 1000])
    def test_remove_waits_for_no_open_transaction(self, store: SqlStore, outbox: SqlOutbox, stranger: Stranger, count: int) -> None:
        """An outbox is nearly always empty, and so its statistics say: a scan is cheap."""
        query(stranger, "ANALYZE TABLE outbox")
        with store.unit() as lower:
            lower.publish([(MEMBERS, record())], [])
            published(store, *(record() for _ in range(count)))
            with store.unit() as higher:
                higher.publish([(MEMBERS, record())], [])
                began = time.monotonic()
                assert len(drained(outbox)) == count  # or Contended, after a second
                assert time.monotonic() - began < 1

    def test_pending_waits_for_no_open_transaction(self, store: SqlStore, outbox: SqlOutbox, stranger: Stranger) -> None:
        given = published(store, record(), record())
        query(stranger, "SELECT * FROM outbox FOR UPDATE")
        assert pending(outbox) == given

    def test_polls_use_the_key(self, store: SqlStore, outbox: SqlOutbox, stranger: Stranger) -> None:
        """With a snapshot open somewhere a scan of deleted rows would cost 0.1 ms per 1,000 of them."""
        query(stranger, "SET explain_format = TRADITIONAL")
        outbox.pending(1)
        [floor] = outbox._floors.values()
        floor._floor = 1000
        with counted(store) as sent:
            outbox.pending(2000)
        (statement, values), *_ = sent
        with stranger.cursor() as cursor:
            cursor.execute(f"EXPLAIN {statement}", values)
            assert [(way[4], way[6]) for way in cursor.fetchall()] == [("range", "PRIMARY")]

    def test_of_many_that_want_the_first_lease_one_gets_it(self, database: Database) -> None:
        for _ in range(5):
            emptied(database)
            start = Barrier(4)

            def lead(holder: str, start: Barrier = start) -> bool:
                outbox = SqlOutbox(APP, database)
                start.wait()
                try:
                    return outbox.lead(holder, 60)
                except Contended:  # a deadlock: the relay asks again
                    return outbox.lead(holder, 60)

            with ThreadPoolExecutor() as pool:
                assert sum(pool.map(lead, "abcd")) == 1

    def test_a_clock_that_is_wrong_here_is_right_there(self, outbox: SqlOutbox, stranger: Stranger) -> None:
        outbox.lead("a", 60)
        left = query(stranger, "SELECT TIMESTAMPDIFF(SECOND, UTC_TIMESTAMP(), expires_at) FROM lease")[0][0]
        assert 55 <= left <= 60
