"""The value that a text stands for, and what is said of a value that is refused."""

from __future__ import annotations

from collections.abc import Mapping

from twofold.fields import Field
from twofold.kinds.kind import Json, NotAValue


def from_text(field: Field, text: str) -> Json:
    """The text as state holds the field, or one item of it where it is a list. A body may hold that too. Raises NotAValue."""
    _refuse_other_choices(field, text)
    return field.kind.from_text(field, text)


def from_cell(field: Field, text: str) -> Json:
    """As `from_text`, with what other systems write: yes, no, 1, 0 in any case, and 2008.0 for an integer."""
    _refuse_other_choices(field, text)
    return field.kind.from_cell(field, text)


def _refuse_other_choices(field: Field, text: str) -> None:
    if field.choices and text not in field.choices:
        raise NotAValue(f"One of: {', '.join(field.choices)}.")


def words(error: Mapping[str, object]) -> str:
    """What an error of Pydantic tells, without its end: where a validator of the app raised it, that one's own words."""
    prefix = {"value_error": "Value error, ", "assertion_error": "Assertion failed, "}.get(str(error["type"]), "")
    return str(error["msg"]).removeprefix(prefix).strip().removesuffix(".") or "A rule of the app refuses this value"
