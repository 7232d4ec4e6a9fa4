"""Rows and tombstones in the order of ids, for whoever compares or copies all of them.

Rows are read first, then tombstones up to the same bound: one that is deleted in between is in both, and its tombstone has the higher
version. Values are decoded by column, and MySQL writes times as text, which is quicker than to make objects of them and text again. What
stands for no value of its column, as a change by hand may leave it, is given as it is.
"""
# ruff: noqa: S608 - names come from the declaration and are quoted, values are bound

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

from sqlalchemy import Connection, CursorResult, Table

from twofold.resource import Declaration
from twofold.store.database import Database
from twofold.store.port import Row, Tombstone
from twofold.store.tables import Tables

CHUNK_BYTES = 8 << 20
PART = 64  # rows that are fetched before their size is looked at
LONG = 1000  # characters; shorter columns are not looked at
IDS = 1000  # in one statement

Found = dict[str, Row | Tombstone]


class Scans:
    """Reads of a write store that lock nothing."""

    def __init__(self, database: Database, tables: Tables) -> None:
        self._database, self._tables = database, tables
        self._limits: dict[str, int] = {}

    def scan(self, resource: Declaration, after: str, limit: int) -> list[Row | Tombstone]:
        with self._reading() as connection:
            rows, more = self._rows(connection, resource, after, limit)
            found: Found = {row.id: row for row in rows}
            found |= self._tombstones(connection, resource, "id > ? AND id <= ?", (after, rows[-1].id if more else "\x7f"), limit)
        return [found[id_] for id_ in islice(sorted(found), limit)]

    def fetch(self, resource: Declaration, ids: Sequence[str]) -> Found:
        found: Found = {}
        reader = _Reader(self._database, resource, self._tables.resources[resource.name])
        for start in range(0, len(ids), IDS):
            part = tuple(ids[start : start + IDS])
            within = f"id IN ({', '.join('?' * len(part))})"
            with self._reading() as connection:
                rows = connection.exec_driver_sql(self._sql(f"SELECT {reader.columns} FROM {reader.table} WHERE {within}"), part)
                found |= {row.id: row for row in reader.decoded(rows)}
                found |= self._tombstones(connection, resource, within, part, len(part))
        return found

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        """A connection on which a text that is none is no error: whoever makes documents tells of that row."""
        with self._database.read() as connection, self._database.dialect.lenient(connection):
            yield connection

    def _rows(self, connection: Connection, resource: Declaration, after: str, limit: int) -> tuple[list[Row], bool]:
        """Some of the next rows, about CHUNK_BYTES at the most, and whether there may be more. MySQL sends what it is not asked for all
        the same, and the driver drops it; so less is asked for the next time.
        """
        most = min(limit, self._limits.get(resource.name, PART))
        reader = _Reader(self._database, resource, self._tables.resources[resource.name])
        streaming = connection.execution_options(stream_results=True, max_row_buffer=PART)
        statement = f"SELECT {reader.columns} FROM {reader.table}{self._hint} WHERE id > ? ORDER BY id LIMIT {most}"
        with streaming.exec_driver_sql(self._sql(statement), (after,)) as result:
            raw, size = _some(result, reader.long)
        self._limits[resource.name] = max(PART, len(raw)) if size >= CHUNK_BYTES else max(PART, 2 * most)
        return reader.decoded(raw), len(raw) == most or size >= CHUNK_BYTES

    def _tombstones(self, connection: Connection, resource: Declaration, within: str, values: tuple[str, ...], limit: int) -> Found:
        times = _expression(self._database, self._tables.tombstone, "deleted_at")
        statement = f"SELECT id, version, {times} FROM tombstone{self._hint} WHERE resource = ? AND {within} ORDER BY id LIMIT {limit}"
        rows = connection.exec_driver_sql(self._sql(statement), (resource.name, *values))
        return {row[0]: Tombstone(*row) for row in rows}

    @property
    def _hint(self) -> str:
        return self._database.dialect.by_index("PRIMARY")

    def _sql(self, statement: str) -> str:
        return statement.replace("?", self._database.dialect.place)


class _Reader:
    """From what the driver gives to rows."""

    def __init__(self, database: Database, resource: Declaration, table: Table) -> None:
        fields = resource.public
        names = ["id", "version", *(field.column for field in fields), "created_at", "updated_at"]
        self.table = database.quoted(table.name)
        self.columns = ", ".join(_expression(database, table, name) for name in names)
        self.long = [place for place, field in enumerate(fields, 2) if field.many or field.max_length > LONG]
        self._names = [field.name for field in fields]
        processors = [_processor(database, table, field.column) for field in fields]
        self._processors = [(place, process) for place, process in enumerate(processors) if process]

    def decoded(self, raw: Iterable[Sequence[Any]]) -> list[Row]:
        names, processors = self._names, self._processors
        rows = []
        for id_, version, *state, created_at, updated_at in raw:
            for place, process in processors:
                try:  # noqa: SIM105 - what is called for every value
                    state[place] = process(state[place])
                except (ValueError, TypeError, ArithmeticError, AttributeError):
                    pass  # it stays as it is, and no document is made of it
            rows.append(Row(id_, version, dict(zip(names, state, strict=True)), created_at, updated_at))
        return rows


def _some(result: CursorResult[Any], long: Sequence[int]) -> tuple[list[Sequence[Any]], int]:
    """Rows until there are no more, or they are large enough together; and how large the long columns are."""
    rows: list[Sequence[Any]] = []
    size = 0
    while size < CHUNK_BYTES and (part := result.fetchmany(PART)):
        rows += part
        if long:
            size += sum([len(row[place] or "") for row in part for place in long])
    return rows, size


def _expression(database: Database, table: Table, name: str) -> str:
    column = database.quoted(name)
    return database.dialect.as_text(column, table.c[name].type) or column


def _processor(database: Database, table: Table, name: str) -> Callable[[Any], Any] | None:
    """What makes state of a column's value, where the driver or the statement has not done so."""
    kind = table.c[name].type
    if database.dialect.as_text(name, kind):
        return None
    process: Callable[[Any], Any] | None = kind.dialect_impl(database.sqlalchemy).result_processor(database.sqlalchemy, None)
    return process
