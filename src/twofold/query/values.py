"""From the text of a value to what documents hold."""

from __future__ import annotations

from typing import Any

from twofold.fields import Field
from twofold.kinds import KINDS
from twofold.resource import Declaration
from twofold.values import from_text

MAX_VALUES = 50  # of one field
SYSTEM = {
    "id": Field("id", "id", KINDS["string"], keyword=True, max_length=128),
    "version": Field("version", "version", KINDS["integer"]),
    "created_at": Field("created_at", "created_at", KINDS["datetime"]),
    "updated_at": Field("updated_at", "updated_at", KINDS["datetime"]),
}


def filterable(resource: Declaration) -> dict[str, Field]:
    """The fields that a filter may name, by name."""
    return {**resource.filterable, **SYSTEM}


def value_of(field: Field, text: str) -> Any:
    """A value's text as documents hold the field, or an item of it. Raises NotAValue with what is allowed."""
    return field.kind.stored(field, from_text(field, field.kind.from_query(text)))
