"""One parser per kind: the value that a text stands for, in the form that OpenAPI promises and in no other.

Python reads more than is written here: `1_000` and the digits of other scripts as numbers, digits as Unix time, weeks as dates.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from pydantic_core import PydanticCustomError

if TYPE_CHECKING:
    from twofold.fields import Field, Json

DECIMAL = r"^-?\d+(\.\d+)?$"  # as OpenAPI has it
LONGEST = 40  # characters of a number, a date, or a date and time
_INTEGER = re.compile(r"-?\d+", re.ASCII)
_DECIMAL = re.compile(DECIMAL[1:-1], re.ASCII)
_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_DATETIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


class NotAValue(ValueError):
    """The text does not stand for a value of that kind; the message says what does, without quoting the text."""


def from_text(field: Field, text: str) -> Json:
    """The text as state holds the field, or one item of it where it is a list. A body may hold that too. Raises NotAValue."""
    if field.choices and text not in field.choices:
        raise NotAValue(f"One of: {', '.join(field.choices)}.")
    if field.kind == "string":
        return _string(field, text)
    one = replace(field, many=False)
    try:
        return one.encode(one.checked(_READ[field.kind](text)))
    except PydanticCustomError:
        raise NotAValue(_PLACES if field.kind == "decimal" else _EXAMPLES[field.kind]) from None


def words(error: Mapping[str, object]) -> str:
    """What an error of Pydantic tells, without its end: where a validator of the app raised it, that one's own words."""
    prefix = {"value_error": "Value error, ", "assertion_error": "Assertion failed, "}.get(str(error["type"]), "")
    return str(error["msg"]).removeprefix(prefix).strip().removesuffix(".") or "A rule of the app refuses this value"


def integer(text: str) -> int:
    """Any integer of so many digits; whether it has 64 bits is the field's to say."""
    return int(_matching(_INTEGER, text, "integer"))


def number(text: str) -> float:
    """A JSON number that a double holds without rounding."""
    value = double(_matching(_NUMBER, text, "float"))
    if value is None:
        raise NotAValue(f"{_EXAMPLES['float']} A double does not hold this one.")
    return value


def decimal(text: str) -> Decimal:
    """A decimal number in plain digits; how many it may have is the field's to say."""
    return Decimal(_matching(_DECIMAL, text, "decimal"))


def boolean(text: str) -> bool:
    if text not in ("true", "false"):
        raise NotAValue(_EXAMPLES["boolean"])
    return text == "true"


def day(text: str) -> date:
    try:
        return date.fromisoformat(_matching(_DATE, text, "date"))
    except ValueError:
        raise NotAValue(_EXAMPLES["date"]) from None


def moment(text: str) -> datetime:
    """A date and time with a zone (RFC 3339)."""
    try:
        return datetime.fromisoformat(_matching(_DATETIME, text, "datetime").upper())
    except ValueError:
        raise NotAValue(_EXAMPLES["datetime"]) from None


def double(digits: str) -> float | None:
    """The double of a JSON number; None where it is too large, or has more digits than a double holds."""
    value = float(digits)
    try:
        exact = math.isfinite(value) and Decimal(digits) == Decimal(repr(value))
    except InvalidOperation:  # an exponent beyond those of `decimal`
        exact = False
    return value if exact else None


def _string(field: Field, text: str) -> str:
    if len(text) > field.max_length:
        raise NotAValue(f"At most {field.max_length} characters.")
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise NotAValue("Text in UTF-8.")
    return text


def _matching(pattern: re.Pattern[str], text: str, kind: str) -> str:
    if len(text) > LONGEST or not pattern.fullmatch(text):
        raise NotAValue(_EXAMPLES[kind])
    return text


_READ: dict[str, Any] = {"integer": integer, "float": number, "decimal": decimal, "boolean": boolean, "date": day, "datetime": moment}
_EXAMPLES = {
    "integer": "An integer of 64 bits, for example 42.",
    "float": "A number, for example 1.5.",
    "decimal": "A decimal number in plain digits, for example 12.30.",
    "boolean": "true or false.",
    "date": "A date, for example 2026-01-31.",
    "datetime": "A date and time with a zone, for example 2026-01-31T12:00:00Z.",
}
_PLACES = "A decimal number with no more digits, and no more places, than the field has, for example 12.30."
