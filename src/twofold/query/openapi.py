"""The query service's OpenAPI document, from the declaration."""

from __future__ import annotations

from dataclasses import replace

from twofold.fields import Field
from twofold.query.language import DEFAULT_LIMIT, MAX_LIMIT, MAX_QUERY, MAX_VALUES
from twofold.query.tokens import MAX_TOKENS, MAX_WAIT, WAIT
from twofold.resource import App, Declaration
from twofold.runtime.openapi import ID, Json, content, document, parameter, problems, reference, representation, schema

SEEN: Json = {
    "Preference-Applied": {"schema": {"type": "string"}, "description": "What of Prefer was honoured."},
    "Consistency-Status": {"schema": {"type": "string", "enum": ["stale"]}, "description": "A token was not visible yet."},
}


def describe(app: App) -> Json:
    """OpenAPI 3.1 of all queries of an app."""
    paths: Json = {}
    schemas: Json = {}
    fresh = _fresh(app)
    for resource in app:
        name = resource.cls.__name__
        schemas[name] = representation(resource.indexed)
        schemas[f"{name}Page"] = _page(name)
        paths[f"/{resource.name}"] = {"get": _search(resource, name, fresh)}
        paths[f"/{resource.name}/{{id}}"] = {"get": _get(resource, name, fresh)}
    return document("twofold query service", "Full-text search, filters and sorting. Errors are problem+json (RFC 9457).", paths, schemas)


def _page(name: str) -> Json:
    total = {"value": {"type": "integer"}, "relation": {"type": "string", "enum": ["eq", "gte"]}}
    properties = {
        "items": {"type": "array", "items": reference(name)},
        "total": {"type": "object", "properties": total, "required": list(total)},
        "limit": {"type": "integer"},
        "next_cursor": {"type": ["string", "null"]},
    }
    return {"type": "object", "properties": properties, "required": list(properties)}


def _fresh(app: App) -> list[Json]:
    """The headers by which every read waits for writes."""
    one = f"({'|'.join(app.resources)})/[0-9a-f]{{8}}(-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}@[1-9][0-9]{{0,17}}"
    tokens = {"type": "string", "pattern": f"^{one}(, ?{one}){{0,{MAX_TOKENS - 1}}}$"}
    waits = f"wait=0 to wait={MAX_WAIT} seconds for tokens, {WAIT} unless told; handling=lenient for what is there when they are over."
    return [
        parameter("Consistency-Token", "header", tokens, "Tokens of commands, which this read has to see."),
        parameter("Prefer", "header", {"type": "string"}, f"RFC 7240: {waits}"),
    ]


def _search(resource: Declaration, name: str, fresh: list[Json]) -> Json:
    texts = ", ".join(field.name for field in resource.indexed if field.text) or "no field"
    sortable = ["id", "created_at", "updated_at", "version", *(field.name for field in resource.indexed if field.sortable)]
    one = f"-?({'|'.join(sortable)})"
    parameters = [
        parameter(
            "q",
            "query",
            {"type": "string", "maxLength": MAX_QUERY},
            f"Words that all occur in {texts}; the last one may be the beginning of a word.",
        ),
        *(_filter(field) for field in resource.indexed if field.filterable),
        parameter(
            "sort",
            "query",
            {"type": "string", "pattern": f"^{one}(,{one}){{0,2}}$"},
            f"Up to 3 of {', '.join(sortable)}, with - before one for descending. Best match first with q, else newest first.",
        ),
        parameter("limit", "query", {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT}, "Hits on a page."),
        parameter("cursor", "query", {"type": "string"}, "`next_cursor` of the page before."),
        *fresh,
    ]
    return {
        "operationId": f"{resource.name}-search",
        "tags": [resource.name],
        "summary": "search",
        "parameters": parameters,
        "responses": {
            "200": {"description": "A page.", "content": content("application/json", reference(f"{name}Page")), "headers": SEEN},
            **problems(400, 503),
        },
    }


def _filter(field: Field) -> Json:
    values = {"type": "array", "items": schema(replace(field, many=False, nullable=False)), "maxItems": MAX_VALUES}
    return parameter(field.name, "query", values, f"Only where {field.name} is one of these.") | {"explode": True}


def _get(resource: Declaration, name: str, fresh: list[Json]) -> Json:
    found = {
        "description": "The resource.",
        "content": content("application/json", reference(name)),
        "headers": {"ETag": {"schema": {"type": "string"}}, **SEEN},
    }
    tag = parameter("If-None-Match", "header", {"type": "string"}, "Answer 304 if the ETag is still this one.")
    return {
        "operationId": f"{resource.name}-get",
        "tags": [resource.name],
        "summary": "get",
        "parameters": [ID, tag, *fresh],
        "responses": {"200": found, "304": {"description": "Not modified."}, **problems(400, 404, 503)},
    }
