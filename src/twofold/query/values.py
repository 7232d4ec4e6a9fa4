"""From the text of a value to what documents hold."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from twofold.fields import INT64, Field, timestamp
from twofold.resource import Declaration

MAX_VALUES = 50  # of one field
SYSTEM = {
    "id": Field("id", "id", "string", keyword=True, max_length=128),
    "version": Field("version", "version", "integer"),
    "created_at": Field("created_at", "created_at", "datetime"),
    "updated_at": Field("updated_at", "updated_at", "datetime"),
}


def filterable(resource: Declaration) -> dict[str, Field]:
    """The fields that a filter may name, by name."""
    return {**resource.filterable, **SYSTEM}


def value_of(field: Field, text: str) -> Any:
    """A value's text as documents hold the field, or an item of it. Raises ValueError with what is allowed."""
    if field.choices and text not in field.choices:
        raise ValueError(f"One of: {', '.join(field.choices)}.")
    if field.kind == "string":
        return _text(field, text)
    if field.kind == "boolean":
        if text not in ("true", "false"):
            raise ValueError("true or false.")
        return text == "true"
    try:
        return _READ[field.kind](field, text)
    except (ValueError, InvalidOperation, OverflowError):
        raise ValueError(_EXAMPLES[field.kind]) from None


def _text(field: Field, text: str) -> str:
    if len(text) > field.max_length:
        raise ValueError(f"At most {field.max_length} characters.")
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("Text in UTF-8.")
    return text


def _integer(_: Field, text: str) -> int:
    value = int(text) if len(text) <= 20 else INT64
    if not -INT64 <= value < INT64:
        raise ValueError
    return value


def _float(_: Field, text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError
    return value + 0.0  # zero has one sign in documents, and to Elasticsearch -0 is another number


def _decimal(field: Field, text: str) -> int:
    one = replace(field, many=False)
    value = one.checked(Decimal(text) if len(text) <= 40 else Decimal("NaN"))
    return int(one.scale(one.encode(value)))


def _datetime(field: Field, text: str) -> str:
    return timestamp(replace(field, many=False).checked(datetime.fromisoformat(text.replace(" ", "+"))))


_READ: dict[str, Any] = {
    "integer": _integer,
    "float": _float,
    "decimal": _decimal,
    "date": lambda _, text: date.fromisoformat(text).isoformat(),
    "datetime": _datetime,
}
_EXAMPLES = {
    "integer": "An integer of 64 bits, for example 42.",
    "float": "A number, for example 1.5.",
    "decimal": "A decimal number with no more places than the field has, for example 12.30.",
    "date": "A date, for example 2026-01-31.",
    "datetime": "A date and time with a zone, for example 2026-01-31T12:00:00Z.",
}
