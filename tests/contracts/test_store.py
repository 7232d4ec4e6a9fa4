"""Binds the contract of the write store to its engines, and pins what only one of them can get wrong."""

from __future__ import annotations

import gc
import resource
import sqlite3
import struct
import time
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pymysql
import pytest
from mysqld import Private, Stranger, connect, query, waiting
from proxy import Proxy
from pymysql.constants import CR, ER
from scans_contract import ScansContract
from sqlalchemy import make_url
from sqlalchemy.exc import DBAPIError
from store_contract import (
    APP,
    MEMBERS,
    SECRETS,
    StoreContract,
    changed,
    counted,
    created,
    emptied,
    hold,
    loaded,
    member,
    new_id,
    receipt,
    record,
    saved,
    through,
    until,
)

from twofold.errors import Contended, EngineError, OutcomeUnknown, Outdated, Rejected, SettingsError, Taken, Unavailable
from twofold.store import sql
from twofold.store.database import Database
from twofold.store.dialects import mysql as dialect
from twofold.store.dialects.mysql import MAX_STATEMENT
from twofold.store.port import Doubt, Row, Writes
from twofold.store.sql import SqlStore

KEY = MEMBERS.field("email").unique_key


class TestSqlite(ScansContract, StoreContract):
    @pytest.fixture
    def database(self, sqlite_database: Database) -> Database:
        return sqlite_database

    def test_a_commit_survives_a_power_loss(self, database: Database) -> None:
        with database.write() as connection:
            found = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")]
        assert found == ["wal", 2]  # 2 is FULL

    def test_a_full_disk_is_survived(self, store: SqlStore, tmp_path: Path) -> None:
        before, after = member(), member(name="x" * 200_000)
        saved(store, created(before))
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, ((tmp_path / "write.db-wal").stat().st_size + 4096, limits[1]))
        try:
            with pytest.raises(OutcomeUnknown), store.unit() as unit:
                unit.save(MEMBERS, created(after))
                unit.commit()
            with pytest.raises(EngineError):  # as long as nothing can be committed, nothing is certain
                store.settle(unit.doubt)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert not store.settle(unit.doubt)
        assert loaded(store, before.id, after.id) == {before.id: before}

        saved(store, created(after))

        assert loaded(store, before.id, after.id) == {before.id: before, after.id: after}

    @pytest.mark.parametrize("done", [True, False])
    def test_an_io_error_of_a_commit_leaves_its_outcome_unknown_until_it_is_settled(
        self, store: SqlStore, monkeypatch: pytest.MonkeyPatch, done: bool
    ) -> None:
        row, dialect = member(), store._database.sqlalchemy
        with monkeypatch.context() as patch:
            patch.setattr(dialect, "do_commit", partial(fail_at_commit, done))
            with pytest.raises(OutcomeUnknown), store.unit() as unit:
                unit.save(MEMBERS, created(row))
                unit.commit()
            with pytest.raises(OutcomeUnknown):
                store.settle(unit.doubt)
        assert store.settle(unit.doubt) == done
        assert loaded(store, row.id) == ({row.id: row} if done else {})

    def test_a_commit_that_finds_the_file_locked_is_not_done(self, store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(store._database.sqlalchemy, "do_commit", partial(fail_at_commit, False, code=sqlite3.SQLITE_BUSY))
        with pytest.raises(Contended):
            saved(store, created(member()))

    def test_missing_tables_are_outdated(self, tmp_path: Path) -> None:
        database = Database(f"sqlite:///{tmp_path}/empty.db")
        with pytest.raises(Outdated, match="no such table: members; run `twofold migrate`"):
            SqlStore(APP, database).count(MEMBERS)
        database.dispose()


@pytest.mark.engine
class TestMysql(ScansContract, StoreContract):
    @pytest.fixture
    def database(self, mysql_database: Database) -> Database:
        return mysql_database

    @pytest.fixture
    def other(self, mysql: str, database: Database) -> Iterator[SqlStore]:
        """The store of another process."""
        database = Database(mysql)
        yield SqlStore(APP, database)
        database.dispose()

    def test_missing_tables_are_outdated(self, store: SqlStore, stranger: Stranger) -> None:
        query(stranger, "ALTER TABLE members RENAME TO hidden")
        try:
            with pytest.raises(Outdated, match=r"error 1146: Table 'contract_\w+.members' doesn't exist; run `twofold migrate`"):
                store.count(MEMBERS)
        finally:
            query(stranger, "ALTER TABLE hidden RENAME TO members")

    def test_a_missing_database_is_outdated(self, mysql: str) -> None:
        with pytest.raises(Outdated, match="Unknown database 'nowhere'; create it"):
            SqlStore(APP, Database(make_url(mysql).set(database="nowhere").render_as_string(hide_password=False))).count(MEMBERS)

    @pytest.mark.parametrize(("end", "encrypted"), [("", True), ("?tls=off", False)])
    def test_tls_is_used_unless_it_is_turned_off(self, mysql: str, end: str, encrypted: bool) -> None:
        database = Database(mysql.partition("?")[0] + end)
        with database.read() as connection:
            cipher = connection.exec_driver_sql("SHOW SESSION STATUS LIKE 'Ssl_cipher'").one()[1]
        database.dispose()
        assert bool(cipher) == encrypted

    # locks

    def test_load_locks_the_rows_that_it_returns(self, store: SqlStore, other: SqlStore) -> None:
        mine, free = member(), member()
        saved(store, created(mine, free))
        with store.unit() as unit:
            unit.load(MEMBERS, [mine.id])
            with other.unit() as theirs:
                assert theirs.load(MEMBERS, [mine.id, free.id]).rows == {free.id: free}
        assert loaded(other, mine.id) == {mine.id: mine}

    @pytest.mark.parametrize("rows", [1, 300])
    def test_load_waits_for_none_and_says_which_are_busy(self, store: SqlStore, stranger: Stranger, rows: int) -> None:
        held, deleted, free = member(), member(), [member() for _ in range(rows)]
        saved(store, created(held, deleted, *free))
        query(stranger, "SELECT id FROM members WHERE id = %s FOR UPDATE", held.id)
        query(stranger, "DELETE FROM members WHERE id = %s", deleted.id)

        began = time.monotonic()
        with store.unit() as unit:
            found = unit.load(MEMBERS, [held.id, deleted.id, *(row.id for row in free)])

        assert time.monotonic() - began < 0.5
        assert (found.rows, found.busy, found.deleted) == ({row.id: row for row in free}, {held.id, deleted.id}, frozenset())

    @pytest.mark.parametrize("rows", [1, 50, 1000])
    @pytest.mark.parametrize("what", ["updates", "deletes", "inserts"])
    def test_no_write_waits_for_rows_that_it_does_not_change(self, store: SqlStore, stranger: Stranger, what: str, rows: int) -> None:
        held, ours = member(), [member() for _ in range(rows)]
        saved(store, created(held, *ours))
        query(stranger, "SELECT id FROM members WHERE id = %s FOR UPDATE", held.id)
        writes = {
            "updates": Writes(updates=[changed(row) for row in ours]),
            "deletes": Writes(deletes=[(row.id, 2, row.updated_at) for row in ours]),
            "inserts": created(*(member() for _ in ours)),
        }[what]

        saved(store, writes)  # or Contended, after a second

    def test_writes_find_their_rows_by_key(self, store: SqlStore, stranger: Stranger) -> None:
        query(stranger, "SET explain_format = TRADITIONAL")
        query(stranger, "ANALYZE TABLE members")  # while it is empty: the optimizer takes it for small
        rows = [member() for _ in range(1000)]
        saved(store, created(*rows))
        with store.unit() as unit, counted(store) as sent:
            unit.save(MEMBERS, Writes(updates=[changed(row) for row in rows]))
            unit.save(MEMBERS, Writes(deletes=[(row.id, 3, row.updated_at) for row in rows]))
        ways = []
        for statement, values in sent:
            if statement.startswith(("UPDATE", "DELETE")):
                with stranger.cursor() as cursor:
                    cursor.execute(f"EXPLAIN {statement}", values)
                    ways += [(way[4], way[6]) for way in cursor.fetchall() if way[2] in ("t", "members")]
        assert ways == [("eq_ref", "PRIMARY"), ("range", "PRIMARY")]

    def test_look_ups_lock_nothing(self, store: SqlStore, other: SqlStore) -> None:
        """Two processes look for what is not there and put it there: with gap locks they would deadlock."""
        rows = [member("m@x.de", id_="00000000-0000-7000-8000-000000000001"), member("n@x.de", id_="00000000-0000-7000-8000-000000000002")]
        with store.unit() as one, other.unit() as two:
            for unit, row in zip((one, two), rows, strict=True):
                assert unit.load(MEMBERS, [row.id, new_id()]).rows == {}
                assert unit.taken(MEMBERS, "email", [KEY(row.state["email"]) or b""]) == {}
                assert unit.receipts([("", "members", row.id)]) == {}
            for unit, row in zip((one, two), rows, strict=True):
                unit.save(MEMBERS, created(row))
                unit.publish([(MEMBERS, record(row))], [receipt(row.id)])
            two.commit()
            one.commit()
        assert store.count(MEMBERS) == 2

    def test_a_lock_time_out_is_contended_and_the_whole_unit_is_rolled_back(self, store: SqlStore, stranger: Stranger) -> None:
        first, second = member(), member("ana@x.de")
        hold(stranger, second)
        began = time.monotonic()
        with pytest.raises(Contended, match="1205"), store.unit() as unit:
            unit.save(MEMBERS, created(first))
            unit.save(MEMBERS, created(second))
        assert 0.9 < time.monotonic() - began < 3
        assert (store.count(MEMBERS), store.settle(unit.doubt)) == (0, False)

    def test_a_deadlock_is_contended_and_the_whole_unit_is_rolled_back(self, store: SqlStore, stranger: Stranger) -> None:
        hold(stranger, *(member() for _ in range(20)), member("b@x.de"))  # the one with fewer changes is the victim
        a, b = member("a@x.de"), member("b@x.de")

        def cross() -> None:
            until(lambda: waiting(stranger, 1))
            hold(stranger, a)

        with ThreadPoolExecutor() as pool:
            crossing = pool.submit(cross)
            with pytest.raises(Contended, match="1213"), store.unit() as unit:
                unit.save(MEMBERS, created(a))
                unit.save(MEMBERS, created(b))
            crossing.result()
        stranger.rollback()
        assert (store.count(MEMBERS), store.settle(unit.doubt)) == (0, False)

    def test_when_all_connections_are_in_use_one_more_is_unavailable(self, store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(store._database._writer.pool, "_timeout", 0.05)
        with ExitStack() as units:
            for _ in range(8):
                units.enter_context(store.unit())
            with pytest.raises(Unavailable, match="All connections"):
                store.count(MEMBERS)
        assert store.count(MEMBERS) == 0

    # statements

    def test_the_server_is_asked_as_often_as_we_count(self, store: SqlStore) -> None:
        """The driver sends many rows as one statement, and does not fall back to one statement a row."""

        def questions(unit: Any) -> int:
            return int(unit._connection.exec_driver_sql("SHOW SESSION STATUS LIKE 'Questions'").one()[1])

        old, new = [member() for _ in range(256)], [member() for _ in range(256)]
        saved(store, created(*old))
        with store.unit() as unit, counted(store) as sent:
            before = questions(unit)
            sent.clear()
            unit.load(MEMBERS, [row.id for row in old])
            unit.save(MEMBERS, Writes(updates=[changed(row) for row in old], inserts=new, secrets={row.id: SECRETS for row in new}))
            unit.publish([(MEMBERS, record(row)) for row in old + new], [receipt(row.id) for row in new])
            assert len(sent) == 6
            assert questions(unit) - before == 6 + 1  # and the question itself

    @pytest.mark.parametrize("letter", ["x", "😀", "'"])
    def test_a_statement_has_about_a_mebibyte(self, store: SqlStore, monkeypatch: pytest.MonkeyPatch, letter: str) -> None:
        sizes, send = [], pymysql.connections.Connection.query

        def measured(connection: Stranger, text: Any, *more: Any) -> Any:
            sizes.append(len(text.encode() if isinstance(text, str) else text))
            return send(connection, text, *more)

        monkeypatch.setattr(pymysql.connections.Connection, "query", measured)
        rows = [member(name=letter * 4000) for _ in range(500)]
        saved(store, created(*rows))
        saved(store, Writes(updates=[changed(row) for row in rows]))
        assert max(sizes) < 2.1 * MAX_STATEMENT  # a quotation mark is sent as two
        assert sum(sizes) > 4_000_000

    # the connection

    def test_a_connection_that_was_killed_is_unavailable_once(self, store: SqlStore, stranger: Stranger) -> None:
        row = member()
        with pytest.raises(Unavailable), store.unit() as unit:
            unit.save(MEMBERS, created(row))
            query(stranger, f"KILL {unit.doubt.connection}")
            until(lambda: not query(stranger, "SELECT 1 FROM information_schema.processlist WHERE id = %s", unit.doubt.connection))
            unit.publish([(MEMBERS, record(row))], [])
        saved(store, created(row))
        assert store.count(MEMBERS) == 1

    def test_a_commit_on_a_connection_that_was_killed_is_of_unknown_outcome(self, store: SqlStore, stranger: Stranger) -> None:
        with pytest.raises(OutcomeUnknown), store.unit() as unit:
            unit.save(MEMBERS, created(member()))
            query(stranger, f"KILL {unit.doubt.connection}")
            unit.commit()
        assert (store.settle(unit.doubt), store.count(MEMBERS)) == (False, 0)

    def test_settings_of_a_session(self, database: Database) -> None:
        names = "transaction_isolation", "innodb_lock_wait_timeout", "lock_wait_timeout", "wait_timeout", "time_zone", "autocommit"
        with database.write() as connection:
            found = connection.exec_driver_sql(f"SELECT {', '.join(f'@@{name}' for name in names)}").one()
        assert tuple(found) == ("READ-COMMITTED", 1, 1, 60, "+00:00", 0)


@pytest.mark.engine
class TestCommitInDoubt:
    """COMMIT is sent, and its outcome is not heard of."""

    @pytest.fixture
    def proxy(self, mysql: str) -> Iterator[Proxy]:
        to = make_url(mysql)
        proxy = Proxy(to.host or "", to.port or 3306)
        yield proxy
        proxy.close()

    @pytest.fixture
    def store(self, mysql: str, proxy: Proxy) -> Iterator[SqlStore]:
        yield from through(proxy, mysql)

    def test_a_commit_that_did_not_arrive_is_not_done_and_never_will_be(self, store: SqlStore, proxy: Proxy) -> None:
        """The server still holds the transaction and its locks: it takes the connection for alive."""
        row = member()
        doubt = doubtful(store, row, proxy.lose_commit)
        began = time.monotonic()
        assert not store.settle(doubt)
        assert time.monotonic() - began < 2

        proxy.deliver_late()

        saved(store, created(row))  # its e-mail address is free
        assert not store.settle(doubt)

    def test_a_commit_whose_answer_was_lost_is_done(self, store: SqlStore, proxy: Proxy) -> None:
        row = member()
        doubt = doubtful(store, row, proxy.lose_answer)
        assert store.settle(doubt)
        assert loaded(store, row.id) == {row.id: row}

    def test_settle_tells_the_truth_about_a_commit_under_way(self, store: SqlStore, proxy: Proxy) -> None:
        for _ in range(20):
            row = member()
            said = store.settle(doubtful(store, row, proxy.race_commit))
            assert loaded(store, row.id) == ({row.id: row} if said else {})

    def test_settle_is_unavailable_while_the_server_is(self, store: SqlStore, proxy: Proxy) -> None:
        row = member()
        doubt = doubtful(store, row, proxy.lose_answer)
        proxy.cut()
        with pytest.raises(Unavailable):
            store.settle(doubt)
        proxy.mend()
        assert store.settle(doubt)

    def test_settle_gives_up_on_a_commit_that_does_not_end(
        self, store: SqlStore, stranger: Stranger, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sql, "SETTLE_SECONDS", 0.5)
        unit = new_id()
        query(stranger, "INSERT INTO unit (id) VALUES (%s)", unit)
        with pytest.raises(Unavailable):
            store.settle(Doubt(unit))
        stranger.rollback()
        assert not store.settle(Doubt(unit))

    @pytest.mark.parametrize("ours", [True, False], ids=["the server runs on", "the server was restarted meanwhile"])
    def test_settle_ends_the_connection_unless_its_number_is_somebody_elses(self, store: SqlStore, mysql: str, ours: bool) -> None:
        """After a restart numbers are given out anew."""
        with connect(mysql) as other:
            since = time.monotonic() if ours else time.monotonic() - 10**9
            assert not store.settle(Doubt(new_id(), other.thread_id(), since))
            if ours:
                with pytest.raises(pymysql.Error):
                    query(other, "SELECT 1")
            else:
                assert query(other, "SELECT 1") == [(1,)]

    def test_settle_does_not_end_its_own_connection(self, store: SqlStore) -> None:
        with store.unit() as unit:
            doubt = unit.doubt
        assert not store.settle(Doubt(new_id(), doubt.connection, time.monotonic()))

    def test_a_connection_that_is_gone_is_as_good_as_ended(self, store: SqlStore) -> None:
        assert not store.settle(Doubt(new_id(), 2**31, time.monotonic()))


@pytest.mark.engine
class TestServerInTrouble:
    """On a server of our own, which nobody misses."""

    @pytest.fixture
    def database(self, private_mysql: str) -> Iterator[Database]:
        database = Database(private_mysql)
        yield emptied(database)
        database.dispose()

    @pytest.fixture
    def store(self, database: Database) -> SqlStore:
        return SqlStore(APP, database)

    @pytest.fixture
    def proxied(self, private: Private, private_mysql: str, database: Database) -> Iterator[tuple[SqlStore, Proxy]]:
        proxy = Proxy("127.0.0.1", private.port)
        for store in through(proxy, private_mysql):
            yield store, proxy
        proxy.close()

    def test_settle_waits_for_a_slow_commit_and_says_done(self, proxied: tuple[SqlStore, Proxy], private: Private) -> None:
        """A plain look-up would say "not there" a moment too early. What holds the commit up is a replica that does not answer."""
        store, proxy = proxied
        on, off = (f"SET GLOBAL rpl_semi_sync_source_enabled = {state}" for state in ("ON", "OFF"))
        private.do("INSTALL PLUGIN rpl_semi_sync_source SONAME 'semisync_source.so'")
        try:
            private.do(
                "SET GLOBAL rpl_semi_sync_source_wait_no_replica = ON", "SET GLOBAL rpl_semi_sync_source_timeout = 2000", on, off, on
            )
            row = member()
            began = time.monotonic()
            doubt = doubtful(store, row, proxy.race_commit, lambda: committing(private))
            assert not plain_look(private, doubt)
            assert store.settle(doubt)
            assert time.monotonic() - began > 1.5
            assert loaded(store, row.id) == {row.id: row}
        finally:
            private.do(off, "UNINSTALL PLUGIN rpl_semi_sync_source")

    def test_settle_tells_the_truth_about_a_commit_that_it_interrupts(self, proxied: tuple[SqlStore, Proxy], private: Private) -> None:
        store, proxy = proxied
        row = member()
        with connect(private.url) as admin:

            def hold_up() -> None:
                query(admin, "FLUSH TABLES WITH READ LOCK")
                proxy.race_commit()

            doubt = doubtful(store, row, hold_up, lambda: committing(private))
            with ThreadPoolExecutor() as pool:
                settling = pool.submit(store.settle, doubt)
                until(lambda: not query(admin, "SELECT 1 FROM information_schema.processlist WHERE id = %s", doubt.connection))
                query(admin, "UNLOCK TABLES")
                said = settling.result()
        assert loaded(store, row.id) == ({row.id: row} if said else {})

    def test_check_tells_when_a_commit_might_not_survive(self, store: SqlStore, private: Private) -> None:
        for setting in ("innodb_flush_log_at_trx_commit", "sync_binlog"):
            private.do(f"SET GLOBAL {setting} = 0")
            try:
                assert [text.split()[0] for good, text in store.check() if not good] == [setting]
            finally:
                private.do(f"SET GLOBAL {setting} = 1")

    def test_a_backup_that_locks_all_tables_is_contention(self, store: SqlStore, private: Private) -> None:
        with connect(private.url) as admin:
            query(admin, "FLUSH TABLES WITH READ LOCK")
            with pytest.raises(Contended):
                saved(store, created(member()))
        saved(store, created(member()))

    def test_a_commit_survives_the_death_of_the_server(self, store: SqlStore, private: Private) -> None:
        done, undone = member(), member()
        doubt = saved(store, created(done))
        with pytest.raises(OutcomeUnknown), store.unit() as unit:
            unit.save(MEMBERS, created(undone))
            private.kill()
            unit.commit()
        try:
            with pytest.raises(Unavailable):
                store.settle(unit.doubt)
        finally:
            private.start()
        assert (store.settle(doubt), store.settle(unit.doubt)) == (True, False)
        assert loaded(store, done.id, undone.id) == {done.id: done}

    def test_a_read_only_server_is_unavailable_and_its_connection_is_thrown_away(self, store: SqlStore, private: Private) -> None:
        """After a failover a new connection leads to the new primary, an old one never."""
        row = member()
        connections = [saved(store, created(row)).connection]
        private.do("SET GLOBAL super_read_only = ON")
        try:
            for first_to_write in ("_begin", "save"):
                with pytest.raises(Unavailable, match="read-only"), store.unit() as unit:
                    connections.append(unit.doubt.connection)
                    unit._entered = {"members"} if first_to_write == "save" else None
                    unit.save(MEMBERS, created(member()))
        finally:
            private.do("SET GLOBAL super_read_only = OFF", "SET GLOBAL read_only = OFF")
        connections.append(saved(store, Writes(updates=[changed(row)])).connection)
        first, same, second, third = connections
        assert (first == same, len({first, second, third})) == (True, 3)
        assert loaded(store, row.id) == {row.id: changed(row)}

    def test_a_commit_that_a_read_only_server_refuses_is_not_done(self, store: SqlStore, private: Private) -> None:
        try:
            with pytest.raises(Unavailable, match="read-only"), store.unit() as unit:
                unit.save(MEMBERS, created(member()))
                private.do("SET GLOBAL super_read_only = ON")
                unit.commit()
        finally:
            private.do("SET GLOBAL super_read_only = OFF", "SET GLOBAL read_only = OFF")
        assert (store.settle(unit.doubt), store.count(MEMBERS)) == (False, 0)


def fail_at_commit(done: bool, connection: sqlite3.Connection, code: int = sqlite3.SQLITE_IOERR) -> None:
    """An fsync that fails: the frames may be in the file, or not."""
    (connection.commit if done else connection.rollback)()
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = code  # type: ignore[misc]
    raise error


class TestOthersThatSpeakMysql:
    @pytest.mark.parametrize("version", ["8.0.11-TiDB-v8.5.1", "5.7.9-vitess-22.0.1 Version: 22.0.1", "8.0.30-Vitess"])
    def test_one_whose_locks_do_not_hold_is_refused(self, version: str) -> None:
        with pytest.raises(SettingsError, match="whose locks are not MySQL's"):
            dialect.refuse_others(version)

    @pytest.mark.parametrize("version", ["8.0.45", "8.4.8-commercial", "9.7.0", "8.0.mysql_aurora.3.10.0", "8.0.42-33 Percona"])
    def test_mysql_is_not(self, version: str) -> None:
        dialect.refuse_others(version)

    @pytest.mark.engine
    def test_each_connection_is_asked(self, mysql: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(dialect, "_version", lambda _: "8.0.11-TiDB-v8.5.1")
        with pytest.raises(SettingsError, match="The write store is TiDB"):
            SqlStore(APP, Database(mysql)).check()


class TestErrors:
    """Every number that MySQL or PyMySQL knows, as PyMySQL raises it and SQLAlchemy wraps it."""

    # fmt: off
    TABLE: tuple[tuple[type[EngineError], dict[int, str]], ...] = (
        (Taken, {1062: "duplicate entry", 1586: "duplicate entry"}),
        (Contended, {1205: "lock wait", 1213: "deadlock", 1412: "table changed", 3101: "rolled back at commit", 3572: "lock, at once"}),
        (Outdated, {1049: "no database", 1054: "no column", 1146: "no table", 1364: "a column of somebody else's wants a value"}),
        (Unavailable, {1290: "read-only", 1792: "read-only", 1836: "read-only", 1053: "shutdown", 1040: "too many connections",
                       1203: "too many connections", 1045: "password", 1317: "interrupted", 1021: "disk full", 1927: "killed",
                       2003: "unreachable", 2006: "gone", 2013: "lost", 2055: "lost", 0: "closed", 4031: "idle"}),
        (Rejected, {1048: "null", 1406: "too long", 1264: "out of range", 1292: "not a date", 1366: "wrong characters", 1153: "too large",
                    1452: "foreign key", 1451: "foreign key", 1064: "syntax", 1644: "a trigger says no", 3819: "a check says no"}),
    )
    # fmt: on

    @pytest.mark.parametrize(("number", "expected"), [(number, kind) for kind, numbers in TABLE for number in numbers])
    def test_a_number_has_one_meaning(self, number: int, expected: type[EngineError]) -> None:
        assert type(translated(number)) is expected

    def test_no_error_of_the_driver_passes(self) -> None:
        known = {number for names in (ER, CR) for number in vars(names).values() if isinstance(number, int)}
        for number in known | set(range(1000, 1100)) | set(range(3000, 4100)):
            assert isinstance(translated(number), EngineError), number

    @pytest.mark.parametrize(
        ("error", "expected"),
        [
            (pymysql.err.InternalError("Packet sequence number wrong - got 1 expected 2"), Unavailable),
            (pymysql.err.InterfaceError(0, ""), Unavailable),
            (pymysql.err.ProgrammingError("nan can not be used with MySQL"), Rejected),
            (pymysql.err.OperationalError(), Unavailable),
            (pymysql.err.Error("Already closed"), Rejected),
        ],
    )
    def test_neither_does_one_without_a_number(self, error: pymysql.Error, expected: type[EngineError]) -> None:
        wrapped = DBAPIError.instance("SELECT", (), error, pymysql.err.Error)
        assert type(dialect.MySql().translate(wrapped)) is expected  # type: ignore[arg-type]


def translated(number: int) -> EngineError:
    packet = b"\xff" + struct.pack("<h", number) + b"#HY000" + b"words"
    try:
        pymysql.err.raise_mysql_exception(packet)
    except pymysql.Error as error:
        return dialect.MySql().translate(DBAPIError.instance("SELECT", (), error, pymysql.err.Error))  # type: ignore[arg-type]


def committing(private: Private) -> None:
    """Returns when some COMMIT is being executed."""
    with connect(private.url, autocommit=True) as admin:
        until(lambda: query(admin, "SELECT 1 FROM information_schema.processlist WHERE info = 'COMMIT' AND state <> ''"))


def plain_look(private: Private, doubt: Doubt) -> bool:
    with connect(private.url) as other:
        schema = query(other, "SELECT table_schema FROM information_schema.tables WHERE table_name = 'members'")[0][0]
        return bool(query(other, f"SELECT 1 FROM {schema}.unit WHERE id = %s", doubt.unit))


def doubtful(store: SqlStore, row: Row, trouble: Callable[[], None], then: Callable[[], None] = lambda: None) -> Doubt:
    """A unit that saves the row and loses its connection over the commit."""
    with pytest.raises(OutcomeUnknown), store.unit() as unit:
        unit.save(MEMBERS, created(row))
        trouble()
        unit.commit()
    then()
    return unit.doubt


def test_a_database_of_sqlite_is_the_same_one_in_another_folder_and_goes_when_nobody_uses_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    database = emptied(Database("sqlite:///write.db"))
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    assert SqlStore(APP, database).count(MEMBERS) == 0
    saved(SqlStore(APP, database), created(member()), MEMBERS)
    database.dispose()
    gone = weakref.ref(database)
    del database
    gc.collect()
    assert gone() is None


def test_the_file_of_sqlite_is_the_one_that_the_url_names(tmp_path: Path) -> None:
    (tmp_path / "a?b").mkdir()
    emptied(Database(f"sqlite:///{tmp_path}/a?b/write.db")).dispose()
    assert (tmp_path / "a?b" / "write.db").exists()
