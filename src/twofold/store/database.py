"""One database: its connections, transactions, errors, and statements of many rows. What differs per system is its dialect's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

from sqlalchemy import Connection, Engine, Table, make_url
from sqlalchemy.exc import DBAPIError, StatementError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from twofold.errors import Contended, EngineError, OutcomeUnknown, Rejected, Unavailable
from twofold.store.dialects import DIALECTS
from twofold.store.dialects.dialect import DELETE_KEYS


class Database:
    """One database. `write` is a transaction that its caller commits, `read` a short look.

    Where `reading`, a file of SQLite is not changed, not even made, and `write` fails.
    """

    def __init__(self, url: str, *, reading: bool = False) -> None:
        self._url = url
        self.dialect = DIALECTS[make_url(url).get_backend_name()]
        self._closed = False
        self._lock = self.dialect.lock()
        self._writer, self._reader = self.dialect.engines(self._url, reading=reading)
        # On the instance, so that they go with it. An app has as many columns as it declares.
        self._processor, self.quoted = cache(self._processor), cache(self.quoted)  # type: ignore[method-assign]

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A connection in a transaction. It is rolled back unless its caller commits; a broken one is thrown away."""
        with self._lock, self.translated(), self._open(self._writer).connect() as connection:
            connection.begin()
            try:
                yield connection
            except BaseException as error:
                if self.dialect.is_broken(error.__cause__ if isinstance(error, EngineError) else error):
                    connection.invalidate()
                raise

    @contextmanager
    def read(self) -> Iterator[Connection]:
        with self.translated(), self._open(self._reader).connect() as connection:
            yield connection

    @contextmanager
    def alone(self) -> Iterator[Connection]:
        """`write` for migrations: one at a time, and its statements may take their time."""
        with self.translated(), self.dialect.alone(self._url, self.write) as connection:
            yield connection

    def commit(self, connection: Connection) -> None:
        """Commits. Raises OutcomeUnknown where the engine does not say for certain that it did, or that it did not."""
        try:
            with self.translated():
                connection.commit()
        except EngineError as error:
            if isinstance(error, Contended) or self.dialect.is_undone(error.__cause__):
                raise
            self.dialect.abandon(connection)
            raise OutcomeUnknown("The write store did not say what became of a COMMIT.") from error

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Turns what the driver raises into twofold's errors."""
        try:
            yield
        except PoolTimeout as error:
            raise Unavailable("All connections to the write store are in use.") from error
        except DBAPIError as error:
            raise self.dialect.translate(error) from error
        except (StatementError, OverflowError, UnicodeEncodeError) as error:
            raise Rejected("A value cannot be handed to the write store.") from error

    def insert_many(self, connection: Connection, table: Table, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Inserts rows of `columns`, in order. Never an upsert: that could write over somebody else's row."""
        names, bound = self._bound(table, columns, rows)
        self.dialect.insert(connection, self.quoted(table.name), names, bound)

    def update_many(
        self, connection: Connection, table: Table, columns: Sequence[str], rows: Iterable[Sequence[Any]], replaced: Sequence[int]
    ) -> int:
        """Sets `columns` of rows by id (the first column) that have the versions `replaced`; how many had."""
        names, bound = self._bound(table, columns, rows)
        return self.dialect.update(connection, self.quoted(table.name), names, bound, replaced)

    def find_many(self, connection: Connection, table: Table, columns: Sequence[str], keys: Sequence[Any]) -> list[Any]:
        """`columns` of the rows whose first column is one of the keys."""
        names, places = [self.quoted(column) for column in columns], self.dialect.places(keys)
        statement = f"SELECT {', '.join(names)} FROM {self.quoted(table.name)} WHERE {names[0]} IN ({places})"  # noqa: S608
        return list(connection.exec_driver_sql(statement, tuple(keys))) if keys else []

    def delete_many(self, connection: Connection, table: Table, keys: Sequence[Any]) -> None:
        """Deletes rows by key, and looks at no others."""
        name, key = self.quoted(table.name), self.quoted(next(iter(table.primary_key.columns)).name)
        for start in range(0, len(keys), DELETE_KEYS):
            part = tuple(keys[start : start + DELETE_KEYS])
            connection.exec_driver_sql(f"{self.dialect.delete_by_key(name)} WHERE {key} IN ({self.dialect.places(part)})", part)

    def delete_versions(self, connection: Connection, table: Table, rows: Sequence[tuple[str, int]]) -> int:
        """Deletes rows that have this id and version, and looks at no others; how many had."""
        return self.dialect.delete_versions(connection, self.quoted(table.name), rows)

    def clear_many(
        self, connection: Connection, table: str, column: str, one: tuple[str, str], many: tuple[str, Sequence[str]], index: str
    ) -> None:
        """Sets a column to NULL where it holds something and the index's two columns are these; looks at no other rows."""
        head = f"UPDATE {self.quoted(table)}{self.dialect.by_index(index)} SET {column} = NULL"  # noqa: S608 - names of the runtime's own
        for start in range(0, len(many[1]), DELETE_KEYS):
            part = many[1][start : start + DELETE_KEYS]
            where = f"{one[0]} = {self.dialect.place} AND {many[0]} IN ({self.dialect.places(part)}) AND {column} IS NOT NULL"
            connection.exec_driver_sql(f"{head} WHERE {where}", (one[1], *part))

    @property
    def sqlalchemy(self) -> Any:
        """SQLAlchemy's own dialect of this database."""
        return self._writer.dialect

    def _bound(self, table: Table, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> tuple[list[str], list[tuple[Any, ...]]]:
        """Column names as SQL has them, and rows as the driver takes them."""
        bound = [list(row) for row in rows]
        for place, column in enumerate(columns):
            if process := self._processor(table, column):
                for row in bound:
                    row[place] = process(row[place])
        return [self.quoted(column) for column in columns], [tuple(row) for row in bound]

    def _processor(self, table: Table, column: str) -> Any:
        return table.c[column].type.dialect_impl(self.sqlalchemy).bind_processor(self.sqlalchemy)

    def quoted(self, name: str) -> str:
        return str(self.sqlalchemy.identifier_preparer.quote(name))

    def dispose(self) -> None:
        with self._lock:
            self._closed = True
            self._reader.dispose()
            self._writer.dispose()

    def _open(self, engine: Engine) -> Engine:
        if self._closed:
            raise Unavailable("The write store is closed.")
        return engine
