"""That the comparison can fail: it finds each of these bugs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import islice

import pytest

from tests.parity import walks
from tests.parity.bugs import BUGS, Bug, Buggy
from tests.parity.compare import differences
from tests.parity.conftest import Engine
from tests.parity.model import Model
from tests.parity.strategies import Searches
from twofold.index.search import Page, Search

TRIED = 400  # searches at most
BATCH = 10


Spoil = Callable[[list[Page]], list[Page]]


def _doubled(pages: list[Page]) -> list[Page]:
    """The second page begins with the hit that ends the first."""
    return [pages[0], replace(pages[1], hits=[pages[0].hits[-1], *pages[1].hits]), *pages[2:]]


def _shortened(pages: list[Page]) -> list[Page]:
    """The second page begins with its second hit."""
    return [pages[0], replace(pages[1], hits=pages[1].hits[1:]), *pages[2:]]


@pytest.mark.parametrize("bug", BUGS, ids=str)
def test_the_comparison_finds_a_bug(
    bug: Bug, opened: Callable[[str], Engine], model: Model, searches: Searches, figures: Counter[str]
) -> None:
    engine = opened("sqlite")
    asked = iter([search for search in searches.drawn if bug.search(search) != search or bug.page][:TRIED])
    assert any(_wrong(engine, model, bug, batch) for batch in iter(lambda: list(islice(asked, BATCH)), []))
    figures["seeded bugs found"] += 1


@pytest.mark.parametrize(("spoil", "told"), [(_doubled, "repeated"), (_shortened, "skipped")])
def test_a_walk_finds_what_goes_wrong_between_pages(
    spoil: Spoil, told: str, opened: Callable[[str], Engine], model: Model, searches: Searches
) -> None:
    engine = opened("sqlite")
    [pages] = walks.walked(partial(engine.store.search, engine.resource), searches.walks[:1], walks.by_cursor)
    assert not list(walks.differences(model, searches.walks[0], pages))
    assert any(told in each for each in walks.differences(model, searches.walks[0], spoil(pages)))


def _wrong(engine: Engine, model: Model, bug: Bug, batch: list[Search]) -> bool:
    pages = Buggy(engine.store, bug).search(engine.resource, batch)
    return any(differences(model, search, page) for search, page in zip(batch, pages, strict=True))
