"""The read store in a SQLite file, with FTS5."""

# ruff: noqa: S608 - names come from the declaration and are quoted, values are bound
from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from twofold.errors import Contended, Outdated, Unavailable
from twofold.index import sqlite_dates, sqlite_generations, sqlite_page, sqlite_refusals, sqlite_schema
from twofold.index.checks import check
from twofold.index.port import IndexStatus, Operation, Outcome, Verdict
from twofold.index.search import Hit, Page, Search
from twofold.index.shape import Fitting, addition, creation, generation_name, lacking, misfit
from twofold.index.sqlite_generations import Row, SqliteGenerations, find
from twofold.index.sqlite_holdings import SqliteHoldings
from twofold.index.sqlite_schema import ANALYSIS, Tables, tables
from twofold.index.sqlite_write import Writer
from twofold.resource import Declaration
from twofold.runtime.embedded import Embedded


class SqliteIndex(SqliteGenerations):
    """Every index in one file. What is applied is found at once."""

    unsupported: frozenset[str] = frozenset()

    def __init__(self, path: Path, *, reading: bool = False) -> None:
        """Where `reading`, what is not there is not made."""
        self._file = Embedded(path, sqlite_dates.register, reading=reading)
        self._fitting = Fitting(ANALYSIS)
        self.holdings = SqliteHoldings(self._read, self._write, lambda connection, resource: self._seen(connection, resource, ""))
        if reading:
            self._file.expect("SELECT live FROM generation")
            return
        with self._write() as connection:
            # Ids and values come in no order, so each write touches pages all over the indexes; 2 MB would not hold them.
            connection.execute("PRAGMA cache_size=-65536")
            sqlite_generations.prepare(connection)
            connection.execute(sqlite_refusals.REFUSALS)

    def migrate(self, resource: Declaration) -> list[str]:
        with self._write() as connection:
            row = find(connection, resource, "")
            if row is None:
                sqlite_generations.make(connection, resource, generation_name(resource, 1), live=True, marks={})
                return [creation(resource)]
            if sentence := misfit(resource, row.name, row.shape, ANALYSIS):
                return [sentence]
            if fields := lacking(resource, row.shape):
                sqlite_schema.add_fields(connection, resource, row.name, fields)
                sqlite_generations.note_shape(connection, resource, row.name)
            return [addition(field, row.name, resource) for field in fields]

    def pending(self, resource: Declaration) -> list[str]:
        with self._read() as connection:
            row = find(connection, resource, "")
        if row is None:
            return [creation(resource)]
        if sentence := misfit(resource, row.name, row.shape, ANALYSIS):
            raise Outdated(sentence)
        if not (fields := lacking(resource, row.shape)):
            self._meet(resource, row)
        return [addition(field, row.name, resource) for field in fields]

    def apply(self, resource: Declaration, operations: Sequence[Operation], *, generation: str = "", anew: bool = False) -> list[Outcome]:
        if not operations:
            return []
        with self._write() as connection:
            row = self._seen(connection, resource, generation)
            if row.blocked:
                return [Outcome(Verdict.UNAVAILABLE, f"the generation {row.name} is blocked")] * len(operations)
            return Writer(connection, resource, tables(resource, row.name), anew=anew).write(operations)

    def get(self, resource: Declaration, ids: Sequence[str], *, generation: str = "") -> dict[str, dict[str, Any]]:
        with self._opened(resource, generation) as (connection, names):
            sql = f"SELECT id, document FROM {names.documents} WHERE id IN (SELECT value FROM json_each(?))"
            rows = connection.execute(sql, (orjson.dumps(list(ids)).decode(),))
            return {key: orjson.loads(document) for key, document in rows}

    def search(self, resource: Declaration, searches: Sequence[Search], *, generation: str = "") -> list[Page]:
        for search in searches:
            check(resource, search)
        began = time.monotonic()
        with self._opened(resource, generation) as (connection, names):
            return [sqlite_page.search(connection, resource, names, search, began) for search in searches]

    @contextmanager
    def export(self, resource: Declaration, search: Search) -> Iterator[Iterator[list[Hit]]]:
        check(resource, search)
        with _patient(), self._file.snapshot() as connection:
            names = tables(resource, self._seen(connection, resource, "").name)
            yield self._while_open(sqlite_page.export(connection, resource, names, search))

    def _while_open(self, chunks: Iterator[list[Hit]]) -> Iterator[list[Hit]]:
        """The connection that is read from stays open until its reader ends."""
        for chunk in chunks:
            self._file.refuse_closed()
            yield chunk

    def refresh(self, resource: Declaration, *, generation: str = "") -> None:
        """Nothing to do: a commit is visible to every search that starts after it."""

    def live(self, resource: Declaration) -> str:
        with self._read() as connection:
            return _named(connection, resource, "").name

    def refuse(self, resource: Declaration, versions: Mapping[str, int]) -> None:
        with self._write() as connection:
            sqlite_refusals.note(connection, resource, versions)

    def forgive(self, resource: Declaration, versions: Mapping[str, int]) -> None:
        with self._write() as connection:
            sqlite_refusals.forget(connection, resource, versions)

    def refused(self, resource: Declaration, ids: Sequence[str]) -> dict[str, int]:
        with self._read() as connection:
            return sqlite_refusals.noted(connection, resource, ids)

    def status(self, resource: Declaration) -> IndexStatus:
        with self._read() as connection:
            row = find(connection, resource, "")
            if row is None:
                raise Outdated(f"The index {resource.index} does not exist. Run: twofold migrate")
            documents = tables(resource, row.name).documents
            live, dead = (connection.execute(f"SELECT count(*) FROM {documents} WHERE deleted = {each}").fetchone()[0] for each in (0, 1))
        return IndexStatus(row.name, live, dead)

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
    def _read(self) -> Iterator[sqlite3.Connection]:
        with _patient(), self._file.read() as connection:
            yield connection

    @contextmanager
    def _opened(self, resource: Declaration, generation: str) -> Iterator[tuple[sqlite3.Connection, Tables]]:
        """A snapshot, and the tables of the generation that is meant in it."""
        with self._read() as connection:
            yield connection, tables(resource, self._seen(connection, resource, generation).name)

    def _seen(self, connection: sqlite3.Connection, resource: Declaration, generation: str) -> Row:
        """The generation that is meant. Raises Outdated where it is not of the declaration's shape."""
        row = _named(connection, resource, generation)
        self._meet(resource, row)
        return row

    def _meet(self, resource: Declaration, row: Row) -> None:
        if not self._fitting.known(resource, row.name, row.digest):
            self._fitting.meet(resource, row.name, row.shape, row.digest)


def _named(connection: sqlite3.Connection, resource: Declaration, generation: str) -> Row:
    row = find(connection, resource, generation)
    if row is None:
        what = f"The generation {generation} is not there any more" if generation else f"There is no alias {resource.index}"
        raise Unavailable(what if generation else f"{what}. Run: twofold migrate")
    return row


@contextmanager
def _patient() -> Iterator[None]:
    """Nobody else writes this file; where somebody does all the same, it is a matter of waiting, as with any engine."""
    try:
        yield
    except Contended as error:
        raise Unavailable(str(error)) from error
