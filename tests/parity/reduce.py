"""A search that is answered wrongly, made as small as it can be while it still is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from twofold.index.search import And, Condition, Not, OneOf, Or, Search, Sort

TRIES = 150


def smallest(search: Search, wrong: Callable[[Search], Any]) -> Search:
    """Greedy: the first simpler one that is still wrong, and from there."""
    tries = iter(range(TRIES))
    while smaller := next((each for each in _simpler(search) if next(tries, None) is not None and wrong(each)), None):
        search = smaller
    return search


def _simpler(search: Search) -> Iterator[Search]:
    plain = Search()
    for name in ("text", "filter", "refinements", "facets", "offset", "exact", "disjunctive"):
        if getattr(search, name) != getattr(plain, name):
            yield replace(search, **{name: getattr(plain, name)})
    if search.after is not None:
        yield replace(search, after=None)
    if search.after is None and search.sort != (Sort("id"),):
        fewer = ((Sort("id"),), search.sort[:1], search.sort[1:])
        yield from (replace(search, sort=sort) for sort in fewer if sort not in ((), search.sort))
    yield from (replace(search, text=text) for text in _fewer(search.text))
    yield from (replace(search, text=_at(search.text, i, few)) for i, group in enumerate(search.text) for few in _fewer(group))
    yield from (replace(search, refinements=few) for few in _fewer(search.refinements))
    yield from (replace(search, facets=few) for few in _fewer(search.facets))
    if search.filter is not None:
        yield from (replace(search, filter=condition) for condition in _simpler_condition(search.filter))


def _simpler_condition(condition: Condition) -> Iterator[Condition]:
    match condition:
        case Not(inner):
            yield inner
            yield from (Not(each) for each in _simpler_condition(inner))
        case And(inner) | Or(inner):
            yield from inner
            yield from (type(condition)(few) for few in _fewer(inner))
            yield from (type(condition)(_at(inner, i, each)) for i, one in enumerate(inner) for each in _simpler_condition(one))
        case OneOf(field, values):
            yield from (OneOf(field, few) for few in _fewer(values))


def _fewer(found: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    """Each with one left out, while one is left."""
    if len(found) > 1:
        yield from (found[:i] + found[i + 1 :] for i in range(len(found)))


def _at(found: tuple[Any, ...], place: int, value: Any) -> tuple[Any, ...]:
    return (*found[:place], value, *found[place + 1 :])
