"""Receipts in SQL. A row has a size of its own, whatever the resource's: the answer is made anew from what it names.

Receipts of twofold 0.1 have the client's bare key and the whole answer, and no resource. They are found as long as there are any.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import Connection, Row, select

from twofold.kinds.datetimes import timestamp
from twofold.resource import Declaration
from twofold.store.database import Database
from twofold.store.port import Key, Receipt, Reply
from twofold.store.tables import Tables

_COLUMNS = ("key", "fingerprint", "status", "headers", "body", "resource", "id", "version", "seal", "created_at")


def find(connection: Connection, tables: Tables, keys: Sequence[Key]) -> dict[Key, Receipt]:
    """The receipts that exist of these keys."""
    if not keys:
        return {}
    table, stored = tables.receipt, {key: _stored(key) for key in keys}
    names = {*stored.values(), *(key[2] for key in keys)}
    query = select(*(table.c[name] for name in _COLUMNS[:-1])).where(table.c.key.in_(names))
    rows = {row.key: row for row in connection.execute(query)}
    found: dict[Key, Receipt] = {}
    for key, name in stored.items():
        if (row := rows.get(name)) is not None and row.resource is not None:
            found[key] = Receipt(key, bytes(row.fingerprint), row.status, row.id, row.version, row.seal)
        elif (row := rows.get(key[2])) is not None and row.resource is None:
            found[key] = _kept(key, row)
    return found


def insert(database: Database, connection: Connection, tables: Tables, receipts: Iterable[Receipt]) -> None:
    now = timestamp(datetime.now(UTC))
    rows = sorted((_stored(each.key), each) for each in receipts)
    values = [(name, each.fingerprint, each.status, "", "", each.key[1], each.id, each.version, each.seal, now) for name, each in rows]
    if values:
        database.insert_many(connection, tables.receipt, _COLUMNS, values)


def unseal(database: Database, connection: Connection, resource: Declaration, ids: Sequence[str]) -> None:
    """Takes away what receipts of these ids know of secrets."""
    if resource.secrets or any(spec.secret_arguments for spec in resource.commands.values()):
        database.clear_many(connection, "receipt", "seal", ("resource", resource.name), ("id", ids), "receipt_resource_id")


def _stored(key: Key) -> str:
    """What the primary key holds: of one length, whatever the client chose."""
    return hashlib.sha256(orjson.dumps(key)).hexdigest()


def _kept(key: Key, row: Row[Any]) -> Receipt:
    reply = Reply(row.status, orjson.loads(row.headers), row.body.encode())
    return Receipt(key, bytes(row.fingerprint), row.status, "", 0, kept=reply)
