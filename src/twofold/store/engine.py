"""SQLite and MySQL behind SQLAlchemy Core: connections, sessions, errors, and the SQL that differs.

Everything that depends on the dialect stands here, so that the rest of the store reads as one.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, Table, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, InternalError, OperationalError, StatementError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import QueuePool, StaticPool

from twofold.errors import Contended, EngineError, OutcomeUnknown, Outdated, Rejected, SettingsError, Taken, Unavailable
from twofold.runtime import embedded
from twofold.urls import file_of

MAX_STATEMENT = 1 << 20  # bytes, well below every max_allowed_packet
DELETE_KEYS = 1000  # in one statement
_POOL = {"pool_size": 4, "max_overflow": 4, "pool_timeout": 2}

# MySQL error numbers, from the manual's "Server Error Message Reference" and "Client Error Message Reference".
CONTENDED = {1205, 1213, 1412, 3101, 3572}
READ_ONLY = {1290, 1792, 1836}
LOST = {0, 2006, 2013, 2014, 2055, 4031, 1053, 1927, 3169}
OUTDATED = {1049, 1054, 1146, 1364}
DUPLICATE = {1062, 1586}
REJECTED = {1118, 1153, 1292, 1300, 1301, 1411, 1416, 1644, 1690, 3140, 3819, 3988}  # of those that PyMySQL calls operational
_SESSION = (
    "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION',"
    " transaction_isolation = 'READ-COMMITTED', innodb_lock_wait_timeout = 1, lock_wait_timeout = 1, wait_timeout = 60,"
    " time_zone = '+00:00'"
)


class Database:
    """One database. `write` is a transaction that its caller commits, `read` a short look.

    Where `reading`, a file of SQLite is not changed, not even made, and `write` fails.
    """

    def __init__(self, url: str, *, reading: bool = False) -> None:
        parsed = make_url(url)
        self.mysql = parsed.get_backend_name() == "mysql"
        self._closed = False
        self._lock: AbstractContextManager[Any] = nullcontext() if self.mysql else threading.RLock()
        self._url = parsed
        if self.mysql:
            self._writer = self._reader = _mysql(parsed)
        else:
            self._writer, self._reader = _sqlite(file_of(url), reading=reading)

    @property
    def dialect(self) -> Any:
        return self._writer.dialect

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A connection in a transaction. It is rolled back unless its caller commits; a broken one is thrown away."""
        with self._lock, self.translated(), self._open(self._writer).connect() as connection:
            connection.begin()
            try:
                yield connection
            except BaseException as error:
                if self.mysql and _broken(error.__cause__ if isinstance(error, EngineError) else error):
                    connection.invalidate()
                raise

    @contextmanager
    def read(self) -> Iterator[Connection]:
        with self.translated(), self._open(self._reader).connect() as connection:
            yield connection

    @contextmanager
    def alone(self) -> Iterator[Connection]:
        """`write` for migrations: one at a time, and its statements may take their time."""
        if not self.mysql:
            with self.write() as connection:
                yield connection
            return
        engine = _mysql(self._url, read_timeout=24 * 3600)
        try:
            with self.translated(), engine.connect() as connection:
                if connection.exec_driver_sql("SELECT GET_LOCK(LEFT(CONCAT('twofold.migrate.', DATABASE()), 64), 10)").scalar() != 1:
                    raise Contended("Another process is migrating the tables.")
                yield connection
        finally:
            engine.dispose()  # which gives the lock back

    def commit(self, connection: Connection) -> None:
        """Commits. Raises OutcomeUnknown where the engine does not say for certain that it did, or that it did not: an I/O error may have
        left a whole commit in SQLite's write-ahead log, which counts when the file is opened the next time.
        """
        try:
            with self.translated():
                connection.commit()
        except EngineError as error:
            if isinstance(error, Contended) or (self.mysql and _number(error.__cause__) in READ_ONLY):
                raise
            if self.mysql:
                connection.invalidate()
            raise OutcomeUnknown("The write store did not say what became of a COMMIT.") from error

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Turns what the driver raises into twofold's errors, by number and class; never with a row's values."""
        try:
            yield
        except PoolTimeout as error:
            raise Unavailable("All connections to the write store are in use.") from error
        except DBAPIError as error:
            raise (_from_mysql if self.mysql else _from_sqlite)(error) from error
        except (StatementError, OverflowError, UnicodeEncodeError) as error:
            raise Rejected("A value cannot be handed to the write store.") from error

    def connection_id(self, connection: Connection) -> int:
        """The server's number of a connection, for KILL; 0 where there is no server."""
        return int(connection.connection.dbapi_connection.thread_id()) if self.mysql else 0  # type: ignore[union-attr]

    def now(self, seconds: float = 0) -> str:
        """SQL for the store's own clock, that many seconds from now."""
        if self.mysql:
            return f"(UTC_TIMESTAMP(3) + INTERVAL {int(seconds * 1e6)} MICROSECOND)"
        return f"strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '{seconds:+.3f} seconds')"

    def duplicate(self, table: str, column: str) -> str:
        """What the engine's message ends with where a unique column's value is taken. It may have the value itself further ahead."""
        return f".{table}_{column}'" if self.mysql else f"{table}.{column}"

    def insert_many(self, connection: Connection, table: Table, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Inserts rows of `columns`, in order, in statements of many rows. Never an upsert: that could write over somebody else's row."""
        names, bound = self._bound(table, columns, rows)
        head = f"INSERT INTO {self.quoted(table.name)} ({', '.join(names)}) VALUES "  # noqa: S608 - names come from the declaration
        if not self.mysql:
            connection.exec_driver_sql(f"{head}({', '.join('?' * len(names))})", bound)
            return
        place = f"({', '.join(['%s'] * len(names))})"
        for part in _parts(bound):
            connection.exec_driver_sql(head + ", ".join([place] * len(part)), tuple(chain.from_iterable(part)))

    def update_many(
        self, connection: Connection, table: Table, columns: Sequence[str], rows: Iterable[Sequence[Any]], replaced: Sequence[int]
    ) -> int:
        """Sets `columns` of rows by id (the first column) that have the versions `replaced`, in statements of many rows; how many had."""
        names, bound = self._bound(table, columns, rows)
        target = self.quoted(table.name)
        if not self.mysql:
            sets = ", ".join(f"{name} = ?" for name in names[1:])
            statement = f"UPDATE {target} SET {sets} WHERE {names[0]} = ? AND version = ?"  # noqa: S608 - names come from the declaration
            values = [(*row[1:], row[0], version) for row, version in zip(bound, replaced, strict=True)]
            return connection.exec_driver_sql(statement, values).rowcount
        sets = ", ".join(f"t.{name} = v.{name}" for name in names[1:])
        place = f"ROW({', '.join(['%s'] * (len(names) + 1))})"
        done = 0
        for part in _parts([(*row, version) for row, version in zip(bound, replaced, strict=True)]):
            new = f"(VALUES {', '.join([place] * len(part))}) AS v ({', '.join(names)}, _replaced)"
            same = "t.id = v.id AND t.version = v._replaced"
            # in this order, since a scan of a table that is taken for small would wait for rows that others have locked
            statement = f"UPDATE {new} STRAIGHT_JOIN {target} AS t FORCE INDEX (PRIMARY) ON {same} SET {sets}"  # noqa: S608
            done += connection.exec_driver_sql(statement, tuple(chain.from_iterable(part))).rowcount
        return done

    def find_many(self, connection: Connection, table: Table, columns: Sequence[str], keys: Sequence[Any]) -> list[Any]:
        """`columns` of the rows whose first column is one of the keys."""
        names = [self.quoted(column) for column in columns]
        statement = f"SELECT {', '.join(names)} FROM {self.quoted(table.name)} WHERE {names[0]} IN ({self._places(keys)})"  # noqa: S608
        return list(connection.exec_driver_sql(statement, tuple(keys))) if keys else []

    def delete_many(self, connection: Connection, table: Table, keys: Sequence[Any]) -> None:
        """Deletes rows by key, and looks at no others. With the hint, because the optimizer scans a table that it takes for small
        (an outbox is nearly always empty), and then waits for rows that others have locked or not yet committed.
        """
        name, key = self.quoted(table.name), self.quoted(next(iter(table.primary_key.columns)).name)
        hint = f"/*+ INDEX({name} PRIMARY) */ " if self.mysql else ""
        for start in range(0, len(keys), DELETE_KEYS):
            part = tuple(keys[start : start + DELETE_KEYS])
            connection.exec_driver_sql(f"DELETE {hint}FROM {name} WHERE {key} IN ({self._places(part)})", part)

    def delete_versions(self, connection: Connection, table: Table, rows: Sequence[tuple[str, int]]) -> int:
        """Deletes rows that have this id and version, and looks at no others; how many had."""
        name = self.quoted(table.name)
        if not self.mysql:
            statement = f"DELETE FROM {name} WHERE id = ? AND version = ?"  # noqa: S608 - the name comes from the declaration
            return connection.exec_driver_sql(statement, list(rows)).rowcount if rows else 0
        done = 0
        for start in range(0, len(rows), DELETE_KEYS):
            part = rows[start : start + DELETE_KEYS]
            ids, pairs = self._places(part), ", ".join(["(%s, %s)"] * len(part))
            where = f"id IN ({ids}) AND (id, version) IN ({pairs})"
            statement = f"DELETE /*+ INDEX({name} PRIMARY) */ FROM {name} WHERE {where}"
            values = (*(id_ for id_, _ in part), *chain.from_iterable(part))
            done += connection.exec_driver_sql(statement, values).rowcount
        return done

    def clear_many(
        self, connection: Connection, table: str, column: str, one: tuple[str, str], many: tuple[str, Sequence[str]], index: str
    ) -> None:
        """Sets a column to NULL where it holds something and the index's two columns are these; looks at no other rows."""
        name, hint = self.quoted(table), f" FORCE INDEX ({index})" if self.mysql else ""
        place = "%s" if self.mysql else "?"
        for start in range(0, len(many[1]), DELETE_KEYS):
            part = many[1][start : start + DELETE_KEYS]
            where = f"{one[0]} = {place} AND {many[0]} IN ({self._places(part)}) AND {column} IS NOT NULL"
            statement = f"UPDATE {name}{hint} SET {column} = NULL WHERE {where}"  # noqa: S608 - names of the runtime's own
            connection.exec_driver_sql(statement, (one[1], *part))

    def _bound(self, table: Table, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> tuple[list[str], list[tuple[Any, ...]]]:
        """Column names as SQL has them, and rows as the driver takes them."""
        bound = [list(row) for row in rows]
        for place, column in enumerate(columns):
            if process := self._processor(table, column):
                for row in bound:
                    row[place] = process(row[place])
        return [self.quoted(column) for column in columns], [tuple(row) for row in bound]

    @cache  # noqa: B019 - a database lives as long as its process, and has as many columns as the app
    def _processor(self, table: Table, column: str) -> Any:
        return table.c[column].type.dialect_impl(self.dialect).bind_processor(self.dialect)

    @cache  # noqa: B019
    def quoted(self, name: str) -> str:
        return str(self.dialect.identifier_preparer.quote(name))

    def _places(self, keys: Sequence[Any]) -> str:
        return ", ".join(["%s" if self.mysql else "?"] * len(keys))

    def dispose(self) -> None:
        with self._lock:
            self._closed = True
            self._reader.dispose()
            self._writer.dispose()

    def _open(self, engine: Engine) -> Engine:
        if self._closed:
            raise Unavailable("The write store is closed.")
        return engine


def _parts(rows: Sequence[tuple[Any, ...]]) -> Iterator[Sequence[tuple[Any, ...]]]:
    """Cuts rows so that a statement stays near MAX_STATEMENT."""
    part: list[tuple[Any, ...]] = []
    size = 0
    for row in rows:
        weight = 4 * sum([len(value) for value in row if type(value) is str or type(value) is bytes])  # bytes in UTF-8, at most
        if part and size + weight > MAX_STATEMENT:
            yield part
            part, size = [], 0
        part.append(row)
        size += weight
    if part:
        yield part


def _mysql(url: URL, read_timeout: int = 15) -> Engine:
    try:
        import pymysql  # noqa: F401, PLC0415 - an extra: absent from the embedded default
    except ImportError:
        raise SettingsError("MySQL needs more packages: pip install 'twofold[mysql]'") from None
    times = {"connect_timeout": 5, "read_timeout": read_timeout, "write_timeout": 15}
    plain = {"ssl_disabled": True} if url.query.get("tls") == "off" else {}  # else TLS where the server has it
    engine = create_engine(
        url.set(drivername="mysql+pymysql").difference_update_query(["tls"]),
        isolation_level="READ COMMITTED",
        pool_recycle=30,  # below wait_timeout
        pool_reset_on_return=None,  # closing rolls back what is open all the same; after a commit, that is a wasted round trip
        hide_parameters=True,
        connect_args={**times, **plain, "charset": "utf8mb4", "init_command": _SESSION},
        **_POOL,
    )
    event.listen(engine, "connect", lambda connection, _: refuse_others(_version(connection)))
    return engine


def refuse_others(version: str) -> None:
    """Raises SettingsError for what speaks MySQL's protocol and does not keep its promises: TiDB takes SKIP LOCKED and locks nothing, and
    Vitess has no transactions over several shards that read what they locked.
    """
    if other := re.search("tidb|vitess", version, re.IGNORECASE):
        raise SettingsError(f"The write store is {other[0]} ({version}), whose locks are not MySQL's; twofold needs MySQL 8.0.19 or newer.")


def _version(connection: Any) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT VERSION()")
        return str(cursor.fetchone()[0])


def _sqlite(path: Path, *, reading: bool) -> tuple[Engine, Engine]:
    with embedded.translated():
        connection = embedded.connect(path, readonly=reading)
    writer = create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool, hide_parameters=True)
    reader = create_engine(
        "sqlite://", creator=lambda: embedded.connect(path, readonly=True), poolclass=QueuePool, hide_parameters=True, **_POOL
    )
    event.listen(writer, "begin", lambda begun: begun.exec_driver_sql("BEGIN IMMEDIATE"))
    event.listen(reader, "begin", lambda begun: begun.exec_driver_sql("BEGIN"))
    return writer, reader


def _number(error: BaseException | None) -> int:
    arguments = getattr(getattr(error, "orig", None), "args", None) or (0,)
    return arguments[0] if isinstance(arguments[0], int) else -1


def _broken(error: BaseException | None) -> bool:
    """Whether the connection to MySQL that an error came from is of no more use."""
    return isinstance(error, InterfaceError | InternalError) or (isinstance(error, DBAPIError) and _number(error) in READ_ONLY | LOST)


def _from_mysql(error: DBAPIError) -> EngineError:
    number, words = _number(error), error.orig.args[-1] if error.orig and error.orig.args else ""
    if number in DUPLICATE:
        return Taken()
    if number in CONTENDED:
        return Contended(f"MySQL error {number}: a lock was not to be had")
    if number in OUTDATED:
        fix = "create it" if number == 1049 else "run `twofold migrate`"
        return Outdated(f"MySQL error {number}: {words}; {fix}")
    if number in READ_ONLY:
        return Unavailable(f"MySQL is read-only (error {number})")
    if number not in REJECTED and (number in LOST or isinstance(error, OperationalError | InterfaceError | InternalError)):
        return Unavailable(f"MySQL cannot serve: error {number}: {words}")
    return Rejected(f"MySQL error {number}: the values cannot be stored")


def _from_sqlite(error: DBAPIError) -> EngineError:
    if re.search("no such (table|column)|has no column", str(error.orig)):  # SQLite has one code for this and much else
        return Outdated(f"SQLite: {error.orig}; run `twofold migrate`")
    try:
        with embedded.translated():
            raise error.orig or error
    except EngineError as found:
        return found
    except Exception as other:  # noqa: BLE001 - no error of the driver's passes
        return Unavailable(f"SQLite cannot serve: {other}")
