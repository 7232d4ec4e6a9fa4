"""SQLite: one file, one writing connection, read connections beside it."""

from __future__ import annotations

import re
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import QueuePool, StaticPool
from sqlalchemy.types import TypeEngine

from twofold.errors import EngineError, Outdated, Unavailable
from twofold.runtime import embedded
from twofold.store.dialects.dialect import POOL, Dialect, Rows, Write
from twofold.store.port import Doubt
from twofold.urls import file_of


class Sqlite(Dialect):
    """A transaction begins by taking the only writer's lock, so that rows need none of their own."""

    name = "sqlite"
    place = "?"
    shared_lock = ""
    division = "/"
    doubt_ends_by_commit = True  # it stands in the write-ahead log where the doubtful one would
    alters_columns = False
    earliest = "1970-01-01T00:00:00.000Z"
    stopped = "with nothing else running"

    def engines(self, url: str, *, reading: bool) -> tuple[Engine, Engine]:
        path = file_of(url).absolute()  # whatever becomes of the current folder
        with embedded.translated():
            first = [embedded.connect(path, readonly=reading)]  # at once, so that what is wrong with the file is told

        def connected() -> sqlite3.Connection:  # anew where one is thrown away
            return first.pop() if first else embedded.connect(path, readonly=reading)

        writer = create_engine("sqlite://", creator=connected, poolclass=StaticPool, hide_parameters=True)
        reader = create_engine(
            "sqlite://", creator=lambda: embedded.connect(path, readonly=True), poolclass=QueuePool, hide_parameters=True, **POOL
        )
        event.listen(writer, "begin", lambda begun: begun.exec_driver_sql("BEGIN IMMEDIATE"))
        event.listen(reader, "begin", lambda begun: begun.exec_driver_sql("BEGIN"))
        return writer, reader

    def lock(self) -> AbstractContextManager[Any]:
        return threading.RLock()

    def alone(self, url: str, write: Write) -> AbstractContextManager[Connection]:
        return write()

    def is_broken(self, error: BaseException | None) -> bool:
        return False

    def is_undone(self, error: BaseException | None) -> bool:
        """Never certain: an I/O error may have left a whole commit in the write-ahead log, which counts when the file is next opened."""
        return False

    def abandon(self, connection: Connection) -> None:
        """It is the only one."""

    def translate(self, error: DBAPIError) -> EngineError:
        if re.search("no such (table|column)|has no column", str(error.orig)):  # SQLite has one code for this and much else
            return Outdated(f"SQLite: {error.orig}; run `twofold migrate`")
        try:
            with embedded.translated():
                raise error.orig or error
        except EngineError as found:
            return found
        except Exception as other:  # noqa: BLE001 - no error of the driver's passes
            return Unavailable(f"SQLite cannot serve: {other}")

    def connection_id(self, connection: Connection) -> int:
        return 0

    def end(self, connection: Connection, doubt: Doubt) -> None:
        """There is no other connection that writes."""

    def now(self, seconds: float = 0) -> str:
        return f"strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '{seconds:+.3f} seconds')"

    def duplicate(self, table: str, column: str) -> str:
        return f"{table}.{column}"

    def by_index(self, index: str) -> str:
        return ""

    def delete_by_key(self, table: str) -> str:
        return f"DELETE FROM {table}"  # noqa: S608 - the name is quoted

    def insert(self, connection: Connection, table: str, columns: Sequence[str], rows: Rows) -> None:
        statement = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({self.places(columns)})"  # noqa: S608 - names are quoted
        connection.exec_driver_sql(statement, list(rows))

    def update(self, connection: Connection, table: str, columns: Sequence[str], rows: Rows, replaced: Sequence[int]) -> int:
        sets = ", ".join(f"{name} = ?" for name in columns[1:])
        statement = f"UPDATE {table} SET {sets} WHERE {columns[0]} = ? AND version = ?"  # noqa: S608 - names are quoted
        values = [(*row[1:], row[0], version) for row, version in zip(rows, replaced, strict=True)]
        return connection.exec_driver_sql(statement, values).rowcount

    def delete_versions(self, connection: Connection, table: str, rows: Sequence[tuple[str, int]]) -> int:
        statement = f"DELETE FROM {table} WHERE id = ? AND version = ?"  # noqa: S608 - the name is quoted
        return connection.exec_driver_sql(statement, list(rows)).rowcount if rows else 0

    def as_text(self, column: str, kind: TypeEngine[Any]) -> str | None:
        return None

    @contextmanager
    def lenient(self, connection: Connection) -> Iterator[None]:
        driver: Any = connection.connection.dbapi_connection
        driver.text_factory = _text
        try:
            yield
        finally:
            driver.text_factory = str

    def findings(self, connection: Connection) -> list[tuple[bool, str]]:
        version = connection.exec_driver_sql("SELECT sqlite_version()").scalar()
        return [(True, f"SQLite {version}: one writing connection, write-ahead log, synchronous=FULL")]

    def script(self, lines: Sequence[str]) -> str:
        return "\n".join(["BEGIN IMMEDIATE;", *lines, "COMMIT;"])

    def index_definition(self, connection: Connection, index: str) -> str:
        return str(connection.exec_driver_sql("SELECT sql FROM sqlite_master WHERE name = ?", (index,)).scalar())

    def drop_index(self, table: str, index: str) -> str:
        return f"DROP INDEX {index}"


def _text(raw: bytes) -> str | bytes:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw
