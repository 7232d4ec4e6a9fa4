"""Reads in groups: gets that arrive together go to the read store as one request, and so do searches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from twofold.errors import Rejected
from twofold.index.port import ReadStore
from twofold.index.search import Page, Search
from twofold.resource import Declaration
from twofold.runtime.batcher import Batcher

Document = dict[str, Any]
Target = tuple[Declaration, str]  # a resource and its generation, "" for the live one
T = TypeVar("T")
LANES = 4
HEAVY_LANES = 2
FAR = 1000  # hits that an offset skips


class Reader:
    """Gets and searches of all resources."""

    def __init__(self, index: ReadStore) -> None:
        self._index = index
        self._gets: Batcher[tuple[Target, str], Document | None] = Batcher("get", self._get, max_items=256, lanes=LANES)
        self._searches: Batcher[tuple[Target, Search], Page] = Batcher("search", self._search, max_items=32, lanes=LANES)
        # Beside a heavy search, the light ones of its batch would wait for it.
        self._heavy: Batcher[tuple[Target, Search], Page] = Batcher("heavy", self._search, max_items=1, lanes=HEAVY_LANES)

    async def get(self, resource: Declaration, id_: str) -> Document | None:
        """The live document, None where there is none."""
        return await self._gets.ask(((resource, ""), id_))

    async def search(self, resource: Declaration, search: Search, generation: str = "") -> Page:
        return await (self._heavy if is_heavy(search) else self._searches).ask(((resource, generation), search))

    def stop(self) -> None:
        self._gets.stop()
        self._searches.stop()
        self._heavy.stop()

    def _get(self, items: list[tuple[Target, str]]) -> Sequence[Document | BaseException | None]:
        def read(target: Target, ids: list[str]) -> list[Document | None]:
            found = self._index.get(target[0], list(dict.fromkeys(ids)))
            return [living(found.get(id_)) for id_ in ids]

        return by_target(items, read)

    def _search(self, items: list[tuple[Target, Search]]) -> Sequence[Page | BaseException]:
        return by_target(items, lambda target, searches: self._index.search(target[0], searches, generation=target[1]))


def is_heavy(search: Search) -> bool:
    """Whether a search may take many times as long as one for a page of words or values."""
    costly = search.facets or search.highlight or search.exact or search.offset > FAR
    return bool(costly) or any(term.typos for group in search.text for term in group)


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
