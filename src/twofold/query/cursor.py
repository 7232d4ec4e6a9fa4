"""Where the next page begins, as opaque text that belongs to its query."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Sequence
from typing import Any

import orjson

from twofold.errors import Problem
from twofold.index.search import Search

MAX_CURSOR = 65_536


def cursor(search: Search, sort: Sequence[Any]) -> str:
    """Opaque text from which the page behind these sort values is found again."""
    text = orjson.dumps([_mark(search), *sort])
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def after(search: Search, given: str) -> tuple[Any, ...]:
    """The sort values that a cursor of this search holds. Raises Problem 400 for any other cursor."""
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


def _mark(search: Search) -> str:
    """What a cursor belongs to: everything that decides which hits there are, and their order."""
    asked = [search.text, search.filter, search.refinements, [[sort.field, sort.descending] for sort in search.sort]]
    return hashlib.sha256(repr(asked).encode()).hexdigest()[:12]


def _scalar(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float)
