"""What the index in SQLite holds, for verify and repair. The gate is the column `version`, whatever the document says."""

# ruff: noqa: S608 - names come from the declaration and are quoted, values are bound
from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import orjson

from twofold.errors import Unavailable
from twofold.index.port import Held, Operation, Outcome, Verdict
from twofold.index.sqlite_generations import Row
from twofold.index.sqlite_schema import tables
from twofold.index.sqlite_write import Writer
from twofold.resource import Declaration

Opened = Callable[[], AbstractContextManager[sqlite3.Connection]]
Seen = Callable[[sqlite3.Connection, Declaration], Row]
_OK, _STALE = Outcome(Verdict.OK), Outcome(Verdict.STALE)
_LOWEST = -1  # below every version


class SqliteHoldings:
    """`read` and `write` open a transaction on the index's file, in which `live` finds the generation behind the alias."""

    def __init__(self, read: Opened, write: Opened, live: Seen) -> None:
        self._read, self._write, self._live = read, write, live

    def scan(self, resource: Declaration, after: Held | None, limit: int) -> list[Held]:
        behind, parameters = ("id > ?", (after.id,)) if after else ("1", ())
        with self._read() as connection:
            return _Table(connection, resource, self._live(connection, resource)).find(f"{behind} ORDER BY id LIMIT ?", *parameters, limit)

    def held(self, resource: Declaration, ids: Sequence[str]) -> dict[str, Held]:
        with self._read() as connection:
            table = _Table(connection, resource, self._live(connection, resource))
            found = table.find("id IN (SELECT value FROM json_each(?))", orjson.dumps(list(ids)).decode())
            return {each.id: each for each in found}

    def restore(self, resource: Declaration, operations: Sequence[Operation], seen: Mapping[str, Held]) -> list[Outcome]:
        with self._changing(resource) as table:
            return [table.restore(each, seen.get(each.id)) for each in operations]

    def remove(self, resource: Declaration, seen: Sequence[Held]) -> list[Outcome]:
        with self._changing(resource) as table:
            return [table.remove(each) for each in seen]

    @contextmanager
    def _changing(self, resource: Declaration) -> Iterator[_Table]:
        with self._write() as connection:
            generation = self._live(connection, resource)
            if generation.blocked:
                raise Unavailable(f"The generation {generation.name} is blocked")
            yield _Table(connection, resource, generation)


class _Table:
    """The documents of one generation, in a transaction."""

    def __init__(self, connection: sqlite3.Connection, resource: Declaration, generation: Row) -> None:
        self._connection, self._resource, self._generation = connection, resource, generation.name
        self._names = tables(resource, generation.name)

    def find(self, condition: str, *parameters: Any) -> list[Held]:
        # somebody else may have put text into `version`
        sql = f'SELECT "row", id, CAST(version AS INTEGER), document FROM {self._names.documents} WHERE {condition}'
        return [self._held(*row) for row in self._connection.execute(sql, parameters)]

    def restore(self, operation: Operation, seen: Held | None) -> Outcome:
        for now in self.find("id = ?", operation.id):
            if now.gate > operation.version and (seen is None or seen.place != now.place):
                return _STALE
        self._connection.execute("SAVEPOINT restoring")
        self._connection.execute(f"UPDATE {self._names.documents} SET version = ? WHERE id = ?", (_LOWEST, operation.id))
        [outcome] = Writer(self._connection, self._resource, self._names).write([operation])
        if outcome.verdict is not Verdict.OK:
            self._connection.execute("ROLLBACK TO restoring")
        self._connection.execute("RELEASE restoring")
        return outcome

    def remove(self, seen: Held) -> Outcome:
        if [each.place for each in self.find("id = ?", seen.id)] != [seen.place]:
            return _STALE
        _, row, *_ = seen.place
        if self._names.texts:
            self._connection.execute(f"DELETE FROM {self._names.words} WHERE rowid = ?", (row,))
        self._connection.execute(f'DELETE FROM {self._names.documents} WHERE "row" = ?', (row,))
        return _OK

    def _held(self, row: int, id_: str, gate: int, document: bytes) -> Held:
        try:
            found = orjson.loads(document)
        except orjson.JSONDecodeError:
            found = None
        # What is no JSON object has no content that could be right.
        return Held(id_, gate, found if isinstance(found, dict) else {}, (self._generation, row, gate, document))
