"""A field of a resource as the stores see it, the annotations that declare it, and what a value of it may be.

A field's value lives in three forms. In Python it is what the annotation says. In *state* (records,
answers, receipts) it is plain JSON: dates and datetimes as RFC 3339 text, decimals as text. In tables
and in the index a decimal is a scaled 64-bit integer; everything else is as in state.
"""

from __future__ import annotations

import enum
import math
import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Literal

from pydantic import SecretStr
from pydantic_core import PydanticCustomError

from twofold.forms import DECIMAL_DIGITS

Kind = Literal["string", "integer", "float", "boolean", "date", "datetime", "decimal"]
Json = Any

KEYWORD_LENGTH = 8191  # characters; 4 bytes each stay below Lucene's longest term, 32,766 bytes
TEXT_LENGTH = 65_536
LIST_LENGTH = 1000
INT64 = 2**63
UNIQUE_BYTES = 320
MAX_SECRET_BYTES = 1024
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Text:
    """The field is found by full-text search (`q`)."""


@dataclass(frozen=True, slots=True)
class Keyword:
    """The field is filtered by equality and sorted by; at most 8,191 characters."""


@dataclass(frozen=True, slots=True)
class Unique:
    """No two rows hold the same value, compared after Unicode normalisation (NFKC) and case folding."""


@dataclass(frozen=True, slots=True)
class Guarded:
    """The field is changed by domain commands only."""


@dataclass(frozen=True, slots=True)
class Column:
    """The name of the field's column, where it differs from the field's."""

    name: str


@dataclass(frozen=True, slots=True)
class Places:
    """How many digits a `Decimal` has after the point (0 to 9)."""

    digits: int


class Secret(SecretStr):
    """Text that stays in its column of the write store: in no answer, event, index or log."""


class Password(Secret):
    """A secret that is stored as an argon2id hash."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a resource, as the stores see it. `name` is its name on the wire, `attribute` that in Python."""

    name: str
    column: str
    kind: Kind
    many: bool = False
    nullable: bool = False
    required: bool = True
    default: Json = None
    secret: Literal["", "secret", "password"] = ""
    text: bool = False
    keyword: bool = False
    unique: bool = False
    guarded: bool = False
    max_length: int = TEXT_LENGTH
    places: int = 0
    choices: tuple[str, ...] = ()
    enum: type[enum.Enum] | None = None
    attribute: str = ""

    @property
    def filterable(self) -> bool:
        return not self.secret and (self.kind != "string" or self.keyword)

    @property
    def sortable(self) -> bool:
        return self.filterable and not self.many

    @property
    def hashed(self) -> bool:
        """Whether the column holds a hash instead of the value."""
        return self.secret == "password"  # noqa: S105 - a kind

    @property
    def key_column(self) -> str:
        """The column that holds the normalised bytes of a unique field."""
        return f"{self.attribute or self.name}_key"

    def encode(self, value: Any) -> Json:
        """From Python to state."""
        if value is None:
            return None
        return [self._encoded(item) for item in value] if self.many else self._encoded(value)

    def decode(self, value: Json) -> Any:
        """From state to Python, without validation. A list is a new one: what a command does to it is not done to the state."""
        if value is None:
            return None
        return [self._decoded(item) for item in value] if self.many else self._decoded(value)

    def _encoded(self, value: Any) -> Json:
        if self.kind in ("integer", "float", "boolean"):
            return value
        if self.kind == "datetime":
            return timestamp(value)
        if self.kind == "date":
            return value.isoformat()
        if self.kind == "decimal":
            return f"{value:.{self.places}f}"
        return value.value if isinstance(value, enum.Enum) else str(value)

    def _decoded(self, value: Json) -> Any:
        if self.kind == "datetime":
            return datetime.fromisoformat(value)
        if self.kind == "date":
            return date.fromisoformat(value)
        if self.kind == "decimal":
            return Decimal(value)
        return self.enum(value) if self.enum else value

    def scale(self, value: Json) -> Json:
        """From state to what tables and the index hold."""
        if self.kind != "decimal" or value is None:
            return value
        return [_scaled(v, self.places) for v in value] if self.many else _scaled(value, self.places)

    def unscale(self, value: Json) -> Json:
        """From what tables and the index hold to state."""
        if self.kind != "decimal" or value is None:
            return value
        return [_unscaled(v, self.places) for v in value] if self.many else _unscaled(value, self.places)

    def unique_key(self, value: Json) -> bytes | None:
        """The bytes that the unique index compares; None stands for "no value" and is never taken."""
        if value is None:
            return None
        text = unicodedata.normalize("NFKC", str(value)).casefold()
        return unicodedata.normalize("NFKC", text).strip().encode()

    def checked(self, value: Any) -> Any:
        """The value as it can be stored, or the error that the client is told.

        Whatever a table or the index would refuse is refused here first.
        """
        if value is None or self.secret:
            return value
        if self.many:
            if len(value) > LIST_LENGTH:
                raise PydanticCustomError("too_long", f"List should have at most {LIST_LENGTH} items")
            return [_CHECKS[self.kind](self, item) for item in value]
        return _CHECKS[self.kind](self, value)


def timestamp(value: datetime) -> str:
    """RFC 3339 in UTC with milliseconds, `2026-01-02T03:04:05.678Z`; what is finer is cut."""
    return value.astimezone(UTC).isoformat(timespec="milliseconds")[: -len("+00:00")] + "Z"


def _scaled(value: str, places: int) -> int:
    return int(Decimal(value).scaleb(places))


def _unscaled(value: int, places: int) -> str:
    return f"{Decimal(value).scaleb(-places):.{places}f}"


def _check_string(field: Field, value: Any) -> Any:
    text = value.value if isinstance(value, enum.Enum) else value
    if CONTROL.search(text):
        raise PydanticCustomError("characters", "String should not contain control characters")
    if len(text) > field.max_length:
        raise PydanticCustomError("string_too_long", f"String should have at most {field.max_length} characters")
    if field.unique and (len(text) > UNIQUE_BYTES or len(field.unique_key(text) or b"") > UNIQUE_BYTES):
        raise PydanticCustomError("string_too_long", f"A unique value should have at most {UNIQUE_BYTES} bytes")
    return value


def _check_integer(_: Field, value: int) -> int:
    if not -INT64 <= value < INT64:
        raise PydanticCustomError("out_of_range", "Integer should fit in 64 bits")
    return value


def _check_float(_: Field, value: float) -> float:
    if not math.isfinite(value):
        raise PydanticCustomError("finite_number", "Number should be finite")
    return value or 0.0  # not -0, which Elasticsearch tells apart from 0


def _check_decimal(field: Field, value: Decimal) -> Decimal:
    places = max(field.places, 0)
    if not value.is_finite() or value.adjusted() + places >= DECIMAL_DIGITS:
        raise PydanticCustomError("out_of_range", f"Decimal should have at most {DECIMAL_DIGITS - places} digits before the point")
    if field.places != -1 and value != round(value, places):
        raise PydanticCustomError("decimal_places", f"Decimal should have at most {field.places} places")
    return value or Decimal(0)  # not -0, which a scaled integer cannot hold


def _check_datetime(_: Field, value: datetime) -> datetime:
    if value.tzinfo is None:
        raise PydanticCustomError("timezone", "Datetime should have a time zone, for example a final Z")
    if not 1000 < value.year < 9999:
        raise PydanticCustomError("out_of_range", "Datetime should lie between the years 1001 and 9998")
    value = value.astimezone(UTC)
    return value.replace(microsecond=value.microsecond // 1000 * 1000)


def _check_date(_: Field, value: date) -> date:
    if value.year < 1000:
        raise PydanticCustomError("out_of_range", "Date should lie between the years 1000 and 9999")
    return value


_CHECKS: dict[Kind, Any] = {
    "string": _check_string,
    "integer": _check_integer,
    "float": _check_float,
    "boolean": lambda _, value: value,
    "decimal": _check_decimal,
    "datetime": _check_datetime,
    "date": _check_date,
}
