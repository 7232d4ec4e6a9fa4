"""What both services' OpenAPI 3.1 documents share."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from twofold import __version__
from twofold.fields import Field
from twofold.resource import Declaration

Json = dict[str, Any]
OF_ANY = (403, 421, 500)  # what any operation may be answered with
_PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference", "examples": ["/problems/not-found"]},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "code": {"type": "string"},
        "errors": {"type": "array", "items": {"$ref": "#/components/schemas/ProblemError"}},
    },
}
_PROBLEM_ERROR = {
    "type": "object",
    "required": ["detail"],
    "properties": {
        **{name: {"type": "string"} for name in ("pointer", "parameter", "detail", "code", "place")},
        "position": {"type": "integer"},
    },
}


def document(title: str, description: str, paths: Json, schemas: Json) -> Json:
    """The whole document, OpenAPI 3.1.0."""
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": __version__, "description": description},
        "paths": paths,
        "components": {"schemas": {"Problem": _PROBLEM, "ProblemError": _PROBLEM_ERROR, **schemas}},
    }


def described(text: str) -> Json:
    """A docstring as a description; nothing without one."""
    return {"description": text} if text else {}


def tags(resources: Iterable[Declaration]) -> list[Json]:
    """A tag for the operations of each resource, with its docstring."""
    return [{"name": resource.name, **described(resource.description)} for resource in resources]


def representation(fields: Iterable[Field]) -> Json:
    """What a service answers with: commands with the public state, queries with the document."""
    own = {field.name: schema(field) for field in fields}
    properties = {
        "id": {"type": "string", "format": "uuid"},
        "version": {"type": "integer", "minimum": 1},
        **own,
        "created_at": {"type": "string", "format": "date-time"},
        "updated_at": {"type": "string", "format": "date-time"},
    }
    return {"type": "object", "properties": properties, "required": list(properties)}


def schema(field: Field) -> Json:
    """A field's value in a representation."""
    one: Json = field.kind.schema_of(field)
    if field.choices:
        one["enum"] = list(field.choices)
    if field.nullable:
        one["type"] = [one["type"], "null"]
        one["enum"] = [*field.choices, None] if field.choices else None
        one = {key: value for key, value in one.items() if value is not None}
    return {"type": "array", "items": one} if field.many else one


def reference(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def content(kind: str, schema_: Json) -> Json:
    return {kind: {"schema": schema_}}


def problems(*statuses: int) -> Json:
    """The error answers of an operation, with those that any may have."""
    return {
        str(status): {"description": "A problem (RFC 9457).", "content": content("application/problem+json", reference("Problem"))}
        for status in sorted({*statuses, *OF_ANY})
    }


def parameter(name: str, where: str, schema_: Json, description: str, *, required: bool = False) -> Json:
    return {"name": name, "in": where, "required": required, "schema": schema_, "description": description}


ID = parameter("id", "path", {"type": "string", "format": "uuid", "pattern": "^[0-9a-f-]{36}$"}, "A UUID in lower case.", required=True)
