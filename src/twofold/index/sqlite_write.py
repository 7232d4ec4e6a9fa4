"""Writing documents to SQLite: checked as Elasticsearch's strict mapping would, and gated by version."""

# ruff: noqa: S608 - names come from the declaration and are quoted, values are bound
from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

import orjson

from twofold.fields import Field
from twofold.index.mapping import ID_BYTES, SYSTEM, fits
from twofold.index.port import Operation, Outcome, Verdict
from twofold.index.sqlite_schema import Tables, column, insert_words, text_value
from twofold.resource import Declaration

TERM_BYTES = 32_766  # Lucene's longest term
_OK, _STALE = Outcome(Verdict.OK), Outcome(Verdict.STALE)


class Writer:
    """Puts operations into a generation's tables, inside the transaction of its connection."""

    def __init__(self, connection: sqlite3.Connection, resource: Declaration, names: Tables, *, anew: bool = False) -> None:
        self._connection = connection
        self._names = names
        self._fields = {field.name: field for field in resource.indexed}
        self._upsert = _upsert(self._names, ">=" if anew else ">")
        self._rows: list[tuple[int]] = []
        self._words: list[tuple[Any, ...]] = []

    def write(self, operations: Sequence[Operation]) -> list[Outcome]:
        outcomes = [self._put(operation) for operation in operations]
        if self._names.texts:
            self._connection.executemany(f"DELETE FROM {self._names.words} WHERE rowid = ?", self._rows)
            self._connection.executemany(insert_words(self._names), self._words)
        return outcomes

    def _put(self, operation: Operation) -> Outcome:
        try:
            document = orjson.loads(operation.document)
        except orjson.JSONDecodeError:
            return Outcome(Verdict.REJECTED, "the document is not JSON")
        if reason := _refusal(self._fields, operation, document):
            return Outcome(Verdict.REJECTED, reason)
        row = self._put_row(operation, document)
        if row is None:
            return _STALE
        self._rows.append((row,))
        if not document.get("deleted"):
            self._words.append((row, *(text_value(document.get(field.name)) for field in self._names.texts)))
        return _OK

    def _put_row(self, operation: Operation, document: dict[str, Any]) -> int | None:
        """The number of the row, or None where it holds a version as new."""
        values = (
            operation.id,
            operation.version,
            bool(document.get("deleted")),
            operation.document,
            document.get("created_at"),
            document.get("updated_at"),
            *self._names.row(document),
        )
        found = self._connection.execute(self._upsert, values).fetchall()
        return found[0][0] if found else None


def _upsert(names: Tables, newer: str) -> str:
    columns = ["id", "version", "deleted", "document", "created_at", "updated_at", *(column(field.name) for field in names.columns)]
    changes = ", ".join(f"{name} = excluded.{name}" for name in columns[1:])
    return (
        f"INSERT INTO {names.documents} ({', '.join(columns)}) VALUES ({', '.join('?' for _ in columns)}) "
        f'ON CONFLICT (id) DO UPDATE SET {changes} WHERE excluded.version {newer} version RETURNING "row"'
    )


def _refusal(fields: dict[str, Field], operation: Operation, document: Any) -> str:
    """Why the document is not the declaration's, or "". No value is quoted: a dead letter's reason is read by many."""
    if not 0 < len(operation.id.encode()) <= ID_BYTES:
        return f"the id is empty or longer than {ID_BYTES} bytes"
    if operation.version < 0 or not fits("integer", operation.version):
        return "the version is not a number from 0 to 2^63 - 1"
    if not isinstance(document, dict):
        return "the document is not a JSON object"
    for name, value in document.items():
        if value is not None and (reason := _refused_value(fields.get(name), name, value)):
            return reason
    return ""


def _refused_value(field: Field | None, name: str, value: Any) -> str:
    if field is None:
        return _refused_system_value(name, value)
    items = value if field.many and isinstance(value, list) else [value]
    if not all(fits(field.kind.form, item) for item in items):
        return f"the field {name} does not hold a {field.kind.name}"
    if field.keyword and any(len(item) > TERM_BYTES // 4 and len(item.encode()) > TERM_BYTES for item in items):
        return f"the field {name} is longer than {TERM_BYTES} bytes"
    return ""


def _refused_system_value(name: str, value: Any) -> str:
    form = "boolean" if name == "deleted" else SYSTEM.get(name)
    if form is None:
        return f"the field {name[:64]} is not declared"
    return "" if fits(form, value) else f"the field {name} does not hold a {form}"
