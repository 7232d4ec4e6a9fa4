"""Hundreds of searches, thousands with `make parity`, on each engine and against the model: the same ids, counts and facets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial

import pytest

from tests.parity import texts, walks
from tests.parity.compare import differences
from tests.parity.conftest import Engine
from tests.parity.model import Model
from tests.parity.reduce import smallest
from tests.parity.strategies import THOROUGH, Searches, generated
from tests.parity.texts import Request
from twofold.index.search import Page, Search
from twofold.query.language import parse

REQUESTS = 1_000 if THOROUGH else 120
PARTS = 4  # tests that each take a part of the searches, since a test has its time
BATCH = 50
SHOWN = 5


@pytest.fixture(scope="module")
def requests(searches: Searches) -> list[Request]:
    return generated(texts.requests(searches), REQUESTS)


@pytest.mark.parametrize("part", range(PARTS))
def test_every_search_answers_as_the_model(engine: Engine, model: Model, searches: Searches, figures: Counter[str], part: int) -> None:
    asked = searches.drawn[part::PARTS]
    figures["documents"] = len(model.documents)
    figures[f"searches on {engine.name}"] += len(asked)

    wrong = [search for search, page in answered(engine, asked) if differences(model, search, page)]

    assert not wrong, report(engine, model, wrong, len(asked))


@pytest.mark.parametrize("part", range(PARTS))
def test_every_request_means_what_it_says(engine: Engine, model: Model, requests: list[Request], figures: Counter[str], part: int) -> None:
    asked = requests[part::PARTS]
    figures[f"searches on {engine.name}"] += len(asked)
    pages = answered(engine, [parse(engine.resource, request.parameters) for request in asked])

    wrong = [
        (request, search, told)
        for request, (search, page) in zip(asked, pages, strict=True)
        if (told := differences(model, request.meaning, page))
    ]

    assert not wrong, written(engine, wrong, len(asked))


@pytest.mark.parametrize("onward", [walks.by_cursor, walks.by_offset])
def test_pages_neither_repeat_nor_skip(
    engine: Engine, model: Model, searches: Searches, figures: Counter[str], onward: walks.Onward
) -> None:
    pages = walks.walked(partial(engine.store.search, engine.resource), searches.walks, onward)
    figures["pages walked"] += sum(len(each) for each in pages)

    compared = ((search, list(walks.differences(model, search, each))) for search, each in zip(searches.walks, pages, strict=True))
    wrong = [(search, told) for search, told in compared if told]

    assert not wrong, "\n\n".join(f"{search}\n  {told}" for search, told in wrong[:SHOWN])


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


def written(engine: Engine, wrong: Sequence[tuple[Request, Search, list[str]]], asked: int) -> str:
    shortest = sorted(wrong, key=lambda each: len(repr(each[0].parameters)))[:SHOWN]
    shown = "\n\n".join(
        f"{request.parameters}\n  means {request.meaning}\n  was read as {search}\n  " + "\n  ".join(told)
        for request, search, told in shortest
    )
    return f"{engine.name} differs in {len(wrong)} of {asked} requests:\n\n{shown}"
