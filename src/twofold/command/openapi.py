"""The command service's OpenAPI document, from the declaration."""

from __future__ import annotations

from typing import Any

from twofold.command import published
from twofold.resource import FREE, App, CommandSpec, Declaration
from twofold.runtime.openapi import ID, Json, content, described, document, parameter, problems, reference, representation, tags

IDEMPOTENCY = parameter(
    "Idempotency-Key",
    "header",
    {"type": "string", "pattern": r'^("[ !#-~]{1,255}"|[!#-~]{1,255})$'},
    "Repeat a request safely: the answer is kept for 24 hours.",
)
IF_MATCH = parameter(
    "If-Match",
    "header",
    {"type": "string", "pattern": r'^(\*|(W/)?"[!#-~]*"( ?, ?(W/)?"[!#-~]*")*)$'},
    'The version that the command is meant for, `"7"`, or `*`.',
)
IF_NONE_MATCH = parameter("If-None-Match", "header", {"type": "string", "enum": ["*"]}, "Create, and only create.")
_HEADERS = {
    "ETag": {"schema": {"type": "string"}, "description": "The version, in quotes."},
    "Consistency-Token": {"schema": {"type": "string"}, "description": "What a later read waits for."},
}


def describe(app: App) -> Json:
    """OpenAPI 3.1 of all commands of an app."""
    paths: Json = {}
    schemas: Json = {}
    for resource in app:
        name = resource.cls.__name__
        schemas[name] = representation(resource.public) | described(resource.description)
        schemas[f"New{name}"] = _input(resource, schemas, creating=True)
        schemas[f"{name}Members"] = _input(resource, schemas, creating=False)
        _resource(resource, name, paths, schemas)
    told = "Commands are durable when they are answered. Errors are problem+json (RFC 9457)."
    return document(f"{app.title} command service", told, paths, schemas) | {"tags": tags(app)}


def _resource(resource: Declaration, name: str, paths: Json, schemas: Json) -> None:
    every, one = f"/{resource.name}", f"/{resource.name}/{{id}}"
    free = {
        "create": (every, "post", _operation(resource, "create", f"New{name}", 201, [IDEMPOTENCY], 409)),
        "replace": (one, "put", _replace(resource, name)),
        "patch": (one, "patch", _operation(resource, "patch", f"{name}Members", 200, [ID, IDEMPOTENCY, IF_MATCH], 404, 409, 410, 412)),
        "delete": (one, "delete", _operation(resource, "delete", None, 204, [ID, IDEMPOTENCY, IF_MATCH], 404, 409, 412)),
    }
    for path, method, operation in (free[command] for command in FREE if command in resource.free):
        paths.setdefault(path, {})[method] = operation
    for field in resource.secrets:
        body = f"{name}_{field.name}"
        property_ = published.of_fields(resource)["properties"][field.name]
        schemas[body] = {"type": "object", "properties": {field.name: property_}, "required": [field.name], "additionalProperties": False}
        operation = _operation(resource, f"set-{field.name}", body, 204, [ID, IDEMPOTENCY, IF_MATCH], 404, 410, 412)
        paths.setdefault(f"{one}/{field.name}", {})["put"] = operation
    for spec in resource.commands.values():
        if spec.name not in FREE:
            schemas[f"{name}_{spec.name}"] = _arguments(spec, schemas)
            operation = _operation(resource, spec.name, f"{name}_{spec.name}", 200, [ID, IDEMPOTENCY, IF_MATCH], 404, 409, 410, 412)
            operation["requestBody"]["required"] = bool(schemas[f"{name}_{spec.name}"].get("required"))
            paths.setdefault(f"{one}/{spec.name}", {})["post"] = operation


def _replace(resource: Declaration, name: str) -> Json:
    operation = _operation(resource, "replace", f"{name}Members", 200, [ID, IDEMPOTENCY, IF_MATCH], 404, 409, 410, 412, 428)
    if "create" in resource.free:
        operation["parameters"].append(IF_NONE_MATCH)
        operation["responses"]["201"] = {**operation["responses"]["200"], "description": "Created under the id."}
        either = {"anyOf": [reference(f"{name}Members"), reference(f"New{name}")]}
        operation["requestBody"]["content"] = content("application/json", either)
    return operation


def _operation(resource: Declaration, command: str, body: str | None, status: int, parameters: list[Json], *errors: int) -> Json:
    kind = "application/merge-patch+json" if command == "patch" else "application/json"
    done: Json = {"description": "Done, and durable.", "headers": _HEADERS}
    if status != 204:
        done["content"] = content("application/json", reference(resource.cls.__name__))
    usual = (400, 413, 415, 422, 503) if body else (400, 422, 503)
    own = resource.commands.get(command)
    operation: Json = {
        **described(own.description if own else ""),
        "operationId": f"{resource.name}-{command}",
        "tags": [resource.name],
        "summary": command.replace("_", " ").replace("-", " "),
        "parameters": parameters,
        "responses": {str(status): done, **problems(*sorted({*usual, *errors}))},
    }
    if body:
        operation["requestBody"] = {"required": True, "content": content(kind, reference(body))}
    return operation


def _input(resource: Declaration, schemas: Json, *, creating: bool) -> Json:
    """What a client may send: without guarded fields, and with secrets only when creating."""
    whole = _hoisted(published.of_fields(resource), schemas)
    hidden = {field.name for field in resource.fields if field.guarded or (field.secret and not creating)}
    properties = {name: value for name, value in whole["properties"].items() if name not in hidden}
    required = [name for name in whole.get("required", []) if name not in hidden] if creating else []
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _arguments(spec: CommandSpec, schemas: Json) -> Json:
    return _hoisted(published.of_arguments(spec), schemas)


def _hoisted(schema: dict[str, Any], schemas: Json) -> Json:
    """Pydantic's `$defs` belong to the document's components."""
    schemas.update(schema.pop("$defs", {}))
    return schema
