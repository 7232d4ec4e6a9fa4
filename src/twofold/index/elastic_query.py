"""From a Search to the body of a request to Elasticsearch or OpenSearch. What a user wrote is only ever the value of a leaf."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from twofold.index.elastic_facets import aggregations, held_back
from twofold.index.elastic_filter import condition_query
from twofold.index.elastic_mapping import text_paths
from twofold.index.elastic_text import text_query
from twofold.index.mapping import SCORE, after, full_sort, refinements, sort_form
from twofold.index.search import TOTAL_CAP, And, OneOf, Search, Sort
from twofold.kinds import Form
from twofold.kinds.kind import INT64
from twofold.resource import Declaration

Json = dict[str, Any]
# What a missing value counts as when it is to sort last, up and down. For dates and booleans it is said to the engines:
# left alone, Elasticsearch fails at printing the year 292278994, and the two disagree about booleans.
_LAST: dict[Form, tuple[Any, Any]] = {
    "string": (None, None),
    "integer": (INT64 - 1, -INT64),
    "float": ("Infinity", "-Infinity"),
    "boolean": (2, -1),
    "date": (253_402_300_799_999, -62_135_596_800_000),  # the ends of the years 9999 and 0: behind whatever a field can hold
    "datetime": (253_402_300_799_999, -62_135_596_800_000),
}
_SAID = ("boolean", "date", "datetime")


def search_lines(resource: Declaration, searches: Sequence[Search], index: str) -> bytes:
    """The searches, which were checked, as one request for many."""
    lines = []
    for search in searches:
        # The engines fail a search that had too little time, unless parts of an answer are allowed.
        lines.append(orjson.dumps({"index": index, "allow_partial_search_results": search.seconds is not None}))
        lines.append(orjson.dumps(search_body(resource, search)))
    return b"\n".join([*lines, b""])


def search_body(resource: Declaration, search: Search) -> Json:
    """A page."""
    body = {**hits_body(resource, search), "track_total_hits": True if search.exact else TOTAL_CAP}
    if search.after is None:
        body["from"] = search.offset
    else:  # the engines do not take both: what is to be skipped is left out when the answer is read
        body["size"] = search.offset + search.limit
    if search.facets:
        body["aggs"] = aggregations(resource, search)
    if search.highlight and search.text:
        body["highlight"] = _highlight(resource, search)
    if search.seconds is not None:
        body["timeout"] = time_limit(search.seconds)
    return body


def time_limit(seconds: float) -> str:
    return f"{max(1, round(seconds * 1000))}ms"


def hits_body(resource: Declaration, search: Search) -> Json:
    """The hits alone, from `after` on."""
    back = held_back(search)
    body = {
        "query": _query(resource, search, back),
        "sort": [_sort(resource, sort) for sort in full_sort(search)],
        "size": search.limit,
    }
    if back:
        body["post_filter"] = condition_query(And(tuple(back)))
    if search.after is not None:
        body["search_after"] = [_after(sort, form, value) for sort, form, value in after(resource, search)]
    return body


def _query(resource: Declaration, search: Search, back: Sequence[OneOf]) -> Json:
    chosen = [each for each in refinements(search) if each not in back]
    conditions = chosen if search.filter is None else [search.filter, *chosen]
    scored = any(sort.field == SCORE for sort in search.sort)
    return {
        "bool": {
            "must": text_query(text_paths(resource), search, scored=scored),
            "filter": [condition_query(each) for each in conditions],
            "must_not": {"term": {"deleted": True}},  # also where the alias has lost its filter
        }
    }


def _highlight(resource: Declaration, search: Search) -> Json:
    paths = text_paths(resource)
    return {
        "type": "unified",
        "number_of_fragments": 0,  # whole texts
        "pre_tags": [search.marks[0]],
        "post_tags": [search.marks[1]],
        # Words are marked wherever they stand; a query that asks for one field would have Elasticsearch, but not OpenSearch,
        # put one mark around a whole phrase.
        "require_field_match": False,
        "highlight_query": text_query(paths, search, scored=False),
        "fields": {path: {} for path in paths if path.removesuffix(".text") in search.highlight},
    }


def _sort(resource: Declaration, sort: Sort) -> Json:
    order = "desc" if sort.descending else "asc"
    form = sort_form(resource, sort.field)
    if sort.field == SCORE:
        return {SCORE: {"order": order}}
    return {sort.field: {"order": order, "missing": _LAST[form][sort.descending] if form in _SAID else "_last"}}


def _after(sort: Sort, form: Form, value: Any) -> Any:
    if value is None:
        return _LAST[form][sort.descending]
    return int(value) if form == "boolean" else value
