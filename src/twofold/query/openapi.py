"""The query service's OpenAPI document, from the declaration."""

from __future__ import annotations

from dataclasses import replace

from twofold.fields import Field
from twofold.query.language import DEFAULT_LIMIT, MAX_LIMIT, MAX_QUERY, MAX_VALUES
from twofold.resource import App, Declaration
from twofold.runtime.openapi import ID, Json, content, document, parameter, problems, reference, representation, schema


def describe(app: App) -> Json:
    """OpenAPI 3.1 of all queries of an app."""
    paths: Json = {}
    schemas: Json = {}
    for resource in app:
        name = resource.cls.__name__
        schemas[name] = representation(resource.indexed)
        schemas[f"{name}Page"] = _page(name)
        paths[f"/{resource.name}"] = {"get": _search(resource, name)}
        paths[f"/{resource.name}/{{id}}"] = {"get": _get(resource, name)}
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


def _search(resource: Declaration, name: str) -> Json:
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
    ]
    return {
        "operationId": f"{resource.name}-search",
        "tags": [resource.name],
        "summary": "search",
        "parameters": parameters,
        "responses": {
            "200": {"description": "A page.", "content": content("application/json", reference(f"{name}Page"))},
            **problems(400, 503),
        },
    }


def _filter(field: Field) -> Json:
    values = {"type": "array", "items": schema(replace(field, many=False, nullable=False)), "maxItems": MAX_VALUES}
    return parameter(field.name, "query", values, f"Only where {field.name} is one of these.") | {"explode": True}


def _get(resource: Declaration, name: str) -> Json:
    found = {
        "description": "The resource.",
        "content": content("application/json", reference(name)),
        "headers": {"ETag": {"schema": {"type": "string"}}},
    }
    tag = parameter("If-None-Match", "header", {"type": "string"}, "Answer 304 if the ETag is still this one.")
    return {
        "operationId": f"{resource.name}-get",
        "tags": [resource.name],
        "summary": "get",
        "parameters": [ID, tag],
        "responses": {"200": found, "304": {"description": "Not modified."}, **problems(404, 503)},
    }
