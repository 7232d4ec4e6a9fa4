"""From an annotation to a field: its kind, where it is stored, how it is searched. What could never be stored is refused here."""

from __future__ import annotations

import enum
import types
import typing
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError, SchemaValidator

from twofold.fields import LIST_LENGTH, MAX_SECRET_BYTES, Column, Field, Guarded, Keyword, Password, Places, Secret, Text, Unique
from twofold.kinds import BY_TYPE, KINDS, Kind
from twofold.kinds.strings import CONTROL, KEYWORD_LENGTH, TEXT_LENGTH, UNIQUE_BYTES
from twofold.values import words

_HINTS: dict[Any, str] = dict.fromkeys((Text, Keyword, Unique, Guarded), "()") | {Column: '("name")', Places: "(2)"}


class Unsupported(Exception):
    """The annotation cannot be stored; the message says what to write instead. Becomes a DeclarationError that names class and field."""


def field_of(attribute: str, name: str, info: FieldInfo) -> Field:
    """The field that an annotation declares, but for its default. Raises Unsupported with the fix."""
    field = replace(_read(attribute, info), name=name)
    _refuse_nonsense(field)
    refuse_lengths(field, info)
    return replace(field, places=max(field.places, 0))


def with_default(field: Field, info: FieldInfo, validator: SchemaValidator) -> Field:
    """A field that is not required, with its default as state. Pydantic does not validate it; the stores would meet it in every row."""
    try:
        value, again = (info.get_default(call_default_factory=True) for _ in range(2))
    except ValueError:
        raise Unsupported("its default is made of other fields, which a table cannot do; make it in a method named create") from None
    if value != again:  # rows that exist need one that stays
        raise Unsupported("its default is another one each time; give it None, and the value in a method named create")
    try:
        values, *_ = validator.validate_python({field.attribute: value}, by_alias=False, by_name=True)
        return replace(field, default=field.encode(field.checked(values[field.attribute])))
    except ValidationError as error:
        raise Unsupported(f"its default does not fit the annotation ({words(error.errors()[0])}); change one of them") from None
    except PydanticCustomError as error:
        raise Unsupported(f"its default cannot be stored ({error.message()}); choose another") from None


def argument_of(name: str, info: FieldInfo) -> Field | None:
    """What a parameter of a command takes, as if it were a field; None where no field could hold it. `places` is -1 without Places."""
    try:
        return _read(name, info)
    except Unsupported:
        return None


@dataclass(frozen=True, slots=True)
class _Unwrapped:
    """An annotation without Annotated, `| None` and list[…]. `around` are the hints on a list, `hints` all others."""

    bare: Any
    hints: Sequence[Any]
    nullable: bool
    many: bool
    around: Sequence[Any]


def _read(name: str, info: FieldInfo) -> Field:
    found = _unwrap(info.annotation, list(info.metadata))
    for hint in found.hints:
        if hint in _HINTS:
            raise Unsupported(f"{hint.__name__} needs its parentheses: Annotated[…, {hint.__name__}{_HINTS[hint]}]")
    hints: dict[type, Any] = {type(hint): hint for hint in found.hints}
    kind, choices = _kind(found.bare)
    keyword = Keyword in hints or bool(choices) or (kind.form == "string" and not kind.is_text)
    return Field(
        name=name,
        attribute=name,
        column=hints[Column].name if Column in hints else name,
        kind=kind,
        many=found.many,
        nullable=found.nullable,
        required=info.is_required(),
        secret=_secret(found.bare),
        text=Text in hints,
        keyword=keyword,
        unique=Unique in hints,
        guarded=Guarded in hints,
        max_length=min(kind.longest(keyword=keyword), _longest(found.hints)),
        places=hints[Places].digits if Places in hints else -1,
        choices=choices,
        enum=found.bare if isinstance(found.bare, type) and issubclass(found.bare, enum.Enum) else None,
    )


def _unwrap(annotation: Any, hints: list[Any]) -> _Unwrapped:
    nullable = many = False
    around: list[Any] = []
    while True:
        origin, args = typing.get_origin(annotation), typing.get_args(annotation)
        if origin is typing.Annotated:
            annotation, hints = args[0], [*hints, *_flat(args[1:])]
        elif origin in (typing.Union, types.UnionType):
            rest = [arg for arg in args if arg is not type(None)]
            if len(rest) != 1 or len(rest) == len(args):
                raise Unsupported("a union is only supported as `X | None`")
            if many:
                raise Unsupported("a list cannot hold None; write `list[X]` or `list[X] | None`")
            annotation, nullable = rest[0], True
        elif origin is list and not many:
            annotation, many = args[0], True
            around = [hint for hint in hints if _is_length(hint)]
            hints = [hint for hint in hints if not _is_length(hint)]
        else:
            return _Unwrapped(annotation, hints, nullable, many, around)


def _is_length(hint: Any) -> bool:
    return any(getattr(hint, name, None) is not None for name in ("min_length", "max_length"))


def _longest(hints: Iterable[Any]) -> int:
    """The declared max_length, and without one more than anything has."""
    return min((int(hint.max_length) for hint in hints if getattr(hint, "max_length", None) is not None), default=2**63)


def _shortest(hints: Iterable[Any]) -> int:
    return max((int(hint.min_length) for hint in hints if getattr(hint, "min_length", None) is not None), default=0)


def _flat(hints: Iterable[Any]) -> list[Any]:
    """Hints, with what a nested `Field(…)` holds in its place."""
    return [each for hint in hints for each in (hint.metadata if isinstance(hint, FieldInfo) else [hint])]


def _kind(bare: Any) -> tuple[Kind, tuple[str, ...]]:
    if typing.get_origin(bare) is Literal:
        choices = typing.get_args(bare)
    elif isinstance(bare, type) and issubclass(bare, enum.Enum):
        choices = tuple(member.value for member in bare)
    elif isinstance(bare, type) and issubclass(bare, Secret):
        return BY_TYPE[str], ()
    elif bare in BY_TYPE:
        return BY_TYPE[bare], ()
    else:
        supported = f"{', '.join(type_.__name__ for type_ in BY_TYPE)}, Email, Literal, Enum, Secret, Password, or a list of these"
        raise Unsupported(f"{getattr(bare, '__name__', bare)} cannot be stored; use {supported}")
    if not all(isinstance(choice, str) for choice in choices):
        raise Unsupported("the choices of a Literal or Enum must be strings")
    return BY_TYPE[str], choices


def _secret(bare: Any) -> Literal["", "secret", "password"]:
    if not (isinstance(bare, type) and issubclass(bare, Secret)):
        return ""
    return "password" if issubclass(bare, Password) else "secret"


def refuse_lengths(field: Field, info: FieldInfo) -> None:
    """Raises Unsupported where a length is declared that no value can have: it would be published, and refused when it is sent."""
    found = _unwrap(info.annotation, list(info.metadata))
    _refuse_length(found.around, LIST_LENGTH, f"a list has at most {LIST_LENGTH} items")
    if not field.kind.is_text:
        if any(_is_length(hint) for hint in found.hints):
            raise Unsupported(f"min_length and max_length belong to texts and lists, and this is {field.kind.name}; take them away")
        return
    limit, told = limit_of(field)
    _refuse_length(found.hints, limit, told)
    for choice in field.choices:
        if len(choice) > limit or CONTROL.search(choice):
            raise Unsupported(f"the choice {choice[:40]!r} cannot be stored: {told}, and no control characters; choose another")


def limit_of(field: Field) -> tuple[int, str]:
    """How long the text of a field may be, and why, in the words of a message."""
    if field.unique:
        return UNIQUE_BYTES, f"a Unique value has at most {UNIQUE_BYTES} bytes"
    if field.secret:
        return MAX_SECRET_BYTES, f"a secret has at most {MAX_SECRET_BYTES} bytes"
    if field.keyword:
        return KEYWORD_LENGTH, f"a Keyword has at most {KEYWORD_LENGTH} characters"
    return TEXT_LENGTH, f"a text has at most {TEXT_LENGTH} characters"


def _refuse_length(hints: Sequence[Any], limit: int, told: str) -> None:
    longest, shortest = _longest(hints), _shortest(hints)
    if longest < 2**63 and longest > limit:
        raise Unsupported(f"max_length={longest} is never reached, since {told}; write max_length={limit} or less, or leave it out")
    if shortest > min(longest, limit):
        raise Unsupported(f"min_length={shortest} fits no value, since {told if limit < longest else f'max_length is {longest}'}; lower it")


def _refuse_nonsense(field: Field) -> None:
    if reason := field.kind.misfit(field):
        raise Unsupported(reason)
    if field.secret and (field.text or field.keyword or field.unique or field.guarded or field.many or field.nullable):
        raise Unsupported("a secret cannot be searched, unique, guarded, a list or optional; take that hint away")
    if field.unique and (field.many or not field.kind.may_be_unique):
        kinds = ", ".join(kind.name for kind in KINDS.values() if kind.may_be_unique)
        raise Unsupported(f"Unique belongs to one value of these kinds: {kinds}")
    if field.guarded and field.required:
        raise Unsupported("a Guarded field needs a default, since no client can give its value")
