"""The tables of an app, as SQLAlchemy Core describes them. Values go in and come out as state holds them."""

from __future__ import annotations

from typing import Any

import orjson
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Table,
    literal,
    text,
)
from sqlalchemy.sql.elements import Grouping
from sqlalchemy.types import TypeEngine

from twofold.fields import Field
from twofold.kinds import Form
from twofold.kinds.strings import UNIQUE_BYTES
from twofold.resource import App, Declaration
from twofold.store.types import DAY, LONG_TEXT, TIMESTAMP, Converted, JsonList, binary
from twofold.widths import HASH_LENGTH, LONGEST_VARCHAR

_TYPES: dict[Form, TypeEngine[Any]] = {
    "integer": BigInteger(),
    "float": Double(),
    "boolean": Boolean(),
    "date": DAY,
    "datetime": TIMESTAMP,
}
COLLATION = "utf8mb4_0900_bin"  # byte order, no padding: 'a' and 'a ' differ
_MYSQL: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": COLLATION}


class Tables:
    """Every table of an app: one per resource, and the runtime's own seven."""

    def __init__(self, app: App) -> None:
        self.metadata = MetaData()
        self.resources = {resource.name: _resource(self.metadata, resource) for resource in app}
        self.outbox = _outbox(self.metadata)
        self.unit = Table(
            "unit",
            self.metadata,
            Column("id", String(36), primary_key=True),
            **_MYSQL,
        )
        self.tombstone = Table(
            "tombstone",
            self.metadata,
            Column("resource", String(63), primary_key=True),
            Column("id", String(36), primary_key=True),
            Column("version", BigInteger, nullable=False),
            Column("deleted_at", TIMESTAMP, nullable=False),
            **_MYSQL,
        )
        self.receipt = _receipt(self.metadata)
        self.fence = Table(
            "fence",
            self.metadata,
            Column("resource", String(63), primary_key=True),
            Column("digest", String(16), primary_key=True),
            Column("number", Integer, nullable=False),
            Column("admitted", Boolean, nullable=False),
            **_MYSQL,
        )
        self.kinds = _kinds(self.metadata)
        self.lease = Table(
            "lease",
            self.metadata,
            Column("name", String(63), primary_key=True),
            Column("holder", String(64), nullable=False),
            Column("expires_at", TIMESTAMP, nullable=False),
            **_MYSQL,
        )


def _kinds(metadata: MetaData) -> Table:
    return Table(
        "column_kind",
        metadata,
        Column("table_name", String(64), primary_key=True),
        Column("column_name", String(64), primary_key=True),
        Column("kind", String(32), nullable=False),
        **_MYSQL,
    )


def _outbox(metadata: MetaData) -> Table:
    """No index beside the key; AUTOINCREMENT, so that SQLite never gives an id a second time."""
    return Table(
        "outbox",
        metadata,
        Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
        Column("resource", String(63), nullable=False),
        Column("key", String(36), nullable=False),
        Column("version", BigInteger, nullable=False),
        Column("type", String(127), nullable=False),
        Column("event_id", String(36), nullable=False),
        Column("time", String(24), nullable=False),
        Column("value", LONG_TEXT),
        Column("args", LONG_TEXT),
        Column("traceparent", String(64)),
        sqlite_autoincrement=True,
        **_MYSQL,
    )


def _receipt(metadata: MetaData) -> Table:
    """`headers` and `body` hold something in receipts of twofold 0.1 only, which have none of the columns that may be null."""
    return Table(
        "receipt",
        metadata,
        Column("key", String(255), primary_key=True),
        Column("fingerprint", binary(32), nullable=False),
        Column("status", SmallInteger, nullable=False),
        Column("headers", LONG_TEXT, nullable=False),
        Column("body", LONG_TEXT, nullable=False),
        Column("created_at", TIMESTAMP, nullable=False),
        Column("resource", String(63)),
        Column("id", String(36)),
        Column("version", BigInteger),
        Column("seal", String(255)),
        Index("receipt_created_at", "created_at"),
        Index("receipt_resource_id", "resource", "id"),
        **_MYSQL,
    )


def _resource(metadata: MetaData, resource: Declaration) -> Table:
    columns: list[Any] = [
        Column("id", String(36), primary_key=True),
        Column("version", BigInteger, nullable=False),
    ]
    for field in resource.fields:
        kind = {"kind": _kind(field), "choices": () if field.many else field.choices, "smallest": "" if field.many else field.kind.smallest}
        columns.append(Column(field.column, _type(field), nullable=field.nullable, server_default=_default(field), info=kind))
        if field.unique:
            key = binary(UNIQUE_BYTES)
            columns.append(Column(field.key_column, key, nullable=field.nullable, info={"of": field.column}))
            columns.append(Index(f"{resource.table}_{field.key_column}", field.key_column, unique=True))
    times: list[Any] = [Column("created_at", TIMESTAMP, nullable=False), Column("updated_at", TIMESTAMP, nullable=False)]
    return Table(resource.table, metadata, *columns, *times, **_MYSQL)


def _type(field: Field) -> TypeEngine[Any]:
    if field.many:
        return JsonList()
    if field.secret:
        return String(HASH_LENGTH) if field.hashed else LONG_TEXT
    if field.kind.is_converted:
        return Converted(field)
    if field.kind.form == "string":
        return String(field.max_length) if field.max_length <= LONGEST_VARCHAR else LONG_TEXT
    return _TYPES[field.kind.form]


def _kind(field: Field) -> str:
    """What values are, where columns of one type may hold several kinds."""
    kind = "secret" if field.secret else field.kind.noted(field)
    return f"list of {kind}" if field.many else kind


def _default(field: Field) -> Any:
    """The declared default, so that rows that exist have it in a new column."""
    if field.required or field.default is None or field.secret or field.unique:
        return None
    if field.many:
        return _expression(orjson.dumps(field.default).decode())
    value, form = field.stored(field.default), field.kind.form
    if form in ("boolean", "integer", "float"):
        return text(str(int(value) if form == "boolean" else value))
    if form == "string" and field.max_length > LONGEST_VARCHAR:
        return _expression(value)
    return value.removesuffix("Z") if form == "datetime" else value


def _expression(value: str) -> Grouping[str]:
    """A literal in parentheses, which is the only default that MySQL allows for LONGTEXT."""
    return Grouping(literal(value, String()))
