"""Spans of time, to the millisecond."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic_core import PydanticCustomError

from twofold.kinds.kind import Form, Json, Kind, NotAValue, looked, matching

if TYPE_CHECKING:
    from twofold.fields import Field

_WRITTEN = re.compile(r"(-?)P(?=\d|T)(?:(\d{1,9})D)?(?:T(?=\d)(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,9}(?:\.\d{1,9})?)S)?)?", re.ASCII)
_MILLISECOND = timedelta(milliseconds=1)
_MOST = timedelta(days=999_999_999)


class Duration(Kind):
    """An ISO 8601 duration of days, hours, minutes and seconds, as PT1H30M; it is held as milliseconds."""

    name = "timedelta"
    types = (timedelta,)
    form: ClassVar[Form] = "integer"
    schema: ClassVar = {"type": "string", "format": "duration"}
    example = "A duration of days, hours, minutes and seconds, for example P1DT2H30M or PT1.5S."
    core = "timedelta"
    is_number = True
    samples = ("PT1H", "PT30S", "P1D", "PT0S")

    def encode(self, field: Field, value: timedelta) -> Json:
        return duration(value // _MILLISECOND)

    def decode(self, field: Field, value: Json) -> timedelta:
        return self.read(value)

    def check(self, field: Field, value: timedelta) -> timedelta:
        if abs(value) > _MOST:
            raise PydanticCustomError("out_of_range", "Duration should have at most 999999999 days")
        return int(value / _MILLISECOND) * _MILLISECOND if value.microseconds % 1000 else value

    def stored(self, field: Field, value: Json) -> int:
        return self.read(value) // _MILLISECOND

    def restored(self, field: Field, value: Any) -> Json:
        return duration(value)

    def fits(self, field: Field, value: Json) -> bool:
        return isinstance(value, str) and bool(_WRITTEN.fullmatch(value))

    def read(self, text: str) -> timedelta:
        found = _WRITTEN.fullmatch(matching(_WRITTEN, text, self.example))
        sign, *numbers = found.groups(default="0") if found else ()
        days, hours, minutes, seconds = map(float, numbers)
        try:
            value = timedelta(days, seconds, hours=hours, minutes=minutes)
        except OverflowError:
            raise NotAValue(self.example) from None
        return -value if sign == "-" else value

    def look(self, value: Any) -> Any:
        if isinstance(value, str):
            return looked(self.read, value, self.name)
        if not isinstance(value, timedelta):
            raise PydanticCustomError("timedelta_type", 'A duration as text, for example "PT1H30M"')
        return value

    def shown(self, field: Field, number: float) -> Json:
        return duration(round(number))

    def average(self, field: Field, number: float) -> Json:
        return duration(round(number))


def duration(milliseconds: int) -> str:
    """The shortest text of a duration, in days, hours, minutes and seconds."""
    seconds, rest = divmod(abs(milliseconds), 1000)
    days, seconds = divmod(seconds, 86_400)
    hours, seconds = divmod(seconds, 3600)
    minutes, seconds = divmod(seconds, 60)
    part = f"{seconds}.{rest:03d}".rstrip("0") if rest else str(seconds)
    time = "".join(f"{value}{unit}" for value, unit in ((hours, "H"), (minutes, "M"), (part, "S")) if value not in (0, "0"))
    text = f"P{f'{days}D' if days else ''}{f'T{time}' if time else ''}"
    return f"{'-' if milliseconds < 0 else ''}{'PT0S' if text == 'P' else text}"
