"""True and false."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from twofold.kinds.kind import Form, Json, Kind, NotAValue

if TYPE_CHECKING:
    from twofold.fields import Field

_WRITTEN = {"true": True, "false": False}
_ELSEWHERE = {**_WRITTEN, "yes": True, "no": False, "1": True, "0": False}


class Boolean(Kind):
    """A JSON boolean."""

    name = "boolean"
    types = (bool,)
    form: ClassVar[Form] = "boolean"
    plain: ClassVar = bool
    schema: ClassVar = {"type": "boolean"}
    example = "true or false."
    member = ((bool,), "true or false")
    has_order = False
    may_be_unique = False
    samples = (True, False)

    def fits(self, field: Field, value: Json) -> bool:
        return isinstance(value, bool)

    def read(self, text: str) -> bool:
        if text not in _WRITTEN:
            raise NotAValue(self.example)
        return _WRITTEN[text]

    def from_cell(self, field: Field, text: str) -> Json:
        if (value := _ELSEWHERE.get(text.lower())) is None:
            raise NotAValue("true or false, yes or no, 1 or 0.")
        return value
