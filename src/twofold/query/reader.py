"""Reads in groups: gets that arrive together go to the read store as one request, and so do searches."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, TypeVar

from twofold.errors import Overloaded, Rejected
from twofold.index.port import ReadStore
from twofold.index.search import Page, Search
from twofold.query.cost import cost, is_heavy
from twofold.resource import Declaration
from twofold.runtime.batcher import Batcher, Begun

Document = dict[str, Any]
Target = tuple[Declaration, str]  # a resource and its generation, "" for the live one
T = TypeVar("T")
R = TypeVar("R")
LANES = 4
HEAVY_LANES = 2
SECONDS = 10.0  # for a read, in the queue and in the engine
GRACE_SECONDS = 1.0  # for the answer of an engine whose time is over
BATCH_COST = 500  # of the light searches of one batch, which one connection does one after the other
WAITING_COST = int(1000 * SECONDS)  # for each lane: about what it does in that time, so that what waits is not in vain
TOO_LONG = f"The read was not done in the time that it may take, {SECONDS:.0f} s at most. Ask for less, or try again in a moment."


class _Timed(NamedTuple):
    """A search, and until when its answer is waited for (monotonic seconds)."""

    search: Search
    until: float


class Reader:
    """Gets and searches of all resources."""

    def __init__(self, index: ReadStore) -> None:
        self._index = index
        self._gets: Batcher[tuple[Target, str], Document | None] = Batcher("get", self._get, max_items=256, lanes=LANES)
        self._searches: Batcher[tuple[Target, _Timed], Page] = Batcher(
            "search", self._search, max_items=32, max_weight=BATCH_COST, max_waiting_weight=LANES * WAITING_COST, lanes=LANES
        )
        # Beside a heavy search, the light ones of its batch would wait for it.
        self._heavy: Batcher[tuple[Target, _Timed], Page] = Batcher(
            "heavy", self._search, max_items=1, max_waiting_weight=HEAVY_LANES * WAITING_COST, lanes=HEAVY_LANES
        )

    async def get(self, resource: Declaration, id_: str) -> Document | None:
        """The live document, None where there is none. Raises Overloaded where it takes too long."""
        return await _in_time(self._gets, ((resource, ""), id_), 1, SECONDS)

    async def search(self, resource: Declaration, search: Search, generation: str = "") -> Page:
        """The page; an incomplete one only where the search has a time limit of its own. Raises Overloaded where it takes too long."""
        seconds = SECONDS if search.seconds is None else min(search.seconds, SECONDS)
        item = (resource, generation), _Timed(search, time.monotonic() + seconds)
        return await _in_time(self._heavy if is_heavy(search) else self._searches, item, cost(search), seconds)

    def stop(self) -> None:
        self._gets.stop()
        self._searches.stop()
        self._heavy.stop()

    def _get(self, items: list[tuple[Target, str]]) -> Sequence[Document | BaseException | None]:
        def read(target: Target, ids: list[str]) -> list[Document | None]:
            found = self._index.get(target[0], list(dict.fromkeys(ids)))
            return [living(found.get(id_)) for id_ in ids]

        return by_target(items, read)

    def _search(self, items: list[tuple[Target, _Timed]]) -> Sequence[Page | BaseException]:
        return by_target(items, self._pages)

    def _pages(self, target: Target, asked: Sequence[_Timed]) -> list[Page | BaseException]:
        """The engine gets what is left of each search's time. Whose time is over already is not asked for."""
        now = time.monotonic()
        in_time = [each for each in asked if each.until > now]
        limited = [self._limited(each.search, each.until - now) for each in in_time]
        pages = iter(self._index.search(target[0], limited, generation=target[1]) if limited else ())
        return [_whole(each.search, next(pages)) if each.until > now else Overloaded(TOO_LONG) for each in asked]

    def _limited(self, search: Search, seconds: float) -> Search:
        return search if "timeout" in self._index.unsupported else replace(search, seconds=seconds)


async def _in_time(batcher: Batcher[T, R], item: T, weight: int, seconds: float) -> R:
    try:
        return await batcher.ask(item, weight, deadline=seconds + GRACE_SECONDS)
    except Begun:
        raise Overloaded(TOO_LONG) from None


def _whole(search: Search, page: Page) -> Page | BaseException:
    """The page, unless it is a part that nobody asked for."""
    return Overloaded(TOO_LONG) if page.incomplete and search.seconds is None else page


def living(document: Document | None) -> Document | None:
    """A tombstone is no document: the index's filters do not apply to gets."""
    return None if document is None or document.get("deleted") else document


def by_target(items: list[tuple[Target, T]], read: Callable[[Target, list[T]], Sequence[Any]]) -> list[Any]:
    """One call per resource and generation; results in the items' order. An error is the answer to its target's items alone."""
    groups: dict[tuple[str, str], list[int]] = {}
    for place, ((resource, generation), _) in enumerate(items):
        groups.setdefault((resource.name, generation), []).append(place)
    results: list[Any] = [None] * len(items)
    for places in groups.values():
        answers = _isolated(read, items[places[0]][0], [items[place][1] for place in places])
        for place, answer in zip(places, answers, strict=True):
            results[place] = answer
    return results


def _isolated(read: Callable[[Target, list[T]], Sequence[Any]], target: Target, asked: list[T]) -> Sequence[Any]:
    """What is rejected for good is rejected alone: one bad item must not fail its neighbours."""
    try:
        return read(target, asked)
    except Exception as error:  # noqa: BLE001 - handed to those who wait
        if isinstance(error, Rejected) and len(asked) > 1:
            return [_isolated(read, target, [each])[0] for each in asked]
        return [error] * len(asked)
