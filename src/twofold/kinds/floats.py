"""Numbers that a double holds."""

from __future__ import annotations

import math
import re
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic_core import PydanticCustomError

from twofold.kinds.kind import Form, Json, Kind, NotAValue, looked, matching

if TYPE_CHECKING:
    from twofold.fields import Field

_WRITTEN = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?", re.ASCII)


class Float(Kind):
    """A JSON number."""

    name = "float"
    types = (float,)
    form: ClassVar[Form] = "float"
    plain: ClassVar = float
    schema: ClassVar = {"type": "number"}
    example = "A number, for example 1.5."
    member = ((int, float), "a number")
    core = "float"
    is_number = True
    may_be_unique = False
    samples = (1.5, 0.5, 10.0, 0.0, -1.0)

    def check(self, field: Field, value: Any) -> Any:
        if not math.isfinite(value):
            raise PydanticCustomError("finite_number", "Number should be finite")
        return value or 0.0  # not -0, which Elasticsearch tells apart from 0

    def fits(self, field: Field, value: Json) -> bool:
        return isinstance(value, int | float) and not isinstance(value, bool)

    def read(self, text: str) -> float:
        value = double(matching(_WRITTEN, text, self.example))
        if value is None:
            raise NotAValue(f"{self.example} A double does not hold this one.")
        return value

    def look(self, value: Any) -> Any:
        if isinstance(value, str):
            raise PydanticCustomError("float_type", "A number, not as text, for example 1.5")
        if isinstance(value, int) and (abs(value) >> 1023 or value != float(value)):
            raise PydanticCustomError("float_digits", "Number should have no more digits than a double holds")
        return value

    def look_at_key(self, value: Any) -> Any:
        return looked(self.read, value, "float") if isinstance(value, str) else value


def double(digits: str) -> float | None:
    """The double of a JSON number; None where it is too large, or has more digits than a double holds."""
    value = float(digits)
    try:
        exact = math.isfinite(value) and Decimal(digits) == Decimal(repr(value))
    except InvalidOperation:  # an exponent beyond those of `decimal`
        exact = False
    return value if exact else None
