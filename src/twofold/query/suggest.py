"""Suggestions: values of text fields in which words are found."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from twofold.index.search import Hit, Page, Search
from twofold.query import language, parameters
from twofold.query.answer import emphasised
from twofold.query.parameters import Given, Parameters
from twofold.resource import Declaration

PARAMETERS = ("q", "limit")
DEFAULT_SUGGESTIONS, MAX_SUGGESTIONS = 5, 20
MAX_LENGTH = 200  # characters; what is longer is no suggestion
HITS = 5  # for each suggestion, since several may hold the same value


@dataclass(frozen=True, slots=True)
class Suggest:
    search: Search
    limit: int


def read(resource: Declaration, asked: Parameters) -> Suggest:
    """What a request for suggestions asks for. Raises Problem 400 with everything that is wrong."""
    given = Given(asked)
    parameters.check_names(resource, given, PARAMETERS, {})
    limit = parameters.integer(given, "limit", 1, MAX_SUGGESTIONS) or DEFAULT_SUGGESTIONS
    if "q" not in given.values:
        given.refuse("q", "Needed: words that the values hold, the last one as far as it is written.")
    text = language.text_of(given)
    given.raise_errors()
    fields = tuple(parameters.searchable(resource))
    return Suggest(Search(text, sort=(language.BEST,), limit=limit * HITS, highlight=fields, marks=language.nonce()), limit)


def answer_of(asked: Suggest, page: Page) -> dict[str, Any]:
    """The distinct values, by their letters without regard to case and accents, the best first."""
    found: dict[str, dict[str, str]] = {}
    for hit in page.hits:
        for name, marked in _best(hit, asked.search.marks):
            text = _plain(marked, asked.search.marks)
            if len(text) <= MAX_LENGTH:
                found.setdefault(folded(text), {"text": text, "field": name, "highlight": emphasised(marked, asked.search.marks)})
    return {"items": list(found.values())[: asked.limit]}


def folded(text: str) -> str:
    letters = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in letters if not unicodedata.combining(letter))


def _best(hit: Hit, marks: tuple[str, str]) -> Iterator[tuple[str, str]]:
    """The texts of a hit in which most of the words are found: one that holds only "Ana" is no suggestion for "Ana García"."""
    texts = [(name, text) for name, each in hit.marked.items() for text in each]
    words = [len(_found(text, marks)) for _, text in texts]
    return (text for text, count in zip(texts, words, strict=True) if count == max(words))


def _found(marked: str, marks: tuple[str, str]) -> set[str]:
    return {folded(word) for word in re.findall(f"{marks[0]}(.*?){marks[1]}", marked, re.DOTALL)}


def _plain(marked: str, marks: tuple[str, str]) -> str:
    return marked.replace(marks[0], "").replace(marks[1], "")
