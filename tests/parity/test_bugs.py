"""That the comparison can fail: it finds each of these bugs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import islice

import pytest

from tests.parity.bugs import BUGS, Bug, Buggy
from tests.parity.compare import differences
from tests.parity.conftest import Engine
from tests.parity.model import Model
from tests.parity.strategies import Searches
from twofold.index.search import Search

TRIED = 400  # searches at most
BATCH = 10


@pytest.mark.parametrize("bug", BUGS, ids=str)
def test_the_comparison_finds_a_bug(bug: Bug, opened: Callable[[str], Engine], model: Model, searches: Searches, figures: Counter[str]) -> None:
    engine = opened("sqlite")
    asked = iter([search for search in searches.drawn if bug.search(search) != search or bug.page][:TRIED])
    assert any(_wrong(engine, model, bug, batch) for batch in iter(lambda: list(islice(asked, BATCH)), []))
    figures["seeded bugs found"] += 1


def _wrong(engine: Engine, model: Model, bug: Bug, batch: list[Search]) -> bool:
    pages = Buggy(engine.store, bug).search(engine.resource, batch)
    return any(differences(model, search, page) for search, page in zip(batch, pages, strict=True))
