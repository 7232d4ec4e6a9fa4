"""Binds the contract of searches to the read store's engines."""

from __future__ import annotations

import os
import sqlite3
import time
import tracemalloc
from dataclasses import replace

import pytest
import test_index
from export_contract import ExportContract
from index_contract import Declare, IndexContract, fill, find, live
from search_contract import BEST, SearchContract

from twofold.errors import Unavailable
from twofold.index import sqlite_dates
from twofold.index.elastic_client import Engine
from twofold.index.port import ReadStore
from twofold.index.search import Dates, Interval, Search, Term, Terms
from twofold.index.sqlite import SqliteIndex


class TestSqlite(ExportContract, SearchContract):
    declare, store = IndexContract.declare, test_index.TestSqlite.store
    drop, _stranger = test_index.TestSqlite.drop, test_index.TestSqlite._stranger

    @pytest.mark.parametrize("seconds", [1e-9, 1e-4, 1e-3, 9.0])
    def test_a_search_leaves_its_connection_as_it_was(self, store: ReadStore, declare: Declare, seconds: float) -> None:
        assert isinstance(store, SqliteIndex)
        resource = declare()
        fill(store, resource, (live(f"{number:05}", title=f"anna a{number}") for number in range(2_000)))
        search = Search(((Term("anna", typos=2), Term("a1", typos=2)),), facets=(Terms("code"),), sort=BEST, seconds=seconds)

        page = store.search(resource, [search])[0]

        assert page.incomplete is (seconds < 9)
        with store._file.read() as connection:
            assert connection.execute("PRAGMA query_only").fetchone() == (1,)
            assert connection.execute("SELECT count(*) FROM sqlite_temp_master").fetchone() == (0,)
        assert find(store, resource, "anna").total == 2_000

    def test_an_export_whose_first_hits_take_too_long_is_given_up(self, store: ReadStore, declare: Declare) -> None:
        resource = declare()
        fill(store, resource, (live(f"{number:05}") for number in range(1_200)))

        with pytest.raises(Unavailable), store.export(resource, Search(seconds=1e-9)):
            pass
        with store.export(resource, Search(seconds=9)) as chunks:
            assert sum(map(len, chunks)) == 1_200

    def test_searches_share_the_time_of_their_call(self, store: ReadStore, declare: Declare) -> None:
        """One behind the other on one connection: who comes late in a batch has no more time than the first."""
        assert isinstance(store, SqliteIndex)
        resource = declare()
        fill(store, resource, (live(f"{number:05}", title=f"anna a{number}") for number in range(2_000)))
        heavy = Search(((Term("anna", typos=2), Term("a1", typos=2)),), facets=(Terms("code"),), sort=BEST)
        began = time.monotonic()
        [alone] = store.search(resource, [replace(heavy, seconds=9.0)])
        took = time.monotonic() - began
        assert not alone.incomplete
        pages = store.search(resource, [replace(heavy, seconds=2 * took)] * 12)
        assert pages[-1].incomplete

    def test_an_export_holds_no_more_than_a_chunk(self, store: ReadStore, declare: Declare) -> None:
        resource = declare()
        fill(store, resource, (live(f"{number:05}", note="x" * 20_000) for number in range(3_000)))

        tracemalloc.start()
        with store.export(resource, Search()) as chunks:
            count = sum(len(chunk) for chunk in chunks)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()

        assert count == 3_000
        assert peak < 45_000_000  # of 60,000,000, and each chunk is there as bytes and as objects

    def test_an_export_of_a_store_that_was_closed_is_unavailable(self, store: ReadStore, declare: Declare) -> None:
        resource = declare()
        fill(store, resource, (live(f"{number:05}") for number in range(1_200)))

        with store.export(resource, Search()) as chunks:
            next(chunks)
            store.close()
            with pytest.raises(Unavailable):
                next(chunks)


@pytest.mark.parametrize(
    ("value", "interval", "zone", "expected"),
    [
        ("1919-03-31T12:00:00.000Z", "day", "America/Toronto", "1919-03-31T04:30:00.000Z"),  # from 23:30 to 00:30
        ("2018-11-04T12:00:00.000Z", "day", "America/Sao_Paulo", "2018-11-04T03:00:00.000Z"),  # from 00:00 to 01:00
        ("2024-10-05T15:45:00.000Z", "hour", "Australia/Lord_Howe", "2024-10-05T14:30:00.000Z"),  # from 02:00 to 02:30: in the hour before
        ("2026-10-25T01:30:00.000Z", "hour", "Europe/Berlin", "2026-10-25T01:00:00.000Z"),  # the second of two hours
        ("2026-10-25T00:30:00.000Z", "hour", "Europe/Berlin", "2026-10-25T00:00:00.000Z"),
        ("1001-01-01T00:00:00.000Z", "week", "America/New_York", "1000-12-29T04:56:02.000Z"),
        ("9998-12-31T23:59:59.999Z", "year", "Pacific/Kiritimati", "9998-12-31T10:00:00.000Z"),
        ("2006-10-29T02:30:30.000Z", "day", "America/St_Johns", "2006-10-29T02:30:00.000Z"),  # at 00:01 back to 23:01: a minute of a day
        ("2006-10-29T02:45:00.000Z", "day", "America/St_Johns", "2006-10-28T02:30:00.000Z"),
        ("2006-10-29T03:30:00.000Z", "day", "America/St_Johns", "2006-10-29T02:30:00.000Z"),
        ("1000-01-01T00:00:00.000Z", "week", "UTC", "0999-12-30T00:00:00.000Z"),
        ("9999-12-31T23:59:59.999Z", "week", "UTC", "9999-12-27T00:00:00.000Z"),
        ("2026-05-31T23:59:59.999Z", "quarter", "UTC", "2026-04-01T00:00:00.000Z"),
        ("1000-01-01", "week", "Asia/Tokyo", "0999-12-30"),
        ("9999-12-31", "week", "Asia/Tokyo", "9999-12-27"),
        ("9999-12-31", "quarter", "Asia/Tokyo", "9999-10-01"),
    ],
)
def test_where_an_interval_begins(value: str, interval: Interval, zone: str, expected: str) -> None:
    with sqlite3.connect(":memory:") as connection:
        sqlite_dates.register(connection)
        sql, parameters = sqlite_dates.beginning_of(Dates("at", interval, zone), "date" if len(value) == 10 else "datetime")
        assert connection.execute(f"SELECT {sql} FROM (SELECT ? AS value)", [*parameters, value]).fetchone() == (expected,)


class ElasticContract(ExportContract, SearchContract):
    declare, store = IndexContract.declare, test_index.ElasticContract.store
    cluster = test_index.ElasticContract.cluster
    drop, lose = test_index.ElasticContract.drop, test_index.ElasticContract.lose


class TestElasticsearch(ElasticContract):
    engine: Engine = "elasticsearch"
    url = os.environ.get("TWOFOLD_TEST_ELASTICSEARCH", "http://127.0.0.1:9200")


class TestOpenSearch(ElasticContract):
    engine: Engine = "opensearch"
    url = os.environ.get("TWOFOLD_TEST_OPENSEARCH", "http://127.0.0.1:9211")
