"""Reads that arrive together go together, and each gets its own answer or its own error."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Sequence
from typing import Any

import pytest

from twofold import Resource
from twofold.errors import Overloaded, Rejected, Unavailable
from twofold.index.search import Begins, Compare, Exists, Not, OneOf, Or, Page, Search, Term, Terms
from twofold.query import reader as module
from twofold.query.cost import cost, is_heavy
from twofold.query.reader import SECONDS, Reader, _Timed
from twofold.resource import Declaration
from twofold.users import User


class Other(Resource, name="others"):
    name: str


SLOW = 99  # the limit of a search for which there is not time enough


class Index:
    """Documents by id, and what was asked for."""

    unsupported: frozenset[str] = frozenset()

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
        return [Page(total=search.limit, incomplete=search.limit == SLOW) for search in searches]


@pytest.fixture
def index() -> Index:
    return Index()


@pytest.fixture
def reader(index: Index):
    reader = Reader(index)  # type: ignore[arg-type]
    yield reader
    reader.stop()


def timed(search: Search, seconds: float = 5.0) -> _Timed:
    return _Timed(search, time.monotonic() + seconds)


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
    answers = reader._search([((User.declaration, ""), timed(Search(limit=limit))) for limit in (1, 13, 2)])
    assert [answer.total if isinstance(answer, Page) else type(answer) for answer in answers] == [1, Rejected, 2]


def test_a_lone_search_that_is_rejected_is_not_asked_twice(reader: Reader, index: Index) -> None:
    with pytest.raises(Rejected):
        asyncio.run(reader.search(User.declaration, Search(limit=13)))
    assert len(index.asked) == 1


def test_a_generation_that_is_gone_does_not_fail_searches_of_another(reader: Reader) -> None:
    answers = reader._search([((User.declaration, generation), timed(Search(limit=7))) for generation in ("", "gone", "")])
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
        (Search(refinements=(("name", tuple(map(str, range(50)))),), filter=OneOf("email", ("a", "b"))), False),
        (Search(filter=Or(tuple(Begins("name", str(each)) for each in range(5)))), False),
        (Search(filter=Or(tuple(Not(Compare("name", ">", str(each))) for each in range(11)))), True),
        (Search(filter=Or(tuple(OneOf("name", tuple(map(str, range(50)))) for _ in range(3)))), True),
        (Search(text=tuple((Term(f"a{each}", prefix=True),) for each in range(25))), True),
    ],
)
def test_a_heavy_search_goes_alone(reader: Reader, index: Index, search: Search, heavy: bool) -> None:
    async def ask() -> None:
        await asyncio.gather(*(reader.search(User.declaration, search) for _ in range(40)))

    asyncio.run(ask())
    assert sum(map(len, index.asked)) == 40
    assert is_heavy(search) == heavy
    assert not heavy or {len(asked) for asked in index.asked} == {1}


def test_costs_grow_with_what_is_asked() -> None:
    values = [Search(filter=OneOf("name", tuple(map(str, range(number))))) for number in (1, 10, 50)]
    costs = [cost(Search()), *map(cost, values), cost(Search(filter=Or(tuple(each.filter for each in values * 5 if each.filter))))]
    assert costs == sorted(set(costs))
    assert cost(Search(facets=(Terms("name"),) * 10)) > 5 * cost(Search(facets=(Terms("name"),)))


class TestTime:
    def test_the_engine_gets_what_is_left_of_it(self, reader: Reader, index: Index) -> None:
        asyncio.run(reader.search(User.declaration, Search()))
        asyncio.run(reader.search(User.declaration, Search(seconds=3.0)))
        asyncio.run(reader.search(User.declaration, Search(facets=(Terms("name"),))))
        given = [search.seconds for searches in index.asked for search in searches]
        assert all(0 < seconds <= most for seconds, most in zip(given, (SECONDS, 3.0, SECONDS), strict=True))

    def test_an_engine_that_knows_no_limits_gets_none(self, reader: Reader, index: Index) -> None:
        index.unsupported = frozenset({"timeout"})
        asyncio.run(reader.search(User.declaration, Search()))
        assert index.asked[0][0].seconds is None

    def test_a_part_of_an_answer_is_for_who_asked_for_it(self, reader: Reader) -> None:
        with pytest.raises(Overloaded, match="Ask for less"):
            asyncio.run(reader.search(User.declaration, Search(limit=SLOW)))
        assert asyncio.run(reader.search(User.declaration, Search(limit=SLOW, seconds=1.0))).incomplete

    def test_what_has_no_time_left_is_not_asked_for(self, reader: Reader, index: Index) -> None:
        users = User.declaration, ""
        late, soon = timed(Search(limit=1), -1.0), timed(Search(limit=2))
        answers = reader._search([(users, late), (users, soon), (users, late)])
        assert [answer.total if isinstance(answer, Page) else type(answer) for answer in answers] == [Overloaded, 2, Overloaded]
        assert [search.limit for searches in index.asked for search in searches] == [2]
        assert [type(each) for each in reader._search([(users, late)])] == [Overloaded]
        assert len(index.asked) == 1

    @pytest.mark.parametrize("read", ["get", "search"])
    def test_who_waits_for_an_engine_that_hangs_is_told_in_time(
        self, reader: Reader, index: Index, monkeypatch: pytest.MonkeyPatch, read: str
    ) -> None:
        held = threading.Event()
        monkeypatch.setattr(index, read, lambda *_, **__: held.wait(20) and [])
        monkeypatch.setattr(module, "SECONDS", 0.05)
        monkeypatch.setattr(module, "GRACE_SECONDS", 0.0)

        async def ask() -> list[Any]:
            reads = [reader.get(User.declaration, "a") if read == "get" else reader.search(User.declaration, Search()) for _ in range(9)]
            return await asyncio.gather(*reads, return_exceptions=True)

        answers = asyncio.run(ask())
        held.set()
        assert {type(answer) for answer in answers} == {Overloaded}
