"""The tables of one generation of an index in SQLite: documents by id, and their words.

`doc_users` has a row per id, tombstones included, with a column `f_…` per field that is filtered or sorted by; a list is
kept there as JSON. `fts_users` (FTS5) has the words of live documents under the same row number. Those of further generations have the
generation's name: `doc_users-000002`.
"""

# ruff: noqa: S608 - names come from the declaration and are quoted, values are bound
from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import orjson

from twofold.errors import Outdated
from twofold.fields import Field
from twofold.index.mapping import texts
from twofold.kinds import Form
from twofold.resource import Declaration

# Raise it where tables, the tokenizer, or what is made of a kind of field changes: generations of before then ask for a rebuild.
ANALYSIS = 1
# A character that the tokenizer takes for a word (private use) and that nobody writes: it keeps a phrase
# from reaching over the end of one item of a list into the next.
GAP = "\ue000"
TOKENIZER = "tokenize='unicode61 remove_diacritics 2'"
_TYPES: dict[Form, str] = {"integer": "INTEGER", "boolean": "INTEGER", "float": "REAL"}


@dataclass(frozen=True, slots=True)
class Tables:
    """The names of a generation's tables and columns, quoted; `stem` is what its indexes are named by."""

    stem: str
    documents: str
    words: str
    columns: tuple[Field, ...]
    texts: tuple[Field, ...]

    def row(self, document: dict[str, Any]) -> tuple[Any, ...]:
        """The values of the columns `f_…`."""
        return tuple(column_value(field, document.get(field.name)) for field in self.columns)


def tables(resource: Declaration, generation: str) -> Tables:
    name = stem(resource.index, generation)
    return Tables(
        stem=name,
        documents=quoted(f"doc_{name}"),
        words=quoted(f"fts_{name}"),
        columns=tuple(field for field in resource.indexed if field.filterable),
        texts=tuple(texts(resource)),
    )


def stem(index: str, generation: str) -> str:
    """What tables of a generation are named by. Those of the first have the index's name, as when there was only one."""
    return index if generation == f"{index}-000001" else generation


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def column(name: str) -> str:
    return quoted(f"f_{name}")


def column_value(field: Field, value: Any) -> Any:
    return orjson.dumps(value).decode() if field.many and value is not None else value


def text_value(value: Any) -> str | None:
    return f" {GAP} ".join(value) if isinstance(value, list) else value


def create(connection: sqlite3.Connection, resource: Declaration, generation: str) -> None:
    names = tables(resource, generation)
    _refuse_foreign(connection, names)
    columns = "".join(f"{column(field.name)} {_type(field)}, " for field in names.columns)
    connection.execute(
        f'CREATE TABLE {names.documents} ("row" INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, version INTEGER NOT NULL, '
        f"deleted INTEGER NOT NULL, created_at TEXT, updated_at TEXT, {columns}document BLOB NOT NULL)"
    )
    for name in ("created_at", "updated_at", *(f"f_{field.name}" for field in names.columns if not field.many)):
        _create_sort_index(connection, names, name)
    tombstones = quoted(f"doc_{names.stem}_tombstones")
    connection.execute(f"CREATE INDEX {tombstones} ON {names.documents} (id) WHERE deleted = 1")
    _create_words(connection, names)


def add_fields(connection: sqlite3.Connection, resource: Declaration, generation: str, fields: Iterable[Field]) -> None:
    names = tables(resource, generation)
    for field in fields:
        if field.filterable:
            connection.execute(f"ALTER TABLE {names.documents} ADD COLUMN {column(field.name)} {_type(field)}")
            if not field.many:
                _create_sort_index(connection, names, f"f_{field.name}")
    if any(field.text for field in fields):
        _rebuild_words(connection, names)


def drop(connection: sqlite3.Connection, resource: Declaration, generation: str) -> None:
    names = tables(resource, generation)
    connection.execute(f"DROP TABLE {names.documents}")
    connection.execute(f"DROP TABLE IF EXISTS {names.words}")


def insert_words(names: Tables) -> str:
    places = ", ".join("?" for _ in names.texts)
    return f"INSERT INTO {names.words} (rowid, {_text_columns(names)}) VALUES (?, {places})"


def _type(field: Field) -> str:
    return "TEXT" if field.many else _TYPES.get(field.kind.form, "TEXT")


def _create_sort_index(connection: sqlite3.Connection, names: Tables, name: str) -> None:
    # Only live documents are searched; with `id` at the end a page of equal values needs no sorting.
    index = quoted(f"doc_{names.stem}_{name}")
    connection.execute(f"CREATE INDEX {index} ON {names.documents} ({quoted(name)}, id) WHERE deleted = 0")


def _create_words(connection: sqlite3.Connection, names: Tables) -> None:
    if names.texts:
        options = f"{TOKENIZER}, prefix='2 3 4'"
        connection.execute(f"CREATE VIRTUAL TABLE {names.words} USING fts5({_text_columns(names)}, {options})")


def _rebuild_words(connection: sqlite3.Connection, names: Tables) -> None:
    # FTS5 cannot add a column; nobody sees the gap, since this is one transaction.
    connection.execute(f"DROP TABLE IF EXISTS {names.words}")
    _create_words(connection, names)
    found = connection.execute(f'SELECT "row", document FROM {names.documents} WHERE deleted = 0')
    documents = ((row, orjson.loads(document)) for row, document in found)
    rows = ((row, *(text_value(document.get(field.name)) for field in names.texts)) for row, document in documents)
    connection.executemany(insert_words(names), rows)


def _text_columns(names: Tables) -> str:
    return ", ".join(column(field.name) for field in names.texts)


def _refuse_foreign(connection: sqlite3.Connection, names: Tables) -> None:
    name = f"doc_{names.stem}"
    if connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (name,)).fetchone():
        raise Outdated(f"A table named {name} exists that twofold did not make. Drop or rename it, then run: twofold migrate")
