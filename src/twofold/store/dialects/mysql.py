"""MySQL, 8.0.19 or newer, through PyMySQL."""
# ruff: noqa: S608 - names are quoted, values are bound

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, date, datetime
from itertools import chain
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.dialects import mysql
from sqlalchemy.engine import Dialect as SqlAlchemyDialect
from sqlalchemy.exc import DBAPIError, InterfaceError, InternalError, OperationalError
from sqlalchemy.types import TypeDecorator, TypeEngine

from twofold.errors import Contended, EngineError, Outdated, Rejected, SettingsError, Taken, Unavailable
from twofold.kinds.datetimes import timestamp
from twofold.store.dialects.dialect import DELETE_KEYS, POOL, Dialect, Rows, Write
from twofold.store.port import Doubt

MAX_STATEMENT = 1 << 20  # bytes, well below every max_allowed_packet
MIGRATION_SECONDS = 24 * 3600
_SQLALCHEMY: SqlAlchemyDialect = mysql.dialect()

# Error numbers, from the manual's "Server Error Message Reference" and "Client Error Message Reference".
CONTENDED = {1205, 1213, 1412, 3101, 3572}
READ_ONLY = {1290, 1792, 1836}
LOST = {0, 2006, 2013, 2014, 2055, 4031, 1053, 1927, 3169}
OUTDATED = {1049, 1054, 1146, 1364}
DUPLICATE = {1062, 1586}
REJECTED = {1118, 1153, 1292, 1300, 1301, 1411, 1416, 1644, 1690, 3140, 3819, 3988}  # of those that PyMySQL calls operational
NO_SUCH_THREAD, NOT_YOURS = 1094, 1095
_SESSION = (
    "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION',"
    " transaction_isolation = 'READ-COMMITTED', innodb_lock_wait_timeout = 1, lock_wait_timeout = 1, wait_timeout = 60,"
    " time_zone = '+00:00'"
)


class DateTime(TypeDecorator[str]):
    """RFC 3339 UTC text with milliseconds, in a DATETIME(3)."""

    impl = mysql.DATETIME(fsp=3)
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: SqlAlchemyDialect) -> str | None:
        return value[:-1] if value else value

    def process_result_value(self, value: datetime | None, dialect: SqlAlchemyDialect) -> str | None:
        return None if value is None else timestamp(value.replace(tzinfo=UTC))


class Date(TypeDecorator[str]):
    """An ISO date, in a DATE."""

    impl = mysql.DATE()
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: SqlAlchemyDialect) -> str | None:
        return value

    def process_result_value(self, value: date | None, dialect: SqlAlchemyDialect) -> str | None:
        return None if value is None else value.isoformat()


class MySql(Dialect):
    """Rows are locked one by one; many rows travel in one statement."""

    name = "mysql"
    place = "%s"
    shared_lock = " FOR SHARE"
    division = "DIV"
    doubt_ends_by_commit = False
    alters_columns = True
    earliest = "1970-01-01 00:00:00"
    stopped = "with the processes of the old declaration stopped"

    def engines(self, url: str, *, reading: bool) -> tuple[Engine, Engine]:
        engine = _engine(url)
        return engine, engine

    def lock(self) -> AbstractContextManager[Any]:
        return nullcontext()

    @contextmanager
    def alone(self, url: str, write: Write) -> Iterator[Connection]:
        engine = _engine(url, read_timeout=MIGRATION_SECONDS)
        try:
            with engine.connect() as connection:
                if connection.exec_driver_sql("SELECT GET_LOCK(LEFT(CONCAT('twofold.migrate.', DATABASE()), 64), 10)").scalar() != 1:
                    raise Contended("Another process is migrating the tables.")
                yield connection
        finally:
            engine.dispose()  # which gives the lock back

    def is_broken(self, error: BaseException | None) -> bool:
        return isinstance(error, InterfaceError | InternalError) or (isinstance(error, DBAPIError) and _number(error) in READ_ONLY | LOST)

    def is_undone(self, error: BaseException | None) -> bool:
        return _number(error) in READ_ONLY

    def abandon(self, connection: Connection) -> None:
        connection.invalidate()

    def translate(self, error: DBAPIError) -> EngineError:
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

    def connection_id(self, connection: Connection) -> int:
        return int(connection.connection.dbapi_connection.thread_id())  # type: ignore[union-attr]

    def end(self, connection: Connection, doubt: Doubt) -> None:
        """Unless the server restarted: its numbers then belong to others."""
        uptime = int(connection.exec_driver_sql("SHOW GLOBAL STATUS LIKE 'Uptime'").one()[1])
        if uptime <= time.monotonic() - doubt.since or doubt.connection == self.connection_id(connection):
            return
        try:
            connection.exec_driver_sql(f"KILL CONNECTION {doubt.connection}")
        except DBAPIError as error:
            if _number(error) not in (NO_SUCH_THREAD, NOT_YOURS):
                raise

    def now(self, seconds: float = 0) -> str:
        return f"(UTC_TIMESTAMP(3) + INTERVAL {int(seconds * 1e6)} MICROSECOND)"

    def duplicate(self, table: str, column: str) -> str:
        return f".{table}_{column}'"

    def by_index(self, index: str) -> str:
        return f" FORCE INDEX ({index})"

    def delete_by_key(self, table: str) -> str:
        return f"DELETE /*+ INDEX({table} PRIMARY) */ FROM {table}"

    def insert(self, connection: Connection, table: str, columns: Sequence[str], rows: Rows) -> None:
        head, place = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ", f"({self.places(columns)})"
        for part in _parts(rows):
            connection.exec_driver_sql(head + ", ".join([place] * len(part)), tuple(chain.from_iterable(part)))

    def update(self, connection: Connection, table: str, columns: Sequence[str], rows: Rows, replaced: Sequence[int]) -> int:
        sets = ", ".join(f"t.{name} = v.{name}" for name in columns[1:])
        place = f"ROW({self.places([*columns, 'version'])})"
        done = 0
        for part in _parts([(*row, version) for row, version in zip(rows, replaced, strict=True)]):
            new = f"(VALUES {', '.join([place] * len(part))}) AS v ({', '.join(columns)}, _replaced)"
            same = "t.id = v.id AND t.version = v._replaced"
            # in this order, since a scan of a table that is taken for small would wait for rows that others have locked
            statement = f"UPDATE {new} STRAIGHT_JOIN {table} AS t FORCE INDEX (PRIMARY) ON {same} SET {sets}"
            done += connection.exec_driver_sql(statement, tuple(chain.from_iterable(part))).rowcount
        return done

    def delete_versions(self, connection: Connection, table: str, rows: Sequence[tuple[str, int]]) -> int:
        done = 0
        for start in range(0, len(rows), DELETE_KEYS):
            part = rows[start : start + DELETE_KEYS]
            ids, pairs = self.places(part), ", ".join(["(%s, %s)"] * len(part))
            statement = f"{self.delete_by_key(table)} WHERE id IN ({ids}) AND (id, version) IN ({pairs})"
            values = (*(id_ for id_, _ in part), *chain.from_iterable(part))
            done += connection.exec_driver_sql(statement, values).rowcount
        return done

    def as_text(self, column: str, kind: TypeEngine[Any]) -> str | None:
        """MySQL writes times as text faster than the driver makes objects of them."""
        stored = kind.dialect_impl(_SQLALCHEMY)
        if isinstance(stored, DateTime):
            return f"CONCAT(REPLACE({column}, ' ', 'T'), 'Z')"
        return f"CAST({column} AS CHAR)" if isinstance(stored, Date) else None

    def lenient(self, connection: Connection) -> AbstractContextManager[None]:
        return nullcontext()

    def findings(self, connection: Connection) -> list[tuple[bool, str]]:
        """The version, and what makes a commit durable (MySQL manual, "innodb_flush_log_at_trx_commit", "sync_binlog")."""
        version, flush, binlog, sync = connection.exec_driver_sql(
            "SELECT VERSION(), @@innodb_flush_log_at_trx_commit, @@log_bin, @@sync_binlog"
        ).one()
        other = "mariadb" in version.lower()
        return [
            (not other, f"{version} is not MySQL, and not proven" if other else f"MySQL {version}"),
            (flush == 1, f"innodb_flush_log_at_trx_commit is {flush}; 1 makes a commit survive a power loss"),
            (not binlog or sync == 1, f"sync_binlog is {sync}; 1 keeps the binary log and the tables together"),
        ]

    def script(self, lines: Sequence[str]) -> str:
        return "\n".join(lines)

    def index_definition(self, connection: Connection, index: str) -> str:
        return ""

    def drop_index(self, table: str, index: str) -> str:
        return f"DROP INDEX {index} ON {table}"


def refuse_others(version: str) -> None:
    """Raises SettingsError for what speaks MySQL's protocol and does not keep its promises: TiDB takes SKIP LOCKED and locks nothing, and
    Vitess has no transactions over several shards that read what they locked.
    """
    if other := re.search("tidb|vitess", version, re.IGNORECASE):
        raise SettingsError(f"The write store is {other[0]} ({version}), whose locks are not MySQL's; twofold needs MySQL 8.0.19 or newer.")


def _engine(address: str, read_timeout: int = 15) -> Engine:
    try:
        import pymysql  # noqa: F401, PLC0415 - an extra: absent from the embedded default
    except ImportError:
        raise SettingsError("MySQL needs more packages: pip install 'twofold[mysql]'") from None
    url = make_url(address)
    times = {"connect_timeout": 5, "read_timeout": read_timeout, "write_timeout": 15}
    plain = {"ssl_disabled": True} if url.query.get("tls") == "off" else {}  # else TLS where the server has it
    engine = create_engine(
        url.set(drivername="mysql+pymysql").difference_update_query(["tls"]),
        isolation_level="READ COMMITTED",
        pool_recycle=30,  # below wait_timeout
        pool_reset_on_return=None,  # closing rolls back what is open all the same; after a commit, that is a wasted round trip
        hide_parameters=True,
        connect_args={**times, **plain, "charset": "utf8mb4", "init_command": _SESSION},
        **POOL,
    )
    event.listen(engine, "connect", lambda connection, _: refuse_others(_version(connection)))
    return engine


def _version(connection: Any) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT VERSION()")
        return str(cursor.fetchone()[0])


def _number(error: BaseException | None) -> int:
    arguments = getattr(getattr(error, "orig", None), "args", None) or (0,)
    return arguments[0] if isinstance(arguments[0], int) else -1


def _parts(rows: Rows) -> Iterator[Rows]:
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
