"""From a Search to Elasticsearch's query language. What a user wrote is only ever the value of a leaf."""

from __future__ import annotations

from typing import Any

from twofold.fields import INT64, Kind
from twofold.index.elastic_mapping import text_paths
from twofold.index.mapping import SCORE, after, full_sort, refinements, sort_kind
from twofold.index.search import TOTAL_CAP, Search, Sort, Term
from twofold.resource import Declaration

Json = dict[str, Any]
# What a missing value counts as when it is to sort last, up and down. For dates and booleans it is said to the engines:
# left alone, Elasticsearch fails at printing the year 292278994, and the two disagree about booleans.
_LAST: dict[Kind, tuple[Any, Any]] = {
    "string": (None, None),
    "integer": (INT64 - 1, -INT64),
    "decimal": (INT64 - 1, -INT64),
    "float": ("Infinity", "-Infinity"),
    "boolean": (2, -1),
    "date": (253_402_300_799_999, -62_135_596_800_000),  # the ends of the years 9999 and 0: behind whatever a field can hold
    "datetime": (253_402_300_799_999, -62_135_596_800_000),
}
_SAID = ("boolean", "date", "datetime")


def search_body(resource: Declaration, search: Search) -> Json:
    body = {
        "query": _query(resource, search),
        "sort": [_sort(resource, sort) for sort in full_sort(search)],
        "size": search.limit,
        "track_total_hits": TOTAL_CAP,
    }
    if search.after is not None:
        body["search_after"] = [_after(sort, kind, value) for sort, kind, value in after(resource, search)]
    return body


def _query(resource: Declaration, search: Search) -> Json:
    chosen = [{"terms": {each.field: list(each.values)}} for each in refinements(resource, search)]
    live = {"term": {"deleted": True}}  # also where the alias has lost its filter
    return {"bool": {"must": _text(resource, search), "filter": chosen, "must_not": live}}


def _text(resource: Declaration, search: Search) -> list[Json]:
    paths = text_paths(resource)
    if not search.text:
        return [{"match_all": {}}]
    if not paths:
        return [{"match_none": {}}]
    # A word without letters and digits ("&") is no word to the analyser: beside others it drops out, alone it finds nothing.
    empty = "all" if any(c.isalpha() or c.isdecimal() for group in search.text for term in group for c in term.text) else "none"
    return [_group(paths, group, empty) for group in search.text]


def _group(paths: list[str], group: tuple[Term, ...], empty: str) -> Json:
    if len(group) == 1:
        return _term(paths, group[0], empty)
    return {"bool": {"should": [_term(paths, term, "none") for term in group]}}


def _term(paths: list[str], term: Term, empty: str) -> Json:
    common = {"query": term.text, "fields": paths, "zero_terms_query": "none" if term.excluded else empty}
    # Not phrase_prefix: that looks at the first 50 terms with the prefix only.
    kind = {"type": "bool_prefix", "operator": "and"} if term.prefix else {"type": "phrase"}
    leaf = {"multi_match": {**common, **kind}}
    return {"bool": {"must_not": leaf}} if term.excluded else leaf


def _sort(resource: Declaration, sort: Sort) -> Json:
    order = "desc" if sort.descending else "asc"
    kind = sort_kind(resource, sort.field)
    if sort.field == SCORE:
        return {SCORE: {"order": order}}
    return {sort.field: {"order": order, "missing": _LAST[kind][sort.descending] if kind in _SAID else "_last"}}


def _after(sort: Sort, kind: Kind, value: Any) -> Any:
    if value is None:
        return _LAST[kind][sort.descending]
    return int(value) if kind == "boolean" else value
