"""Bugs that an engine could have, each as a wrapper around one that has it not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from twofold.index.port import ReadStore
from twofold.index.search import (
    And,
    Bucket,
    Buckets,
    Compare,
    Condition,
    Dates,
    Exists,
    Hit,
    Not,
    OneOf,
    Or,
    Page,
    Search,
    Sort,
    Summary,
    Term,
)
from twofold.resource import Declaration

FIXED = {"Europe/Berlin": "Etc/GMT-1", "America/New_York": "Etc/GMT+5", "Australia/Lord_Howe": "Etc/GMT-10"}


@dataclass(frozen=True)
class Bug:
    """What is asked instead of a search, and what is answered instead of a page."""

    name: str
    search: Callable[[Search], Search] = lambda search: search
    page: Callable[[Search, Page], Page] | None = None

    def __str__(self) -> str:
        return self.name


class Buggy:
    """A read store with a bug in its searches."""

    def __init__(self, store: ReadStore, bug: Bug) -> None:
        self._store, self._bug = store, bug

    def search(self, resource: Declaration, searches: Sequence[Search]) -> list[Page]:
        pages = self._store.search(resource, [self._bug.search(search) for search in searches])
        answered = self._bug.page
        return [answered(search, page) for search, page in zip(searches, pages, strict=True)] if answered else pages


def _terms(change: Callable[[Term], Term]) -> Callable[[Search], Search]:
    return lambda search: replace(search, text=tuple(tuple(change(term) for term in group) for group in search.text))


def _conditions(change: Callable[[Condition], Condition]) -> Callable[[Search], Search]:
    def changed(condition: Condition) -> Condition:
        match condition:
            case Not(inner):
                return change(Not(changed(inner)))
            case And(inner) | Or(inner):
                return change(type(condition)(tuple(changed(each) for each in inner)))
        return change(condition)

    return lambda search: replace(search, filter=search.filter and changed(search.filter))


def _held_not(condition: Condition) -> Condition:
    inner = condition.condition if isinstance(condition, Not) else None
    return And((condition, Exists(inner.field))) if isinstance(inner, OneOf | Compare) else condition


def _split(search: Search) -> Search:
    """Words wherever they stand, in place of a phrase."""
    groups = (tuple(replace(group[0], text=word) for word in group[0].text.split()) if len(group) == 1 else group for group in search.text)
    return replace(search, text=tuple((term,) for group in groups for term in group))


def _all_of(search: Search) -> Search:
    return replace(search, text=tuple((term,) for group in search.text for term in group))


def _first_of(condition: Condition) -> Condition:
    return OneOf(condition.field, condition.values[:1]) if isinstance(condition, OneOf) else condition


def _inclusive(condition: Condition) -> Condition:
    return replace(condition, operator=condition.operator[0] + "=") if isinstance(condition, Compare) else condition


def _without_sort(search: Search) -> Search:
    return replace(search, sort=(*search.sort, Sort("id", descending=True))) if not _by_id(search) and not search.after else search


def _by_id(search: Search) -> bool:
    return any(sort.field in ("id", "_score") for sort in search.sort)


def _facets(change: Callable[[Any], Any]) -> Callable[[Search], Search]:
    return lambda search: replace(search, facets=tuple(change(facet) for facet in search.facets))


def _winter(facet: Any) -> Any:
    return replace(facet, time_zone=FIXED.get(facet.time_zone, facet.time_zone)) if isinstance(facet, Dates) else facet


def _hits(change: Callable[[Search, list[Hit]], list[Hit]]) -> Callable[[Search, Page], Page]:
    return lambda search, page: replace(page, hits=change(search, page.hits))


def _missing_first(search: Search, hits: list[Hit]) -> list[Hit]:
    return sorted(hits, key=lambda hit: hit.document.get(search.sort[0].field, 0) is not None)


def _repeated(search: Search, hits: list[Hit]) -> list[Hit]:
    """The page begins with its first hit a second time, as where the last one was the one before's."""
    return [hits[0], *hits[:-1]] if hits and (search.offset or search.after) else hits


def _counted(change: Callable[[Any], Any]) -> Callable[[Search, Page], Page]:
    return lambda search, page: replace(page, facets=tuple(change(facet) for facet in page.facets))


def _of_buckets(**changes: Any) -> Callable[[Any], Any]:
    return lambda facet: replace(facet, **changes) if isinstance(facet, Buckets) else facet


def _ties(facet: Any) -> Any:
    """Equal counts in the order in which values happen to be found."""
    if not isinstance(facet, Buckets) or not facet.buckets or isinstance(facet.buckets[0].value, tuple):
        return facet
    return replace(facet, buckets=tuple(sorted(facet.buckets, key=lambda bucket: (-bucket.count, _reversed(bucket)))))


def _reversed(bucket: Bucket) -> str:
    return str(bucket.value)[::-1]


def _rounded(facet: Any) -> Any:
    return replace(facet, sum=facet.sum * (1 + 1e-6)) if isinstance(facet, Summary) else facet


BUGS = [
    Bug("drops a hit", page=_hits(lambda search, hits: hits[1:])),
    Bug("counts one too many", page=lambda search, page: replace(page, total=page.total + 1)),
    Bug("counts beyond the cap", search=lambda search: replace(search, exact=True)),
    Bug("forgets missing values in NOT", search=_conditions(_held_not)),
    Bug("takes a prefix for a word", search=_terms(lambda term: replace(term, prefix=False))),
    Bug("takes a word for a prefix", search=_terms(lambda term: replace(term, prefix=True))),
    Bug("takes a phrase for its words", search=_split),
    Bug("takes alternatives for words that all occur", search=_all_of),
    Bug("finds what is excluded", search=_terms(lambda term: replace(term, excluded=False))),
    Bug("folds no accents", search=lambda s: replace(s, text=((Term("zzyzx"),),)) if not str(s.text).isascii() else s),
    Bug("allows a typo too many", search=_terms(lambda term: replace(term, typos=min(2, term.typos + 1)))),
    Bug("allows a typo too few", search=_terms(lambda term: replace(term, typos=max(0, term.typos - 1)))),
    Bug("finds typos before exact matches", page=_hits(lambda search, hits: hits[::-1])),
    Bug("looks for the first value only", search=_conditions(_first_of)),
    Bug("compares with the value itself", search=_conditions(_inclusive)),
    Bug("sorts ties by another order", search=_without_sort),
    Bug("sorts missing values first", page=_hits(_missing_first)),
    Bug("repeats a hit over a page's border", page=_hits(_repeated)),
    Bug("skips a hit over a page's border", search=lambda s: replace(s, offset=s.offset + 1) if s.offset else s),
    Bug("counts facets with their own refinement", search=lambda search: replace(search, disjunctive=False)),
    Bug("counts facets without their own refinement", search=lambda search: replace(search, disjunctive=True)),
    Bug("knows no summer time", search=_facets(_winter)),
    Bug("lists equal counts in another order", page=_counted(_ties)),
    Bug("counts no other values", page=_counted(_of_buckets(other=0))),
    Bug("counts no missing values", page=_counted(_of_buckets(missing=0))),
    Bug("adds up inexactly", page=_counted(_rounded)),
]
