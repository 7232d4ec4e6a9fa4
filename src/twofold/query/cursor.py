"""Where the next page begins, as opaque text that belongs to its query."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import orjson

from twofold.errors import Problem, Unfit
from twofold.index.mapping import after as last_values
from twofold.index.search import Search
from twofold.resource import Declaration

MAX_CURSOR = 48 * 1024  # characters: it has to go through a URL or a body of 64 KiB, with the query's other parameters


def cursor(search: Search, sort: Sequence[Any]) -> str:
    """Opaque text from which the page behind these sort values is found again. Raises Problem 400 for values that it has no room for."""
    text = base64.urlsafe_b64encode(orjson.dumps([_mark(search), *sort])).rstrip(b"=").decode()
    if len(text) > MAX_CURSOR:
        detail = "What this page is sorted by is too long to go on behind its last hit. Sort by fewer fields, or fetch the export."
        raise Problem(400, "invalid-parameter", detail, errors=[{"parameter": "sort", "detail": detail}])
    return text


def after(resource: Declaration, search: Search, given: str) -> tuple[Any, ...]:
    """The sort values that a cursor of this search holds. Raises Problem 400 for any other cursor."""
    try:
        mark, *values = (
            orjson.loads(base64.urlsafe_b64decode(given.encode() + b"=" * (-len(given) % 4))) if len(given) <= MAX_CURSOR else [""]
        )
    except (binascii.Error, orjson.JSONDecodeError, UnicodeEncodeError, TypeError, ValueError):
        mark, values = "", []
    if mark != _mark(search) or not _fit(resource, search, values):
        detail = "The cursor does not belong to this query. Repeat every other parameter as it was, or start without a cursor."
        raise Problem(400, "invalid-cursor", detail)
    return tuple(values)


def _mark(search: Search) -> str:
    """What a cursor belongs to: everything that decides which hits there are, and their order."""
    asked = [search.text, search.filter, search.refinements, [[sort.field, sort.descending] for sort in search.sort]]
    return hashlib.sha256(repr(asked).encode()).hexdigest()[:12]


def _fit(resource: Declaration, search: Search, values: Sequence[Any]) -> bool:
    try:
        last_values(resource, replace(search, after=tuple(values)))
    except Unfit:
        return False
    return True
