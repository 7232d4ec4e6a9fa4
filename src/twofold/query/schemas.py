"""Schemas of what the query service answers with."""

from __future__ import annotations

from twofold.index.port import CAPABILITIES
from twofold.query.capabilities import LIMITS
from twofold.resource import Declaration
from twofold.runtime.openapi import Json, reference, representation

_TEXTS: Json = {"type": "array", "items": {"type": "string"}}
_COUNT: Json = {"type": "integer", "minimum": 0}
_NUMBER: Json = {"type": ["number", "string", "null"]}  # a decimal is a string


def shared() -> Json:
    """Those that do not depend on a resource, by name."""
    return {
        "Facet": {"oneOf": [_terms(), _dates(), _ranges(), _stats()]},
        "Suggestions": _object({"items": {"type": "array", "items": _object({name: {"type": "string"} for name in _SUGGESTION})}}),
        "Capabilities": _capabilities(),
    }


_SUGGESTION = ("text", "field", "highlight")


def of(resource: Declaration, name: str) -> Json:
    """A resource's own, by name: as it is shown whole, as an item of a page, and the page."""
    whole = representation(resource.indexed)
    texts = {"type": "object", "additionalProperties": _TEXTS, "description": "By field the texts in which words were found, as HTML."}
    score = {"type": "number", "description": "How well q fits; where the page is sorted by it."}
    item = {**whole, "properties": {**whole["properties"], "_score": score, "_highlight": texts}, "required": ["id", "version"]}
    return {name: whole, f"{name}Item": item, f"{name}Page": _page(name)}


def _page(name: str) -> Json:
    properties: Json = {
        "items": {"type": "array", "items": reference(f"{name}Item")},
        "total": _object({"value": _COUNT, "relation": {"type": "string", "enum": ["eq", "gte"]}}),
        "limit": {"type": "integer"},
        "next_cursor": {"type": ["string", "null"]},
        "incomplete": {"type": "boolean", "description": "The time was over before everything was looked at."},
        "took_ms": _COUNT,
    }
    facets = {"type": "object", "additionalProperties": reference("Facet"), "description": "Under the words that asked for them."}
    return {"type": "object", "properties": {**properties, "facets": facets}, "required": list(properties)}


def _terms() -> Json:
    bucket = _object({"value": {}, "count": _COUNT, "selected": {"type": "boolean"}})
    left = {"other": _COUNT, "missing": _COUNT, "error_bound": _COUNT}
    return _object({"type": {"const": "terms"}, "buckets": {"type": "array", "items": bucket}, **left})


def _dates() -> Json:
    bucket = _object({"value": {"type": "string"}, "count": _COUNT})
    return _object({"type": {"const": "dates"}, "buckets": {"type": "array", "items": bucket}, "missing": _COUNT})


def _ranges() -> Json:
    bucket = _object({"from": _NUMBER, "to": _NUMBER, "count": _COUNT})
    return _object({"type": {"const": "ranges"}, "buckets": {"type": "array", "items": bucket}, "missing": _COUNT})


def _stats() -> Json:
    return _object({"type": {"const": "stats"}, "count": _COUNT, **dict.fromkeys(("min", "max", "sum", "avg"), _NUMBER), "missing": _COUNT})


def _capabilities() -> Json:
    fields = dict.fromkeys(("searchable", "filterable", "facetable", "sortable"), _TEXTS)
    return _object(
        {
            "features": _object({name: {"type": "boolean"} for name in CAPABILITIES}),
            "limits": _object({name: {"type": "integer"} for name in LIMITS}),
            "resources": {"type": "object", "additionalProperties": _object(fields)},
        }
    )


def _object(properties: Json) -> Json:
    return {"type": "object", "properties": properties, "required": list(properties)}
