"""JSON Schemas of what bodies may hold: Pydantic's, with the bounds and forms that are checked beside Pydantic's own."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from twofold.annotations import argument_of
from twofold.fields import INT64, LIST_LENGTH, MAX_SECRET_BYTES, UNIQUE_BYTES, Field
from twofold.resource import CommandSpec, Declaration
from twofold.values import DECIMAL

_REFERENCES = "#/components/schemas/{model}"


class _Published(GenerateJsonSchema):
    def int_schema(self, schema: core_schema.IntSchema) -> JsonSchemaValue:
        found = {"minimum": -INT64, "maximum": INT64 - 1, **super().int_schema(schema), "format": "int64"}
        return found | {"minimum": max(found["minimum"], -INT64), "maximum": min(found["maximum"], INT64 - 1)}

    def decimal_schema(self, schema: core_schema.DecimalSchema) -> JsonSchemaValue:
        """A number, or text with all of its digits."""
        bounds = {name: value for name, value in super().decimal_schema(schema)["anyOf"][0].items() if name != "type"}
        text = {"type": "string", "pattern": DECIMAL, "maxLength": 40, "examples": ["12.30"]}
        return {"anyOf": [text, {"type": "number", **bounds}]}


def of(model: type[BaseModel]) -> dict[str, Any]:
    """The schema of a model as a body, with `$defs` for what it refers to as components."""
    return model.model_json_schema(ref_template=_REFERENCES, schema_generator=_Published)


def of_fields(resource: Declaration) -> dict[str, Any]:
    """The schema of a resource as a body, each field with its own bounds."""
    whole = of(resource.cls)
    for field in resource.fields:
        _bound(whole["properties"][field.name], field)
    return whole


def of_arguments(spec: CommandSpec) -> dict[str, Any]:
    """The schema of a command's arguments as a body; those that a field could hold have a field's bounds."""
    whole = of(spec.arguments)
    for name, info in spec.arguments.model_fields.items():
        argument = argument_of(name, info)
        if argument and not argument.secret:
            _bound(whole["properties"][info.alias or name], argument)
    return whole


def _bound(schema: dict[str, Any], field: Field) -> None:
    for part in (schema, *schema.get("anyOf", ())):
        if part.get("type") == "array":
            part.setdefault("maxItems", LIST_LENGTH)
            _bound(part["items"], field)
        if part.get("type") == "string" and field.kind == "string" and "enum" not in part and "const" not in part:
            part.setdefault("maxLength", _longest(field))


def _longest(field: Field) -> int:
    """Characters, of which each has at least one byte."""
    return min(field.max_length, UNIQUE_BYTES if field.unique else MAX_SECRET_BYTES if field.secret else field.max_length)
