"""SQLite and MySQL behind SQLAlchemy Core: connections, sessions, errors, and the SQL that differs.

Everything that depends on the dialect stands here, so that the rest of the store reads as one.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, Table, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import QueuePool, StaticPool

from twofold.errors import Contended, EngineError, Outdated, OutcomeUnknown, Rejected, SettingsError, Taken, Unavailable
from twofold.runtime import embedded

MAX_STATEMENT = 1 << 20  # bytes, well below every max_allowed_packet
_POOL = {"pool_size": 4, "max_overflow": 4, "pool_timeout": 2}

# MySQL error numbers, from the manual's "Server Error Message Reference" and "Client Error Message Reference".
CONTENDED = {1205, 1213, 3572}
READ_ONLY = {1290, 1792, 1836}
LOST = {0, 2006, 2013, 2014, 2055, 4031, 1053, 1927, 3169}
OUTDATED = {1049, 1054, 1146}
DUPLICATE = {1062, 1586}
_SESSION = (
    "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION',"
    " transaction_isolation = 'READ-COMMITTED', innodb_lock_wait_timeout = 1, wait_timeout = 60, time_zone = '+00:00'"
)


class Database:
    """One database. `write` is a transaction that its caller commits, `read` a short look."""

    def __init__(self, url: str) -> None:
        parsed = make_url(url)
        self.mysql = parsed.get_backend_name() == "mysql"
        self._lock: AbstractContextManager[Any] = nullcontext() if self.mysql else threading.RLock()
        if self.mysql:
            self._writer = self._reader = _mysql(parsed)
        else:
            self._writer, self._reader = _sqlite(Path(parsed.database or "write.db"))

    @property
    def dialect(self) -> Any:
        return self._writer.dialect

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A connection in a transaction. It is rolled back unless its caller commits; a broken one is thrown away."""
        with self._lock, self.translated(), self._writer.connect() as connection:
            connection.begin()
            try:
                yield connection
            except BaseException as error:
                if isinstance(error, DBAPIError) and self.mysql and _number(error) in READ_ONLY | LOST:
                    connection.invalidate()
                raise

    @contextmanager
    def read(self) -> Iterator[Connection]:
        with self.translated(), self._reader.connect() as connection:
            yield connection

    def commit(self, connection: Connection) -> None:
        """Commits. Raises OutcomeUnknown where the connection was lost meanwhile."""
        try:
            with self.translated():
                connection.commit()
        except Unavailable as error:
            cause = error.__cause__
            connection.invalidate()
            if self.mysql and isinstance(cause, DBAPIError) and _number(cause) in LOST:
                raise OutcomeUnknown("The connection to MySQL was lost during COMMIT.") from error
            raise

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Turns what the driver raises into twofold's errors, by number and class; never with a row's values."""
        try:
            yield
        except PoolTimeout as error:
            raise Unavailable("All connections to the write store are in use.") from error
        except DBAPIError as error:
            if self.mysql:
                raise _from_mysql(error) from error
            with embedded.translated():
                raise error.orig or error from error

    def connection_id(self, connection: Connection) -> int:
        """The server's number of a connection, for KILL; 0 where there is no server."""
        return int(connection.connection.dbapi_connection.thread_id()) if self.mysql else 0  # type: ignore[union-attr]

    def now(self, seconds: float = 0) -> str:
        """SQL for the store's own clock, that many seconds from now."""
        if self.mysql:
            return f"(UTC_TIMESTAMP(3) + INTERVAL {int(seconds * 1e6)} MICROSECOND)"
        return f"strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '{seconds:+.3f} seconds')"

    def update_many(self, connection: Connection, table: Table, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Sets `columns` of rows that exist, by id (the first column), in statements of many rows."""
        types = [table.c[column].type.dialect_impl(self.dialect).bind_processor(self.dialect) for column in columns]
        bound = [tuple(process(value) if process else value for process, value in zip(types, row, strict=True)) for row in rows]
        quote = self.dialect.identifier_preparer.quote
        names = [quote(column) for column in columns]
        if not self.mysql:
            sets = ", ".join(f"{name} = ?" for name in names[1:])
            statement = f"UPDATE {quote(table.name)} SET {sets} WHERE {names[0]} = ?"  # noqa: S608 - names come from the declaration
            connection.exec_driver_sql(statement, [(*row[1:], row[0]) for row in bound])
            return
        sets = ", ".join(f"t.{name} = v.{name}" for name in names[1:])
        for part in _parts(bound):
            values = ", ".join(["ROW(" + ", ".join(["%s"] * len(columns)) + ")"] * len(part))
            statement = f"UPDATE {quote(table.name)} AS t JOIN (VALUES {values}) AS v ({', '.join(names)}) ON t.id = v.id SET {sets}"  # noqa: S608
            connection.exec_driver_sql(statement, tuple(value for row in part for value in row))

    def dispose(self) -> None:
        self._reader.dispose()
        self._writer.dispose()


def _parts(rows: Sequence[tuple[Any, ...]]) -> Iterator[list[tuple[Any, ...]]]:
    """Cuts rows so that a statement stays near MAX_STATEMENT."""
    part: list[tuple[Any, ...]] = []
    size = 0
    for row in rows:
        weight = sum(len(value) if isinstance(value, str | bytes) else 8 for value in row)
        if part and size + weight > MAX_STATEMENT:
            yield part
            part, size = [], 0
        part.append(row)
        size += weight
    if part:
        yield part


def _mysql(url: URL) -> Engine:
    try:
        import pymysql  # noqa: F401, PLC0415 - an extra: absent from the embedded default
    except ImportError:
        raise SettingsError("MySQL needs more packages: pip install 'twofold[mysql]'") from None
    engine = create_engine(
        url.set(drivername="mysql+pymysql"),
        isolation_level="READ COMMITTED",
        pool_recycle=30,  # below wait_timeout
        hide_parameters=True,
        connect_args={"connect_timeout": 5, "read_timeout": 15, "write_timeout": 15, "charset": "utf8mb4", "init_command": _SESSION},
        **_POOL,
    )
    return engine


def _sqlite(path: Path) -> tuple[Engine, Engine]:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with embedded.translated():
        connection = embedded.connect(path)
    writer = create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool, hide_parameters=True)
    reader = create_engine(
        "sqlite://", creator=lambda: embedded.connect(path, readonly=True), poolclass=QueuePool, hide_parameters=True, **_POOL
    )
    event.listen(writer, "begin", lambda begun: begun.exec_driver_sql("BEGIN IMMEDIATE"))
    event.listen(reader, "begin", lambda begun: begun.exec_driver_sql("BEGIN"))
    return writer, reader


def _number(error: DBAPIError) -> int:
    arguments = getattr(error.orig, "args", None) or (0,)
    return arguments[0] if isinstance(arguments[0], int) else -1


def _from_mysql(error: DBAPIError) -> EngineError:
    number = _number(error)
    if number in DUPLICATE:
        return Taken()
    if number in CONTENDED:
        return Contended(f"MySQL error {number}: a lock was not to be had")
    if number in OUTDATED:
        return Outdated(f"MySQL error {number}: {error.orig.args[1]}; run `twofold migrate`")  # type: ignore[union-attr]
    if number in READ_ONLY:
        return Unavailable(f"MySQL is read-only (error {number})")
    if number in LOST or isinstance(error, OperationalError):
        return Unavailable(f"MySQL cannot serve: error {number}: {error.orig.args[-1] if error.orig else ''}")
    return Rejected(f"MySQL error {number}: the values cannot be stored")
