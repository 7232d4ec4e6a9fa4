"""Moments, to the millisecond."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, ClassVar

from pydantic_core import PydanticCustomError

from twofold.kinds import dates
from twofold.kinds.kind import Form, Json, NotAValue, Written, matching

if TYPE_CHECKING:
    from twofold.fields import Field

_WRITTEN = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


class DateTime(Written):
    """A date-time of RFC 3339, in state always in UTC."""

    name = "datetime"
    types = (datetime,)
    form: ClassVar[Form] = "datetime"
    plain: ClassVar = str
    schema: ClassVar = {"type": "string", "format": "date-time"}
    example = "A date and time with a zone, for example 2026-01-31T12:00:00Z."
    core = "datetime"
    taken = date
    wanted = 'A date and time with a zone as text, for example "2026-01-31T12:00:00Z"'
    intervals = (*dates.INTERVALS, "hour")
    has_zone = True
    samples = ("2026-11-23T12:00:00.000Z", "1990-05-17T12:00:00.000Z", "2040-01-01T00:00:00.000Z")

    def encode(self, field: Field, value: datetime) -> Json:
        return timestamp(value)

    def decode(self, field: Field, value: Json) -> datetime:
        return datetime.fromisoformat(value)

    def check(self, field: Field, value: datetime) -> datetime:
        if value.tzinfo is None:
            raise PydanticCustomError("timezone", "Datetime should have a time zone, for example a final Z")
        if not 1000 < value.year < 9999:
            raise PydanticCustomError("out_of_range", "Datetime should lie between the years 1001 and 9998")
        value = value.astimezone(UTC)
        return value.replace(microsecond=value.microsecond // 1000 * 1000)

    def fits(self, field: Field, value: Json) -> bool:
        return isinstance(value, str)

    def read(self, text: str) -> datetime:
        try:
            return datetime.fromisoformat(matching(_WRITTEN, text, self.example).upper())
        except ValueError:
            raise NotAValue(self.example) from None

    def from_query(self, text: str) -> str:
        return text.replace(" ", "+")  # which is what a + in a query string is read as


def timestamp(value: datetime) -> str:
    """RFC 3339 in UTC with milliseconds, `2026-01-02T03:04:05.678Z`; what is finer is cut."""
    return value.astimezone(UTC).isoformat(timespec="milliseconds")[: -len("+00:00")] + "Z"
