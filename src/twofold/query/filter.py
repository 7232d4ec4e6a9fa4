"""What `filter` means: its tree, held against the declaration."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from lark import Token, Tree

from twofold.fields import Field
from twofold.index.checks import MAX_COMPARED
from twofold.index.search import And, Begins, Compare, Condition, Exists, Not, OneOf, Or
from twofold.query.grammar import Wrong, parse, place_of
from twofold.query.parameters import did_you_mean
from twofold.query.values import MAX_VALUES, filterable, value_of
from twofold.resource import Declaration

_ESCAPES = re.compile(r"\\(.)|([^\\])", re.DOTALL)


class WrongFilter(ValueError):
    """Everything that is wrong with a filter, in the order of the text."""

    def __init__(self, wrongs: Iterable[Wrong]) -> None:
        super().__init__()
        self.wrongs = list(wrongs)


def read(resource: Declaration, text: str) -> Condition:
    """The condition that the text states. Raises WrongFilter."""
    try:
        tree = parse(text)
    except Wrong as wrong:
        raise WrongFilter([wrong]) from None
    wrongs: list[Wrong] = []
    condition = _Builder(filterable(resource), wrongs).condition(tree)
    if wrongs:
        raise WrongFilter(wrongs)
    return condition


class _Builder:
    """From the tree of a text to conditions; what is wrong with fields and values is noted."""

    def __init__(self, fields: dict[str, Field], wrongs: list[Wrong]) -> None:
        self._fields, self._wrongs = fields, wrongs

    def condition(self, tree: Tree[Token]) -> Condition:
        """Recursive, over a tree whose depth is limited."""
        if tree.data == "negated":
            return Not(self.condition(_trees(tree)[0]))
        if tree.data in ("all", "any"):
            parts = tuple(self.condition(part) for part in _trees(tree))
            return And(parts) if tree.data == "all" else Or(parts)
        try:
            return self._comparison(tree.data, *_tokens(tree))
        except Wrong as wrong:
            self._wrongs.append(wrong)
            return Exists("id")

    def _comparison(self, kind: str, name: Token, *rest: Token) -> Condition:
        field = self._field(name)
        if kind == "compare":
            operator, value = rest
            return _compared(field, str(operator), value, operator)
        if kind == "one_of":
            if len(rest) > MAX_VALUES:
                raise Wrong(f"At most {MAX_VALUES} values.", place_of(rest[MAX_VALUES]))
            return OneOf(field.name, tuple(_value(field, value) for value in rest))
        return Exists(field.name) if kind == "exists" else Not(Exists(field.name))

    def _field(self, name: Token) -> Field:
        if name not in self._fields:
            guess = did_you_mean(name, self._fields)
            raise Wrong(f"There is no such field to filter by.{guess} Allowed are: {', '.join(self._fields)}.", place_of(name))
        return self._fields[name]


def _trees(tree: Tree[Token]) -> list[Tree[Token]]:
    return [child for child in tree.children if isinstance(child, Tree)]


def _tokens(tree: Tree[Token]) -> list[Token]:
    return [child for child in tree.children if isinstance(child, Token)]


def _compared(field: Field, operator: str, value: Token, place: Token) -> Condition:
    if operator in ("=", "!="):
        equal = _equal(field, value)
        return equal if operator == "=" else Not(equal)
    if not field.kind.has_order:
        raise Wrong("true and false have no order: write = or !=.", place_of(place))
    return Compare(field.name, operator, _short(_value(field, value), value))  # type: ignore[arg-type] # the grammar has no other


def _equal(field: Field, value: Token) -> Condition:
    text, begins = _text(value)
    if not begins:
        return OneOf(field.name, (_value(field, value),))
    if not field.kind.is_text or field.choices:
        kind = "one of a few values" if field.choices else field.kind.name
        raise Wrong(f"Only text has a beginning; {field.name} is {kind}.", place_of(value))
    return Begins(field.name, _short(_held(field, text, value), value)) if text else Exists(field.name)


def _value(field: Field, value: Token) -> Any:
    text, begins = _text(value)
    if begins:
        raise Wrong(r"Text that ends with * is a beginning, and goes with = or != only. For a star write \* in quotes.", place_of(value))
    return _held(field, text, value)


def _held(field: Field, text: str, value: Token) -> Any:
    try:
        return value_of(field, text)
    except ValueError as reason:
        raise Wrong(f"{field.name}: {reason}", place_of(value)) from None


def _short(held: Any, value: Token) -> Any:
    if isinstance(held, str) and len(held) > MAX_COMPARED:
        raise Wrong(f"At most {MAX_COMPARED} characters, unless the text is compared as a whole, with =, != or IN.", place_of(value))
    return held


def _text(value: Token) -> tuple[str, bool]:
    """What the value says, and whether it is only a beginning."""
    quoted = value.type == "QUOTED"
    if not quoted and value.lower() == "null":
        raise Wrong('Write IS NULL for no value, or "null" in quotes for the text.', place_of(value))
    found = _ESCAPES.findall(value[1:-1] if quoted else value)
    if any(escaped and escaped not in '"\\*' for escaped, _ in found):
        raise Wrong(r'A backslash stands before ", \ or * only.', place_of(value))
    stars = [number for number, (_, plain) in enumerate(found) if plain == "*"]
    if stars and stars != [len(found) - 1]:
        raise Wrong(r"A * stands at the end of text only. For a star write \* in quotes.", place_of(value))
    characters = [escaped or plain for escaped, plain in found]
    return "".join(characters[:-1] if stars else characters), bool(stars)
