"""From a Search to Elasticsearch's query language. What a user wrote is only ever the value of a leaf."""

from __future__ import annotations

from typing import Any

from twofold.fields import INT64, Kind
from twofold.index.elastic_mapping import text_paths
from twofold.index.mapping import SCORE, after, filters, full_sort, sort_kind
from twofold.index.port import TOTAL_CAP, Search, Sort
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
    chosen = [{"terms": {name: list(values)}} for name, values in filters(resource, search)]
    live = {"term": {"deleted": True}}  # also where the alias has lost its filter
    return {"bool": {"must": _words(resource, search), "filter": chosen, "must_not": live}}


def _words(resource: Declaration, search: Search) -> list[Json]:
    asked = [*search.words, *([] if search.prefix is None else [search.prefix])]
    paths = text_paths(resource)
    if not asked:
        return [{"match_all": {}}]
    if not paths:
        return [{"match_none": {}}]
    # A word without letters and digits ("&") is no word to the analyser: beside others it drops out, alone it finds nothing.
    empty = "all" if any(c.isalpha() or c.isdecimal() for word in asked for c in word) else "none"
    common = {"fields": paths, "zero_terms_query": empty}
    leaves = [{"query": word, "type": "phrase", **common} for word in search.words]
    if search.prefix is not None:
        # Not phrase_prefix: that looks at the first 50 terms with the prefix only.
        leaves.append({"query": search.prefix, "type": "bool_prefix", "operator": "and", **common})
    return [{"multi_match": leaf} for leaf in leaves]


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
