"""Generations in SQLite: a row each in table `generation`, with tables of its own (`sqlite_schema`)."""

# ruff: noqa: S608 - names come from the declaration and are quoted, values are bound
from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import orjson
import structlog

from twofold.errors import EngineError, Rejected
from twofold.index import sqlite_schema
from twofold.index.port import Generation
from twofold.index.shape import Shape, generation_name, not_ours, number_of, wanted
from twofold.index.sqlite_schema import ANALYSIS, quoted, stem
from twofold.resource import Declaration
from twofold.runtime.embedded import Embedded

log = structlog.get_logger()
GENERATIONS = """CREATE TABLE generation (
    name TEXT PRIMARY KEY, alias TEXT NOT NULL, resource TEXT NOT NULL, digest TEXT NOT NULL, fields TEXT NOT NULL,
    analysis INTEGER NOT NULL, live INTEGER NOT NULL, blocked INTEGER NOT NULL DEFAULT 0, marks TEXT NOT NULL DEFAULT '{}')"""
LIVE = "CREATE UNIQUE INDEX generation_live ON generation (alias) WHERE live = 1"


def prepare(connection: sqlite3.Connection) -> None:
    """Makes table `generation`, or brings along that of a file from when an index had one generation."""
    columns = [row[1] for row in connection.execute("PRAGMA table_info(generation)")]
    if "live" in columns:
        return
    if columns:
        connection.execute("ALTER TABLE generation RENAME TO generation_before")
    connection.execute(GENERATIONS)
    connection.execute(LIVE)
    if columns:
        kept = "name, alias, resource, digest, fields"
        connection.execute(f"INSERT INTO generation ({kept}, analysis, live) SELECT {kept}, 1, 1 FROM generation_before")
        connection.execute("DROP TABLE generation_before")


@dataclass(frozen=True, slots=True)
class Row:
    """A generation's row; `fields` is JSON."""

    name: str
    digest: str
    fields: str
    analysis: int
    live: bool
    blocked: bool
    marks: str

    @property
    def shape(self) -> Shape:
        return Shape(orjson.loads(self.fields), self.analysis)


def rows(connection: sqlite3.Connection, resource: Declaration) -> list[Row]:
    """Those of the resource, the oldest first."""
    found = _rows(connection, "alias = ? AND resource = ?", resource.index, resource.name)
    return sorted(found, key=lambda row: number_of(resource, row.name))


def find(connection: sqlite3.Connection, resource: Declaration, generation: str) -> Row | None:
    """The generation, or the live one where the name is ""."""
    if generation:
        return next(_rows(connection, "alias = ? AND name = ?", resource.index, generation), None)
    return next(_rows(connection, "alias = ? AND live = 1", resource.index), None)


def _rows(connection: sqlite3.Connection, where: str, *values: str) -> Iterator[Row]:
    found = connection.execute(f"SELECT name, digest, fields, analysis, live, blocked, marks FROM generation WHERE {where}", values)
    return (
        Row(name, digest, fields, analysis, bool(live), bool(blocked), marks)
        for name, digest, fields, analysis, live, blocked, marks in found
    )


class SqliteGenerations:
    """The part of SqliteIndex that knows of more than one generation."""

    _file: Embedded

    def _read(self) -> AbstractContextManager[sqlite3.Connection]:
        raise NotImplementedError

    def _write(self) -> AbstractContextManager[sqlite3.Connection]:
        raise NotImplementedError

    def generations(self, resource: Declaration) -> list[Generation]:
        """Counts the documents of each, which takes longer the more there are. Sizes are shares of the file, by numbers of rows."""
        with self._read() as connection:
            size = _bytes_of_a_row(connection)
            return [_generation(connection, resource, row, size) for row in rows(connection, resource)]

    def create(self, resource: Declaration, marks: Mapping[str, Any]) -> str:
        with self._write() as connection:
            tables = connection.execute("SELECT substr(name, 5) FROM sqlite_master WHERE name GLOB 'doc_*'")
            taken = [name for (name,) in tables] + [row.name for row in rows(connection, resource)]
            generation = generation_name(resource, max((number_of(resource, name) for name in taken), default=0) + 1)
            make(connection, resource, generation, live=False, marks=marks)
            return generation

    def note(self, resource: Declaration, generation: str, marks: Mapping[str, Any]) -> None:
        with self._write() as connection:
            _ours(connection, resource, generation)
            connection.execute("UPDATE generation SET marks = ? WHERE name = ?", (orjson.dumps(marks).decode(), generation))

    def block(self, resource: Declaration, generation: str, *, blocked: bool) -> None:
        with self._write() as connection:
            _ours(connection, resource, generation)
            connection.execute("UPDATE generation SET blocked = ? WHERE name = ?", (blocked, generation))

    def promote(self, resource: Declaration, generation: str) -> None:
        with self._write() as connection:
            _ours(connection, resource, generation)
            connection.execute("UPDATE generation SET live = 0 WHERE alias = ?", (resource.index,))
            connection.execute("UPDATE generation SET live = 1 WHERE name = ?", (generation,))

    def drop(self, resource: Declaration, generation: str) -> None:
        with self._write() as connection:
            if _ours(connection, resource, generation).live:
                raise Rejected(f"{generation} is the live generation of {resource.name}: it is not dropped")
            sqlite_schema.drop(connection, resource, generation)
            connection.execute("DELETE FROM generation WHERE name = ?", (generation,))
        try:
            self._file.shrink()
        except EngineError as error:  # dropped it is
            log.warning("the file keeps the room of a generation that was dropped, for what is written later", reason=str(error))

    def room(self) -> int | None:
        """Of the disk, and what is free within the file."""
        with self._read() as connection:
            free, size = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("freelist_count", "page_size"))
        return int(free * size) + shutil.disk_usage(self._file.path.parent).free


def make(connection: sqlite3.Connection, resource: Declaration, generation: str, *, live: bool, marks: Mapping[str, Any]) -> None:
    """The tables of a generation and its row."""
    sqlite_schema.create(connection, resource, generation)
    values = (generation, resource.index, resource.name, live, orjson.dumps(marks).decode())
    connection.execute(
        "INSERT INTO generation (name, alias, resource, live, marks, digest, fields, analysis) VALUES (?, ?, ?, ?, ?, '', '', 0)", values
    )
    note_shape(connection, resource, generation)


def note_shape(connection: sqlite3.Connection, resource: Declaration, generation: str) -> None:
    built = wanted(resource, ANALYSIS)
    values = (built.digest, orjson.dumps(built.fields).decode(), built.analysis, generation)
    connection.execute("UPDATE generation SET digest = ?, fields = ?, analysis = ? WHERE name = ?", values)


def _ours(connection: sqlite3.Connection, resource: Declaration, generation: str) -> Row:
    found = next((row for row in rows(connection, resource) if row.name == generation), None)
    if found is None:
        raise not_ours(resource, generation)
    return found


def _generation(connection: sqlite3.Connection, resource: Declaration, row: Row, bytes_of_a_row: float) -> Generation:
    documents = quoted(f"doc_{stem(resource.index, row.name)}")
    return Generation(
        name=row.name,
        live=row.live,
        fits=row.shape == wanted(resource, ANALYSIS),
        blocked=row.blocked,
        documents=connection.execute(f"SELECT count(*) FROM {documents} WHERE deleted = 0").fetchone()[0],
        size=int(_numbered(connection, documents) * bytes_of_a_row),
        marks=orjson.loads(row.marks),
    )


def _bytes_of_a_row(connection: sqlite3.Connection) -> float:
    """On average, with its share of every index."""
    pages, free, size = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size"))
    names = [quoted(f"doc_{stem(alias, name)}") for alias, name in connection.execute("SELECT alias, name FROM generation")]
    return float((pages - free) * size / max(1, sum(_numbered(connection, documents) for documents in names)))


def _numbered(connection: sqlite3.Connection, documents: str) -> int:
    """The number of its last row, which is nearly how many there are, without counting them."""
    found: int = connection.execute(f'SELECT COALESCE(max("row"), 0) FROM {documents}').fetchone()[0]
    return found
