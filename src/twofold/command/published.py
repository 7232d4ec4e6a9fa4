"""JSON Schemas of what bodies may hold: Pydantic's, with the bounds and forms that are checked beside Pydantic's own."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue

from twofold.annotations import argument_of, limit_of
from twofold.fields import LIST_LENGTH, Field
from twofold.kinds import BY_CORE, BY_TYPE
from twofold.resource import CommandSpec, Declaration

_REFERENCES = "#/components/schemas/{model}"


class _Published(GenerateJsonSchema):
    def encode_default(self, dft: Any) -> Any:
        kind = BY_TYPE.get(type(dft))
        return kind.dump(dft) if kind and kind.is_dumped else super().encode_default(dft)

    def generate_inner(self, schema: Any) -> JsonSchemaValue:
        found, kind = super().generate_inner(schema), BY_CORE.get(schema["type"])
        return found if kind is None or "$ref" in found else kind.published(found)


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
        if part.get("type") == "string" and field.kind.is_text and "enum" not in part and "const" not in part:
            part.setdefault("maxLength", min(field.max_length, limit_of(field)[0]))  # a character has at least one byte
