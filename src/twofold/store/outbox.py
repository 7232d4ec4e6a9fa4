"""The outbox in SQL: pending rows, never a cursor; removed by their ids, never by a range.

Ids are given at insert and become visible at commit, so a low id may appear after higher ones were removed. What bounds the
cost of an empty poll while old snapshots keep deleted rows from being purged is a *floor*: a full scan every 10 s notes the
smallest pending id, and polls start at the youngest note that is older than any transaction of a writer can be.
"""

from __future__ import annotations

import hashlib
import time
from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, func, select

from twofold.record import Record
from twofold.resource import App
from twofold.store.database import Database
from twofold.store.leases import SqlLeases
from twofold.store.tables import Tables

SCAN_SECONDS = 10.0
LONGEST_UNIT = 60.0  # seconds; MySQL ends idle sessions at wait_timeout, and a unit's own statements are far shorter
COUNT_CAP = 100_000
BATCH_BYTES = 8 << 20
MOST = 1 << 16  # rows, more than any relay asks for
PART = 64  # rows that are fetched before their size is looked at


class SqlOutbox:
    """The outbox of a write store in SQLite or MySQL."""

    def __init__(self, app: App, database: Database) -> None:
        self._database = database
        self._tables, self._leases = Tables(app), SqlLeases(app, database)
        self._resources = sorted(resource.name for resource in app)
        self._lease = "relay-" + hashlib.sha256(",".join(self._resources).encode()).hexdigest()[:16]
        self._floors: dict[tuple[str, ...], _Floor] = {}
        self._limit = MOST

    def lead(self, holder: str, seconds: float) -> bool:
        return self._leases.take(self._lease, holder, seconds)

    def resign(self, holder: str) -> None:
        self._leases.give_back(self._lease, holder)

    def pending(self, limit: int, resources: Sequence[str] = ()) -> list[tuple[int, str, Record]]:
        names = tuple(sorted(resources) or self._resources)
        if names not in self._floors and len(self._floors) > 2 * len(self._resources):  # who is asked for together changes
            self._floors.clear()
        floor = self._floors.setdefault(names, _Floor())
        start = floor.start()
        with self._database.read() as connection:
            rows = self._rows(connection, names, start, min(limit, self._limit))
        floor.found([row.id for row in rows])
        return [(row.id, row.resource, _record(row)) for row in rows]

    def _rows(self, connection: Connection, names: Sequence[str], floor: int, limit: int) -> list[Row[Any]]:
        """About BATCH_BYTES at the most. MySQL sends what it is not asked for all the same, and the driver drops it; so less is asked for
        the next time.
        """
        outbox = self._tables.outbox
        query = select(outbox).where(outbox.c.id >= floor, outbox.c.resource.in_(names)).order_by(outbox.c.id).limit(limit)
        streaming = connection.execution_options(stream_results=True, max_row_buffer=PART)
        rows: list[Row[Any]] = []
        size = 0
        with streaming.execute(query.with_hint(outbox, "FORCE INDEX (PRIMARY)", "mysql")) as found:
            while size < BATCH_BYTES and (part := found.fetchmany(PART)):
                rows += part
                size += sum([len(row.value or "") + len(row.args or "") for row in part])
        self._limit = max(PART, len(rows)) if size >= BATCH_BYTES else min(2 * self._limit, MOST)
        return rows

    def remove(self, ids: Sequence[int]) -> None:
        with self._database.write() as connection:
            self._database.delete_many(connection, self._tables.outbox, ids)
            self._database.commit(connection)

    def backlog(self) -> tuple[int, float]:
        outbox = self._tables.outbox
        ours = outbox.c.resource.in_(self._resources)  # what no relay of this app takes would be waited for in vain
        with self._database.read() as connection:
            count = _counted(connection, select(outbox.c.id).where(ours))
            oldest = connection.scalar(select(outbox.c.time).where(ours).order_by(outbox.c.id).limit(1))
        age = (datetime.now(UTC) - datetime.fromisoformat(oldest)).total_seconds() if oldest else 0.0
        return count, max(age, 0.0)

    def kept(self) -> dict[str, int]:
        tables = {"receipts": self._tables.receipt.c.key, "units": self._tables.unit.c.id, "tombstones": self._tables.tombstone.c.id}
        with self._database.read() as connection:
            return {name: _counted(connection, select(column)) for name, column in tables.items()}


def _counted(connection: Connection, query: Select[Any]) -> int:
    return connection.scalar(select(func.count()).select_from(query.limit(COUNT_CAP).subquery())) or 0


class _Floor:
    """Where polls of some resources start."""

    def __init__(self) -> None:
        self._floor = self._highest = 0
        self._scans: deque[tuple[float, int]] = deque()
        self._scanning = False

    def start(self) -> int:
        self._scanning = not self._scans or time.monotonic() - self._scans[-1][0] > SCAN_SECONDS
        return 0 if self._scanning else self._floor

    def found(self, ids: Sequence[int]) -> None:
        """What a poll from there has found, in order."""
        if self._scanning:
            now = time.monotonic()
            self._scans.append((now, ids[0] if ids else self._highest + 1))
            while now - self._scans[0][0] > LONGEST_UNIT:
                self._floor = self._scans.popleft()[1]
            if ids:  # one that was committed just after a scan that had found nothing
                self._floor = min(self._floor, ids[0])
        if ids:
            self._highest = max(self._highest, ids[-1])


def _record(row: Row[Any]) -> Record:
    return Record(
        key=row.key,
        version=row.version,
        type=row.type,
        event_id=row.event_id,
        time=row.time,
        value=None if row.value is None else row.value.encode(),
        args=row.args,
        traceparent=row.traceparent,
    )
