"""What clients see: documents, and pages of them with facets and marked texts."""

from __future__ import annotations

import html
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from twofold.fields import Field
from twofold.index.search import Buckets, Dates, Facet, Hit, Page, Ranges, Search, Stats, Summary, Terms
from twofold.query.cursor import cursor
from twofold.query.facets import facetable
from twofold.query.language import Asked
from twofold.resource import Declaration

Json = dict[str, Any]


def answer_of(resource: Declaration, asked: Asked, page: Page) -> Json:
    """A page of hits as JSON, but for how long it took."""
    search = asked.search
    body: Json = {
        "items": [_item(resource, asked, hit) for hit in page.hits],
        "total": {"value": page.total, "relation": "eq" if page.exact else "gte"},
        "limit": search.limit,
        "next_cursor": _next(search, page),
    }
    if asked.facets:
        body["facets"] = _facets(resource, asked, page)
    body["incomplete"] = page.incomplete
    return body


def representation(resource: Declaration, document: Mapping[str, Any]) -> Json:
    """A document as clients see it: as the command service answers, with defaults for fields that are newer than the document, and
    without those of a declaration that is newer than this one.
    """
    shown = {**resource.blank, **document}
    if len(shown) > len(resource.blank):
        shown = {name: shown[name] for name in resource.blank}
    for field in resource.converted:
        shown[field.name] = field.restored(shown[field.name])
    return shown


def sparse(resource: Declaration, document: Mapping[str, Any], fields: frozenset[str]) -> Json:
    """Some members of a representation, all where `fields` is empty."""
    whole = representation(resource, document)
    return {name: value for name, value in whole.items() if name in fields} if fields else whole


def emphasised(text: str, marks: tuple[str, str]) -> str:
    """A marked text as HTML: whatever it holds is only text, and what was found is in <em>."""
    return html.escape(text).replace(marks[0], "<em>").replace(marks[1], "</em>")


def _item(resource: Declaration, asked: Asked, hit: Hit) -> Json:
    item = sparse(resource, hit.document, asked.fields)
    if hit.score is not None:
        item["_score"] = hit.score
    if asked.search.highlight:
        marks = asked.search.marks
        item["_highlight"] = {name: [emphasised(text, marks) for text in texts] for name, texts in hit.marked.items()}
    return item


def _next(search: Search, page: Page) -> str | None:
    return cursor(search, page.last) if page.last and len(page.hits) == search.limit else None


def _facets(resource: Declaration, asked: Asked, page: Page) -> Json:
    fields, selected = facetable(resource), dict(asked.search.refinements)
    found = zip(asked.facets, asked.search.facets, page.facets, strict=True)
    return {words: _facet(fields[facet.field], facet, result, selected.get(facet.field, ())) for words, facet, result in found}


def _facet(field: Field, facet: Facet, result: Buckets | Summary, selected: tuple[Any, ...]) -> Json:
    if isinstance(result, Summary):
        return {"type": "stats", **_stats(field, result)}
    match facet:
        case Terms():
            return {"type": "terms", "buckets": _terms(field, result, selected), **_left(result)}
        case Dates():
            return {"type": "dates", "buckets": _dates(field, result, facet.time_zone), "missing": result.missing}
        case Ranges() | Stats():
            return {"type": "ranges", "buckets": _ranges(field, result), "missing": result.missing}


def _terms(field: Field, result: Buckets, selected: tuple[Any, ...]) -> list[Json]:
    return [{"value": _one(field, each.value), "count": each.count, "selected": each.value in selected} for each in result.buckets]


def _dates(field: Field, result: Buckets, time_zone: str) -> list[Json]:
    """With when they begin, by the clocks of the zone. A date is one everywhere."""
    if not field.kind.has_zone:
        return [{"value": each.value, "count": each.count} for each in result.buckets]
    zone = ZoneInfo(time_zone)
    return [{"value": datetime.fromisoformat(each.value).astimezone(zone).isoformat(), "count": each.count} for each in result.buckets]


def _left(result: Buckets) -> Json:
    return {"other": result.other, "missing": result.missing, "error_bound": result.error_bound}


def _ranges(field: Field, result: Buckets) -> list[Json]:
    return [{"from": _one(field, each.value[0]), "to": _one(field, each.value[1]), "count": each.count} for each in result.buckets]


def _one(field: Field, value: Any) -> Any:
    """A value, or one item of a list, as representations have it."""
    return None if value is None else field.kind.restored(field, value)


def _stats(field: Field, result: Summary) -> Json:
    numbers = {"min": result.least, "max": result.greatest, "sum": result.sum}
    shown: Json = {name: None if value is None else field.kind.shown(field, value) for name, value in numbers.items()}
    average = field.kind.average(field, result.sum / result.count) if result.count else None
    return {"count": result.count, **shown, "avg": average, "missing": result.missing}
