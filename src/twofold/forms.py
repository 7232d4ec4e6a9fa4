"""Pydantic's validators, held to the forms of `kinds`: in JSON and in Python, in lists, in models inside of models.

Its strict mode reads digits as Unix time and `1_000` as a decimal, and rounds integers where a float is asked for. A look before each of
these kinds sees the value as it was given, behind whatever `mode="before"` validators the app has itself. And of a list, no item is looked
at behind the first that does not fit: a body would have as many errors as it has items.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, cast

from pydantic import BaseModel
from pydantic_core import CoreSchema, SchemaValidator, core_schema

from twofold.kinds import BY_CORE, Kind

_Looks = Mapping[str, Callable[[Any], Any]]
_VALUES: _Looks = {core: kind.look for core, kind in BY_CORE.items() if type(kind).look is not Kind.look}
_KEYS: _Looks = {core: kind.look_at_key for core, kind in BY_CORE.items()}
_OURS = (*_VALUES.values(), *_KEYS.values())
_ITEMS = frozenset({"frozenset", "list", "set", "tuple"})
_DATA = frozenset({"cls", "config", "default", "expected", "metadata", "serialization"})  # parts of a schema that are no schemas
_NAMED = frozenset({"choices", "fields"})  # parts that may be schemas by name, whatever the names are


def pinned(schema: CoreSchema) -> CoreSchema:
    """A copy of the schema with a look before each value of a kind that has one."""
    return cast("CoreSchema", _pinned(schema, _VALUES))


def validator(schema: CoreSchema) -> SchemaValidator:
    """What validates by the pinned schema: models inside of it too, for which Pydantic would take their own validators."""
    return SchemaValidator(pinned(schema), _use_prebuilt=False)


def memberwise(model: type[BaseModel], attributes: Collection[str]) -> SchemaValidator:
    """What validates these fields of a model, each by itself, to a tuple whose first item holds their values by attribute.

    Whatever looks at more than one is left out: validators of the model, those of fields that take `info`, and defaults that are made of
    other fields. All of these would judge a half-filled model.
    """
    around: dict[str, Any] = {}
    fields: dict[str, Any] = cast("dict[str, Any]", model.__pydantic_core_schema__)
    while fields["type"] != "model-fields":
        around |= {name: fields[name] for name in ("config", "definitions") if name in fields}
        fields = fields["schema"]
    alone = {**fields, "fields": {name: _alone(field) for name, field in fields["fields"].items() if name in attributes}}
    if "definitions" in around:
        alone = {"type": "definitions", "schema": alone, "definitions": around["definitions"]}
    return SchemaValidator(cast("CoreSchema", alone), around.get("config"))


def _alone(part: Any) -> Any:
    if not isinstance(part, dict):
        return part
    copy = _copied(part, lambda _, each: _alone(each))
    if part.get("type") == "default":
        return core_schema.with_default_schema(copy["schema"], default=None)
    return copy.get("schema", core_schema.any_schema()) if _takes_info(part) else copy


def _takes_info(part: dict[str, Any]) -> bool:
    """Whether it is a validator that may look at other fields; that of `Declared` does not."""
    function = part.get("function") if str(part.get("type")).startswith("function-") else None
    return function is not None and function["type"] == "with-info" and getattr(function["function"], "__name__", "") != "_storable"


def _pinned(part: Any, looks: _Looks) -> Any:
    if not isinstance(part, dict) or _is_look(part):
        return part
    copy = _copied(part, lambda key, each: _pinned(each, _KEYS if key == "keys_schema" else looks))
    if part.get("type") in _ITEMS and "items_schema" in part:
        copy["fail_fast"] = True
    look, kind = looks.get(str(part.get("type"))), BY_CORE.get(str(part.get("type")))
    if kind and kind.is_dumped and "serialization" not in copy:
        copy["serialization"] = core_schema.plain_serializer_function_ser_schema(kind.dump, when_used="json")
    return copy if look is None else core_schema.no_info_before_validator_function(look, cast("CoreSchema", copy))


def _copied(part: dict[str, Any], made: Callable[[str, Any], Any]) -> dict[str, Any]:
    """A copy of a schema with what is made of each schema in it, by the key that it has there."""

    def of(key: str, each: Any) -> Any:
        if isinstance(each, list | tuple):  # a choice may have a label
            return type(each)(of("", one) for one in each)
        if key in _NAMED and isinstance(each, dict):
            return {name: made(key, one) for name, one in each.items()}
        return made(key, each)

    return {key: each if key in _DATA else of(key, each) for key, each in part.items()}


def _is_look(part: dict[str, Any]) -> bool:
    """Whether the schema was pinned before: one that is made again may be given as it was."""
    return part.get("type") == "function-before" and part["function"]["function"] in _OURS
