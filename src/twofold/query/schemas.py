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
        "Facet": {"oneOf": [reference(f"{kind}Facet") for kind in _FACETS], "discriminator": _BY_TYPE},
        **{f"{kind}Facet": facet for kind, facet in _FACETS.items()},
        **{f"{kind}Bucket": bucket for kind, bucket in _BUCKETS.items()},
        "Total": _object({"value": _COUNT, "relation": {"type": "string", "enum": ["eq", "gte"]}}),
        "Suggestion": _object({name: {"type": "string"} for name in ("text", "field", "highlight")}),
        "Suggestions": _object({"items": {"type": "array", "items": reference("Suggestion")}}),
        **_capabilities(),
    }


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
        "total": reference("Total"),
        "limit": {"type": "integer"},
        "next_cursor": {"type": ["string", "null"]},
        "incomplete": {"type": "boolean", "description": "The time was over before everything was looked at."},
        "took_ms": _COUNT,
    }
    facets = {"type": "object", "additionalProperties": reference("Facet"), "description": "Under the words that asked for them."}
    return {"type": "object", "properties": {**properties, "facets": facets}, "required": list(properties)}


def _capabilities() -> Json:
    fields = dict.fromkeys(("searchable", "filterable", "facetable", "sortable"), _TEXTS)
    resources = {"type": "object", "additionalProperties": reference("ResourceFields")}
    return {
        "Features": _object({name: {"type": "boolean"} for name in CAPABILITIES}),
        "Limits": _object({name: {"type": "integer"} for name in LIMITS}),
        "ResourceFields": _object(fields),
        "Capabilities": _object({"features": reference("Features"), "limits": reference("Limits"), "resources": resources}),
    }


def _object(properties: Json) -> Json:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _facet(kind: str, **properties: Json) -> Json:
    return _object({"type": {"const": kind}, **properties})


def _buckets(kind: str) -> Json:
    return {"type": "array", "items": reference(f"{kind}Bucket")}


# Named, since generators of clients name what has no name after its place, and these have the same.
_BUCKETS = {
    "Terms": _object({"value": {}, "count": _COUNT, "selected": {"type": "boolean"}}),
    "Dates": _object({"value": {"type": "string"}, "count": _COUNT}),
    "Ranges": _object({"from": _NUMBER, "to": _NUMBER, "count": _COUNT}),
}
_FACETS = {
    "Terms": _facet("terms", buckets=_buckets("Terms"), other=_COUNT, missing=_COUNT, error_bound=_COUNT),
    "Dates": _facet("dates", buckets=_buckets("Dates"), missing=_COUNT),
    "Ranges": _facet("ranges", buckets=_buckets("Ranges"), missing=_COUNT),
    "Stats": _facet("stats", count=_COUNT, **dict.fromkeys(("min", "max", "sum", "avg"), _NUMBER), missing=_COUNT),
}
_BY_TYPE = {"propertyName": "type", "mapping": {kind.lower(): f"#/components/schemas/{kind}Facet" for kind in _FACETS}}
