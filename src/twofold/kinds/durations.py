"""Spans of time, to the millisecond."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic_core import PydanticCustomError

from twofold.kinds.kind import Form, Json, NotAValue, Written, matching

if TYPE_CHECKING:
    from twofold.fields import Field

_WRITTEN = re.compile(r"(-?)P(?=\d|T)(?:(\d{1,9})D)?(?:T(?=\d)(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,9}(?:\.\d{1,9})?)S)?)?", re.ASCII)
PATTERN = f"^{_WRITTEN.pattern}$"  # as OpenAPI has it
_MILLISECOND = timedelta(milliseconds=1)
_NOTHING = timedelta()
MOST = 999_999_998 * 86_400_000  # milliseconds; one day less than a timedelta holds, so that each has its opposite


class Duration(Written):
    """An ISO 8601 duration of days, hours, minutes and seconds, as PT1H30M; it is held as milliseconds."""

    name = "timedelta"
    types = (timedelta,)
    form: ClassVar[Form] = "integer"
    schema: ClassVar = {"type": "string", "format": "duration", "pattern": PATTERN, "examples": ["PT1H30M"]}
    example = "A duration of days, hours, minutes and seconds, for example P1DT2H30M or PT1.5S."
    core = "timedelta"
    taken = timedelta
    wanted = 'A duration as text, for example "PT1H30M"'
    is_number = True
    is_guarded = True
    samples = ("PT1H", "PT30S", "P1D", "PT0S")

    def dump(self, value: timedelta) -> Json:
        """Pydantic's has years of 365 days."""
        return duration(value // _MILLISECOND)

    def encode(self, field: Field, value: timedelta) -> Json:
        return self.dump(value)

    def decode(self, field: Field, value: Json) -> timedelta:
        return self.read(value)

    def check(self, field: Field, value: timedelta) -> timedelta:
        if abs(value // _MILLISECOND) > MOST:
            raise PydanticCustomError("out_of_range", "Duration should have at most 999999998 days")
        whole, rest = divmod(abs(value), _MILLISECOND)
        return (-whole if value < _NOTHING else whole) * _MILLISECOND if rest else value

    def stored(self, field: Field, value: Json) -> int:
        return self.read(value) // _MILLISECOND

    def restored(self, field: Field, value: Any) -> Json:
        return duration(value)

    def fits(self, field: Field, value: Json) -> bool:
        if not isinstance(value, str):
            return False
        try:
            self.read(value)
        except NotAValue:
            return False
        return True

    def read(self, text: str) -> timedelta:
        found = _WRITTEN.fullmatch(matching(_WRITTEN, text, self.example))
        sign, *numbers = found.groups(default="0") if found else ()
        days, hours, minutes = map(int, numbers[:3])
        seconds, _, part = numbers[3].partition(".")
        milliseconds = int(part[:3].ljust(3, "0")) + 1000 * int(seconds) + 60_000 * minutes + 3_600_000 * hours + 86_400_000 * days
        if milliseconds > MOST:
            raise NotAValue(self.example)
        return (-milliseconds if sign == "-" else milliseconds) * _MILLISECOND

    def published(self, schema: dict[str, Json]) -> dict[str, Json]:
        return {**schema, "pattern": PATTERN, "examples": ["PT1H30M"]}

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
