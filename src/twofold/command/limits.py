"""How large a body may be: as large as what the declaration allows, each character of it written as an escape."""

from __future__ import annotations

from collections.abc import Iterable

from twofold.annotations import argument_of
from twofold.command.body import MAX_ARGS
from twofold.fields import LIST_LENGTH, MAX_SECRET_BYTES, Field
from twofold.record import MAX_VALUE
from twofold.resource import CommandSpec, Declaration
from twofold.runtime.web import MAX_BODY, MOST_BODY

_ESCAPED = len(r"\ud83d\ude00")  # bytes of one character
_GROWS = 3  # times that text grows at most, beyond ASCII, when it is written in escapes and not in UTF-8


def of_resource(resource: Declaration) -> int:
    """Bytes of a body that holds a whole resource. What is kept is bounded, and so this is."""
    return _bounded(resource.fields, min(_GROWS * MAX_VALUE, MOST_BODY))


def of_command(spec: CommandSpec) -> int:
    """Bytes of a body that holds the arguments of a domain command."""
    return _bounded((argument_of(name, info) for name, info in spec.arguments.model_fields.items()), _GROWS * MAX_ARGS)


def _bounded(fields: Iterable[Field | None], most: int) -> int:
    return max(MAX_BODY, min(most, sum(MAX_BODY if field is None else _most(field) for field in fields)))


def _most(field: Field) -> int:
    """The longest member, its name too. What stands between values may be white space of any length, and is not counted."""
    characters = field.max_length
    if field.secret:
        characters = min(characters, MAX_SECRET_BYTES)
    if field.choices:
        characters = max(len(choice) for choice in field.choices)
    return _ESCAPED * (len(field.name) + (characters + 2) * (LIST_LENGTH if field.many else 1))
