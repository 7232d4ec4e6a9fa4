"""The model and what it is made of, by examples that can be checked by eye."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from rapidfuzz.distance import OSA

from tests.parity.corpus import Thing
from tests.parity.intervals import beginning
from tests.parity.model import Model
from tests.parity.strategies import Searches
from tests.parity.words import distance, words
from twofold.index.search import (
    And,
    Begins,
    Bucket,
    Buckets,
    Compare,
    Condition,
    Dates,
    Exists,
    Interval,
    Not,
    OneOf,
    Or,
    Search,
    Sort,
    Term,
    Terms,
)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Ana-Lena MU\u0308LLER, Ștefan", ["ana", "lena", "muller", "stefan"]),
        ("mp3 2024; Nguyễn (Ế)", ["mp3", "2024", "nguyen", "e"]),
        ("& --", []),
    ],
)
def test_words_are_runs_of_plain_letters_and_digits(text: str, found: list[str]) -> None:
    assert words(text) == found


@pytest.mark.parametrize(
    ("one", "other", "typos"),
    [("ana", "ana", 0), ("ana", "anna", 1), ("ana", "an", 1), ("ana", "ane", 1), ("ana", "naa", 1), ("ca", "abc", 3), ("", "ab", 2)],
)
def test_a_typo_is_a_letter_more_less_other_or_swapped(one: str, other: str, typos: int) -> None:
    assert distance(one, other) == distance(other, one) == typos


def test_typos_are_counted_as_by_others(model: Model) -> None:
    some = model.vocabulary[::40]
    assert all(distance(one, other) == OSA.distance(one, other) for one in some for other in some)


@pytest.mark.parametrize(
    ("value", "interval", "zone", "begins"),
    [
        ("2024-05-15", "quarter", "Asia/Kathmandu", "2024-04-01"),
        ("2021-01-03", "week", "UTC", "2020-12-28"),
        ("2024-03-31T21:59:59.999Z", "day", "Europe/Berlin", "2024-03-30T23:00:00.000Z"),
        ("2024-04-01T12:00:00.000Z", "day", "Europe/Berlin", "2024-03-31T22:00:00.000Z"),
        ("2024-10-27T00:30:00.000Z", "hour", "Europe/Berlin", "2024-10-27T00:00:00.000Z"),
        ("2024-10-27T01:30:00.000Z", "hour", "Europe/Berlin", "2024-10-27T01:00:00.000Z"),
        ("2018-11-04T15:00:00.000Z", "day", "America/Sao_Paulo", "2018-11-04T03:00:00.000Z"),
        ("2024-12-31T18:20:00.000Z", "year", "Asia/Kathmandu", "2024-12-31T18:15:00.000Z"),
        ("1985-12-31T18:40:00.000Z", "hour", "Asia/Kathmandu", "1985-12-31T17:30:00.000Z"),
    ],
)
def test_intervals_begin_where_the_clock_says(value: str, interval: Interval, zone: str, begins: str) -> None:
    assert beginning(value, interval, zone) == begins


SMALL: list[dict[str, Any]] = [
    {"id": "a", "title": "Ana Lena Müller", "amount": 2, "tags": ["x", "y", "x"], "seen": "2024-01-01T00:00:00.000Z"},
    {"id": "b", "title": "Lena Ana", "lines": ["muller one", "two"], "amount": None, "tags": [], "seen": None},
    {"id": "c", "title": "Anna", "amount": 2, "code": "Z", "tags": ["y"], "seen": "2024-06-01T22:30:00.000Z"},
]


@pytest.fixture(scope="module")
def small() -> Model:
    empty = {field.name: [] if field.many else None for field in Thing.declaration.public}
    return Model(Thing.declaration, [{**empty, "version": 1, "created_at": "", "updated_at": "", **each} for each in SMALL])


@pytest.mark.parametrize(
    ("search", "page"),
    [
        (Search(((Term("MULLER"),),)), "ab"),
        (Search(((Term("ana lena"),),)), "a"),
        (Search(((Term("one two"),),)), ""),
        (Search(((Term("lena an", prefix=True),),)), "ab"),
        (Search(((Term("ana", typos=1),),)), "abc"),
        (Search(((Term("bna", typos=1),),)), ""),
        (Search(((Term("ann", excluded=True), Term("lena")), (Term("&"),))), "abc"),
        (Search(((Term("anna", excluded=True),),)), "ab"),
        (Search(((Term("&"),),)), ""),
        (Search(filter=Not(Compare("amount", ">", 1))), "b"),
        (Search(filter=Or((Exists("code"), And((OneOf("tags", ("x",)), OneOf("tags", ("y",))))))), "ac"),
        (Search(filter=Begins("code", "z")), ""),
        (Search(sort=(Sort("amount", descending=True),)), "acb"),
        (Search(sort=(Sort("code"),), after=("Z", "c")), "ab"),
        (Search(refinements=(("tags", ("y",)),), offset=1), "c"),
    ],
)
def test_the_model_finds(small: Model, search: Search, page: str) -> None:
    assert "".join(small.expect(search).page) == page


def test_the_model_counts(small: Model) -> None:
    facets = (Terms("tags", 1), Terms("amount", also=(5,)), Dates("seen", "day", "Europe/Berlin"))
    refined = Search(refinements=(("tags", ("x",)),), facets=facets)
    assert small.expect(refined).facets == (
        Buckets((Bucket("y", 2),), other=1, missing=1),
        Buckets((Bucket(2, 1), Bucket(5, 0))),
        Buckets((Bucket("2023-12-31T23:00:00.000Z", 1),)),
    )


def test_searches_are_of_every_kind(model: Model, searches: Searches) -> None:
    held = Counter(kind for search in searches.drawn for kind in set(_kinds(search)))
    assert min(held.values()) >= len(searches.drawn) / 100, held
    assert len(held) == 26, held
    assert sum(model.matches(search) > 0 for search in searches.drawn) > len(searches.drawn) / 2


def _kinds(search: Search) -> Iterator[str]:
    for term in (term for group in search.text for term in group):
        yield from (name for name in ("prefix", "excluded") if getattr(term, name))
        yield f"{term.typos} typos"
        yield "phrase" if len(words(term.text)) > 1 else "word"
    yield from (f"sorted by {'score' if sort.field == '_score' else sort.descending}" for sort in search.sort)
    yield from (name for name in ("refinements", "after", "offset", "exact", "disjunctive") if getattr(search, name))
    yield from (type(facet).__name__ for facet in search.facets)
    yield from _conditions(search.filter) if search.filter else ()


def _conditions(condition: Condition) -> Iterator[str]:
    yield type(condition).__name__
    match condition:
        case Not(inner):
            yield from _conditions(inner)
        case And(inner) | Or(inner):
            yield from (kind for each in inner for kind in _conditions(each))
