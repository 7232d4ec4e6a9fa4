"""Thousands of searches, on each engine and against the model: the same ids, counts and facets, whatever is asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache

import orjson
import pytest
from tests.parity.compare import differences, ids
from tests.parity.conftest import Engine
from tests.parity.model import Model
from tests.parity.reduce import smallest
from tests.parity.strategies import Searches, generated

from twofold.index.search import Page, Search

QUERIES = 2_000
WALKS = 60
BATCH = 50
SHOWN = 5


@cache
def drawn(searches: Searches) -> list[Search]:
    return generated(searches.search(), QUERIES)


def test_every_search_answers_as_the_model(engine: Engine, model: Model, searches: Searches, figures: Counter[str]) -> None:
    asked = drawn(searches)
    figures["documents"] = len(model.documents)
    figures["queries"] = len(asked)
    figures[f"answers of {engine.name}"] += len(asked)

    wrong = [search for search, page in answered(engine, asked) if differences(model, search, page)]

    assert not wrong, report(engine, model, wrong, len(asked))


def answered(engine: Engine, asked: Sequence[Search]) -> Iterator[tuple[Search, Page]]:
    for start in range(0, len(asked), BATCH):
        batch = asked[start : start + BATCH]
        yield from zip(batch, engine.store.search(engine.resource, batch), strict=True)


def report(engine: Engine, model: Model, wrong: Sequence[Search], asked: int) -> str:
    """The differences of some searches, each made as small as it can be."""

    def complaints(search: Search) -> list[str]:
        return differences(model, search, engine.store.search(engine.resource, [search])[0])

    found = [smallest(search, complaints) for search in sorted(wrong, key=lambda search: len(repr(search)))[:SHOWN]]
    shown = "\n\n".join(f"{search}\n  " + "\n  ".join(complaints(search)) for search in dict.fromkeys(found))
    return f"{engine.name} differs in {len(wrong)} of {asked} searches:\n\n{shown}"
