"""What a declaration means to an index, whichever engine holds it: its shape, and which values fit a field."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Any

from twofold.errors import Unfit
from twofold.fields import Field
from twofold.index.search import Hit, OneOf, Search, Sort
from twofold.kinds import Form
from twofold.kinds.kind import INT64
from twofold.resource import Declaration

SYSTEM: dict[str, Form] = {"id": "string", "version": "integer", "created_at": "datetime", "updated_at": "datetime"}
SCORE = "_score"
ID_BYTES = 512  # Elasticsearch's limit
_GREATEST = sys.float_info.max
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_DATETIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", re.ASCII)


def texts(resource: Declaration) -> list[Field]:
    return [field for field in resource.indexed if field.text]


def shape(resource: Declaration) -> dict[str, str]:
    """How each public field is indexed, in words. Where this changes, documents or their index change."""
    return {field.name: _describe(field) for field in resource.indexed}


def full_sort(search: Search) -> tuple[Sort, ...]:
    """The search's sort, with `id` behind it so that no two hits are equal."""
    return search.sort if any(sort.field == "id" for sort in search.sort) else (*search.sort, Sort("id"))


def sort_form(resource: Declaration, name: str) -> Form:
    """The kind of the values that `name` is sorted by. Raises Unfit where nothing can be sorted by it."""
    if name == SCORE:
        return "float"
    field = _indexed(resource, name)
    if name not in SYSTEM and (field is None or not field.sortable):
        raise Unfit(f"{resource.name} cannot be sorted by {name!r}")
    return SYSTEM[name] if field is None else field.kind.form


def filter_form(resource: Declaration, name: str) -> Form:
    """The kind of the values that `name` is filtered by. Raises Unfit where nothing can be filtered by it."""
    field = _indexed(resource, name)
    if name not in SYSTEM and (field is None or not field.filterable):
        raise Unfit(f"{resource.name} cannot be filtered by {name!r}")
    return SYSTEM[name] if field is None else field.kind.form


def refinements(search: Search) -> Iterator[OneOf]:
    """The search's refinements as conditions."""
    return (OneOf(name, values) for name, values in search.refinements)


def many(resource: Declaration, name: str) -> bool:
    """Whether the field holds a list."""
    field = _indexed(resource, name)
    return field is not None and field.many


def after(resource: Declaration, search: Search) -> list[tuple[Sort, Form, Any]]:
    """The sort, its forms, and the values to continue behind. Raises Unfit where these do not fit the sort."""
    sorts, values = full_sort(search), search.after or ()
    forms = [sort_form(resource, sort.field) for sort in sorts]
    fitting = len(values) == len(sorts) and all(map(_may_be_last, sorts, forms, values))
    if not fitting:
        raise Unfit(f"{resource.name} cannot be continued there: the values do not fit the sort")
    return list(zip(sorts, forms, values, strict=True))


def last_values(search: Search, hits: Sequence[Hit]) -> tuple[Any, ...] | None:
    """What the last hit was sorted by, as its document holds it; so it is the same on every engine and survives JSON."""
    if not hits:
        return None
    document, score = hits[-1].document, hits[-1].score
    return tuple(score if sort.field == SCORE else document.get(sort.field) for sort in full_sort(search))


def fits(form: Form, value: Any) -> bool:
    """Whether a document may hold this value in a field of this form."""
    if form == "boolean":
        return isinstance(value, bool)
    if form == "integer":
        return _fits_integer(value)
    if form == "float":
        return _fits_integer(value) or (type(value) is float and abs(value) <= _GREATEST)  # so neither NaN nor infinite
    return isinstance(value, str) and (form == "string" or _is_date(form, value))


def _fits_integer(value: Any) -> bool:
    return type(value) is int and -INT64 <= value < INT64


def _may_be_last(sort: Sort, form: Form, value: Any) -> bool:
    """Whether a hit may be sorted by this value. Any field may be missing in a document, but every hit has a score."""
    return fits(form, value) if value is not None else sort.field != SCORE


def _is_date(form: Form, value: str) -> bool:
    try:
        if form == "date":
            return bool(_DATE.fullmatch(value) and date.fromisoformat(value))
        return bool(_DATETIME.fullmatch(value) and datetime.fromisoformat(value))
    except ValueError:
        return False


def _indexed(resource: Declaration, name: str) -> Field | None:
    return next((field for field in resource.indexed if field.name == name), None)


def _describe(field: Field) -> str:
    words = field.kind.described(field)
    return f"list of {words}" if field.many else words
