"""Tables follow the declaration: Alembic compares and applies what only adds; anything else is refused with SQL to review.

Nothing is ever dropped: a table or column that the app no longer declares stays.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Column, Connection, Table, UniqueConstraint

from twofold.errors import Outdated
from twofold.resource import App
from twofold.store.engine import Database
from twofold.store.tables import Tables

_ADDING = ("add_table", "add_column", "add_index")
_REMOVING = ("remove_table", "remove_column", "remove_index", "remove_constraint", "remove_fk")
_COMMENTS = ("modify_comment", "add_table_comment", "remove_table_comment")


def pending(app: App, database: Database) -> list[str]:
    """What `migrate` would do, in words; [] when the tables are as declared. Raises Outdated for what it must not do."""
    with database.read() as connection:
        return [_words(change) for change in _changes(app, connection)]


def migrate(app: App, database: Database) -> list[str]:
    """Creates tables, columns with a default and indexes. Returns what was done, in words.

    Raises Outdated, before anything is done, where a change is not an addition.
    """
    with database.alone() as connection:
        changes = _changes(app, connection)
        operations, tables = Operations(_context(connection)), Tables(app).metadata.tables
        for change in changes:
            _apply(operations, tables, change)
        database.commit(connection)
    return [_words(change) for change in changes]


def _changes(app: App, connection: Connection) -> list[tuple[Any, ...]]:
    metadata = Tables(app).metadata
    found = compare_metadata(_context(connection), metadata)
    flat = [change for entry in found for change in (entry if isinstance(entry, list) else [entry])]
    ours = [change for change in flat if change[0] not in _REMOVING + _COMMENTS or _wants_a_value(change)]
    new_columns = {(change[2], change[3].name) for change in ours if change[0] == "add_column"}
    refused = [change for change in ours if not _allowed(change, new_columns)]
    if refused:
        raise Outdated(_refusal(connection, refused))
    new_tables = {change[1].name for change in ours if change[0] == "add_table"}
    return [change for change in ours if not (change[0] == "add_index" and change[1].table.name in new_tables)]


def _wants_a_value(change: tuple[Any, ...]) -> bool:
    """Whether this is a column that is no longer declared, and refuses every new row because nobody gives its value any more."""
    return bool(change[0] == "remove_column" and not change[3].nullable and change[3].server_default is None)


def _context(connection: Connection) -> MigrationContext:
    return MigrationContext.configure(connection, opts={"compare_type": _type_differs, "transactional_ddl": False})


def _type_differs(context: Any, _found: Any, _declared: Any, found_type: Any, declared_type: Any) -> bool | None:
    """Compares by the type's name and length, as the engine stores them; Alembic's own comparison stumbles over decorators."""
    dialect = context.dialect
    wanted = declared_type.dialect_impl(dialect).compile(dialect=dialect)
    return _plain(found_type.compile(dialect=dialect)) != _plain(wanted)


def _plain(sql: str) -> str:
    name = sql.upper().split(" COLLATE")[0].split(" CHARACTER SET")[0]
    return {"BOOL": "BOOLEAN", "TINYINT(1)": "BOOLEAN", "TINYINT": "BOOLEAN", "DOUBLE PRECISION": "DOUBLE"}.get(name, name)


def _allowed(change: tuple[Any, ...], new_columns: set[tuple[str, str]]) -> bool:
    """Additions, unless rows that exist would lack what they need: a value, or the key of a value that they have."""
    if change[0] == "add_column":
        column: Column[Any] = change[3]
        keyless = "of" in column.info and (change[2], column.info["of"]) not in new_columns
        return not keyless and bool(column.nullable or column.server_default is not None)
    return change[0] in _ADDING


def _apply(operations: Operations, tables: Mapping[str, Table], change: tuple[Any, ...]) -> None:
    if change[0] == "add_table":
        tables[change[1].name].create(operations.get_bind())  # with its indexes
    elif change[0] == "add_column":
        operations.add_column(change[2], change[3])
    else:
        next(index for index in tables[change[1].table.name].indexes if index.name == change[1].name).create(operations.get_bind())


def _words(change: tuple[Any, ...]) -> str:
    if change[0] == "add_table":
        return f"create table {change[1].name}"
    if change[0] == "add_column":
        return f"add column {change[2]}.{change[3].name}"
    return f"create index {change[1].name} on {change[1].table.name}"


def _refusal(connection: Connection, changes: list[tuple[Any, ...]]) -> str:
    """The changes that only a person can decide on, with the SQL that would make them."""
    script = io.StringIO()
    context = MigrationContext.configure(
        dialect_name=connection.dialect.name, opts={"as_sql": True, "output_buffer": script, "literal_binds": True}
    )
    operations = Operations(context)
    for change in changes:
        _sketch(operations, change)
    lines = "\n".join(line for line in script.getvalue().splitlines() if line.strip())
    return (
        "The tables differ from the declaration in ways that twofold does not change by itself. "
        f"Review this SQL, adapt it (a new column without a default needs values for the rows that exist), and run it:\n{lines}"
    )


def _sketch(operations: Operations, change: tuple[Any, ...]) -> None:
    kind = change[0]
    if kind == "add_column":
        operations.add_column(change[2], change[3])
    elif kind == "modify_type":
        operations.alter_column(change[2], change[3], type_=change[6], **_existing(change))
    elif kind == "modify_nullable":
        operations.alter_column(change[2], change[3], nullable=change[6], **_existing(change))
    elif kind == "remove_column":
        column = change[3]
        operations.alter_column(change[2], column.name, nullable=True, existing_type=column.type)
    elif kind == "add_constraint" and isinstance(change[1], UniqueConstraint):
        operations.create_unique_constraint(str(change[1].name), change[1].table.name, [column.name for column in change[1].columns])
    else:
        operations.execute(f"-- {change!r}")


def _existing(change: tuple[Any, ...]) -> dict[str, Any]:
    """What a change leaves as it is, since MySQL's MODIFY says everything anew."""
    return {key: value for key, value in change[4].items() if key in ("existing_type", "existing_nullable", "existing_server_default")}
