"""The query service's OpenAPI document, from the declaration."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from twofold.fields import Field
from twofold.query import facets, grammar, language, parameters, schemas, suggest, words
from twofold.query.tokens import MAX_TOKENS, MAX_WAIT, WAIT
from twofold.query.values import MAX_VALUES
from twofold.resource import App, Declaration
from twofold.runtime.openapi import ID, Json, content, document, parameter, problems, reference, schema


@dataclass(frozen=True, slots=True)
class _Parameter:
    """One that a query string or a body may hold."""

    name: str
    schema: Json
    description: str
    example: Any
    repeated: bool = False

    def in_query(self) -> Json:
        form = {"style": "form", "explode": self.repeated} if self.schema.get("type") == "array" else {}
        return parameter(self.name, "query", self.schema, self.description) | form | {"example": self.example}

    def in_body(self) -> Json:
        return {**self.schema, "description": self.description, "examples": [self.example]}


def describe(app: App) -> Json:
    """OpenAPI 3.1 of all queries of an app."""
    paths: Json = {}
    components: Json = schemas.shared()
    for resource in app:
        name = resource.cls.__name__
        components |= schemas.of(resource, name)
        components[f"{name}Search"] = _body(resource)
        paths[f"/{resource.name}"] = {"get": _search(resource, name)}
        paths[f"/{resource.name}/search"] = {"post": _search_by_body(resource, name)}
        paths[f"/{resource.name}/suggest"] = {"get": _suggest(resource)}
        paths[f"/{resource.name}/export"] = {"get": _export(resource)}
        paths[f"/{resource.name}/{{id}}"] = {"get": _get(resource, name)}
    fresh = _fresh(app)
    paths = {path: {method: _waiting(operation, fresh) for method, operation in each.items()} for path, each in paths.items()}
    paths["/capabilities"] = {"get": _capabilities()}
    told = "Full-text search, filters, facets and exports. Errors are problem+json (RFC 9457)."
    return document("twofold query service", told, paths, components)


def _fresh(app: App) -> list[Json]:
    """The headers by which a read waits for writes."""
    one = f"({'|'.join(app.resources)})/[0-9a-f]{{8}}(-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}@[1-9][0-9]{{0,17}}"
    tokens = {"type": "string", "pattern": f"^{one}(, ?{one}){{0,{MAX_TOKENS - 1}}}$"}
    waits = f"wait=0 to wait={MAX_WAIT} seconds for tokens, {WAIT} unless told; handling=lenient for what is there when they are over."
    return [
        parameter("Consistency-Token", "header", tokens, "Tokens of commands, which this read has to see."),
        parameter("Prefer", "header", {"type": "string"}, f"RFC 7240: {waits}"),
    ]


def _waiting(operation: Json, fresh: list[Json]) -> Json:
    """The operation of a read, with these headers and those of its answer."""
    done = operation["responses"]["200"]
    told = {
        "Preference-Applied": {"schema": {"type": "string"}, "description": "What of Prefer was honoured."},
        "Consistency-Status": {"schema": {"type": "string", "enum": ["stale"]}, "description": "A token was not visible yet."},
    }
    seen = {**done, "headers": {**done.get("headers", {}), **told}}
    responses = {**problems(400), **operation["responses"], "200": seen}
    return {**operation, "parameters": [*operation["parameters"], *fresh], "responses": responses}


def _words(resource: Declaration) -> _Parameter:
    texts = ", ".join(parameters.searchable(resource)) or "no field"
    told = f'Words that all occur in {texts}. "phrase", -excluded, a | b, begin*; the last word may be a beginning, unless a space follows.'
    return _Parameter("q", {"type": "string", "maxLength": words.MAX_QUERY}, told, "ana gar")


def _expression() -> _Parameter:
    told = "Comparisons (= != < <= > >=, IN [a, b], EXISTS, IS NULL) with NOT, AND, OR and parentheses."
    return _Parameter("filter", {"type": "string", "maxLength": grammar.MAX_FILTER}, told, "created_at >= 2026-01-01T00:00:00Z")


def _fields(resource: Declaration) -> _Parameter:
    return _Parameter("fields", _names(parameters.members(resource)), "Only these members, with id and version.", ["created_at"])


def _order(resource: Declaration, default: str) -> _Parameter:
    sortable = parameters.sortable(resource)
    items = {"type": "string", "pattern": f"^-?({'|'.join(sortable)})$"}
    told = f"Up to {parameters.MAX_SORTS} of {', '.join(sortable)}, with - before one for descending. {default}"
    return _Parameter("sort", {"type": "array", "items": items, "minItems": 1, "maxItems": parameters.MAX_SORTS}, told, ["-created_at"])


def _refinements(resource: Declaration) -> Iterator[_Parameter]:
    for field in resource.filterable.values():
        one = schema(replace(field, many=False, nullable=False))
        values = {"type": "array", "items": one, "minItems": 1, "maxItems": MAX_VALUES}
        yield _Parameter(field.name, values, f"Only where {field.name} is one of these.", [_example(field)], repeated=True)


def _example(field: Field) -> Any:
    by_kind = {"integer": 42, "float": 1.5, "boolean": True, "date": "2026-01-31", "datetime": "2026-01-31T12:00:00Z", "decimal": "12.30"}
    return field.choices[0] if field.choices else by_kind.get(field.kind, "text")


def _page(resource: Declaration) -> Iterator[_Parameter]:
    yield _words(resource)
    told = "How many typos a word of letters may have; auto: one from 5 letters on, two from 9."
    yield _Parameter("fuzzy", {"type": "string", "enum": list(words.FUZZY), "default": "off"}, told, "auto")
    yield _expression()
    yield from _refinements(resource)
    yield _order(resource, "Best match first with q, else newest first.")
    limit = {"type": "integer", "minimum": 0, "maximum": language.MAX_LIMIT, "default": language.DEFAULT_LIMIT}
    yield _Parameter("limit", limit, "Hits on a page; 0 for counts and facets alone.", 10)
    yield _Parameter("cursor", {"type": "string"}, "`next_cursor` of the page before.", "WyIx")
    offset = {"type": "integer", "minimum": 0, "maximum": language.MAX_OFFSET}
    yield _Parameter("offset", offset, f"Hits to skip; with limit at most {language.MAX_OFFSET:,}. Not with a cursor.", 20)
    told = "Whether to count beyond 10,000 matches."
    yield _Parameter("count", {"type": "string", "enum": list(language.COUNTS), "default": "capped"}, told, "exact")
    yield _fields(resource)
    yield from _counted(resource)
    if parameters.searchable(resource):
        texts = parameters.searchable(resource)
        yield _Parameter("highlight", _names(texts), "Text fields in which to mark what was found.", texts[:1])
    least, most = language.TIMEOUT_MS
    told = "The time after which to answer with what there is, as `incomplete`."
    yield _Parameter("timeout_ms", {"type": "integer", "minimum": least, "maximum": most}, told, 1500)


def _counted(resource: Declaration) -> Iterator[_Parameter]:
    items = {"type": "string", "pattern": f"^({'|'.join(facets.facetable(resource))})(:.*)?$"}
    intervals = ", :".join(facets.INTERVALS)
    told = f"What to count matches by: a field, a date with :{intervals}, a number with :stats, either with ranges (:from..to;from..to)."
    yield _Parameter("facets", {"type": "array", "items": items, "minItems": 1, "maxItems": facets.MAX_FACETS}, told, ["created_at:month"])
    limit = {"type": "integer", "minimum": 1, "maximum": facets.MAX_BUCKETS, "default": facets.DEFAULT_BUCKETS}
    yield _Parameter("facet_limit", limit, "The most frequent values to list.", 20)
    told = "disjunctive: a facet counts as if the values chosen for its own field were not."
    yield _Parameter("facet_mode", {"type": "string", "enum": list(language.MODES), "default": language.MODES[0]}, told, "conjunctive")
    yield _Parameter("time_zone", {"type": "string", "default": "UTC"}, "Whose days and months facets count.", "Europe/Berlin")


def _names(allowed: list[str]) -> Json:
    return {"type": "array", "items": {"type": "string", "enum": allowed}, "minItems": 1}


def _body(resource: Declaration) -> Json:
    return {"type": "object", "properties": {each.name: each.in_body() for each in _page(resource)}, "additionalProperties": False}


def _operation(resource: Declaration, summary: str, given: Iterable[Json], done: Json, *refusals: int) -> Json:
    return {
        "operationId": f"{resource.name}-{summary.replace(' ', '-')}",
        "tags": [resource.name],
        "summary": summary,
        "parameters": list(given),
        "responses": {"200": done, **problems(400, *refusals, 501, 503)},
    }


def _search(resource: Declaration, name: str) -> Json:
    done = {"description": "A page.", "content": content("application/json", reference(f"{name}Page"))}
    done["headers"] = {"Link": {"schema": {"type": "string"}, "description": 'The next page, rel="next".'}}
    return _operation(resource, "search", [each.in_query() for each in _page(resource)], done)


def _search_by_body(resource: Declaration, name: str) -> Json:
    done = {"description": "A page.", "content": content("application/json", reference(f"{name}Page"))}
    asked = {"required": True, "content": content("application/json", reference(f"{name}Search"))}
    return _operation(resource, "search by body", [], done, 413, 415) | {"requestBody": asked}


def _suggest(resource: Declaration) -> Json:
    limit = {"type": "integer", "minimum": 1, "maximum": suggest.MAX_SUGGESTIONS, "default": suggest.DEFAULT_SUGGESTIONS}
    given = [_words(resource).in_query() | {"required": True}, _Parameter("limit", limit, "Suggestions.", 5).in_query()]
    done = {"description": "Values of text fields.", "content": content("application/json", reference("Suggestions"))}
    return _operation(resource, "suggest", given, done)


def _export(resource: Declaration) -> Json:
    format_ = _Parameter("format", {"type": "string", "enum": list(language.FORMATS), "default": "ndjson"}, "Of the lines.", "csv")
    own = [format_, _words(resource), _expression(), *_refinements(resource), _order(resource, "By id."), _fields(resource)]
    lines: Json = {"schema": {"type": "string"}}
    formats = {"application/x-ndjson": lines, "text/csv": lines}
    done = {"description": "All matches; the last line says that they are all.", "content": formats}
    return _operation(resource, "export", [each.in_query() for each in own], done)


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


def _capabilities() -> Json:
    done = {"description": "What can be asked here.", "content": content("application/json", reference("Capabilities"))}
    return {"operationId": "capabilities", "summary": "capabilities", "responses": {"200": done}}
