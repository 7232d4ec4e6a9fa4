"""What a query string means: its parameters, against the declaration, as one `Search`.

User text only ever becomes a value: of a word, a prefix, or an equality on a declared field.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import math
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson

from twofold.errors import Problem
from twofold.fields import INT64, Field, timestamp
from twofold.index.search import Search, Sort, Term
from twofold.resource import Declaration

MAX_QUERY = 256  # characters of q
MAX_WORDS = 16
MAX_LIMIT = 100
DEFAULT_LIMIT = 20
MAX_SORTS = 3
MAX_VALUES = 50
MAX_CURSOR = 65_536
_SYSTEM_SORTS = ("id", "created_at", "updated_at", "version")
_PARAMETERS = ("q", "sort", "limit", "cursor")


def parse(resource: Declaration, parameters: Sequence[tuple[str, str]]) -> Search:
    """The search that a query string asks for. Raises Problem 400 with everything that is wrong."""
    errors: list[dict[str, str]] = []
    _check_names(resource, parameters, errors)
    text = _text_of(_one(parameters, "q", errors), errors)
    refinements = _refinements(resource, parameters, errors)
    sort = _sort(resource, _one(parameters, "sort", errors), bool(text), errors)
    limit = _limit(_one(parameters, "limit", errors), errors)
    search = Search(text, refinements=refinements, sort=sort, limit=limit)
    after = _after(_one(parameters, "cursor", errors), search, errors)
    if errors:
        raise Problem(400, "invalid-parameter", "The query has parameters that do not fit.", errors=errors)
    return replace(search, after=after)


def cursor(search: Search, sort: Sequence[Any]) -> str:
    """Opaque text from which the page behind these sort values is found again."""
    text = orjson.dumps([_mark(search), *sort])
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def _mark(search: Search) -> str:
    """What a cursor belongs to: everything of a search but its page."""
    asked = [search.text, search.refinements, [[sort.field, sort.descending] for sort in search.sort]]
    return hashlib.sha256(repr(asked).encode()).hexdigest()[:12]


def _after(given: str | None, search: Search, errors: list[dict[str, str]]) -> tuple[Any, ...] | None:
    if given is None or errors:
        return None
    try:
        mark, *values = (
            orjson.loads(base64.urlsafe_b64decode(given.encode() + b"=" * (-len(given) % 4))) if len(given) <= MAX_CURSOR else [""]
        )
    except (binascii.Error, orjson.JSONDecodeError, UnicodeEncodeError, TypeError, ValueError):
        mark, values = "", []
    length = len(search.sort) + (not any(sort.field == "id" for sort in search.sort))
    if mark != _mark(search) or len(values) != length or not all(_scalar(value) for value in values):
        detail = "The cursor does not belong to this query. Repeat every other parameter as it was, or start without a cursor."
        raise Problem(400, "invalid-cursor", detail)
    return tuple(values)


def _scalar(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float)


def _error(name: str, detail: str) -> dict[str, str]:
    return {"parameter": name[:64], "detail": detail}


def _one(parameters: Sequence[tuple[str, str]], name: str, errors: list[dict[str, str]]) -> str | None:
    given = [value for key, value in parameters if key == name]
    if len(given) > 1:
        errors.append(_error(name, "Give this parameter once."))
    return given[0] if given else None


def _check_names(resource: Declaration, parameters: Sequence[tuple[str, str]], errors: list[dict[str, str]]) -> None:
    fields = [field.name for field in resource.indexed if field.filterable]
    allowed = ", ".join([*_PARAMETERS, *fields])
    for name in dict.fromkeys(name for name, _ in parameters):
        if name in {field.name for field in resource.indexed} - set(fields):
            errors.append(_error(name, f"This field is not declared as filterable (Keyword). Allowed are: {allowed}."))
        elif name not in (*_PARAMETERS, *fields):
            errors.append(_error(name, f"Unknown. Allowed are: {allowed}."))


def _text_of(q: str | None, errors: list[dict[str, str]]) -> tuple[tuple[Term, ...], ...]:
    """All words, and the last one as a prefix. Mere punctuation is passed over, unless there is nothing else: that finds nothing."""
    if q is None:
        return ()
    if len(q) > MAX_QUERY:
        errors.append(_error("q", f"At most {MAX_QUERY} characters."))
        return ()
    given = q.translate(_UNPRINTABLE).split()
    words = [word for word in given if any(unicodedata.category(character)[0] in "LNS" for character in word)] or given
    if len(words) > MAX_WORDS:
        errors.append(_error("q", f"At most {MAX_WORDS} words."))
        return ()
    if not words:
        return ()
    return *((Term(word),) for word in words[:-1]), (Term(words[-1], prefix=not q[-1].isspace()),)


_UNPRINTABLE = dict.fromkeys((*range(32), 127, *range(0xD800, 0xE000)), " ")


def _refinements(
    resource: Declaration, parameters: Sequence[tuple[str, str]], errors: list[dict[str, str]]
) -> tuple[tuple[str, tuple[Any, ...]], ...]:
    found: dict[str, list[Any]] = {}
    filterable = {field.name: field for field in resource.indexed if field.filterable}
    for name, text in parameters:
        if name not in filterable:
            continue
        try:
            found.setdefault(name, []).append(value_of(filterable[name], text))
        except ValueError as reason:
            errors.append(_error(name, f"{reason}"))
    errors += [_error(name, f"At most {MAX_VALUES} values.") for name, values in found.items() if len(values) > MAX_VALUES]
    return tuple((name, tuple(values)) for name, values in sorted(found.items()))


def value_of(field: Field, text: str) -> Any:
    """A query parameter's text as documents hold the field. Raises ValueError with what is allowed."""
    if field.choices and text not in field.choices:
        raise ValueError(f"One of: {', '.join(field.choices)}.")
    if field.kind == "string":
        return _text(field, text)
    if field.kind == "boolean":
        if text not in ("true", "false"):
            raise ValueError("true or false.")
        return text == "true"
    try:
        return _READ[field.kind](field, text)
    except (ValueError, InvalidOperation, OverflowError):
        raise ValueError(_EXAMPLES[field.kind]) from None


def _text(field: Field, text: str) -> str:
    if len(text) > field.max_length:
        raise ValueError(f"At most {field.max_length} characters.")
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("Text in UTF-8.")
    return text


def _integer(_: Field, text: str) -> int:
    value = int(text) if len(text) <= 20 else INT64
    if not -INT64 <= value < INT64:
        raise ValueError
    return value


def _float(_: Field, text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError
    return value


def _decimal(field: Field, text: str) -> int:
    one = replace(field, many=False)
    value = one.checked(Decimal(text) if len(text) <= 40 else Decimal("NaN"))
    return int(one.scale(one.encode(value)))


def _datetime(field: Field, text: str) -> str:
    return timestamp(replace(field, many=False).checked(datetime.fromisoformat(text.replace(" ", "+"))))


_READ: dict[str, Any] = {
    "integer": _integer,
    "float": _float,
    "decimal": _decimal,
    "date": lambda _, text: date.fromisoformat(text).isoformat(),
    "datetime": _datetime,
}
_EXAMPLES = {
    "integer": "An integer of 64 bits, for example 42.",
    "float": "A number, for example 1.5.",
    "decimal": "A decimal number with no more places than the field has, for example 12.30.",
    "date": "A date, for example 2026-01-31.",
    "datetime": "A date and time with a zone, for example 2026-01-31T12:00:00Z.",
}


def _sort(resource: Declaration, given: str | None, scored: bool, errors: list[dict[str, str]]) -> tuple[Sort, ...]:
    """Best match first where there is `q`, else newest first."""
    if given is None:
        return (Sort("_score", descending=True) if scored else Sort("created_at", descending=True),)
    sortable = [*_SYSTEM_SORTS, *(field.name for field in resource.indexed if field.sortable)]
    names = given.split(",")
    for name in names:
        if name.removeprefix("-") not in sortable:
            errors.append(_error("sort", f"Names of fields, with - before one for descending. Allowed are: {', '.join(sortable)}."))
            return (Sort("id"),)
    if len(names) > MAX_SORTS or len({name.removeprefix("-") for name in names}) < len(names):
        errors.append(_error("sort", f"At most {MAX_SORTS} fields, each once."))
    return tuple(Sort(name.removeprefix("-"), name.startswith("-")) for name in names)


def _limit(given: str | None, errors: list[dict[str, str]]) -> int:
    if given is None:
        return DEFAULT_LIMIT
    if not (given.isascii() and given.isdigit() and len(given) <= 3 and 1 <= int(given) <= MAX_LIMIT):
        errors.append(_error("limit", f"1 to {MAX_LIMIT}."))
        return DEFAULT_LIMIT
    return int(given)
