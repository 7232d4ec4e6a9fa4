"""Which declaration's writers are let in. A record by older code lacks what that does not know, so that none may follow upon a newer one's.

`migrate` notes each declaration of a resource in order. The first unit of a newer one's writer takes the place of the older ones', for
good: it waits for their open units, and what they try afterwards is refused. Every unit holds its own line with a shared lock.
"""
# ruff: noqa: S608 - names are the runtime's own, values are bound

from __future__ import annotations

import time

from sqlalchemy import Connection, Table, inspect, select, update

from twofold.errors import Contended, Outdated
from twofold.resource import App, Declaration
from twofold.runtime.retry import Backoff
from twofold.store.database import Database
from twofold.store.tables import Tables

TRIES = 10  # for one resource, each of which waits a second for a lock


def begin(database: Database, connection: Connection, tables: Tables, unit: str, resource: Declaration | None) -> None:
    """Inserts the unit's row, and makes sure of the resource's writers in the same statement. Raises Outdated."""
    if resource is not None:
        values = (unit, resource.name, resource.fence)
        if connection.exec_driver_sql(f"INSERT INTO unit (id) {_let_in(database)}", values).rowcount == 1:
            return
        _take_over(connection, tables.fence, resource)
    database.insert_many(connection, tables.unit, ("id",), [(unit,)])


def join(database: Database, connection: Connection, tables: Tables, resource: Declaration) -> None:
    """Makes sure of the writers of one more resource of a unit. Raises Outdated."""
    if connection.exec_driver_sql(_let_in(database), (1, resource.name, resource.fence)).first() is None:
        _take_over(connection, tables.fence, resource)


def _let_in(database: Database) -> str:
    """SQL that gives a value back where the line of a resource and a digest is let in, and holds that line."""
    place, lock = database.dialect.place, database.dialect.shared_lock
    return f"SELECT {place} FROM fence WHERE resource = {place} AND digest = {place} AND admitted = 1{lock}"


def outdated(connection: Connection, tables: Tables, resource: Declaration) -> str:
    """Why this program's writers of a resource are not let in; "" where they are, or will be."""
    fence = tables.fence
    rows = connection.execute(select(fence).where(fence.c.resource == resource.name)).all()
    return _refusal(resource, {row.digest: (row.number, row.admitted) for row in rows})


def unknown(app: App, connection: Connection, tables: Tables) -> list[Declaration]:
    """The resources whose writers would not be let in before `migrate` has noted their declaration, or noted it again."""
    if "fence" not in inspect(connection).get_table_names():
        return list(app)
    return [resource for resource in app if outdated(connection, tables, resource)]


def note(database: Database, connection: Connection, tables: Tables, resources: list[Declaration]) -> None:
    """Notes declarations as the newest, and commits. Where there was none, its writers are let in at once.

    Each has a transaction of its own, since open units hold the lines of several resources in another order. One that is long is waited
    for several times. Raises Contended.
    """
    for resource in resources:
        backoff = Backoff(0.01, 0.2)
        for left in reversed(range(TRIES)):
            try:
                with database.translated():
                    _note(database, connection, tables.fence, resource)
                database.commit(connection)
                break
            except Contended:
                connection.rollback()
                if not left:
                    raise
                time.sleep(backoff.next())


def _note(database: Database, connection: Connection, fence: Table, resource: Declaration) -> None:
    rows = connection.execute(select(fence).where(fence.c.resource == resource.name).with_for_update()).all()
    number = max((row.number for row in rows), default=0) + 1
    if any(row.digest == resource.fence for row in rows):
        mine = (fence.c.resource == resource.name, fence.c.digest == resource.fence)
        connection.execute(update(fence).where(*mine).values(number=number))
    else:
        line = (resource.name, resource.fence, number, not rows)
        database.insert_many(connection, fence, ("resource", "digest", "number", "admitted"), [line])


def _take_over(connection: Connection, fence: Table, resource: Declaration) -> None:
    rows = connection.execute(select(fence).where(fence.c.resource == resource.name).with_for_update()).all()
    if reason := _refusal(resource, {row.digest: (row.number, row.admitted) for row in rows}):
        raise Outdated(reason)
    connection.execute(update(fence).where(fence.c.resource == resource.name).values(admitted=fence.c.digest == resource.fence))


def _refusal(resource: Declaration, lines: dict[str, tuple[int, bool]]) -> str:
    if resource.fence not in lines:
        return f"the tables were not migrated for this declaration of {resource.name}; run `twofold migrate`"
    number = lines[resource.fence][0]
    if any(admitted and other > number for other, admitted in lines.values()):
        return f"a newer declaration of {resource.name} is in use: start the newer program, or run `twofold migrate` to go back to this one"
    return ""
