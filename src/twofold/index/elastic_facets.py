"""Facets as aggregations of the one request that finds the hits, and back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from twofold.index.checks import check_intervals
from twofold.index.elastic_filter import condition_query
from twofold.index.mapping import filter_form, refinements
from twofold.index.search import Bucket, Buckets, Dates, Facet, OneOf, Ranges, Search, Stats, Summary, Terms
from twofold.kinds import Form
from twofold.kinds.datetimes import timestamp
from twofold.resource import Declaration

Json = dict[str, Any]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def held_back(search: Search) -> list[OneOf]:
    """The refinements that some facet counts without: they choose hits only after the facets have counted."""
    faceted = {facet.field for facet in search.facets} if search.disjunctive else set()
    return [each for each in refinements(search) if each.field in faceted]


def aggregations(resource: Declaration, search: Search) -> Json:
    """What counts each facet, under names with its position."""
    back = held_back(search)
    found: Json = {}
    for place, facet in enumerate(search.facets):
        counting = dict(_counting(resource, facet, place))
        others = [condition_query(each) for each in back if each.field != facet.field]
        found |= {f"chosen-{place}": {"filter": {"bool": {"filter": others}}, "aggs": counting}} if others else counting
    return found


def facets(resource: Declaration, search: Search, answer: Mapping[str, Any]) -> tuple[Buckets | Summary, ...]:
    """What `aggregations` were answered with, in the search's order."""
    return tuple(_read(resource, facet, place, answer.get(f"chosen-{place}", answer)) for place, facet in enumerate(search.facets))


def nothing(search: Search) -> tuple[Buckets | Summary, ...]:
    """What is told where there was no time to count."""
    return tuple(Summary() if isinstance(facet, Stats) else Buckets() for facet in search.facets)


def _counting(resource: Declaration, facet: Facet, place: int) -> Iterator[tuple[str, Json]]:
    yield f"missing-{place}", {"missing": {"field": facet.field}}
    match facet:
        case Terms(field, limit, also):
            yield f"values-{place}", {"terms": {"field": field, "size": limit, "order": [{"_count": "desc"}, {"_key": "asc"}]}}
            if also:
                wanted = [str(value).lower() if isinstance(value, bool) else value for value in also]
                yield f"also-{place}", {"terms": {"field": field, "size": len(also), "include": wanted}}
        case Dates(field, interval, time_zone):
            zone = {"time_zone": time_zone} if filter_form(resource, field) == "datetime" else {}  # a date is the same everywhere
            yield f"values-{place}", {"date_histogram": {"field": field, "calendar_interval": interval, "min_doc_count": 1, **zone}}
        case Ranges(field, bounds):
            # Filters, since ranges of the engine's own are for numbers only, and these no greater than 2⁵³.
            yield f"values-{place}", {"filters": {"filters": [_range(field, *pair) for pair in bounds]}}
        case Stats(field):
            yield f"values-{place}", {"stats": {"field": field}}


def _range(field: str, start: Any, end: Any) -> Json:
    bounds = {side: value for side, value in (("gte", start), ("lt", end)) if value is not None}
    return {"range": {field: bounds}} if bounds else {"exists": {"field": field}}


def _read(resource: Declaration, facet: Facet, place: int, answer: Mapping[str, Any]) -> Buckets | Summary:
    found, missing = answer[f"values-{place}"], answer[f"missing-{place}"]["doc_count"]
    form = filter_form(resource, facet.field)
    match facet:
        case Terms():
            return _terms(form, facet, found, answer.get(f"also-{place}", {}), missing)
        case Dates():
            check_intervals(facet, len(found["buckets"]))
            return Buckets(tuple(_intervals(form, found["buckets"])), missing=missing)
        case Ranges(_, bounds):
            counted = zip(bounds, found["buckets"], strict=True)
            return Buckets(tuple(Bucket(pair, each["doc_count"]) for pair, each in counted), missing=missing)
        case Stats():
            return Summary(found["count"], _number(found["min"]), _number(found["max"]), float(found["sum"]), missing)


def _terms(form: Form, facet: Terms, found: Json, asked: Json, missing: int) -> Buckets:
    first = _values(form, found["buckets"])
    listed = {bucket.value for bucket in first}
    counts = dict.fromkeys(facet.also, 0) | {each.value: each.count for each in _values(form, asked.get("buckets", []))}
    rest = [Bucket(value, count) for value, count in counts.items() if value not in listed]
    rest.sort(key=lambda bucket: (-bucket.count, bucket.value))
    other = found["sum_other_doc_count"] - sum(bucket.count for bucket in rest)
    return Buckets((*first, *rest), other, missing, found["doc_count_error_upper_bound"])


def _values(form: Form, buckets: list[Json]) -> list[Bucket]:
    """With their values as documents hold them, where the engine has keys of its own."""
    if form == "boolean":
        return [Bucket(bool(each["key"]), each["doc_count"]) for each in buckets]
    key = "key_as_string" if form in ("date", "datetime") else "key"
    return [Bucket(each[key], each["doc_count"]) for each in buckets]


def _intervals(form: Form, buckets: list[Json]) -> list[Bucket]:
    """When they begin: a date as the engine prints it; a time it would print in its zone."""
    if form == "date":
        return _values(form, buckets)
    return [Bucket(timestamp(_EPOCH + timedelta(milliseconds=each["key"])), each["doc_count"]) for each in buckets]


def _number(value: Any) -> float | None:
    return None if value is None else float(value)
