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
