"""SQL for the changes of tables that only a person can decide on: it runs as it is, loses nothing, and may be adapted before.

SQLite cannot change a column. There the column is made anew beside the old one, filled from it, and takes its place: unlike a new table,
that keeps what others have added, such as triggers.
"""

# ruff: noqa: S608 - names come from the declaration and the schema, and are quoted
from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, cast

from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import BigInteger, Boolean, Column, Connection, DefaultClause, Double, LargeBinary, String, Table, inspect, literal, text
from sqlalchemy.sql.elements import Grouping

from twofold.store.dialects import DIALECTS
from twofold.store.types import Converted, Day, JsonList, Timestamp

_KEPT = ("existing_type", "existing_nullable")  # since MySQL's MODIFY says everything anew
Change = tuple[Any, ...]  # Alembic's: kind first, then the table's name at 1 or 2


def sql_for(connection: Connection, changes: Sequence[Change], gone: Sequence[Change], declared: Mapping[str, Table]) -> list[str]:
    """One transaction's statements, a line each. `gone`: columns that are there and no longer declared."""
    sketch = _Sketch(connection, declared)
    renamed = _renamed(changes, gone, sketch.type_of)
    for old, new in renamed:
        sketch.rename(old[2], old[3].name, new[3].name)
    settled = [id(change) for pair in renamed for change in pair]
    for change in changes:
        if id(change) not in settled:
            sketch.change(change)
    return sketch.lines()


def renames(connection: Connection, changes: Sequence[Change], gone: Sequence[Change]) -> list[Change]:
    """Of columns that came, those that may be one under a new name: to add them would leave its values behind without a word."""
    return [new for _, new in _renamed(changes, gone, _Sketch(connection, {}).type_of)]


def _renamed(changes: Sequence[Change], gone: Sequence[Change], type_of: Callable[[Column[Any]], str]) -> list[tuple[Change, Change]]:
    """Columns that went, with those of the same type that came instead, where there is one of each."""
    came = [change for change in changes if change[0] == "add_column"]

    def alike(one: Change, other: Change) -> bool:
        return (one[2], one[3].nullable, type_of(one[3])) == (other[2], other[3].nullable, type_of(other[3]))

    pairs = [(old, new) for old in gone for new in came if alike(old, new)]
    return [(old, new) for old, new in pairs if sum(old is each for each, _ in pairs) == 1 and sum(new is each for _, each in pairs) == 1]


def plain(sql: str) -> str:
    """A type's name and length, however it is spelt."""
    name = sql.upper().split(" COLLATE")[0].split(" CHARACTER SET")[0]
    return {"BOOL": "BOOLEAN", "TINYINT(1)": "BOOLEAN", "TINYINT": "BOOLEAN", "DOUBLE PRECISION": "DOUBLE"}.get(name, name)


class _Sketch:
    """Gathers the statements; `change` takes what Alembic found."""

    def __init__(self, connection: Connection, declared: Mapping[str, Table]) -> None:
        self._script = io.StringIO()
        options = {"as_sql": True, "output_buffer": self._script, "literal_binds": True}
        self._context = MigrationContext.configure(dialect_name=connection.dialect.name, opts=options)
        self._operations = Operations(self._context)
        self._connection, self._sqlalchemy, self._declared = connection, connection.dialect, declared
        self._dialect = DIALECTS[connection.dialect.name]
        self._modified: set[tuple[str, str]] = set()

    def lines(self) -> list[str]:
        return [line for line in self._script.getvalue().splitlines() if line.strip()]

    def type_of(self, column: Column[Any]) -> str:
        return plain(column.type.dialect_impl(self._sqlalchemy).compile(dialect=self._sqlalchemy))

    def rename(self, table: str, old: str, new: str) -> None:
        self._say(f"-- if {new} is {old} under a new name; else add {new}, and let {old} be NULL")
        self._run(f"ALTER TABLE {self._quoted(table)} RENAME COLUMN {self._quoted(old)} TO {self._quoted(new)}")
        for index in self._indexes(table, old):
            if index["name"] == f"{table}_{old}":  # that of its key, which `migrate` makes under its new name
                self._drop_index(table, index["name"])

    def change(self, change: Change) -> None:
        kind = change[0]
        if kind == "add_column":
            self._add(change[2], change[3])
        elif kind in ("modify_type", "modify_nullable"):
            self._modify(change)
        elif kind == "remove_column":
            self._free(change[2], change[3])
        else:
            self._say(f"-- {kind} {change[1]}: this is for you to write")

    def _add(self, table: str, column: Column[Any]) -> None:
        if not column.nullable and column.server_default is None:
            self._say(f"-- rows that exist get this value of {column.name}")
        if "of" in column.info:
            self._say(f"-- then set it: {column.info['of']} as it is compared, in Unicode's NFKC, case-folded, as UTF-8")
        self._operations.add_column(table, self._like(column, column.name))

    def _like(self, column: Column[Any], name: str) -> Column[Any]:
        default = _default(column, self._dialect.earliest)
        return Column(name, column.type, nullable=column.nullable, server_default=default)

    def _modify(self, change: Change) -> None:
        table, name = change[2], change[3]
        if (table, name) in self._modified:
            return  # its type and whether it may be NULL are two changes
        self._modified.add((table, name))
        column: Column[Any] = self._declared[table].c[name]
        if not self._dialect.alters_columns:
            self._make_anew(table, column)
            return
        kept = {key: value for key, value in change[4].items() if key in _KEPT}
        was_nullable = change[5] if change[0] == "modify_nullable" else change[4].get("existing_nullable")
        if was_nullable and not column.nullable:
            compiler = self._sqlalchemy.ddl_compiler(self._sqlalchemy, cast(Any, None))  # a statement, which a default does not need
            default = compiler.get_column_default_string(self._like(column, name))
            self._run(f"UPDATE {self._quoted(table)} SET {self._quoted(name)} = {default} WHERE {self._quoted(name)} IS NULL")
        declared: Any = column.server_default.arg if isinstance(column.server_default, DefaultClause) else None
        self._operations.alter_column(table, name, type_=column.type, nullable=column.nullable, server_default=declared, **kept)

    def _free(self, table: str, column: Column[Any]) -> None:
        """A column that nobody gives a value any more may be NULL."""
        if self._dialect.alters_columns:
            self._operations.alter_column(table, column.name, nullable=True, existing_type=column.type)
        else:
            self._make_anew(table, Column(column.name, column.type))

    def _make_anew(self, table: str, column: Column[Any]) -> None:
        on, name, beside = self._quoted(table), self._quoted(column.name), self._quoted(f"{column.name}_new")
        indexes = list(self._indexes(table, column.name))
        for index in indexes:
            self._drop_index(table, index["name"])
        self._operations.add_column(table, self._like(column, f"{column.name}_new"))
        self._run(f"UPDATE {on} SET {beside} = {name} WHERE {name} IS NOT NULL")
        self._run(f"ALTER TABLE {on} DROP COLUMN {name}")
        self._run(f"ALTER TABLE {on} RENAME COLUMN {beside} TO {name}")
        for index in indexes:
            self._run(index["sql"])

    def _indexes(self, table: str, column: str) -> Iterator[dict[str, Any]]:
        """Those that a column is part of; `sql` makes one again."""
        for index in inspect(self._connection).get_indexes(table):
            if column in index["column_names"]:
                name = str(index["name"])
                yield {"name": name, "sql": self._dialect.index_definition(self._connection, name)}

    def _drop_index(self, table: str, name: str | None) -> None:
        self._run(self._dialect.drop_index(self._quoted(table), self._quoted(str(name))))

    def _quoted(self, name: str) -> str:
        return str(self._sqlalchemy.identifier_preparer.quote(name))

    def _run(self, statement: str) -> None:
        self._say(f"{statement};")

    def _say(self, line: str) -> None:
        self._script.write(f"{line}\n")


def _default(column: Column[Any], earliest: str) -> Any:
    """What rows that exist get: the declared default, else the smallest value of its type; None where NULL will do."""
    if isinstance(column.server_default, DefaultClause):
        return column.server_default.arg
    if choices := column.info.get("choices"):
        return None if column.nullable else Grouping(literal(choices[0], String()))
    if least := column.info.get("smallest"):
        return None if column.nullable else Grouping(literal(least, String()))
    smallest = {
        Timestamp: earliest,
        Day: "1970-01-01",
        LargeBinary: text("X''"),
        JsonList: Grouping(literal("[]", String())),
        **dict.fromkeys((BigInteger, Boolean, Double, Converted), text("0")),
    }
    found = (value for kind, value in smallest.items() if isinstance(column.type, kind))
    return None if column.nullable else next(found, Grouping(literal("", String())))
