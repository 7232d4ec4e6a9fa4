"""Facets: one statement each, over the documents that match."""

# ruff: noqa: S608 - names come from the declaration and are quoted, values are bound
from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from twofold.index.checks import MAX_INTERVALS, check_intervals
from twofold.index.mapping import filter_form, many
from twofold.index.search import Bucket, Buckets, Dates, Facet, Ranges, Stats, Summary, Terms
from twofold.index.sqlite_dates import beginning_of
from twofold.index.sqlite_filter import between, items, one_of, place
from twofold.index.sqlite_query import Query
from twofold.index.sqlite_text import Statement


def count(connection: sqlite3.Connection, query: Query, facet: Facet) -> Buckets | Summary:
    match facet:
        case Terms():
            return _terms(connection, query, facet)
        case Dates():
            return _dates(connection, query, facet)
        case Ranges():
            return _ranges(connection, query, facet)
        case Stats():
            return _stats(connection, query, facet)


def nothing(facet: Facet) -> Buckets | Summary:
    """What is told where there was no time to count."""
    return Summary() if isinstance(facet, Stats) else Buckets()


def _terms(connection: sqlite3.Connection, query: Query, facet: Terms) -> Buckets:
    held, parameters = _different(query, facet, "value")
    listed, also = one_of("value", facet.also, many=_many(query, facet))
    sql = (
        f"WITH held AS ({held}), counts AS (SELECT value, count(*) AS number FROM held GROUP BY value), ranked AS ("
        "SELECT value, number, row_number() OVER (ORDER BY value IS NULL, number DESC, value) AS place, "
        "sum(number) FILTER (WHERE value IS NOT NULL) OVER () AS total FROM counts) "
        f"SELECT value, number, place, total FROM ranked WHERE place <= ? OR value IS NULL OR {listed} ORDER BY place"
    )
    rows = connection.execute(sql, [*parameters, facet.limit, *also]).fetchall()
    found = [(Bucket(_value(query, facet, value), number), place) for value, number, place, _ in rows if value is not None]
    first = [bucket for bucket, place in found if place <= facet.limit]
    buckets = (*first, *_also(facet, first, [bucket for bucket, _ in found]))
    total = (rows[0][3] or 0) if rows else 0
    return Buckets(buckets, total - sum(bucket.count for bucket in buckets), _missing(rows))


def _also(facet: Terms, first: list[Bucket], found: list[Bucket]) -> list[Bucket]:
    listed = {bucket.value for bucket in first}
    counts = {bucket.value: bucket.count for bucket in found}
    buckets = [Bucket(value, counts.get(value, 0)) for value in dict.fromkeys(facet.also) if value not in listed]
    return sorted(buckets, key=lambda bucket: (-bucket.count, bucket.value))


def _dates(connection: sqlite3.Connection, query: Query, facet: Dates) -> Buckets:
    beginning, parameters = beginning_of(facet, filter_form(query.resource, facet.field))
    if _many(query, facet):
        held, more = _different(query, facet, beginning, parameters)
        counted, parameters = f"SELECT value AS first, 1 AS number FROM ({held})", more
    else:  # each value once: SQLite then takes them from the field's index, and does not look each document up
        source, more = query.source(facet.field)
        held = f"SELECT {place(facet.field)} AS value, count(*) AS number {source} GROUP BY 1"
        counted, parameters = f"SELECT {beginning} AS first, number FROM ({held})", [*parameters, *more]
    sql = f"SELECT first, sum(number) FROM ({counted}) GROUP BY first ORDER BY first LIMIT ?"  # NULL is the first
    rows = connection.execute(sql, [*parameters, MAX_INTERVALS + 2]).fetchall()
    buckets = tuple(Bucket(value, number) for value, number in rows if value is not None)
    check_intervals(facet, len(buckets))
    return Buckets(buckets, missing=_missing(rows))


def _ranges(connection: sqlite3.Connection, query: Query, facet: Ranges) -> Buckets:
    counts = [_range(query, facet, least, beyond) for least, beyond in facet.bounds]
    source, parameters = query.source(facet.field)
    sql = f"SELECT {', '.join([*(sql for sql, _ in counts), f'count(*) FILTER (WHERE {_absent(query, facet)})'])} {source}"
    *found, missing = connection.execute(sql, [*(value for _, values in counts for value in values), *parameters]).fetchone()
    return Buckets(tuple(map(Bucket, facet.bounds, found)), missing=missing)


def _range(query: Query, facet: Ranges, least: Any, beyond: Any) -> Statement:
    sql, parameters = between(_expression(query, facet), least, beyond, many=_many(query, facet))
    if _many(query, facet):
        sql = f"EXISTS (SELECT 1 FROM {items(facet.field)} WHERE {sql})"
    return f"count(*) FILTER (WHERE {sql})", parameters


def _absent(query: Query, facet: Ranges) -> str:
    return f"coalesce(json_array_length({place(facet.field)}), 0) = 0" if _many(query, facet) else f"{place(facet.field)} IS NULL"


def _stats(connection: sqlite3.Connection, query: Query, facet: Stats) -> Summary:
    """`total`, since `sum` refuses to go beyond 64 bits."""
    held, parameters = _values(query, facet)
    sql = f"SELECT count(value), min(value), max(value), total(value), count(*) - count(value) FROM ({held})"
    number, least, greatest, total, missing = connection.execute(sql, parameters).fetchone()
    return Summary(number, None if least is None else float(least), None if greatest is None else float(greatest), total, missing)


def _different(query: Query, facet: Terms | Dates, expression: str, parameters: Sequence[Any] = ()) -> Statement:
    """Each match with each of its different values, as `value`."""
    held, more = _values(query, facet)
    distinct = "DISTINCT" if _many(query, facet) else ""
    return f'SELECT {distinct} "row", {expression} AS value FROM ({held})', [*parameters, *more]


def _values(query: Query, facet: Facet) -> Statement:
    """Each match with each of its values, or NULL where it has none."""
    join = f"LEFT JOIN {items(facet.field)}" if _many(query, facet) else ""
    source, parameters = query.source(facet.field, join)
    return f'SELECT d."row" AS "row", {_expression(query, facet)} AS value {source}', parameters


def _expression(query: Query, facet: Facet) -> str:
    return "item.value" if _many(query, facet) else place(facet.field)


def _many(query: Query, facet: Facet) -> bool:
    return many(query.resource, facet.field)


def _value(query: Query, facet: Terms, value: Any) -> Any:
    return bool(value) if filter_form(query.resource, facet.field) == "boolean" else value


def _missing(rows: list[tuple[Any, ...]]) -> int:
    return sum(row[1] for row in rows if row[0] is None)
