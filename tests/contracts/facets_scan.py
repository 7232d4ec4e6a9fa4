"""Facets counted by looking at each document."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from index_contract import Document, Model

from twofold.index.search import Bucket, Buckets, Dates, Facet, Interval, Ranges, Search, Stats, Summary, Terms
from twofold.kinds.datetimes import timestamp


def matching(model: Model, search: Search, facet: Facet) -> list[Document]:
    """The documents that a facet counts."""
    own = facet.field if search.disjunctive else None
    kept = tuple((name, values) for name, values in search.refinements if name != own)
    return [model.documents[key] for key in model.found(replace(search, refinements=kept))]


def scanned(documents: list[Document], facet: Facet) -> Buckets | Summary:
    held = [values_of(document, facet.field) for document in documents]
    missing = sum(not values for values in held)
    match facet:
        case Terms():
            return _terms(facet, Counter(value for values in held for value in set(values)), missing)
        case Dates():
            beginnings = Counter(value for values in held for value in {_beginning(each, facet) for each in values})
            return Buckets(tuple(Bucket(value, count) for value, count in sorted(beginnings.items())), missing=missing)
        case Ranges(_, bounds):
            counts = [sum(any(_within(value, *pair) for value in values) for values in held) for pair in bounds]
            return Buckets(tuple(map(Bucket, bounds, counts)), missing=missing)
        case Stats():
            every = [float(value) for values in held for value in values]
            return Summary(len(every), min(every, default=None), max(every, default=None), sum(every), missing)


def values_of(document: Document, name: str) -> list[Any]:
    value = document.get(name)
    return value if isinstance(value, list) else [] if value is None else [value]


def _terms(facet: Terms, counts: Counter[Any], missing: int) -> Buckets:
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    first = ranked[: facet.limit]
    more = {value: counts[value] for value in facet.also if value not in dict(first)}
    listed = [*first, *sorted(more.items(), key=lambda item: (-item[1], item[0]))]
    return Buckets(tuple(Bucket(*item) for item in listed), counts.total() - sum(count for _, count in listed), missing)


def _within(value: Any, least: Any, beyond: Any) -> bool:
    return (least is None or value >= least) and (beyond is None or value < beyond)


@cache
def _beginning(value: str, facet: Dates) -> str:
    """By walking back to the first minute at which the calendar shows the same interval."""
    if len(value) == 10:
        return _start(date.fromisoformat(value), facet.interval).isoformat()
    zone = ZoneInfo(facet.time_zone)
    local = datetime.fromisoformat(value).astimezone(zone)
    if facet.interval == "hour":
        return timestamp(local.replace(minute=0, second=0, microsecond=0))
    day = _start(local.date(), facet.interval)
    moment = datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC) - timedelta(hours=3)
    while moment.astimezone(zone).date() < day:
        moment += timedelta(seconds=1) if moment.astimezone(zone).utcoffset().seconds % 60 else timedelta(minutes=1)  # type: ignore[union-attr]
    return timestamp(moment)


def _start(day: date, interval: Interval) -> date:
    starts = {
        "year": day.replace(month=1, day=1),
        "quarter": day.replace(month=(day.month + 2) // 3 * 3 - 2, day=1),
        "month": day.replace(day=1),
        "week": day - timedelta(days=day.weekday()),
    }
    return starts.get(interval, day)
