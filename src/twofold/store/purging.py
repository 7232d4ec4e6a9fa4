"""What is kept for a while only: the rows of units and receipts. In a small transaction of its own, which no command waits for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import select, text

from twofold.store.database import Database
from twofold.store.port import RECEIPT_HOURS, UNIT_HOURS
from twofold.store.tables import Tables

PURGE_ROWS = 1000


def purge(database: Database, tables: Tables) -> bool:
    """Removes a bounded number; True if there may be more. What another process is about to remove is left to that."""
    unit, receipt = tables.unit, tables.receipt
    old_unit = _uuid7_floor(datetime.now(UTC) - timedelta(hours=UNIT_HOURS))
    old_receipt = text(database.dialect.now(-3600 * RECEIPT_HOURS))
    some_units = select(unit.c.id).where(unit.c.id < old_unit).order_by(unit.c.id).limit(PURGE_ROWS)
    some_keys = select(receipt.c.key).where(receipt.c.created_at < old_receipt).limit(PURGE_ROWS)
    with database.write() as connection:
        units = connection.scalars(some_units.with_for_update(skip_locked=True)).all()
        keys = connection.scalars(some_keys.with_for_update(skip_locked=True)).all()
        database.delete_many(connection, unit, units)
        database.delete_many(connection, receipt, keys)
        database.commit(connection)
    return PURGE_ROWS in (len(units), len(keys))


def _uuid7_floor(when: datetime) -> str:
    """What every UUIDv7 made since then is greater than: its first 48 bits are milliseconds (RFC 9562, section 5.7)."""
    stamp = int(when.timestamp() * 1000)
    return f"{stamp >> 16:08x}-{stamp & 0xFFFF:04x}"
