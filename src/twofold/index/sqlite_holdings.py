"""What the index in SQLite holds, for verify and repair. The gate is the column `version`, whatever the document says."""

# ruff: noqa: S608 - names come from the declaration and are quoted, values are bound
from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import orjson

from twofold.index.port import Held, Operation, Outcome, Verdict
from twofold.index.sqlite_schema import tables
from twofold.index.sqlite_write import Writer
from twofold.resource import Declaration

Opened = Callable[[], AbstractContextManager[sqlite3.Connection]]
_OK, _STALE = Outcome(Verdict.OK), Outcome(Verdict.STALE)
_LOWEST = -1  # below every version


class SqliteHoldings:
    """`read` and `write` open a transaction on the index's file."""

    def __init__(self, read: Opened, write: Opened) -> None:
        self._read, self._write = read, write

    def scan(self, resource: Declaration, after: Held | None, limit: int) -> list[Held]:
        behind, parameters = ("WHERE id > ?", (after.id,)) if after else ("", ())
        sql = f"{_select(resource)} {behind} ORDER BY id LIMIT ?"
        with self._read() as connection:
            return [_held(row) for row in connection.execute(sql, (*parameters, limit))]

    def held(self, resource: Declaration, ids: Sequence[str]) -> dict[str, Held]:
        sql = f"{_select(resource)} WHERE id IN (SELECT value FROM json_each(?))"
        with self._read() as connection:
            return {row[1]: _held(row) for row in connection.execute(sql, (orjson.dumps(list(ids)).decode(),))}

    def restore(self, resource: Declaration, operations: Sequence[Operation], seen: Mapping[str, Held]) -> list[Outcome]:
        with self._write() as connection:
            return [_restore(connection, resource, each, seen.get(each.id)) for each in operations]

    def remove(self, resource: Declaration, seen: Sequence[Held]) -> list[Outcome]:
        with self._write() as connection:
            return [_remove(connection, resource, each) for each in seen]


def _select(resource: Declaration) -> str:
    # somebody else may have put text there
    return f'SELECT "row", id, CAST(version AS INTEGER), document FROM {tables(resource).documents}'


def _held(row: tuple[Any, ...]) -> Held:
    number, id_, gate, document = row
    try:
        found = orjson.loads(document)
    except orjson.JSONDecodeError:
        found = None
    # What is no JSON object has no content that could be right.
    return Held(id_, gate, found if isinstance(found, dict) else {}, (number, gate, document))


def _now(connection: sqlite3.Connection, resource: Declaration, id_: str) -> Held | None:
    row = connection.execute(f"{_select(resource)} WHERE id = ?", (id_,)).fetchone()
    return _held(row) if row else None


def _restore(connection: sqlite3.Connection, resource: Declaration, operation: Operation, seen: Held | None) -> Outcome:
    now = _now(connection, resource, operation.id)
    if now and now.gate > operation.version and (seen is None or seen.place != now.place):
        return _STALE
    connection.execute("SAVEPOINT restore")
    connection.execute(f"UPDATE {tables(resource).documents} SET version = ? WHERE id = ?", (_LOWEST, operation.id))
    [outcome] = Writer(connection, resource).write([operation])
    if outcome.verdict is not Verdict.OK:
        connection.execute("ROLLBACK TO restore")
    connection.execute("RELEASE restore")
    return outcome


def _remove(connection: sqlite3.Connection, resource: Declaration, seen: Held) -> Outcome:
    names, now = tables(resource), _now(connection, resource, seen.id)
    if now is None or now.place != seen.place:
        return _STALE
    row = (now.place[0],)
    if names.texts:
        connection.execute(f"DELETE FROM {names.words} WHERE rowid = ?", row)
    connection.execute(f'DELETE FROM {names.documents} WHERE "row" = ?', row)
    return _OK
