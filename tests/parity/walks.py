"""Page after page to the end, many searches at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

import orjson

from tests.parity.compare import falling, ids
from tests.parity.model import Model, numbers
from twofold.index.search import Page, Search

Ask = Callable[[Sequence[Search]], Sequence[Page]]
Onward = Callable[[Search, Page], Search]
MOST = 600  # pages; more than that repeat


def by_cursor(search: Search, page: Page) -> Search:
    """The next page behind the last hit; its values go through JSON, as in a cursor."""
    assert page.last is not None
    return replace(search, after=tuple(orjson.loads(orjson.dumps(page.last))))


def by_offset(search: Search, page: Page) -> Search:
    return replace(search, offset=search.offset + len(page.hits))


def walked(ask: Ask, starts: Sequence[Search], onward: Onward) -> list[list[Page]]:
    """All pages of each, the empty one at the end too."""
    found: list[list[Page]] = [[] for _ in starts]
    open_ = dict(enumerate(starts))
    while open_:
        answers = zip(open_.items(), ask(list(open_.values())), strict=True)
        open_ = {}
        for (place, search), page in answers:
            found[place].append(page)
            if page.hits and len(found[place]) < MOST:
                open_[place] = onward(search, page)
    return found


def differences(model: Model, search: Search, pages: Sequence[Page]) -> Iterator[str]:
    """Where the pages together are not the matches, each once, in their order."""
    found = [id_ for page in pages for id_ in ids(page.hits)]
    matches = model.matches(search)
    wanted = [model.documents[number]["id"] for number in model.ordered(search, matches)]
    if len(set(found)) < len(found):
        yield f"{len(found) - len(set(found))} hits are repeated, the first on page {_repeated(pages)}"
    if lost := set(wanted) - set(found):
        yield f"{len(lost)} hits are skipped: {sorted(lost)[:3]}"
    if len(numbers(matches)) == len(found) and search.sort[0].field != "_score" and found != wanted:
        yield "the order is another"
    if search.sort[0].field == "_score" and not falling(search.sort, [hit for page in pages for hit in page.hits]):
        yield "the order is not that of scores and fields"
    if len({page.total for page in pages}) > 1:
        yield f"the total changes: {[page.total for page in pages]}"


def _repeated(pages: Sequence[Page]) -> int:
    for number, (first, second) in enumerate(pairwise(pages), 2):
        if set(ids(first.hits)) & set(ids(second.hits)):
            return number
    return len(pages)
