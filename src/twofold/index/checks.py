"""Whether a search fits the declaration: what engines would refuse, or disagree about, is refused here, for all of them alike."""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, get_args

from twofold.errors import Unfit
from twofold.index.mapping import after, filter_form, fits, full_sort, sort_form, texts
from twofold.index.search import (
    TOTAL_CAP,
    And,
    Begins,
    Compare,
    Condition,
    Dates,
    Exists,
    Facet,
    Interval,
    Not,
    OneOf,
    Operator,
    Or,
    Ranges,
    Search,
    Stats,
    Terms,
)
from twofold.kinds import Form
from twofold.resource import Declaration

# What both SQLite (its parser's stack, the height of an expression) and Elasticsearch (clauses, nested bools) take without a complaint.
MAX_TERMS = 1_024
MAX_CONDITIONS = 256
MAX_DEPTH = 20
MAX_VALUES = 10_000
MAX_BUCKETS = 1_000
MAX_INTERVALS = 1_000  # of a calendar, which hold some match
MAX_TYPOS = 2  # Lucene's
MAX_COMPARED = 200  # characters; Elasticsearch compares with at most 1,000 bytes
_NUMBERS: tuple[Form, ...] = ("integer", "float")
_DATES: tuple[Form, ...] = ("date", "datetime")


def check(resource: Declaration, search: Search) -> None:
    """Raises Unfit with the reason. Every value in the search fits its field, and every text is Unicode, once this returned."""
    _check_page(resource, search)
    _check_text(search)
    for name, values in search.refinements:
        _check_held(resource, name, values)
    if search.filter is not None:
        _check_filter(resource, search.filter)
    for facet in search.facets:
        _check_facet(resource, facet)
    _check_highlight(resource, search)


def _check_page(resource: Declaration, search: Search) -> None:
    if search.limit < 0 or search.offset < 0 or search.limit + search.offset > TOTAL_CAP:
        raise Unfit(f"A page lies within the first {TOTAL_CAP} hits; continue behind the last one instead")
    if search.seconds is not None and not search.seconds > 0:
        raise Unfit("A search needs more than 0 seconds")
    for sort in full_sort(search):
        sort_form(resource, sort.field)
    if search.after is not None:
        after(resource, search)
        _check_unicode(search.after)


def _check_text(search: Search) -> None:
    terms = [term for group in search.text for term in group]
    if len(terms) > MAX_TERMS:
        raise Unfit(f"A search has at most {MAX_TERMS} words")
    if not all(0 <= term.typos <= MAX_TYPOS for term in terms):
        raise Unfit(f"A word has at most {MAX_TYPOS} typos")
    _check_unicode(term.text for term in terms)


def _check_filter(resource: Declaration, condition: Condition) -> None:
    found = list(_walk(condition))
    if len(found) > MAX_CONDITIONS:
        raise Unfit(f"A filter has at most {MAX_CONDITIONS} conditions")
    for each in found:
        _check_condition(resource, each)


def _walk(condition: Condition, depth: int = 1) -> Iterator[Condition]:
    if depth > MAX_DEPTH:
        raise Unfit(f"A filter's conditions are nested at most {MAX_DEPTH} deep")
    yield condition
    for inner in _inner(condition):
        yield from _walk(inner, depth + 1)


def _inner(condition: Condition) -> tuple[Condition, ...]:
    if isinstance(condition, And | Or):
        return condition.conditions
    return (condition.condition,) if isinstance(condition, Not) else ()


def _check_condition(resource: Declaration, condition: Condition) -> None:
    match condition:
        case OneOf():
            _check_held(resource, condition.field, condition.values)
        case Compare():
            _check_compare(resource, condition)
        case Begins():
            _check_form(resource, condition.field, ("string",), "by how it begins")
            _check_compared(resource, condition.field, condition.text)
        case Exists():
            filter_form(resource, condition.field)


def _check_compare(resource: Declaration, condition: Compare) -> None:
    if condition.operator not in get_args(Operator):
        raise Unfit(f"{condition.operator!r} does not compare; write one of {' '.join(get_args(Operator))}")
    _check_form(resource, condition.field, ("string", *_NUMBERS, *_DATES), "by order")
    _check_compared(resource, condition.field, condition.value)


def _check_compared(resource: Declaration, name: str, value: Any) -> None:
    _check_held(resource, name, (value,))
    if isinstance(value, str) and len(value) > MAX_COMPARED:
        raise Unfit(f"{name} is compared with a text of more than {MAX_COMPARED} characters; only equality takes that")


def _check_facet(resource: Declaration, facet: Facet) -> None:
    match facet:
        case Terms():
            filter_form(resource, facet.field)
            if not 1 <= facet.limit <= MAX_BUCKETS:
                raise Unfit(f"A facet lists 1 to {MAX_BUCKETS} values")
            _check_held(resource, facet.field, facet.also)
        case Dates():
            _check_dates(resource, facet)
        case Ranges():
            _check_ranges(resource, facet)
        case Stats():
            _check_form(resource, facet.field, _NUMBERS, "summed up")


def _check_dates(resource: Declaration, facet: Dates) -> None:
    _check_form(resource, facet.field, _DATES, "counted by date")
    if facet.interval not in get_args(Interval):
        raise Unfit(f"{facet.interval!r} is no interval; write one of {', '.join(get_args(Interval))}")
    if facet.interval == "hour" and filter_form(resource, facet.field) == "date":
        raise Unfit(f"{facet.field} holds dates, which have no hour; count them by day")
    if facet.time_zone not in time_zones():
        raise Unfit(f"{facet.time_zone[:64]!r} is no time zone; write an IANA name, for example Europe/Berlin")


def check_intervals(facet: Dates, found: int) -> None:
    """Whether so many intervals are told. Raises Unfit where they are not."""
    if found > MAX_INTERVALS:
        told = f"{facet.field}:{facet.interval} has more than {MAX_INTERVALS:,} intervals with matches"
        raise Unfit(f"{told}; choose a longer interval, or fewer matches by a filter")


def _check_ranges(resource: Declaration, facet: Ranges) -> None:
    _check_form(resource, facet.field, (*_NUMBERS, *_DATES), "counted by ranges")
    if len(facet.bounds) > MAX_BUCKETS:
        raise Unfit(f"A facet has at most {MAX_BUCKETS} ranges")
    for least, beyond in facet.bounds:
        _check_held(resource, facet.field, [bound for bound in (least, beyond) if bound is not None])
        if None not in (least, beyond) and beyond < least:
            raise Unfit(f"A range of {facet.field} ends before it begins")


@cache
def time_zones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())


def _check_highlight(resource: Declaration, search: Search) -> None:
    known = {field.name for field in texts(resource)}
    for name in search.highlight:
        if name not in known:
            raise Unfit(f"{resource.name} has no text field {name!r} to highlight")
    _check_unicode(search.marks)


def _check_form(resource: Declaration, name: str, forms: tuple[Form, ...], what: str) -> None:
    form = filter_form(resource, name)
    if form not in forms:
        raise Unfit(f"{name} is {form} and cannot be asked for {what}; that needs {' or '.join(forms)}")


def _check_held(resource: Declaration, name: str, values: tuple[Any, ...] | list[Any]) -> None:
    """Refuses a value that no document can hold, since engines disagree about those."""
    if len(values) > MAX_VALUES:
        raise Unfit(f"{resource.name} is filtered by {name} with more than {MAX_VALUES} values")
    form = filter_form(resource, name)
    if not all(fits(form, value) for value in values):
        raise Unfit(f"{resource.name} is filtered by {name} with a value that is not {form}")
    _check_unicode(values)


def _check_unicode(values: Iterable[Any]) -> None:
    for value in values:
        if isinstance(value, str) and not value.isascii():
            try:
                value.encode()
            except UnicodeEncodeError as error:  # half a surrogate pair
                raise Unfit("The search holds text that is not Unicode") from error
