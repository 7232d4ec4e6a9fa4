"""The suite `queries`: what is asked of the query service, and the same as a request to the search engine itself."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from twofold.bench import wrk
from twofold.index.search import Search, Sort
from twofold.query import language
from twofold.query.cursor import cursor
from twofold.resource import Declaration

SUITE = "queries"
ASKED = 1000  # different requests of each kind
GET, WORD, FILTER, CURSOR = "get by id", "search, a full word", "filter and sort", "deep cursor"
LETTERS = 4  # of a prefix
Parameters = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Known:
    """What is stored and may be asked for: ids, words of text fields, values of a field that is filtered by."""

    ids: Sequence[str]
    words: Sequence[str]
    field: str = ""
    values: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Question:
    """One kind of query: its requests to the query service and, in the same order, as the port's searches (ids for gets)."""

    kind: str
    paths: list[str]
    searches: list[Search | str]

    def templates(self) -> list[bytes]:
        return [wrk.template("GET", path) for path in self.paths]


def prefix(letters: int) -> str:
    return f"search, a prefix of {letters} letters"


def questions(resource: Declaration, known: Known, letters: Sequence[int] = (LETTERS,)) -> list[Question]:
    """Every kind that the declaration allows; prefixes of so many letters."""
    draw = random.Random(0)  # noqa: S311 - the same questions in every run
    some = [draw.choice(known.ids) for _ in range(ASKED)]
    asked = [Question(GET, [f"/{resource.name}/{id_}" for id_ in some], list(some))]
    if known.words:
        words = [draw.choice(known.words) for _ in range(ASKED)]
        asked.append(searches(resource, WORD, [[("q", f"{word} ")] for word in words]))
        asked += [searches(resource, prefix(count), [[("q", word[:count])] for word in words]) for count in letters]
    if known.field:
        values = [draw.choice(known.values) for _ in range(ASKED)]
        asked.append(searches(resource, FILTER, [[(known.field, value), ("sort", "-created_at")] for value in values]))
    by_id = Search(sort=(Sort("id"),))
    pages: list[Parameters] = [[("sort", "id"), ("cursor", cursor(by_id, (id_,)))] for id_ in some]
    return [*asked, searches(resource, CURSOR, pages)]


def searches(resource: Declaration, kind: str, asked: list[Parameters]) -> Question:
    paths = [f"/{resource.name}?{urlencode(parameters)}" for parameters in asked]
    return Question(kind, paths, [language.parse(resource, parameters) for parameters in asked])
