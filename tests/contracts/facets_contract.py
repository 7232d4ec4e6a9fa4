"""What a search may ask for beside its hits: facets, marks, a time limit. A test per promise; `test_facets.py` binds the engines."""

# ruff: noqa: RUF012 - Pydantic copies defaults
from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, get_args

import pytest
from facets_scan import matching, scanned, values_of
from index_contract import DAY, EXTREMES, Declare, Document, Model, Rich, dead, fill, find, ids, live, said

from twofold import Keyword, Resource, Text
from twofold.errors import Unfit
from twofold.index.checks import MAX_INTERVALS
from twofold.index.port import ReadStore
from twofold.index.search import (
    And,
    Bucket,
    Buckets,
    Compare,
    Dates,
    Facet,
    Interval,
    Not,
    OneOf,
    Ranges,
    Search,
    Sort,
    Stats,
    Summary,
    Term,
    Terms,
)
from twofold.kinds.datetimes import timestamp
from twofold.resource import Declaration

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "America/Sao_Paulo")
INTERVALS: tuple[Interval, ...] = get_args(Interval)
COUNTED = ("code", "label", "amount", "ratio", "active", "status", "born", "seen", "price", "tags", "numbers", "ratios", "days", "flags")
SYSTEM = ("version", "created_at", "updated_at")
SUMMED = ("amount", "ratio", "price", "numbers", "ratios", "version")
DATED = ("born", "seen", "days", "created_at")
RANGED = ("amount", "ratio", "born", "seen", "price", "numbers", "ratios", "days", "version")
CHANGES = [  # of the clocks: Brazil's midnights that were not there, and those that came twice, among them
    *((2017, 10, 15), (2018, 2, 17), (2018, 11, 4), (2026, 3, 8), (2026, 3, 29), (2026, 10, 25), (2026, 11, 1)),
    *((2024, 12, 31), (2026, 3, 31), (2026, 6, 30), (2026, 1, 4)),  # and the ends of years, quarters and weeks
]


class Moments(Resource, name="moments"):
    at: datetime | None = None
    also_at: list[datetime] = []
    on: date | None = None


class Shop(Resource, name="shop"):
    name: Annotated[str, Text()] = ""
    color: Annotated[str | None, Keyword()] = None
    size: int | None = None
    tags: Annotated[list[str], Keyword()] = []


def counted(store: ReadStore, resource: Declaration, *facets: Facet, **search: Any) -> tuple[Buckets | Summary, ...]:
    return find(store, resource, facets=facets, limit=0, **search).facets


def pairs(buckets: Buckets | Summary) -> list[tuple[Any, int]]:
    assert isinstance(buckets, Buckets)
    return [(bucket.value, bucket.count) for bucket in buckets.buckets]


class FacetsContract:
    """Bind it with the fixtures `store` and `declare`."""

    @pytest.fixture(scope="class")
    @classmethod
    def store(cls) -> Iterator[ReadStore]:
        raise NotImplementedError

    @pytest.fixture(scope="class")
    @classmethod
    def declare(cls, store: ReadStore) -> Iterator[Declare]:
        raise NotImplementedError

    # facets of values

    @pytest.mark.parametrize("name", [*COUNTED, *SYSTEM])
    def test_values_are_told_as_documents_hold_them(self, store: ReadStore, extreme: Declaration, name: str) -> None:
        documents = [{"version": 1, "created_at": timestamp(DAY), "updated_at": timestamp(DAY), **fields} for fields in EXTREMES]

        [found] = counted(store, extreme, Terms(name, limit=1000))

        assert found == scanned(documents, Terms(name, limit=1000))
        types = {type(value) for document in documents for value in values_of(document, name)}
        assert {type(value) for value, _ in pairs(found)} == types

    @pytest.fixture(scope="class")
    @classmethod
    def extreme(cls, store: ReadStore, declare: Declare) -> Declaration:
        resource = declare(Rich)
        fill(store, resource, [live(str(number), **fields) for number, fields in enumerate(EXTREMES)])
        return resource

    def test_the_most_frequent_are_listed_and_equal_counts_in_the_order_of_theirvalues_of(self, store: ReadStore, declare: Declare) -> None:
        resource = declare(Shop)
        colors = ["é", "b", "b", "A", "a", "a", "\U0001f389", "\uffee", "c", "c", "c", ""]
        fill(store, resource, [live(str(number), color=color, size=-len(color)) for number, color in enumerate(colors)])

        [found] = counted(store, resource, Terms("color", limit=6))

        assert pairs(found) == [("c", 3), ("a", 2), ("b", 2), ("", 1), ("A", 1), ("é", 1)]
        assert found == Buckets(found.buckets, other=2)
        assert pairs(counted(store, resource, Terms("color"))[0])[6:] == [("\uffee", 1), ("\U0001f389", 1)]
        assert pairs(counted(store, resource, Terms("size", limit=1))[0]) == [(-1, 11)]

    def test_equal_counts_of_numbers_are_in_the_order_of_numbers(self, store: ReadStore, declare: Declare) -> None:
        resource = declare(Rich)
        numbers = [10, 9, -1, -10, 2**63 - 1, 2**53 + 1, 2**53, -(2**63)]
        fill(store, resource, [live(str(at), amount=number, ratio=at / 4 - 1, price=number) for at, number in enumerate(numbers)])

        amounts, ratios, prices = counted(store, resource, Terms("amount"), Terms("ratio"), Terms("price", limit=2))

        assert pairs(amounts) == [(number, 1) for number in sorted(numbers)]
        assert pairs(ratios) == [(at / 4 - 1, 1) for at in range(8)]
        assert (pairs(prices), prices) == ([(-(2**63), 1), (-10, 1)], replace(prices, other=6, missing=0))

    def test_a_match_counts_once_for_each_of_its_values_that_differ(self, store: ReadStore, declare: Declare) -> None:
        resource = declare(Rich)
        first, second = live("a", tags=["x", "y", "x"], numbers=[1, 1], flags=[True, True]), live("b", tags=["x", "z"], numbers=[2, 1])
        fill(store, resource, [first, second])

        tags, numbers, flags = counted(store, resource, Terms("tags", limit=1), Terms("numbers"), Terms("flags"))

        assert tags == Buckets((Bucket("x", 2),), other=2)
        assert numbers == Buckets((Bucket(1, 2), Bucket(2, 1)))
        assert flags == Buckets((Bucket(value=True, count=1),), missing=1)

    def test_missing_counts_matches_without_a_value(self, store: ReadStore, declare: Declare) -> None:
        resource = declare(Shop)
        some = live("b", color=None, tags=[]), live("c", tags=["x"]), live("d", color="", tags=None)
        fill(store, resource, [live("a", color="red"), *some])

        color, tags, size, sizes, ranges = counted(
            store, resource, Terms("color"), Terms("tags"), Terms("size"), Stats("size"), Ranges("size", ((None, 1),))
        )

        assert color == Buckets((Bucket("", 1), Bucket("red", 1)), missing=2)
        assert tags == Buckets((Bucket("x", 1),), missing=3)
        assert size == Buckets(missing=4)
        assert sizes == Summary(missing=4)
        assert ranges == Buckets((Bucket((None, 1), 0),), missing=4)

    @pytest.mark.parametrize(
        ("name", "values"),
        [
            ("code", ["A", "a", "é", "none"]),
            ("amount", [-1, 2**53 + 1, 77]),
            ("ratio", [0.1, 0.30000000000000004, 77.5]),
            ("active", [True, False]),
            ("born", ["1999-12-30", "2026-01-01"]),
            ("seen", ["2026-01-02T03:04:05.678Z", "2026-01-02T03:04:05.679Z"]),
            ("tags", ["x", "z z", "none"]),
            ("numbers", [3, 0, 77]),
            ("created_at", ["2026-01-02T03:04:05.678Z"]),
        ],
    )
    def test_values_that_are_asked_for_are_listed_too_even_where_nothing_has_them(
        self, store: ReadStore, modelled: tuple[Declaration, Model], name: str, values: list[Any]
    ) -> None:
        resource, model = modelled
        documents = [document for document in model.documents.values() if "deleted" not in document]

        for limit in (1, 2, 1000):
            facet = Terms(name, limit, (*values, values[0]))
            assert counted(store, resource, facet) == (scanned(documents, facet),), facet

    # facets of dates

    @pytest.mark.parametrize("zone", ZONES)
    @pytest.mark.parametrize("interval", INTERVALS)
    def test_dates_lie_in_the_intervals_of_a_time_zones_calendar(
        self, store: ReadStore, moments: tuple[Declaration, list[Document]], interval: Interval, zone: str
    ) -> None:
        resource, documents = moments
        facets = [Dates("at", interval, zone), Dates("also_at", interval, zone)]
        if interval != "hour":
            facets.append(Dates("on", interval, zone))

        found = counted(store, resource, *facets)

        assert found == tuple(scanned(documents, facet) for facet in facets)
        for buckets in found:
            assert pairs(buckets) == sorted(pairs(buckets)), "the first interval first"

    def test_a_day_begins_when_its_clocks_begin(self, store: ReadStore, moments: tuple[Declaration, list[Document]]) -> None:
        """In São Paulo the fourth of November 2018 began at one o'clock, and the seventeenth of February had twenty-five hours."""
        resource, _ = moments
        within = And((Compare("at", ">=", "2018-02-16T12:00:00.000Z"), Compare("at", "<", "2018-11-05T12:00:00.000Z")))

        [found] = counted(store, resource, Dates("at", "day", "America/Sao_Paulo"), filter=within)

        days = dict(pairs(found))
        assert "2018-11-04T03:00:00.000Z" in days
        assert "2018-11-04T02:00:00.000Z" not in days
        assert days["2018-02-17T02:00:00.000Z"] == 25 * 3

    def test_as_many_intervals_as_are_told_and_not_one_more(self, store: ReadStore, declare: Declare) -> None:
        """A thousand with matches, whatever lies between them; one more is refused with what to do, not cut off."""
        resource = declare(Moments)
        start = datetime(1999, 12, 31, 23, 30, tzinfo=UTC)
        every = [start + timedelta(hours=3 * step) for step in range(MAX_INTERVALS + 1)]
        documents = [{"at": timestamp(each), "on": each.date().isoformat()} for each in every]
        fill(store, resource, [live("lone"), *(live(f"{number:04}", **fields) for number, fields in enumerate(documents))])
        all_but_one = And((Compare("at", ">", timestamp(every[0])),))

        for zone in ("UTC", "Asia/Kolkata"):
            [found] = counted(store, resource, Dates("at", "hour", zone), filter=all_but_one)
            assert [count for _, count in pairs(found)] == [1] * MAX_INTERVALS
            with pytest.raises(Unfit, match=r"^at:hour has more than 1,000 intervals .* choose a longer interval"):
                counted(store, resource, Dates("on", "day", zone), Dates("at", "hour", zone))
        assert len(pairs(counted(store, resource, Dates("on", "day"))[0])) == 126
        many = [live(f"{at:04}", also_at=[timestamp(each) for each in every[at::2]], version=2) for at in range(2)]
        fill(store, resource, many)
        with pytest.raises(Unfit, match=r"^also_at:hour has more than 1,000"):
            counted(store, resource, Dates("also_at", "hour"))

    @pytest.fixture(scope="class")
    @classmethod
    def moments(cls, store: ReadStore, declare: Declare) -> tuple[Declaration, list[Document]]:
        """A moment every twenty minutes around each change of the clocks, one without any, and one with many."""
        resource = declare(Moments)
        starts = [datetime(*day, tzinfo=UTC) - timedelta(days=1) for day in CHANGES]
        every = [start + timedelta(minutes=20 * step) for start in starts for step in range(3 * 24 * 3)]
        documents = [{"at": timestamp(moment), "on": moment.date().isoformat()} for moment in every]
        documents += [{"also_at": [timestamp(moment) for moment in every[part::60]], "at": None} for part in range(20)]
        fill(store, resource, [live(f"{number:05}", **fields) for number, fields in enumerate(documents)])
        return resource, documents

    # facets of ranges, summaries

    def test_ranges_begin_with_their_first_value_and_end_below_their_second(self, store: ReadStore, declare: Declare) -> None:
        resource = declare(Rich)
        amounts = [-(2**63), -1, 0, 9, 10, 2**53, 2**53 + 1, 2**63 - 1]
        fill(store, resource, [live(str(at), amount=amount, numbers=[amount, 0]) for at, amount in enumerate(amounts)] + [live("none")])
        bounds = ((None, 0), (0, 10), (10, None), (None, None), (2**53 + 1, 2**63 - 1), (3, 3), (-5, 5))

        found, lists = counted(store, resource, Ranges("amount", bounds), Ranges("numbers", bounds))

        assert found == Buckets(tuple(map(Bucket, bounds, (2, 2, 4, 8, 1, 0, 2))), missing=1)
        assert lists == Buckets(tuple(map(Bucket, bounds, (2, 8, 4, 8, 1, 0, 8))), missing=1)

    def test_a_summary_is_of_all_values_each_item_of_a_list_by_itself(self, store: ReadStore, declare: Declare) -> None:
        resource = declare(Rich)
        fill(store, resource, [live("a", amount=3, numbers=[1, 1, 5], price=250), live("b", amount=-1, numbers=[]), live("c", ratio=0.25)])

        assert counted(store, resource, *map(Stats, ("amount", "numbers", "price", "ratio", "version", "ratios"))) == (
            Summary(2, -1.0, 3.0, 2.0, missing=1),
            Summary(3, 1.0, 5.0, 7.0, missing=2),
            Summary(1, 250.0, 250.0, 250.0, missing=2),
            Summary(1, 0.25, 0.25, 0.25, missing=2),
            Summary(3, 1.0, 1.0, 3.0),
            Summary(missing=3),
        )

    # what is counted

    def test_a_facet_counts_all_matches_whatever_the_page_shows(self, store: ReadStore, shop: Declaration) -> None:
        [expected] = counted(store, shop, Terms("color"))

        orders: list[dict[str, Any]] = [{"sort": (Sort("size", descending=True),)}, {"exact": True}]
        for page in ({"limit": 1}, {"limit": 1, "offset": 2}, {"after": ("d",)}, {"after": ("a",), "offset": 2, "limit": 1}, *orders):
            found = find(store, shop, facets=(Terms("color"),), **page)
            assert found.facets == (expected,)
            assert (found.total, found.exact) == (6, True)
            assert replace(found, facets=()) == find(store, shop, **page)

    def test_tombstones_are_counted_nowhere(self, store: ReadStore, declare: Declare) -> None:
        resource = declare(Shop)
        fill(store, resource, [live("a", color="red", size=1), live("b", color="red", size=2)])
        fill(store, resource, [dead("a", 2), dead("c", 1)])

        assert counted(store, resource, Terms("color"), Terms("tags"), Stats("size"), Terms("version")) == (
            Buckets((Bucket("red", 1),)),
            Buckets(missing=1),
            Summary(1, 2.0, 2.0, 2.0),
            Buckets((Bucket(1, 1),)),
        )

    def test_words_and_filter_choose_what_is_counted(self, store: ReadStore, shop: Declaration) -> None:
        searches = [
            Search(said("shirt")),
            Search(((Term("shrit", typos=1),),), sort=(Sort("_score", descending=True),)),
            Search(filter=Not(OneOf("color", ("red",)))),
            Search(said(prefix="sh"), filter=Compare("size", ">", 1)),
            Search(said("&")),
        ]
        pages = store.search(shop, [replace(search, facets=(Terms("color"),)) for search in searches])
        [words], [misspelt], [filtered], [both], [nothing] = (page.facets for page in pages)

        assert words == misspelt == Buckets((Bucket("red", 2), Bucket("blue", 1)))
        assert filtered == Buckets((Bucket("blue", 2),), missing=1)
        assert both == Buckets((Bucket("red", 2), Bucket("blue", 1)))
        assert nothing == Buckets()

    def test_a_disjunctive_facet_counts_as_if_its_own_refinement_were_not_there(self, store: ReadStore, shop: Declaration) -> None:
        chosen = {"refinements": (("color", ("red",)), ("size", (1, 2)))}
        facets = Terms("color"), Terms("size"), Terms("tags"), Stats("size")

        found = find(store, shop, facets=facets, **chosen)

        assert ids(found) == ["a", "b"]
        assert (found.total, found.exact) == (2, True)
        assert found.facets == (
            Buckets((Bucket("red", 2), Bucket("blue", 1))),  # size 1 or 2, any color
            Buckets((Bucket(1, 1), Bucket(2, 1), Bucket(3, 1))),  # red, any size
            Buckets((Bucket("new", 2), Bucket("sale", 1))),  # both refinements
            Summary(3, 1.0, 3.0, 6.0),  # red, any size
        )

    def test_a_conjunctive_facet_counts_the_matches(self, store: ReadStore, shop: Declaration) -> None:
        found = find(
            store, shop, facets=(Terms("color", also=("blue",)), Terms("size")), refinements=(("color", ("red",)),), disjunctive=False
        )

        assert ids(found) == ["a", "b", "c"]
        assert found.facets == (Buckets((Bucket("red", 3), Bucket("blue", 0))), Buckets((Bucket(1, 1), Bucket(2, 1), Bucket(3, 1))))

    def test_several_refinements_of_one_field_are_left_out_together(self, store: ReadStore, shop: Declaration) -> None:
        chosen = {"refinements": (("tags", ("new",)), ("tags", ("sale",)), ("color", ("red",)))}

        found = find(store, shop, facets=(Terms("tags"), Terms("color")), **chosen)

        assert ids(found) == ["b"]
        assert found.facets == (Buckets((Bucket("new", 2), Bucket("sale", 1)), missing=1), Buckets((Bucket("red", 1),)))

    def test_pages_and_totals_of_a_disjunctive_search_are_those_of_its_refinements(self, store: ReadStore, shop: Declaration) -> None:
        chosen = {"refinements": (("color", ("red",)),), "facets": (Terms("color"),)}

        assert [ids(find(store, shop, limit=1, offset=offset, **chosen)) for offset in range(4)] == [["a"], ["b"], ["c"], []]
        page = find(store, shop, limit=2, **chosen)
        assert ids(find(store, shop, after=page.last, **chosen)) == ["c"]
        assert find(store, shop, limit=0, **chosen).total == page.total == 3

    @pytest.fixture(scope="class")
    @classmethod
    def shop(cls, store: ReadStore, declare: Declare) -> Declaration:
        resource = declare(Shop)
        goods: list[Document] = [
            {"id": "a", "name": "red shirt", "color": "red", "size": 1, "tags": ["new"]},
            {"id": "b", "name": "old shirt", "color": "red", "size": 2, "tags": ["sale", "new"]},
            {"id": "c", "name": "shoes", "color": "red", "size": 3},
            {"id": "d", "name": "shirt", "color": "blue", "size": 1},
            {"id": "e", "name": "short shoes", "color": "blue", "size": 4, "tags": ["sale"]},
            {"id": "f", "name": "nothing"},
        ]
        fill(store, resource, [live(each.pop("id"), **each) for each in goods])
        return resource

    def test_facets_give_the_counts_of_a_plain_scan(self, store: ReadStore, modelled: tuple[Declaration, Model]) -> None:
        resource, model = modelled
        chance = random.Random(20260103)

        for _ in range(12):
            searches = [self._random_search(chance, model) for _ in range(10)]
            for search, page in zip(searches, store.search(resource, searches), strict=True):
                assert page.total == len(model.found(search)), search
                for facet, found in zip(search.facets, page.facets, strict=True):
                    assert found == scanned(matching(model, search, facet), facet), (search, facet)

    @pytest.fixture(scope="class")
    @classmethod
    def modelled(cls, store: ReadStore, declare: Declare) -> tuple[Declaration, Model]:
        resource, model = declare(Rich), Model(random.Random(5), 600)
        fill(store, resource, model.operations())
        return resource, model

    @staticmethod
    def _random_search(chance: random.Random, model: Model) -> Search:
        def held(name: str) -> list[Any]:
            return [value for document in model.documents.values() for value in values_of(document, name)]

        def bound(name: str) -> tuple[Any, Any]:
            least, beyond = sorted(chance.sample(held(name), 2))
            return chance.choice([(least, beyond), (None, beyond), (least, None)])

        def facet() -> Facet:
            kind = chance.choice((Terms, Terms, Dates, Ranges, Stats))
            if kind is Terms:
                name = chance.choice([each for each in COUNTED if held(each)])
                return Terms(name, chance.choice([1, 3, 1000]), tuple(chance.sample(held(name), chance.choice([0, 0, 2]))))
            if kind is Dates:
                return Dates(chance.choice(["seen", "created_at"]), chance.choice(INTERVALS), chance.choice(ZONES))
            if kind is Ranges:
                name = chance.choice([each for each in RANGED if held(each)])
                return Ranges(name, tuple(bound(name) for _ in range(3)))
            return Stats(chance.choice(["numbers", "price", "version"]))

        return replace(
            model.random_search(),
            facets=tuple(facet() for _ in range(chance.randint(1, 3))),
            disjunctive=chance.random() < 0.7,
            limit=chance.choice([0, 10]),
        )
