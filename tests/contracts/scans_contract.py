"""What `twofold.store.port.WriteStore` promises of `scan` and `fetch`, on every engine: a part of the contract in `store_contract.py`."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event
from store_contract import LATER, MEMBERS, NASTY, SAMPLES, StoreContract, changed, created, member, new_id, sample, saved

from twofold.resource import Declaration
from twofold.store import scans
from twofold.store.port import Row, Tombstone, Writes
from twofold.store.sql import SqlStore


def scanned(store: SqlStore, limit: int, resource: Declaration = MEMBERS) -> list[Row | Tombstone]:
    """Everything, in chunks of at most `limit`."""
    found: list[Row | Tombstone] = []
    while chunk := store.scan(resource, found[-1].id if found else "", limit):
        assert len(chunk) <= limit
        found += chunk
    return found


@contextmanager
def between(store: SqlStore, change: Any) -> Iterator[None]:
    """Makes a change by somebody else once, behind the first statement that the store reads with."""
    left = [change]

    def changing(*_: Any) -> None:
        if left:
            left.pop()()

    event.listen(store._database._reader, "after_cursor_execute", changing)
    yield
    event.remove(store._database._reader, "after_cursor_execute", changing)
    assert not left


class ScansContract:
    """Bound with the whole contract of the store."""

    @pytest.mark.parametrize("limit", [1, 2, 7, 1000])
    def test_scan_gives_rows_and_tombstones_in_the_order_of_ids(self, store: SqlStore, limit: int) -> None:
        rows = [member() for _ in range(20)]
        random.shuffle(rows)
        saved(store, created(*rows))
        gone = rows[3:12]
        saved(store, Writes(deletes=[(row.id, 2, LATER) for row in gone]))
        alive = {row.id: row for row in rows if row not in gone}
        expected = {**alive, **{row.id: Tombstone(row.id, 2, LATER) for row in gone}}

        assert scanned(store, limit) == [expected[id_] for id_ in sorted(expected)]
        assert scanned(store, limit, SAMPLES) == []

    @pytest.mark.parametrize("limit", [1, 3, 100])
    def test_scan_of_nothing_but_tombstones(self, store: SqlStore, limit: int) -> None:
        rows = [member() for _ in range(10)]
        saved(store, created(*rows))
        saved(store, Writes(deletes=[(row.id, 2, LATER) for row in rows]))

        assert [each.id for each in scanned(store, limit)] == sorted(row.id for row in rows)

    def test_scan_gives_every_kind_of_value_exactly(self, store: SqlStore) -> None:
        rows = {row.id: row for row in map(sample, range(max(map(len, NASTY.values()))))}
        saved(store, created(*rows.values()), SAMPLES)

        StoreContract._equal({row.id: row for row in scanned(store, 100, SAMPLES) if isinstance(row, Row)}, rows)

    def test_what_stands_for_no_value_of_its_column_is_given_as_it_is(self, store: SqlStore) -> None:
        """As a change by hand may leave it: whoever makes documents tells of it, and of no other row."""
        broken, fine = sample(1), sample(1)
        saved(store, created(broken, fine), SAMPLES)
        with store._database.write() as connection:
            connection.exec_driver_sql(f"UPDATE {SAMPLES.table} SET words = 'no list' WHERE id = '{broken.id}'")
            store._database.commit(connection)
        for found in (store.fetch(SAMPLES, [broken.id, fine.id]), {row.id: row for row in scanned(store, 10, SAMPLES)}):
            rows = {id_: row for id_, row in found.items() if isinstance(row, Row)}
            assert rows[broken.id].state["words"] == "no list"
            StoreContract._equal({fine.id: rows[fine.id]}, {fine.id: fine})

    def test_scan_and_fetch_lock_nothing_and_wait_for_nothing(self, store: SqlStore) -> None:
        old, other = member(), member()
        saved(store, created(old, other))
        with store.unit() as unit:
            unit.load(MEMBERS, [old.id])
            unit.save(MEMBERS, Writes(deletes=[(other.id, 2, LATER)], updates=[changed(old, name="Bo")], inserts=[]))
            assert {row.id: row for row in scanned(store, 10)} == {old.id: old, other.id: other}
            assert store.fetch(MEMBERS, [old.id, other.id]) == {old.id: old, other.id: other}

    def test_one_that_is_deleted_meanwhile_is_never_missing(self, store: SqlStore) -> None:
        """A row or a tombstone, and one of them."""
        rows = sorted([member() for _ in range(5)], key=lambda row: row.id)
        saved(store, created(*rows))
        deletes = [(row.id, 2, LATER) for row in rows[1:4]]

        with between(store, lambda: saved(store, Writes(deletes=deletes))):
            found = store.scan(MEMBERS, "", 10)

        assert [each.id for each in found] == [row.id for row in rows]
        assert all(each == row or each == Tombstone(row.id, 2, LATER) for each, row in zip(found, rows, strict=True))

    def test_one_that_is_deleted_while_it_is_fetched_is_never_missing(self, store: SqlStore) -> None:
        row = member()
        saved(store, created(row))

        with between(store, lambda: saved(store, Writes(deletes=[(row.id, 2, LATER)]))):
            found = store.fetch(MEMBERS, [row.id])

        assert found[row.id] in (row, Tombstone(row.id, 2, LATER))

    def test_a_scan_is_bounded_in_bytes_and_leaves_nothing_out(self, store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(scans, "CHUNK_BYTES", 100_000)
        monkeypatch.setattr(scans, "PART", 4)
        rows = [Row(new_id(), 1, {**sample(0).state, "long": "x" * 20_000}, LATER, LATER) for _ in range(40)]
        saved(store, Writes(inserts=rows), SAMPLES)

        chunks: list[list[Row | Tombstone]] = []
        while chunk := store.scan(SAMPLES, chunks[-1][-1].id if chunks else "", 1000):
            chunks.append(chunk)

        assert [each.id for chunk in chunks for each in chunk] == [row.id for row in sorted(rows, key=lambda row: row.id)]
        assert max(len(chunk) for chunk in chunks) <= 8

    def test_fetch_gives_rows_and_tombstones_and_leaves_the_unknown_out(self, store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(scans, "IDS", 2)
        alive, dead, other = member(), member(), member()
        saved(store, created(alive, dead, other))
        saved(store, Writes(deletes=[(dead.id, 2, LATER)]))

        found = store.fetch(MEMBERS, [dead.id, new_id(), alive.id, new_id()])

        assert found == {alive.id: alive, dead.id: Tombstone(dead.id, 2, LATER)}
        assert (store.fetch(MEMBERS, []), store.fetch(SAMPLES, [alive.id, dead.id])) == ({}, {})
