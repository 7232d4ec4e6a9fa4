"""Pydantic's validators, held to the forms of `values`: in JSON and in Python, in lists, in models inside of models.

Its strict mode reads digits as Unix time and `1_000` as a decimal, and rounds integers where a float is asked for. A look before each of
these kinds sees the value as it was given, behind whatever `mode="before"` validators the app has itself. And of a list, no item is looked
at behind the first that does not fit: a body would have as many errors as it has items.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import date
from decimal import Decimal
from typing import Any, cast

from pydantic import BaseModel
from pydantic_core import CoreSchema, PydanticCustomError, SchemaValidator, core_schema

from twofold import values
from twofold.values import NotAValue

DECIMAL_DIGITS = 18  # of a field, places included; an argument may have so many before the point
_ITEMS = frozenset({"frozenset", "list", "set", "tuple"})
_DATA = frozenset({"cls", "config", "default", "expected", "metadata", "serialization"})  # parts of a schema that are no schemas
_NAMED = frozenset({"choices", "fields"})  # parts that may be schemas by name, whatever the names are


def pinned(schema: CoreSchema) -> CoreSchema:
    """A copy of the schema with a look before each date, datetime, decimal and float."""
    return cast("CoreSchema", _pinned(schema, _LOOKS))


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


def _pinned(part: Any, looks: dict[str, Callable[[Any], Any]]) -> Any:
    if not isinstance(part, dict) or _is_look(part):
        return part
    copy = _copied(part, lambda key, each: _pinned(each, _KEYS if key == "keys_schema" else looks))
    if part.get("type") in _ITEMS and "items_schema" in part:
        copy["fail_fast"] = True
    look = looks.get(str(part.get("type")))
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


def _datetime(value: Any) -> Any:
    if isinstance(value, str):
        return _read(values.moment, value, "datetime")
    if not isinstance(value, date):
        raise PydanticCustomError("datetime_type", 'A date and time with a zone as text, for example "2026-01-31T12:00:00Z"')
    return value


def _date(value: Any) -> Any:
    if isinstance(value, str):
        return _read(values.day, value, "date")
    if not isinstance(value, date):
        raise PydanticCustomError("date_type", 'A date as text, for example "2026-01-31"')
    return value


def _decimal(value: Any) -> Any:
    """Bounded, so that what a validator or a command does with it cannot overflow: exceptions of `decimal` are no ValueErrors."""
    if isinstance(value, str):
        value = _read(values.decimal, value, "decimal")
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise PydanticCustomError("decimal_type", 'A decimal number, best as text, for example "12.30"')
    found = value if isinstance(value, Decimal) else Decimal(str(value))
    if found.adjusted() >= DECIMAL_DIGITS:
        raise PydanticCustomError("out_of_range", f"Decimal should have at most {DECIMAL_DIGITS} digits before the point")
    return found


def _float(value: Any) -> Any:
    if isinstance(value, str):
        raise PydanticCustomError("float_type", "A number, not as text, for example 1.5")
    if isinstance(value, int) and (abs(value) >> 1023 or value != float(value)):
        raise PydanticCustomError("float_digits", "Number should have no more digits than a double holds")
    return value


def _key_of(kind: str, read: Callable[[str], Any]) -> Callable[[Any], Any]:
    return lambda value: _read(read, value, kind) if isinstance(value, str) else value


def _read(read: Callable[[str], Any], text: str, kind: str) -> Any:
    try:
        return read(text)
    except NotAValue as reason:
        told = str(reason).removesuffix(".")
        raise PydanticCustomError(f"{kind}_parsing", "{told}", {"told": told}) from None


_LOOKS: dict[str, Callable[[Any], Any]] = {"datetime": _datetime, "date": _date, "decimal": _decimal, "float": _float}
# In JSON the keys of objects are text, and Pydantic reads numbers from it.
_KEYS = {**_LOOKS, "int": _key_of("int", values.integer), "float": _key_of("float", values.number)}
_OURS = (*_LOOKS.values(), *_KEYS.values())
