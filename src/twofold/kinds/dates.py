"""Days of the calendar."""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING, ClassVar

from pydantic_core import PydanticCustomError

from twofold.kinds.kind import Form, Json, NotAValue, Written, matching

if TYPE_CHECKING:
    from twofold.fields import Field

INTERVALS = ("year", "quarter", "month", "week", "day")
_WRITTEN = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


class Date(Written):
    """A full-date of RFC 3339."""

    name = "date"
    types = (date,)
    form: ClassVar[Form] = "date"
    plain: ClassVar = str
    schema: ClassVar = {"type": "string", "format": "date"}
    example = "A date, for example 2026-01-31."
    core = "date"
    taken = date
    wanted = 'A date as text, for example "2026-01-31"'
    intervals = INTERVALS
    samples = ("2026-11-23", "1990-05-17", "2040-01-01")

    def encode(self, field: Field, value: date) -> Json:
        return value.isoformat()

    def decode(self, field: Field, value: Json) -> date:
        return date.fromisoformat(value)

    def check(self, field: Field, value: date) -> date:
        if value.year < 1000:
            raise PydanticCustomError("out_of_range", "Date should lie between the years 1000 and 9999")
        return value

    def fits(self, field: Field, value: Json) -> bool:
        return isinstance(value, str)

    def read(self, text: str) -> date:
        try:
            return date.fromisoformat(matching(_WRITTEN, text, self.example))
        except ValueError:
            raise NotAValue(self.example) from None
