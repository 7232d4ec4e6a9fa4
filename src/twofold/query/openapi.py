"""The query service's OpenAPI document, from the declaration."""

from __future__ import annotations

from collections.abc import Iterable

from twofold.query import language, schemas, suggest
from twofold.query.described import Parameter, filtered, ordered, page, refined, searched, shown
from twofold.query.tokens import MAX_TOKENS, MAX_WAIT, WAIT
from twofold.resource import App, Declaration
from twofold.runtime.openapi import ID, Json, content, document, parameter, problems, reference, tags

SEEN: Json = {
    "Preference-Applied": {"schema": {"type": "string"}, "description": "What of Prefer was honoured."},
    "Consistency-Status": {"schema": {"type": "string", "enum": ["stale"]}, "description": "A token was not visible yet."},
}


def describe(app: App) -> Json:
    """OpenAPI 3.1 of all queries of an app."""
    paths: Json = {"/capabilities": {"get": _capabilities()}}
    components: Json = schemas.shared()
    fresh = _fresh(app)
    for resource in app:
        name = resource.cls.__name__
        components |= schemas.of(resource, name)
        components[f"{name}Search"] = _body(resource)
        paths[f"/{resource.name}"] = {"get": _search(resource, name, fresh)}
        paths[f"/{resource.name}/search"] = {"post": _search_by_body(resource, name, fresh)}
        paths[f"/{resource.name}/suggest"] = {"get": _suggest(resource, fresh)}
        paths[f"/{resource.name}/export"] = {"get": _export(resource, fresh)}
        paths[f"/{resource.name}/{{id}}"] = {"get": _get(resource, name, fresh)}
    told = "Full-text search, filters, facets and exports. Errors are problem+json (RFC 9457)."
    return document(f"{app.title} query service", told, paths, components) | {"tags": tags(app)}


def _fresh(app: App) -> list[Json]:
    """The headers by which every read waits for writes."""
    one = f"({'|'.join(app.resources)})/[0-9a-f]{{8}}(-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}@[1-9][0-9]{{0,17}}"
    tokens = {"type": "string", "pattern": f"^{one}(, ?{one}){{0,{MAX_TOKENS - 1}}}$"}
    waits = f"wait=0 to wait={MAX_WAIT} seconds for tokens, {WAIT} unless told; handling=lenient for what is there when they are over."
    return [
        parameter("Consistency-Token", "header", tokens, "Tokens of commands, which this read has to see."),
        parameter("Prefer", "header", {"type": "string"}, f"RFC 7240: {waits}"),
    ]


def _body(resource: Declaration) -> Json:
    return {"type": "object", "properties": {each.name: each.in_body() for each in page(resource)}, "additionalProperties": False}


def _operation(resource: Declaration, summary: str, given: Iterable[Json], done: Json, *refusals: int) -> Json:
    return {
        "operationId": f"{resource.name}-{summary.replace(' ', '-')}",
        "tags": [resource.name],
        "summary": summary,
        "parameters": list(given),
        "responses": {"200": {**done, "headers": {**done.get("headers", {}), **SEEN}}, **problems(400, *refusals, 501, 503)},
    }


def _search(resource: Declaration, name: str, fresh: list[Json]) -> Json:
    done = {"description": "A page.", "content": content("application/json", reference(f"{name}Page"))}
    done["headers"] = {"Link": {"schema": {"type": "string"}, "description": 'The next page, rel="next".'}}
    return _operation(resource, "search", [*(each.in_query() for each in page(resource)), *fresh], done)


def _search_by_body(resource: Declaration, name: str, fresh: list[Json]) -> Json:
    done = {"description": "A page.", "content": content("application/json", reference(f"{name}Page"))}
    example = {each.name: each.example for each in page(resource) if each.example is not None}
    asked = {"required": True, "content": {"application/json": {"schema": reference(f"{name}Search"), "example": example}}}
    return _operation(resource, "search by body", fresh, done, 413, 415) | {"requestBody": asked}


def _suggest(resource: Declaration, fresh: list[Json]) -> Json:
    limit = {"type": "integer", "minimum": 1, "maximum": suggest.MAX_SUGGESTIONS, "default": suggest.DEFAULT_SUGGESTIONS}
    words = searched(resource).in_query() | {"required": True, "example": "ana gar"}
    given = [words, Parameter("limit", limit, "Suggestions.", 5).in_query(), *fresh]
    done = {"description": "Values of text fields.", "content": content("application/json", reference("Suggestions"))}
    return _operation(resource, "suggest", given, done)


def _export(resource: Declaration, fresh: list[Json]) -> Json:
    format_ = Parameter("format", {"type": "string", "enum": list(language.FORMATS), "default": "ndjson"}, "Of the lines.")
    own = [format_, searched(resource), filtered(), *refined(resource), ordered(resource, "By id."), shown(resource)]
    lines: Json = {"schema": {"type": "string"}}
    formats = {"application/x-ndjson": lines, "text/csv": lines}
    done = {"description": "All matches; the last line says that they are all.", "content": formats}
    return _operation(resource, "export", [*(each.in_query() for each in own), *fresh], done)


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


def _capabilities() -> Json:
    done = {"description": "What can be asked here.", "content": content("application/json", reference("Capabilities"))}
    return {"operationId": "capabilities", "summary": "capabilities", "responses": {"200": done, **problems()}}
