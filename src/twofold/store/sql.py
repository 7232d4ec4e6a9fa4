"""The write store on SQLAlchemy Core: a unit is one transaction of a constant number of statements.

In a unit of one resource: rows under lock, the missing among them, one look-up per unique field, receipts, the unit's own
row, then deletes, tombstones, updates, inserts, outbox, receipts. What a batch does not need is not sent.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import uuid_utils
from sqlalchemy import ColumnElement, Connection, Select, Table, func, inspect, literal, null, select, union_all

from twofold.errors import Changed, Contended, Outdated, Taken, Unavailable
from twofold.fields import Field
from twofold.record import Record
from twofold.resource import App, Declaration
from twofold.store import fence, purging
from twofold.store.database import Database
from twofold.store.port import Doubt, Key, Loaded, Receipt, Row, Tombstone, Writes
from twofold.store.receipts import find, insert, unseal
from twofold.store.scans import Scans
from twofold.store.tables import Tables

SETTLE_SECONDS = 10.0
_OUTBOX = ("resource", "key", "version", "type", "event_id", "time", "value", "args", "traceparent")


class SqlUnit:
    """One transaction on an open connection."""

    def __init__(self, database: Database, tables: Tables, connection: Connection) -> None:
        self._database = database
        self._tables = tables
        self._connection = connection
        self.doubt = Doubt(str(uuid_utils.uuid7()), database.dialect.connection_id(connection), time.monotonic())
        self._entered: set[str] | None = None
        self._absent: set[str] = set()

    def load(self, resource: Declaration, ids: Sequence[str]) -> Loaded:
        if not ids:
            return Loaded()
        query = self._query(resource, ids).order_by(self._tables.resources[resource.name].c.id).with_for_update(skip_locked=True)
        rows = {row[0]: _row(resource, row) for row in self._connection.execute(query)}
        missing = [id_ for id_ in ids if id_ not in rows]
        self._absent.update(missing)
        busy, deleted = self._missing(resource, missing) if missing else (set(), set())
        return Loaded(rows, frozenset(busy), frozenset(deleted))

    def peek(self, resource: Declaration, ids: Sequence[str]) -> dict[str, Row]:
        return {row[0]: _row(resource, row) for row in self._connection.execute(self._query(resource, ids))} if ids else {}

    def _query(self, resource: Declaration, ids: Sequence[str]) -> Select[Any]:
        table = self._tables.resources[resource.name]
        fields = [table.c[field.column] for field in resource.public]
        return select(table.c.id, table.c.version, *fields, table.c.created_at, table.c.updated_at).where(table.c.id.in_(ids))

    def _missing(self, resource: Declaration, ids: Sequence[str]) -> tuple[set[str], set[str]]:
        table, tombstone = self._tables.resources[resource.name], self._tables.tombstone
        alive = select(table.c.id, null()).where(table.c.id.in_(ids))
        dead = select(tombstone.c.id, literal(1)).where(tombstone.c.resource == resource.name, tombstone.c.id.in_(ids))
        found = self._connection.execute(union_all(alive, dead)).all()
        return {id_ for id_, gone in found if not gone}, {id_ for id_, gone in found if gone}

    def taken(self, resource: Declaration, name: str, keys: Sequence[bytes]) -> dict[bytes, str]:
        return _taken(self._database, self._connection, self._tables.resources[resource.name], resource.field(name), keys)

    def receipts(self, keys: Sequence[Key]) -> dict[Key, Receipt]:
        return find(self._connection, self._tables, keys)

    def save(self, resource: Declaration, writes: Writes) -> None:
        self._begin(resource)
        table = self._tables.resources[resource.name]
        with self._unique(resource):
            if writes.deletes:
                found = [(id_, writes.replaces.get(id_, version - 1)) for id_, version, _ in writes.deletes]
                there = [each for each in found if each[1]]
                _all_found(self._database.delete_versions(self._connection, table, there), there)
                graves = [(resource.name, *grave) for grave in writes.deletes]
                self._database.insert_many(self._connection, self._tables.tombstone, ("resource", "id", "version", "deleted_at"), graves)
                self._refuse_made(resource, [id_ for id_, version in found if not version and id_ in self._absent])
                unseal(self._database, self._connection, resource, [id_ for id_, _, _ in writes.deletes])
            self._update(resource, writes)
            if writes.inserts:
                columns = [*_columns(resource), *(field.column for field in resource.secrets)]
                rows = [[*_values(resource, row), *_secrets(resource, writes.secrets.get(row.id, {}))] for row in writes.inserts]
                self._database.insert_many(self._connection, table, columns, rows)
                self._refuse_deleted(resource, [row.id for row in writes.inserts if row.id in self._absent])

    def _refuse_deleted(self, resource: Declaration, ids: Sequence[str]) -> None:
        """An id that was asked for may have been created and deleted by another process since it was looked up."""
        tombstone = self._tables.tombstone
        if ids and self._waited(tombstone, tombstone.c.resource == resource.name, tombstone.c.id.in_(ids)):
            raise Taken("id")

    def _refuse_made(self, resource: Declaration, ids: Sequence[str]) -> None:
        """An id that this unit made and deleted, so that no row of its own is in the way, may have been created by another process."""
        table = self._tables.resources[resource.name]
        if ids and self._waited(table, table.c.id.in_(ids)):
            raise Taken("id")

    def _waited(self, table: Table, *where: ColumnElement[bool]) -> bool:
        """Whether there are such rows. What others have not committed is waited for: of two such units the later one sees the other."""
        query = select(table.c.id).where(*where).with_hint(table, "FORCE INDEX (PRIMARY)", "mysql").with_for_update(read=True)
        return self._connection.execute(query).first() is not None

    def _update(self, resource: Declaration, writes: Writes) -> None:
        """Rows that change secrets too have more columns, hence a statement of their own."""
        table = self._tables.resources[resource.name]
        groups: dict[tuple[str, ...], list[list[Any]]] = {}
        for row in writes.updates:
            secrets = {resource.field(name).column: value for name, value in writes.secrets.get(row.id, {}).items()}
            groups.setdefault(tuple(secrets), []).append([*_values(resource, row)[:-1], *secrets.values()])
        for secret_columns, rows in groups.items():
            versions = [writes.replaces.get(row[0], row[1] - 1) for row in rows]
            columns = [*_columns(resource)[:-1], *secret_columns]
            _all_found(self._database.update_many(self._connection, table, columns, rows, versions), rows)

    def publish(self, records: Iterable[tuple[Declaration, Record]], receipts: Iterable[Receipt]) -> None:
        records = list(records)
        for resource in {resource.name: resource for resource, _ in records}.values() or (None,):
            self._begin(resource)
        if rows := [_outbox(resource, record) for resource, record in records]:
            self._database.insert_many(self._connection, self._tables.outbox, _OUTBOX, rows)
        insert(self._database, self._connection, self._tables, receipts)

    def commit(self) -> None:
        self._database.commit(self._connection)

    def _begin(self, resource: Declaration | None) -> None:
        """The row by which `settle` knows that this unit is done. Raises Outdated where this program's writers are not let in."""
        if self._entered is None:
            fence.begin(self._database, self._connection, self._tables, self.doubt.unit, resource)
            self._entered = set()
        elif resource and resource.name not in self._entered:
            fence.join(self._database, self._connection, self._tables, resource)
        self._entered |= {resource.name} if resource else set()

    @contextmanager
    def _unique(self, resource: Declaration) -> Iterator[None]:
        """Names the field whose unique value was taken, where the engine says which index it was."""
        try:
            with self._database.translated():
                yield
        except Taken as error:
            if error.field:  # told already
                raise
            message = str(error.__cause__.orig.args[-1])  # type: ignore[union-attr]
            ends = {field.name: self._database.dialect.duplicate(resource.table, field.key_column) for field in resource.uniques}
            named = [name for name, end in ends.items() if message.endswith(end)]
            raise Taken(named[0] if named else "") from error


class SqlStore:
    """A write store in SQLite or MySQL."""

    def __init__(self, app: App, database: Database) -> None:
        self._app, self._database = app, database
        self._tables = Tables(app)
        self._scans = Scans(database, self._tables)

    @contextmanager
    def unit(self) -> Iterator[SqlUnit]:
        with self._database.write() as connection:
            yield SqlUnit(self._database, self._tables, connection)

    def settle(self, doubt: Doubt) -> bool:
        deadline = time.monotonic() + SETTLE_SECONDS
        while True:
            try:
                return self._settled(doubt)
            except Contended as error:  # the in-doubt transaction is still there
                if time.monotonic() > deadline:
                    raise Unavailable("The outcome of a commit could not be had.") from error

    def _settled(self, doubt: Doubt) -> bool:
        """A locking read waits for the in-doubt transaction; a plain one would say "absent" a moment too early. Where
        a system needs another commit to end the doubt, this is one.
        """
        unit = self._tables.unit
        with self._database.write() as connection:
            self._database.dialect.end(connection, doubt)
            found = connection.execute(select(unit.c.id).where(unit.c.id == doubt.unit).with_for_update()).first()
            if self._database.dialect.doubt_ends_by_commit:
                self._database.insert_many(connection, unit, ("id",), [(str(uuid_utils.uuid7()),)])
                self._database.commit(connection)
            return found is not None

    def look(
        self, resource: Declaration, values: Mapping[str, bytes], keys: Sequence[str], principal: str | None = None
    ) -> tuple[set[str], dict[str, Receipt]]:
        with self._database.read() as connection:
            table = self._tables.resources[resource.name]
            taken = {name for name, key in values.items() if _taken(self._database, connection, table, resource.field(name), [key])}
            found = find(connection, self._tables, [(principal or "", resource.name, key) for key in keys])
            return taken, {key[2]: receipt for key, receipt in found.items()}

    def owners(self, resource: Declaration, name: str, keys: Sequence[bytes]) -> dict[bytes, str]:
        with self._database.read() as connection:
            return _taken(self._database, connection, self._tables.resources[resource.name], resource.field(name), keys)

    def scan(self, resource: Declaration, after: str, limit: int) -> list[Row | Tombstone]:
        return self._scans.scan(resource, after, limit)

    def fetch(self, resource: Declaration, ids: Sequence[str]) -> dict[str, Row | Tombstone]:
        return self._scans.fetch(resource, ids)

    def count(self, resource: Declaration) -> int:
        with self._database.read() as connection:
            return connection.scalar(select(func.count()).select_from(self._tables.resources[resource.name])) or 0

    def records(self, resource: Declaration) -> int:
        rows, tombstones = self._tables.resources[resource.name], self._tables.tombstone
        with self._database.read() as connection:
            live = connection.scalar(select(func.sum(rows.c.version)))
            gone = connection.scalar(select(func.sum(tombstones.c.version)).where(tombstones.c.resource == resource.name))
        return int(live or 0) + int(gone or 0)

    def purge(self) -> bool:
        return purging.purge(self._database, self._tables)

    def check(self) -> list[tuple[bool, str]]:
        with self._database.read() as connection:
            for resource in self._app if "fence" in inspect(connection).get_table_names() else ():
                if reason := fence.outdated(connection, self._tables, resource):
                    raise Outdated(reason)
            return self._database.dialect.findings(connection)


def _row(resource: Declaration, values: Sequence[Any]) -> Row:
    names = [field.name for field in resource.public]
    return Row(values[0], values[1], dict(zip(names, values[2:-2], strict=True)), values[-2], values[-1])


def _all_found(found: int, wanted: Sequence[Any]) -> None:
    """Locked rows stay as they are; if not, the engine or somebody between gives locks that do not hold."""
    if found != len(wanted):
        raise Changed(f"{len(wanted) - found} of {len(wanted)} locked rows were changed by somebody else")


def _columns(resource: Declaration) -> list[str]:
    """The columns of a row but for its secrets; the last, `created_at`, is never changed."""
    fields = [name for field in resource.public for name in (field.column, *([field.key_column] if field.unique else []))]
    return ["id", "version", *fields, "updated_at", "created_at"]


def _values(resource: Declaration, row: Row) -> list[Any]:
    """What these columns hold."""
    values: list[Any] = [row.id, row.version]
    for field in resource.public:
        value = row.state[field.name]
        values.append(value)
        if field.unique:
            values.append(field.unique_key(value))
    return [*values, row.updated_at, row.created_at]


def _secrets(resource: Declaration, given: Mapping[str, str]) -> list[str]:
    return [given[field.name] for field in resource.secrets]


def _taken(database: Database, connection: Connection, table: Table, unique: Field, keys: Sequence[bytes]) -> dict[bytes, str]:
    return {bytes(key): id_ for key, id_ in database.find_many(connection, table, (unique.key_column, "id"), keys)}


def _outbox(resource: Declaration, record: Record) -> tuple[Any, ...]:
    value = None if record.value is None else record.value.decode()
    names = resource.name, record.key, record.version, record.type, record.event_id
    return *names, record.time, value, record.args, record.traceparent
