"""Decimals of a fixed number of places, held as scaled integers."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal as Number
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic_core import PydanticCustomError

from twofold.kinds.kind import Form, Json, Kind, looked, matching

if TYPE_CHECKING:
    from twofold.fields import Field

DIGITS = 18  # of a field, places included; an argument may have so many before the point
PATTERN = r"^-?\d+(\.\d+)?$"  # as OpenAPI has it
AVERAGE_PLACES = 2  # of an average beyond those of its field
_WRITTEN = re.compile(PATTERN[1:-1], re.ASCII)


class Decimal(Kind):
    """Text with exactly `places` digits behind the point, as 1.50. Without Places, as an argument, `places` is -1."""

    name = "decimal"
    types = (Number,)
    form: ClassVar[Form] = "integer"
    schema: ClassVar = {"type": "string", "pattern": PATTERN}
    example = "A decimal number in plain digits, for example 12.30."
    beyond = "A decimal number with no more digits, and no more places, than the field has, for example 12.30."
    core = "decimal"
    is_number = True
    samples = ("1", "10", "100", "0", "-1")
    has_marks = True

    def encode(self, field: Field, value: Number) -> Json:
        return f"{value:.{field.places}f}"

    def decode(self, field: Field, value: Json) -> Number:
        return Number(value)

    def check(self, field: Field, value: Number) -> Number:
        places = max(field.places, 0)
        if not value.is_finite() or value.adjusted() + places >= DIGITS:
            raise PydanticCustomError("out_of_range", f"Decimal should have at most {DIGITS - places} digits before the point")
        if field.places != -1 and value != round(value, places):
            raise PydanticCustomError("decimal_places", f"Decimal should have at most {field.places} places")
        return value or Number(0)  # not -0, which a scaled integer cannot hold

    def stored(self, field: Field, value: Json) -> int:
        return int(Number(value).scaleb(field.places))

    def restored(self, field: Field, value: Any) -> Json:
        return unscaled(value, field.places)

    def fits(self, field: Field, value: Json) -> bool:
        """Whether the index can hold it as it is: scaled to 64 bits, and no digit lost."""
        if not isinstance(value, str):
            return False
        whole, _, places = value.removeprefix("-").partition(".")
        digits = whole + places.rstrip("0")
        return digits.isascii() and digits.isdigit() and len(whole) + field.places <= DIGITS and len(places.rstrip("0")) <= field.places

    def read(self, text: str) -> Number:
        return Number(matching(_WRITTEN, text, self.example))

    def look(self, value: Any) -> Any:
        """Bounded, so that what a validator or a command does with it cannot overflow: exceptions of `decimal` are no ValueErrors."""
        if isinstance(value, str):
            value = looked(self.read, value, self.name)
        if isinstance(value, bool) or not isinstance(value, int | float | Number):
            raise PydanticCustomError("decimal_type", 'A decimal number, best as text, for example "12.30"')
        found = value if isinstance(value, Number) else Number(str(value))
        if found.adjusted() >= DIGITS:
            raise PydanticCustomError("out_of_range", f"Decimal should have at most {DIGITS} digits before the point")
        return found

    def published(self, schema: dict[str, Json]) -> dict[str, Json]:
        """A number, or text with all of its digits."""
        bounds = {name: value for name, value in schema.get("anyOf", [schema])[0].items() if name != "type"}
        text = {"type": "string", "pattern": PATTERN, "maxLength": 40, "examples": ["12.30"]}
        return {"anyOf": [text, {"type": "number", **bounds}]}

    def schema_of(self, field: Field) -> dict[str, Json]:
        """With an example, else Swagger UI makes one up from the pattern, of a hundred digits."""
        return {**self.schema, "examples": [f"{Number(12):.{field.places}f}"]}

    def noted(self, field: Field) -> str:
        return f"decimal({field.places})"

    def described(self, field: Field) -> str:
        return f"decimal of {field.places} places"

    def misfit(self, field: Field) -> str:
        if not 0 <= field.places <= 9:
            return "a Decimal needs Places(0) to Places(9): Annotated[Decimal, Places(2)]"
        return super().misfit(replace(field, places=-1))

    def shown(self, field: Field, number: float) -> Json:
        return unscaled(number, field.places)

    def average(self, field: Field, number: float) -> Json:
        return unscaled(number, field.places, AVERAGE_PLACES)

    def marked(self, mark: str, value: Json) -> Json:
        return mark


def unscaled(value: float, places: int, more: int = 0) -> str:
    """A scaled number as text with `places` digits behind the point, and `more` of them."""
    return f"{Number(value).scaleb(-places):.{places + more}f}"
