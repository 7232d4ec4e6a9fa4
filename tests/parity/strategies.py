"""Searches as trees: around what some document holds, so that they find something, and beside it.

Hypothesis draws the seed of each; the choices that follow from it are plain Python's, since thousands of nested strategies are slow.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from random import Random
from typing import Any, TypeVar

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.parity.corpus import ACCENTED, Document
from tests.parity.model import Model
from tests.parity.words import words
from twofold.index.mapping import SYSTEM
from twofold.index.search import (
    And,
    Begins,
    Compare,
    Condition,
    Dates,
    Exists,
    Facet,
    Not,
    OneOf,
    Or,
    Ranges,
    Search,
    Sort,
    Stats,
    Term,
    Terms,
)
from twofold.resource import Declaration

T = TypeVar("T")
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "America/Sao_Paulo", "Asia/Kathmandu", "Pacific/Apia", "Australia/Lord_Howe")
INTERVALS = ("year", "quarter", "month", "week", "day", "hour")
OPERATORS = ("<", "<=", ">", ">=")
THOROUGH = "TWOFOLD_TEST_THOROUGH" in os.environ  # make parity
TREES = 1_200 if THOROUGH else 180
WALKS = 80 if THOROUGH else 20
MOST_WORDS = 36  # that one with typos may stand for: engines look for fewer where a search has several such words
LONGEST_WALK = 500  # hits
PAGES = 8
NUMBERS, MOMENTS = ("integer", "float", "decimal"), ("date", "datetime")
BESIDE: dict[str, list[Any]] = {
    "string": ["", "a", "é", "\ufb01", "\U0001f389", "nobody", "open"],
    "integer": [0, 3, 2**53 + 1, -(2**63), 2**63 - 1, 2**63 - 2],
    "float": [0.1, 0.30000000000000004, -1e308, 7.0],
    "boolean": [True, False],
    "decimal": [0, 1, 10**17 + 1],
    "date": ["1000-01-01", "1970-01-01", "2024-02-29", "9999-12-31"],
    "datetime": ["1001-01-01T00:00:00.000Z", "2024-10-27T01:00:00.000Z", "9998-12-31T23:59:59.999Z"],
}


def generated(strategy: st.SearchStrategy[T], count: int) -> list[T]:
    """So many different ones of what a strategy draws; each time the same."""
    found: dict[T, None] = {}

    @settings(max_examples=2 * count, derandomize=True, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(strategy)
    def collect(each: T) -> None:
        if len(found) < count:
            found[each] = None

    collect()
    return list(found)


class Searches:
    """Strategies over what a model holds."""

    def __init__(self, resource: Declaration, model: Model) -> None:
        self.model = model
        fields = resource.indexed
        self.fields = {field.name: field for field in fields}
        self.kinds = {field.name: field.kind.name for field in fields if field.filterable} | SYSTEM
        self.texts = [field.name for field in fields if field.text]
        self.sortable = [field.name for field in fields if field.sortable] + list(SYSTEM)
        self.pools = {name: list(model.values(name)) for name in self.kinds}
        self.drawn = generated(self.search(), TREES)
        self.walks = generated(self.walk(), WALKS)

    def search(self) -> st.SearchStrategy[Search]:
        return st.randoms(use_true_random=True).map(lambda chance: Drawing(self, chance).search())

    def walk(self) -> st.SearchStrategy[Search]:
        """First pages of searches that find a few hundred at most."""
        plain = self.search().map(lambda search: replace(search, facets=(), after=None, offset=0))
        return plain.filter(lambda search: 2 <= self.model.matches(search).bit_count() <= LONGEST_WALK).map(self._strides)

    def _strides(self, search: Search) -> Search:
        """With pages so long that there are a few."""
        found = self.model.matches(search).bit_count()
        return replace(search, limit=max(1, found // (search.limit % PAGES + 1)))


class Drawing:
    """One search, about what one document holds."""

    def __init__(self, searches: Searches, chance: Random) -> None:
        self._of, self._chance = searches, chance
        self._around: Document = chance.choice(searches.model.documents)
        self._refined: list[str] = []

    def search(self) -> Search:
        chance = self._chance
        text = self._some(self.group, 3) if chance.random() < 0.5 else ()
        sort = self.sort(scored=bool(text))
        return Search(
            text=text,
            filter=self.condition(3) if chance.random() < 0.6 else None,
            refinements=self.refinements() if chance.random() < 0.4 else (),
            sort=sort,
            limit=chance.randint(1, 40),
            exact=chance.random() < 0.5,
            facets=self._some(self.facet, 2) if chance.random() < 0.4 else (),
            disjunctive=chance.random() < 0.5,
            **self.page(sort),
        )

    def sort(self, *, scored: bool) -> tuple[Sort, ...]:
        fields = self._chance.sample(self._of.sortable, self._chance.randint(1, 3))
        plain = tuple(Sort(field, self._chance.random() < 0.5) for field in fields)
        best = Sort("_score", descending=True)
        return self._chance.choice((plain, (best,), (best, *plain[:2]))) if scored else plain

    def page(self, sort: tuple[Sort, ...]) -> dict[str, Any]:
        """The first page, one after so many hits, or one behind some document."""
        chosen = self._chance.choice(("first", "offset", "after"))
        if chosen == "offset":
            return {"offset": self._chance.randint(1, 60)}
        if chosen == "after" and all(each.field != "_score" for each in sort):
            fields = [each.field for each in sort]
            start = self._chance.choice(self._of.model.documents)
            return {"after": tuple(start[field] for field in [*fields, *(() if "id" in fields else ("id",))])}
        return {}

    # Words

    def group(self) -> tuple[Term, ...]:
        return self._some(self.term, 2)

    def term(self) -> Term:
        chance = self._chance
        phrase = self.phrase()
        prefix = chance.random() < 0.4
        typos = chance.choice((0, 0, 1, 2)) if len(phrase) == 1 and len(phrase[0]) > 2 else 0
        if typos:
            phrase = [mistaken(chance, phrase[0], typos)]
        if prefix:
            phrase = [*phrase[:-1], phrase[-1][: chance.randint(1, len(phrase[-1]))]]
        text = chance.choice((" ", "-")).join(spelled(chance, word) for word in phrase)
        return Term(text, prefix, typos if self._bounded(phrase[-1], typos) else 0, excluded=chance.random() < 0.15)

    def phrase(self) -> list[str]:
        """Some words in a row as the document has them, or any word, or none."""
        chance, held = self._chance, list(self._held())
        if not held or chance.random() < 0.15:
            return [chance.choice([chance.choice(self._of.model.vocabulary), "zzyzx", "&", "--"])]
        item = chance.choice(held)
        start = chance.randrange(len(item))
        return item[start : start + chance.choice((1, 1, 1, 2, 3))]

    def _held(self) -> Iterator[list[str]]:
        for name in self._of.texts:
            value = self._around[name]
            for text in value if isinstance(value, list) else [value or ""]:
                if found := words(text):
                    yield found

    def _bounded(self, word: str, typos: int) -> bool:
        """Beyond that many words engines choose some."""
        return not typos or not word.isalnum() or len(self._of.model.alike(word, typos)) <= MOST_WORDS

    # Fields

    def field(self, *kinds: str) -> str:
        return self._chance.choice([name for name, kind in self._of.kinds.items() if not kinds or kind in kinds])

    def value(self, field: str) -> Any:
        held = self._around[field] if isinstance(self._around[field], list) else [self._around[field]]
        near = [value for value in held if value is not None]
        pools = [self._of.pools[field], near, near, near, near, BESIDE[self._of.kinds[field]]]
        return self._chance.choice(self._chance.choice([pool for pool in pools if pool]))

    def condition(self, depth: int) -> Condition:
        kind = self._chance.choice(("one", "compare", "begins", "exists", "not", "and", "or")[: 7 if depth else 4])
        if kind == "one":
            return self.one_of()
        if kind == "compare":
            field = self.field("string", *NUMBERS, *MOMENTS)
            return Compare(field, self._chance.choice(OPERATORS), self.value(field))
        if kind == "begins":
            field = self.field("string")
            return Begins(field, self.value(field)[: self._chance.randint(0, 4)])
        if kind == "exists":
            return Exists(self.field())
        if kind == "not":
            return Not(self.condition(depth - 1))
        return (And if kind == "and" else Or)(self._some(lambda: self.condition(depth - 1), 3))

    def one_of(self) -> OneOf:
        field = self.field()
        return OneOf(field, self._some(lambda: self.value(field), 4))

    def refinements(self) -> tuple[tuple[str, tuple[Any, ...]], ...]:
        chosen = {each.field: each.values for each in self._some(self.one_of, 2)}
        self._refined = list(chosen)
        return tuple(chosen.items())

    # Facets

    def facet(self) -> Facet:
        chance = self._chance
        kind = chance.choice(("terms", "terms", "dates", "ranges", "stats"))
        if kind == "terms":
            field = chance.choice(self._refined) if self._refined and chance.random() < 0.5 else self.field()
            also = tuple(dict.fromkeys(self.value(field) for _ in range(chance.randint(0, 2))))
            return Terms(field, chance.choice((1, 3, 10, 50)), also)
        if kind == "dates":
            field = self.field(*MOMENTS)
            hours = self._of.kinds[field] == "datetime"
            return Dates(field, chance.choice(INTERVALS if hours else INTERVALS[:-1]), chance.choice(ZONES))
        if kind == "ranges":
            field = self.field(*NUMBERS, *MOMENTS)
            return Ranges(field, tuple(dict.fromkeys(self._some(lambda: self.range(field), 4))))
        return Stats(self.field(*NUMBERS))

    def range(self, field: str) -> tuple[Any, Any]:
        low, high = sorted(self._chance.sample(self._of.pools[field], 2))
        return self._chance.choice(((low, high), (low, high), (None, high), (low, None)))

    def _some(self, make: Any, most: int) -> tuple[Any, ...]:
        return tuple(make() for _ in range(self._chance.randint(1, most)))


def mistaken(chance: Random, word: str, typos: int) -> str:
    """A word with up to so many mistakes, some in its first letter."""
    for _ in range(chance.randint(0, typos)):
        place, letter = chance.randrange(len(word)), chance.choice("aeiourst")
        head, tail = word[:place], word[place:]
        shorter = head + tail[1:] if len(word) > 2 else word
        word = chance.choice((head + letter + tail, head + letter + tail[1:], shorter, head + tail[:2][::-1] + tail[2:]))
    return word


def spelled(chance: Random, word: str) -> str:
    """As somebody may write it: other accents, other case, in one character each or several."""
    if chance.random() < 0.3:
        word = "".join(chance.choice(ACCENTED[letter]) if letter in ACCENTED else letter for letter in word)
    word = unicodedata.normalize(chance.choice(("NFC", "NFD")), word)
    return chance.choice((str.lower, str.title, str.upper))(word)
