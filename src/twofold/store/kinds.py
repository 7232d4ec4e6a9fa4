"""Of what kind the values of each column are, which its type does not tell: an integer of 150 is 150, 1.50 or 0.150."""

# ruff: noqa: S608 - names come from the declaration, and are quoted
from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from sqlalchemy import Connection, delete, inspect, select

from twofold.store.database import Database
from twofold.store.dialects import DIALECTS
from twofold.store.tables import Tables

_PLACES = re.compile(r"integer|float|decimal\((\d)\)")
_COPIES = {(kind, "string") for kind in ("integer", "float", "date")} | {("string", kind) for kind in ("integer", "float", "date")}


class Changed(NamedTuple):
    """A column whose values were written as another kind than is declared."""

    table: str
    column: str
    written: str
    declared: str

    @property
    def is_copied(self) -> bool:
        """Whether a copy makes values of the one kind what the other one means, or fails, or leaves what a rebuild tells of."""
        lists = [kind.startswith("list of ") for kind in (self.written, self.declared)]
        return all(lists) or (self.written, self.declared) in _COPIES or self.is_scaled

    @property
    def is_scaled(self) -> bool:
        """Whether both are numbers."""
        return bool(_PLACES.fullmatch(self.written) and _PLACES.fullmatch(self.declared))


def changed(connection: Connection, tables: Tables) -> list[Changed]:
    """The columns of which this is known. Those that nobody has noted yet are taken to be as they are declared."""
    noted = _noted(connection, tables)
    return [Changed(*place, noted[place], kind) for place, kind in _declared(tables) if noted.get(place, kind) != kind]


def known(connection: Connection, tables: Tables) -> set[tuple[str, str]]:
    """The columns that were declared when `migrate` ran the last time, by table and name."""
    return set(_noted(connection, tables))


def note(database: Database, connection: Connection, tables: Tables) -> None:
    """Notes the columns that are new, and forgets those that are not declared any more."""
    noted, ours = _noted(connection, tables), {place for place, _ in _declared(tables)}
    named = {each.name for each in tables.resources.values()}
    for table, column in noted.keys() - ours:
        if table in named:
            place = (tables.kinds.c.table_name == table, tables.kinds.c.column_name == column)
            connection.execute(delete(tables.kinds).where(*place))
    new = [(*place, kind) for place, kind in _declared(tables) if place not in noted]
    if new:
        database.insert_many(connection, tables.kinds, ("table_name", "column_name", "kind"), new)


def sql(connection: Connection, changes: list[Changed], others: list[str], proposed: list[str]) -> list[str]:
    """The statements that change columns otherwise, with those around them that make values that exist what is declared; and `proposed`,
    those of columns whose values no copy makes what is declared, as comments.
    """
    before: list[str] = []
    after: list[str] = []
    told: list[str] = []
    for change in changes:
        place = f"table_name = '{change.table}' AND column_name = '{change.column}'"
        noted = f"UPDATE column_kind SET kind = '{change.declared}' WHERE {place};"
        if not change.is_copied:
            told.append(f"-- {_about(change)}, which no copy makes of them: make them yourself, by statements like those that follow")
            proposed = [*proposed, noted]
            continue
        (before if _is_real(change.written) else after).extend(_converted(connection, change))
        after.append(noted)
    return [*before, *others, *after, *told, *(f"-- {line}" for line in proposed)]


def _about(change: Changed) -> str:
    return f"values of {change.table}.{change.column} are of the kind {change.written}, and {change.declared} is declared"


def _converted(connection: Connection, change: Changed) -> Iterator[str]:
    told = f"-- {_about(change)}"
    written, declared = _PLACES.fullmatch(change.written), _PLACES.fullmatch(change.declared)
    if written is None or declared is None:
        yield f"{told}: values that do not read as that are for you to change, before or behind"
        return
    more = int(declared[1] or 0) - int(written[1] or 0)
    real = _is_real(change.written) or _is_real(change.declared)
    if not more and not real:
        return
    quoted = connection.dialect.identifier_preparer.quote
    name, by = quoted(change.column), f"{10 ** abs(more)}{'.0' if real else ''}"
    value = f"{name} {'*' if more > 0 else '/' if real else DIALECTS[connection.dialect.name].division} {by}"
    yield f"{told}: {'the largest lose digits before the point' if more > 0 else 'digits may be cut off'}"
    yield f"UPDATE {quoted(change.table)} SET {name} = {f'ROUND({value})' if _is_real(change.written) else value};"


def _is_real(kind: str) -> bool:
    return kind == "float"


def _noted(connection: Connection, tables: Tables) -> dict[tuple[str, str], str]:
    if tables.kinds.name not in inspect(connection).get_table_names():
        return {}
    return {(row.table_name, row.column_name): row.kind for row in connection.execute(select(tables.kinds))}


def _declared(tables: Tables) -> Iterator[tuple[tuple[str, str], str]]:
    for table in tables.resources.values():
        for column in table.c:
            if "kind" in column.info:
                yield (table.name, column.name), column.info["kind"]
