"""A resource with a field of every kind, and how its requests are read."""

# ruff: noqa: RUF012 - Pydantic copies defaults

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

import pytest

from twofold import Keyword, Password, Places, Resource, Text
from twofold.errors import Problem
from twofold.index.search import Search
from twofold.query.language import parse


class Film(Resource, name="films"):
    """A field of every kind."""

    title: Annotated[str, Text(), Keyword()]
    plot: Annotated[str, Text()] = ""
    genre: Literal["drama", "comedy"] = "drama"
    year: int = 0
    score: float = 0.0
    seen: bool = False
    premiere: date | None = None
    added: datetime | None = None
    price: Annotated[Decimal, Places(2)] = Decimal(0)
    prices: Annotated[list[Decimal], Places(2)] = []
    moments: list[datetime] = []
    tags: Annotated[list[str], Keyword()] = []
    key: Password


FILMS = Film.declaration
FIELDS = ["title", "genre", "year", "score", "seen", "premiere", "added", "price", "prices", "moments", "tags"]
SYSTEM = ["id", "version", "created_at", "updated_at"]


def pairs(given: dict[str, Any]) -> Iterable[tuple[str, str]]:
    return [(name, value) for name, values in given.items() for value in (values if isinstance(values, list) else [values])]


def asked(**parameters: Any) -> Search:
    return parse(FILMS, pairs(parameters))


def errors(**parameters: Any) -> list[dict[str, Any]]:
    with pytest.raises(Problem) as problem:
        asked(**parameters)
    assert (problem.value.status, problem.value.code) == (400, "invalid-parameter")
    return problem.value.members["errors"]


SHOWN = [
    {"title": "Jules et Jim", "plot": "Two friends & <one> woman", "year": 1962, "score": 7.7, "tags": ["new wave", "love"]},
    {"title": "Playtime", "plot": "Monsieur Hulot is lost in Paris", "genre": "comedy", "year": 1967, "score": 7.9, "tags": ["paris"]},
    {"title": "Paris, Texas", "plot": "A man walks out of the desert", "genre": "drama", "year": 1984, "score": 8.1, "tags": []},
    {"title": "Mon oncle", "plot": "Monsieur Hulot visits a modern house", "genre": "comedy", "year": 1958, "score": 7.7, "seen": True},
    {"title": "-1+1", "plot": "=cmd()", "genre": "drama", "year": -5, "score": -1.5, "price": "-0.05", "tags": ["a,b", 'c"d']},
]
DATES = [
    {"premiere": "1962-01-23", "added": "2026-03-28T23:30:00Z", "price": "12.30", "prices": ["1.00", "2.50"]},
    {"premiere": "1967-12-16", "added": "2026-03-29T22:30:00Z", "price": "5.00"},
    {"premiere": "1984-05-19", "added": "2026-10-25T00:30:00Z", "price": "7.25"},
    {"added": "2026-10-25T23:30:00Z"},
    {},
]
BODIES = [{**shown, **dates, "key": "not to be shown"} for shown, dates in zip(SHOWN, DATES, strict=True)]
