"""Integers of 64 bits."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic_core import PydanticCustomError

from twofold.kinds.kind import INT64, Form, Json, Kind, looked, matching

if TYPE_CHECKING:
    from twofold.fields import Field

_WRITTEN = re.compile(r"-?\d+", re.ASCII)
_WHOLE = re.compile(r"(-?\d+)\.0+", re.ASCII)  # how other systems write them


class Integer(Kind):
    """A JSON number without a point."""

    name = "integer"
    types = (int,)
    form: ClassVar[Form] = "integer"
    schema: ClassVar = {"type": "integer", "format": "int64"}
    example = "An integer of 64 bits, for example 42."
    member = ((int,), "a number without a point")
    core = "int"
    is_number = True
    samples = (1, 7, 10, 100, 1000, 18, 0, -1)
    has_marks = True

    def check(self, field: Field, value: Any) -> Any:
        if not -INT64 <= value < INT64:
            raise PydanticCustomError("out_of_range", "Integer should fit in 64 bits")
        return value

    def fits(self, field: Field, value: Json) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and -INT64 <= value < INT64

    def read(self, text: str) -> int:
        return int(matching(_WRITTEN, text, self.example))

    def from_cell(self, field: Field, text: str) -> Json:
        whole = _WHOLE.fullmatch(text)
        return self.from_text(field, whole[1] if whole else text)

    def look_at_key(self, value: Any) -> Any:
        return looked(self.read, value, "int") if isinstance(value, str) else value

    def published(self, schema: dict[str, Json]) -> dict[str, Json]:
        least, most = schema.get("minimum", -INT64), schema.get("maximum", INT64 - 1)
        return {**schema, "minimum": max(least, -INT64), "maximum": min(most, INT64 - 1), "format": "int64"}

    def shown(self, field: Field, number: float) -> Json:
        """Without a point, unless it is beyond 64 bits, as a sum may be: JSON is not written with those."""
        return int(number) if abs(number) < INT64 else number

    def marked(self, mark: str, value: Json) -> Json:
        return int(mark)
