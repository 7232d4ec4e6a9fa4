"""The read store in a SQLite file, with FTS5."""

# ruff: noqa: S608 - names come from the declaration and are quoted, values are bound
from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from twofold.errors import Contended, Outdated, Unavailable
from twofold.index import sqlite_query, sqlite_refusals, sqlite_schema
from twofold.index.mapping import first_generation, last_values, texts
from twofold.index.port import IndexStatus, Operation, Outcome
from twofold.index.search import TOTAL_CAP, Hit, Page, Search
from twofold.index.sqlite_holdings import SqliteHoldings
from twofold.index.sqlite_schema import tables
from twofold.index.sqlite_write import Writer
from twofold.resource import Declaration
from twofold.runtime.embedded import Embedded


class SqliteIndex:
    """Every index in one file. What is applied is found at once."""

    def __init__(self, path: Path) -> None:
        self._file = Embedded(path)
        self.holdings = SqliteHoldings(self._read, self._write)
        with self._write() as connection:
            # Ids and values come in no order, so each write touches pages all over the indexes; 2 MB would not hold them.
            connection.execute("PRAGMA cache_size=-65536")
            connection.execute(sqlite_schema.GENERATIONS)
            connection.execute(sqlite_refusals.REFUSALS)

    def migrate(self, resource: Declaration) -> list[str]:
        with self._write() as connection:
            steps, fields = sqlite_schema.plan(connection, resource)
            if fields is None:
                sqlite_schema.create(connection, resource)
            elif fields:
                sqlite_schema.add_fields(connection, resource, fields)
            return steps

    def pending(self, resource: Declaration) -> list[str]:
        with self._read() as connection:
            return sqlite_schema.plan(connection, resource)[0]

    def apply(self, resource: Declaration, operations: Sequence[Operation]) -> list[Outcome]:
        if not operations:
            return []
        with self._write() as connection:
            return Writer(connection, resource).write(operations)

    def get(self, resource: Declaration, ids: Sequence[str], *, generation: str = "") -> dict[str, dict[str, Any]]:
        sql = f"SELECT id, document FROM {tables(resource).documents} WHERE id IN (SELECT value FROM json_each(?))"
        with self._read(resource, generation) as connection:
            rows = connection.execute(sql, (orjson.dumps(list(ids)).decode(),))
            return {key: orjson.loads(document) for key, document in rows}

    def search(self, resource: Declaration, searches: Sequence[Search], *, generation: str = "") -> list[Page]:
        with self._read(resource, generation) as connection:
            return [_search(connection, resource, search) for search in searches]

    def refresh(self, resource: Declaration, *, generation: str = "") -> None:
        """Nothing to do: a commit is visible to every search that starts after it."""

    def live(self, resource: Declaration) -> str:
        with self._read() as connection:
            return _live(connection, resource)

    def refuse(self, resource: Declaration, versions: Mapping[str, int]) -> None:
        with self._write() as connection:
            sqlite_refusals.note(connection, resource, versions)

    def refused(self, resource: Declaration, ids: Sequence[str]) -> dict[str, int]:
        with self._read() as connection:
            return sqlite_refusals.noted(connection, resource, ids)

    def status(self, resource: Declaration) -> IndexStatus:
        names = tables(resource)
        with self._read() as connection:
            if not connection.execute("SELECT 1 FROM generation WHERE alias = ?", (resource.index,)).fetchone():
                raise Outdated(f"The index {resource.index} does not exist. Run: twofold migrate")
            live, dead = (
                connection.execute(f"SELECT count(*) FROM {names.documents} WHERE deleted = {deleted}").fetchone()[0] for deleted in (0, 1)
            )
        return IndexStatus(first_generation(resource), live, dead)

    def check(self) -> str:
        with self._read() as connection:
            connection.execute("SELECT count(*) FROM generation").fetchone()
        return f"SQLite {sqlite3.sqlite_version}"

    def close(self) -> None:
        self._file.close()

    @contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        with _patient(), self._file.write() as connection:
            yield connection

    @contextmanager
    def _read(self, resource: Declaration | None = None, generation: str = "") -> Iterator[sqlite3.Connection]:
        """A snapshot, in which the generation, where one is named, is the live one."""
        with _patient(), self._file.read() as connection:
            if resource is not None and generation and generation != _live(connection, resource):
                raise Unavailable(f"The generation {generation} is not there any more")
            yield connection


def _live(connection: sqlite3.Connection, resource: Declaration) -> str:
    found = connection.execute("SELECT name FROM generation WHERE alias = ?", (resource.index,)).fetchone()
    if found is None:
        raise Unavailable(f"There is no alias {resource.index}. Run: twofold migrate")
    name: str = found[0]
    return name


def _search(connection: sqlite3.Connection, resource: Declaration, search: Search) -> Page:
    if sqlite_query.asks_for_words(search) and not texts(resource):
        return Page()
    rows = connection.execute(*sqlite_query.page(resource, search)).fetchall()
    hits = [Hit(orjson.loads(content), score) for content, score in rows]
    last = last_values(search, hits)
    if search.after is None and len(hits) < search.limit:
        return Page(hits, last, len(hits))
    found = connection.execute(*sqlite_query.count(resource, search)).fetchone()[0]
    return Page(hits, last, min(found, TOTAL_CAP), found <= TOTAL_CAP)


@contextmanager
def _patient() -> Iterator[None]:
    """Nobody else writes this file; where somebody does all the same, it is a matter of waiting, as with any engine."""
    try:
        yield
    except Contended as error:
        raise Unavailable(str(error)) from error
