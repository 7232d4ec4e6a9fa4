"""Reads that arrive together go together, and each gets its own answer or its own error."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from twofold import Resource
from twofold.errors import Rejected, Unavailable
from twofold.index.search import Exists, Page, Search, Term, Terms
from twofold.query.reader import Reader, is_heavy
from twofold.resource import Declaration
from twofold.users import User


class Other(Resource, name="others"):
    name: str


class Index:
    """Documents by id, and what was asked for."""

    def __init__(self) -> None:
        self.documents: dict[str, dict[str, Any]] = {"a": {"id": "a"}, "b": {"id": "b"}, "dead": {"id": "dead", "deleted": True}}
        self.asked: list[Sequence[Any]] = []

    def get(self, resource: Declaration, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        self.asked.append(ids)
        if resource.name == "others":
            raise Unavailable("away")
        return {id_: self.documents[id_] for id_ in ids if id_ in self.documents}

    def search(self, resource: Declaration, searches: Sequence[Search], *, generation: str) -> list[Page]:
        self.asked.append(searches)
        if generation == "gone":
            raise Unavailable(generation)
        if any(search.limit == 13 for search in searches):
            raise Rejected("13")
        return [Page(total=search.limit) for search in searches]


@pytest.fixture
def index() -> Index:
    return Index()


@pytest.fixture
def reader(index: Index):
    reader = Reader(index)  # type: ignore[arg-type]
    yield reader
    reader.stop()


def test_a_document_is_found_and_a_grave_is_not(reader: Reader) -> None:
    found = [asyncio.run(reader.get(User.declaration, id_)) for id_ in ("a", "nobody", "dead")]
    assert found == [{"id": "a"}, None, None]


def test_each_gets_its_own_in_order_and_is_asked_for_once(reader: Reader, index: Index) -> None:
    users = User.declaration, ""
    assert reader._get([(users, "b"), (users, "a"), (users, "dead"), (users, "b")]) == [{"id": "b"}, {"id": "a"}, None, {"id": "b"}]
    assert index.asked == [["b", "a", "dead"]]


def test_an_engine_that_is_away_is_told_to_those_of_its_resource(reader: Reader) -> None:
    answers = reader._get([((Other.declaration, ""), "a"), ((User.declaration, ""), "a"), ((Other.declaration, ""), "b")])
    assert [type(answer) for answer in answers] == [Unavailable, dict, Unavailable]


def test_a_search_that_is_rejected_does_not_fail_its_neighbours(reader: Reader) -> None:
    answers = reader._search([((User.declaration, ""), Search(limit=limit)) for limit in (1, 13, 2)])
    assert [answer.total if isinstance(answer, Page) else type(answer) for answer in answers] == [1, Rejected, 2]


def test_a_lone_search_that_is_rejected_is_not_asked_twice(reader: Reader, index: Index) -> None:
    with pytest.raises(Rejected):
        asyncio.run(reader.search(User.declaration, Search(limit=13)))
    assert len(index.asked) == 1


def test_a_generation_that_is_gone_does_not_fail_searches_of_another(reader: Reader) -> None:
    answers = reader._search([((User.declaration, generation), Search(limit=7)) for generation in ("", "gone", "")])
    assert [answer.total if isinstance(answer, Page) else type(answer) for answer in answers] == [7, Unavailable, 7]


@pytest.mark.parametrize(
    ("search", "heavy"),
    [
        (Search(), False),
        (Search(text=((Term("ana"),), (Term("gar", prefix=True),)), offset=1000), False),
        (Search(filter=Exists("name")), False),
        (Search(text=((Term("ana"), Term("anna", typos=1)),)), True),
        (Search(facets=(Terms("name"),)), True),
        (Search(highlight=("name",)), True),
        (Search(exact=True), True),
        (Search(offset=1001), True),
    ],
)
def test_a_heavy_search_goes_alone(reader: Reader, index: Index, search: Search, heavy: bool) -> None:
    async def ask() -> None:
        await asyncio.gather(*(reader.search(User.declaration, search) for _ in range(40)))

    asyncio.run(ask())
    assert sum(map(len, index.asked)) == 40
    assert is_heavy(search) == heavy
    assert not heavy or {len(asked) for asked in index.asked} == {1}
