"""Tables follow the declaration: Alembic compares and applies what only adds; anything else is refused with SQL to review.

Nothing is ever dropped: a table or column that the app no longer declares stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Column, Connection, Table

from twofold.errors import Outdated
from twofold.resource import App, Declaration
from twofold.store import fence, kinds
from twofold.store.database import Database
from twofold.store.dialects import DIALECTS
from twofold.store.review import Change, plain, renames, sql_for
from twofold.store.tables import Tables

_ADDING = ("add_table", "add_column", "add_index")
_REMOVING = ("remove_table", "remove_column", "remove_index", "remove_constraint", "remove_fk")
_COMMENTS = ("modify_comment", "add_table_comment", "remove_table_comment")


def pending(app: App, database: Database) -> list[str]:
    """What `migrate` would do, in words; [] when the tables are as declared. Raises Outdated for what it must not do."""
    tables = Tables(app)
    with database.read() as connection:
        changes = _changes(tables, connection)
        return [*map(_words, changes), *_admissions(changes, fence.unknown(app, connection, tables))]


def migrate(app: App, database: Database) -> list[str]:
    """Creates tables, columns with a default and indexes. Returns what was done, in words.

    Raises Outdated, before anything is done, where a change is not an addition.
    """
    tables = Tables(app)
    with database.alone() as connection:
        changes = _changes(tables, connection)
        operations = Operations(_context(connection))
        for change in changes:
            _apply(operations, tables.metadata.tables, change)
        unknown = fence.unknown(app, connection, tables)
        kinds.note(database, connection, tables)
        database.commit(connection)
        fence.note(database, connection, tables, unknown)
    return [*map(_words, changes), *_admissions(changes, unknown)]


def _admissions(changes: list[tuple[Any, ...]], resources: list[Declaration]) -> list[str]:
    """In words, whose writers will be let in from now on; those of a new table go without saying."""
    new = {change[1].name for change in changes if change[0] == "add_table"}
    return [f"admit writers of {resource.name} as declared here" for resource in resources if resource.table not in new]


def _changes(tables: Tables, connection: Connection) -> list[Change]:
    found = compare_metadata(_context(connection), tables.metadata)
    flat = [change for entry in found for change in (entry if isinstance(entry, list) else [entry])]
    ours = [change for change in flat if change[0] not in _REMOVING + _COMMENTS or _wants_a_value(change)]
    new_columns = {(change[2], change[3].name) for change in ours if change[0] == "add_column"}
    gone = [change for change in flat if change[0] == "remove_column"]
    known = kinds.known(connection, tables)
    renamed = renames(connection, ours, [change for change in gone if (change[2], change[3].name) in known])
    refused = [change for change in ours if not _allowed(change, new_columns) or change in renamed]
    others = kinds.changed(connection, tables)
    if refused or others:
        made = {(each.table, each.column) for each in others if not each.is_copied}
        lines, proposed = (
            sql_for(connection, [each for each in refused if (_column(each) in made) is by_hand], gone, tables.metadata.tables)
            for by_hand in (False, True)
        )
        raise Outdated(_refusal(connection, kinds.sql(connection, others, lines, proposed)))
    new_tables = {change[1].name for change in ours if change[0] == "add_table"}
    return [change for change in ours if not (change[0] == "add_index" and change[1].table.name in new_tables)]


def _column(change: Change) -> tuple[str, str]:
    """The table and the column of a change of a column's type; nothing that there is for any other."""
    return (change[2], change[3]) if change[0] in ("modify_type", "modify_nullable") else ("", "")


def _wants_a_value(change: Change) -> bool:
    """Whether this is a column that is no longer declared, and refuses every new row because nobody gives its value any more."""
    return bool(change[0] == "remove_column" and not change[3].nullable and change[3].server_default is None)


def _context(connection: Connection) -> MigrationContext:
    return MigrationContext.configure(connection, opts={"compare_type": _type_differs, "transactional_ddl": False})


def _type_differs(context: Any, _found: Any, _declared: Any, found_type: Any, declared_type: Any) -> bool | None:
    """Compares by the type's name and length, as the engine stores them; Alembic's own comparison stumbles over decorators."""
    dialect = context.dialect
    wanted = declared_type.dialect_impl(dialect).compile(dialect=dialect)
    return plain(found_type.compile(dialect=dialect)) != plain(wanted)


def _allowed(change: Change, new_columns: set[tuple[str, str]]) -> bool:
    """Additions, unless rows that exist would lack what they need: a value, or the key of a value that they have."""
    if change[0] == "add_column":
        column: Column[Any] = change[3]
        keyless = "of" in column.info and (change[2], column.info["of"]) not in new_columns
        return not keyless and bool(column.nullable or column.server_default is not None)
    return change[0] in _ADDING


def _apply(operations: Operations, tables: Mapping[str, Table], change: Change) -> None:
    if change[0] == "add_table":
        tables[change[1].name].create(operations.get_bind())  # with its indexes
    elif change[0] == "add_column":
        operations.add_column(change[2], change[3])
    else:
        next(index for index in tables[change[1].table.name].indexes if index.name == change[1].name).create(operations.get_bind())


def _words(change: Change) -> str:
    if change[0] == "add_table":
        return f"create table {change[1].name}"
    if change[0] == "add_column":
        return f"add column {change[2]}.{change[3].name}"
    return f"create index {change[1].name} on {change[1].table.name}"


def _refusal(connection: Connection, lines: list[str]) -> str:
    """The changes that only a person can decide on, with the SQL that would make them."""
    dialect = DIALECTS[connection.dialect.name]
    return (
        "The tables differ from the declaration in ways that twofold does not change by itself. Make a backup, review this SQL, "
        "adapt it (rows that exist may need other values; a decimal is stored as an integer, 1.50 with two places as 150), and run it, "
        f"{dialect.stopped}; then `twofold migrate` again:\n{dialect.script(lines)}"
    )
