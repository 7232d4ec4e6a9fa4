"""From a Condition to SQL over a resource's documents `d`. An item of a list is `item`, which `json_each` gives."""

# ruff: noqa: S608 - names come from the declaration and are quoted, values are bound
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from twofold.index.mapping import SYSTEM, many
from twofold.index.search import And, Begins, Compare, Condition, Exists, Not, OneOf, Or
from twofold.index.sqlite_schema import column
from twofold.index.sqlite_text import Statement
from twofold.resource import Declaration


def condition(resource: Declaration, asked: Condition) -> Statement:
    """True, false or NULL; NULL where the field has no value."""
    match asked:
        case And(conditions):
            return _joined(resource, conditions, " AND ", "1")
        case Or(conditions):
            return _joined(resource, conditions, " OR ", "0")
        case Not(inner):
            sql, parameters = condition(resource, inner)
            return f"({sql}) IS NOT TRUE", parameters
        case Exists(field):
            return (f"json_array_length({place(field)}) > 0" if many(resource, field) else f"{place(field)} IS NOT NULL"), []
        case _:
            return _held(resource, asked)


def place(name: str) -> str:
    """The column that a field's values stand in."""
    return f"d.{name}" if name in SYSTEM else f"d.{column(name)}"


def items(name: str) -> str:
    return f"json_each({place(name)}) AS item"


def one_of(expression: str, values: Sequence[Any], *, many: bool) -> Statement:
    if many:  # Both sides go through JSON, so that equal floats are read equally.
        return f"{expression} IN (SELECT value FROM json_each(?))", [orjson.dumps(values).decode()]
    return f"{expression} IN ({', '.join('?' for _ in values)})", list(values)


def between(expression: str, least: Any, beyond: Any, *, many: bool) -> Statement:
    """From the first value on and below the second; None is no bound."""
    bounds = [compared(expression, operator, value, many=many) for operator, value in ((">=", least), ("<", beyond)) if value is not None]
    if not bounds:
        return f"{expression} IS NOT NULL", []
    return " AND ".join(sql for sql, _ in bounds), [value for _, values in bounds for value in values]


def compared(expression: str, operator: str, value: Any, *, many: bool) -> Statement:
    if many:
        return f"{expression} {operator} (SELECT value FROM json_each(?))", [orjson.dumps([value]).decode()]
    return f"{expression} {operator} ?", [value]


def _joined(resource: Declaration, conditions: Sequence[Condition], word: str, empty: str) -> Statement:
    parts = [condition(resource, each) for each in conditions]
    return word.join(f"({sql})" for sql, _ in parts) or empty, [value for _, values in parts for value in values]


def _held(resource: Declaration, asked: OneOf | Compare | Begins) -> Statement:
    """Of a value, or an item of a list."""
    if not many(resource, asked.field):
        return _leaf(asked, place(asked.field), many=False)
    sql, parameters = _leaf(asked, "item.value", many=True)
    return f"EXISTS (SELECT 1 FROM {items(asked.field)} WHERE {sql})", parameters


def _leaf(asked: OneOf | Compare | Begins, expression: str, *, many: bool) -> Statement:
    match asked:
        case OneOf(_, values):
            return one_of(expression, values, many=many)
        case Compare(_, operator, value):
            return compared(expression, operator, value, many=many)
        case Begins(_, text):
            return between(expression, text, _beyond(text), many=many)


def _beyond(text: str) -> str | None:
    """The least text behind all that begin with this one; None where there is none."""
    text = text.rstrip("\U0010ffff")
    if not text:
        return None
    following = ord(text[-1]) + 1
    return text[:-1] + chr(0xE000 if following == 0xD800 else following)  # halves of surrogate pairs are no text
