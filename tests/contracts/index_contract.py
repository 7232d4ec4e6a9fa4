"""The promises of `twofold.index.port.ReadStore`, one test each, for every engine; `test_index.py` binds the engines."""

# ruff: noqa: RUF012 - Pydantic copies defaults
from __future__ import annotations

import random
import re
import unicodedata
import uuid
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

import orjson
import pytest

from twofold import Keyword, Resource, Text
from twofold.errors import Outdated, Rejected, Unavailable
from twofold.fields import Places
from twofold.index.port import Operation, ReadStore, Verdict
from twofold.index.search import TOTAL_CAP, Hit, Page, Search, Sort, Term
from twofold.kinds.datetimes import timestamp
from twofold.resource import Declaration
from twofold.users import User

OK, STALE, REJECTED, UNAVAILABLE = Verdict
Document = dict[str, Any]
Declare = Callable[..., Declaration]


class Rich(Resource, name="rich"):
    """A field of every kind."""

    title: Annotated[str, Text()] = ""
    code: Annotated[str | None, Keyword()] = None
    label: Annotated[str | None, Text(), Keyword()] = None
    note: str = ""
    amount: int | None = None
    ratio: float | None = None
    active: bool | None = None
    status: Literal["new", "open", "done"] | None = None
    born: date | None = None
    seen: datetime | None = None
    price: Annotated[Decimal | None, Places(2)] = None
    ref: UUID | None = None
    span: timedelta | None = None
    tags: Annotated[list[str], Keyword()] = []
    lines: Annotated[list[str], Text()] = []
    numbers: list[int] = []
    ratios: list[float] = []
    days: list[date] = []
    flags: list[bool] = []


class Small(Resource, name="small"):
    name: Annotated[str, Text(), Keyword()]


class Grown(Resource, name="small"):
    name: Annotated[str, Text(), Keyword()]
    city: Annotated[str, Keyword()] = ""
    about: Annotated[str, Text()] = ""
    sizes: list[int] = []


class Changed(Resource, name="small"):
    name: Annotated[str, Keyword()]


class Shrunk(Resource, name="small"):
    other: str = ""


class Tiny(Resource, name="tiny"):
    rank: int


SORTABLE = [field.name for field in Rich.declaration.public if field.sortable] + ["id", "version", "created_at", "updated_at"]
ALIKE: list[tuple[str, Any, Any]] = [  # two values that must not be taken for one another
    ("code", "A", "a"),
    ("label", "Big One", "big one"),
    ("amount", -(2**63), 1 - 2**63),
    ("ratio", 0.1, 0.1000000000000000195),
    ("active", True, False),
    ("status", "new", "open"),
    ("born", "1000-01-01", "9999-12-31"),
    ("seen", "2026-01-02T03:04:05.678Z", "2026-01-02T03:04:05.679Z"),
    ("price", 2**63 - 1, 2**63 - 2),
    ("ref", "0190f5c8-7a3e-7c1d-9b52-3f6e8d2a4c10", "0190f5c8-7a3e-7c1d-9b52-3f6e8d2a4c11"),
    ("span", 86_399_999_913_600_000, 86_399_999_913_600_001),
    ("tags", ["x", "y z"], ["X"]),
    ("numbers", [0, 2**53], [2**53 + 1]),
    ("ratios", [2.5, 0.3], [0.30000000000000004]),
    ("days", ["1999-01-01", "2026-01-02"], ["2026-01-03"]),
    ("flags", [True], [False]),
]
EXTREMES: list[Document] = [
    {"amount": 2**63 - 1, "price": -(2**63), "ratio": 1.7976931348623157e308, "born": "1000-01-01", "seen": "1001-01-01T00:00:00.000Z"},
    {"amount": -(2**63), "price": 1, "ratio": 5e-324, "born": "9999-12-31", "seen": "9998-12-31T23:59:59.999Z", "active": False},
    {"note": "n" * 65_536, "title": "t " * 32_768, "code": "\U0001f389" * 8_191, "label": "l" * 8_191, "tags": ["a", "b"] * 500},
    {"title": 'a "quoted" \\ line\nand 東京 and \u2028', "numbers": [], "flags": [True, False], "ratios": [0.1], "code": ""},
    {"title": None, "code": None, "tags": None, "days": ["2026-01-02"]},
]
DAY = datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)


def live(key: str, version: int = 1, **fields: Any) -> Operation:
    document = {"id": key, "version": version, "created_at": timestamp(DAY), "updated_at": timestamp(DAY), **fields}
    return Operation(key, version, orjson.dumps(document))


def dead(key: str, version: int) -> Operation:
    return Operation(key, version, orjson.dumps({"id": key, "version": version, "deleted": True}), deleted=True)


def fill(store: ReadStore, resource: Declaration, operations: Iterable[Operation]) -> None:
    """Applies in bulks of 1,000 and makes it visible."""
    operations = list(operations)
    for start in range(0, len(operations), 1000):
        outcomes = store.apply(resource, operations[start : start + 1000])
        assert {outcome.verdict for outcome in outcomes} == {OK}, outcomes[:3]
    store.refresh(resource)


def said(*words: str, prefix: str | None = None) -> tuple[tuple[Term, ...], ...]:
    """Every word, and a word that begins with `prefix`."""
    return *((Term(word),) for word in words), *(() if prefix is None else ((Term(prefix, prefix=True),),))


def find(store: ReadStore, resource: Declaration, *words: str, prefix: str | None = None, **search: Any) -> Page:
    return store.search(resource, [Search(said(*words, prefix=prefix), **search)])[0]


def ids(page: Page) -> list[str]:
    return [hit.document["id"] for hit in page.hits]


def walk(store: ReadStore, resource: Declaration, search: Search) -> list[Hit]:
    """All hits, page by page; `after` goes through JSON, as in a cursor."""
    hits: list[Hit] = []
    while (page := store.search(resource, [search])[0]).hits:
        hits += page.hits
        assert len(hits) <= 1000, "pages repeat"
        _assert_last(search, page)
        search = replace(search, after=tuple(orjson.loads(orjson.dumps(page.last))))
    assert page.last is None
    return hits


def _assert_last(search: Search, page: Page) -> None:
    """`last` is what the last hit was sorted by, as its document holds it."""
    hit = page.hits[-1]
    told = {"_score": hit.score, **hit.document}
    assert page.last is not None
    assert list(page.last[: len(search.sort)]) == [told.get(sort.field) for sort in search.sort]


class IndexContract:
    """Bind it with the fixture `store` and the ways to break what it stores in."""

    @pytest.fixture
    def store(self) -> Iterator[ReadStore]:
        raise NotImplementedError

    def drop(self, store: ReadStore, resource: Declaration) -> None:
        """Deletes the index behind the store's back."""
        raise NotImplementedError

    def blocked(self, store: ReadStore, resource: Declaration) -> AbstractContextManager[None]:
        """Lets nothing be written meanwhile."""
        raise NotImplementedError

    @pytest.fixture
    def declare(self, store: ReadStore) -> Iterator[Declare]:
        """Gives a declaration an index that no other test has."""
        made: list[Declaration] = []

        def declare(cls: type[Resource] = Rich, *, migrate: bool = True) -> Declaration:
            made.append(replace(cls.declaration, index=f"contract-{uuid.uuid4().hex[:12]}"))
            if migrate:
                store.migrate(made[-1])
            return made[-1]

        yield declare
        for resource in made:
            self.drop(store, resource)

    # apply

    def test_a_version_as_old_as_the_indexs_own_changes_nothing(self, store: ReadStore, declare: Declare) -> None:
        resource = declare()
        store.apply(resource, [live("a", 5, code="five")])

        verdicts = [store.apply(resource, [live("a", version, code="old")])[0].verdict for version in (4, 5, 6)]

        assert verdicts == [STALE, STALE, OK]
        assert store.get(resource, ["a"])["a"]["version"] == 6

    def test_a_version_as_old_as_the_indexs_own_changes_nothing_after_a_delete(self, store: ReadStore, declare: Declare) -> None:
        resource = declare()
        fill(store, resource, [live("a", 1, title="gone")])
        fill(store, resource, [dead("a", 2)])

        assert store.apply(resource, [live("a", 1, title="gone")])[0].verdict is STALE
        assert store.apply(resource, [live("a", 2, title="gone")])[0].verdict is STALE
        store.refresh(resource)
        assert find(store, resource, "gone") == find(store, resource) == Page()

    def test_a_tombstone_may_come_first(self, store: ReadStore, declare: Declare) -> None:
        resource = declare()

        assert store.apply(resource, [dead("a", 3)])[0].verdict is OK
        assert store.apply(resource, [live("a", 2)])[0].verdict is STALE
        assert store.apply(resource, [dead("a", 3)])[0].verdict is STALE

    def test_one_outcome_per_operation_in_their_order(self, store: ReadStore, declare: Declare) -> None:
        resource = declare()
        store.apply(resource, [live("b", 9), live("e", 9)])

        operations = [live("a"), live("b", 3), live("c", zork=1), dead("e", 10), live("f", amount="x"), live("g"), dead("b", 2)]
        outcomes = store.apply(resource, operations)

        assert [outcome.verdict for outcome in outcomes] == [OK, STALE, REJECTED, OK, REJECTED, OK, STALE]
        assert set(store.get(resource, list("abcdefg"))) == {"a", "b", "e", "g"}
        assert store.apply(resource, []) == []

    def test_a_version_that_is_rejected_keeps_no_older_one_out(self, store: ReadStore, declare: Declare) -> None:
        resource = declare()

        operations = [live("a", 3, zork=1), live("a", 2), live("a", 3), live("a", 9, zork=1), live("a", 2)]
        assert [store.apply(resource, [each])[0].verdict for each in operations] == [REJECTED, OK, OK, REJECTED, STALE]
        assert store.get(resource, ["a"])["a"]["version"] == 3

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("zork", "SECRET"),
            ("code", "SECRET" * 6000),
            ("code", {"SECRET": 1}),
            ("amount", "SECRET"),
            ("amount", "666777"),
            ("amount", 666777.5),
            ("ratio", "SECRET"),
            ("active", "SECRET"),
            ("born", "SECRET"),
            ("seen", "SECRET"),
            ("seen", "2026-01-02"),
            ("price", "666.77"),
            ("numbers", [1, "SECRET"]),
            ("days", ["SECRET"]),
            ("updated_at", "SECRET"),
            ("deleted", "SECRET"),
        ],
    )
    def test_the_index_never_takes_what_is_not_declared_and_does_not_quote_it(
        self, store: ReadStore, declare: Declare, name: str, value: Any
    ) -> None:
        resource = declare()

        [outcome] = store.apply(resource, [live("a", **{name: value})])

        assert outcome.verdict is REJECTED
        assert name in outcome.reason
        assert not re.search("SECRET|666|2026", outcome.reason)
        assert store.get(resource, ["a"]) == {}

    def test_what_is_no_document_is_rejected(self, store: ReadStore, declare: Declare) -> None:
        resource = declare()
        operations = [live("a"), Operation("b", 1, b"SECRET"), Operation("c", 1, b"[1]"), Operation("d" * 513, 1, b'{"id":"d"}'), live("e")]

        outcomes = store.apply(resource, operations)

        assert [outcome.verdict for outcome in outcomes] == [OK, REJECTED, REJECTED, REJECTED, OK]
        assert "SECRET" not in str(outcomes)

    def test_documents_come_back_as_they_went(self, store: ReadStore, declare: Declare) -> None:
        resource = declare()
        operations = [live(f"d{number}", **fields) for number, fields in enumerate(EXTREMES)]
        spread = Operation("spread", 1, b'{\n"id": "spread",\r\n "version": 1\n}')
        fill(store, resource, [*operations, spread])

        found = store.get(resource, [operation.id for operation in [*operations, spread]])

        assert found == {operation.id: orjson.loads(operation.document) for operation in [*operations, spread]}
        assert {hit.document["id"]: hit.document for hit in find(store, resource).hits} == found

    def test_a_bulk_may_be_larger_than_an_engine_takes_at_once(self, store: ReadStore, declare: Declare) -> None:
        resource = declare()

        fill(store, resource, (live(f"{number:04}", note="x" * 60_000) for number in range(400)))

        assert store.status(resource).documents == 400

    def test_any_text_is_an_id(self, store: ReadStore, declare: Declare) -> None:
        resource = declare()
        names = ["a/b", "?x=1", "..", "%41", 'say "hi"', "ünï", "\U0001f389", "*", "_all", " ", "-", "x" * 512, "a,b", "#", "'"]
        fill(store, resource, [live(name) for name in names])

        assert set(store.get(resource, names)) == set(names)
        assert ids(find(store, resource)) == sorted(names)

    def test_what_cannot_be_written_now_can_be_written_later(self, store: ReadStore, declare: Declare) -> None:
        resource = declare()
        store.apply(resource, [live("a")])

        with self.blocked(store, resource):
            assert self.verdicts(store, resource, [live("a", 2), live("b")]) == {UNAVAILABLE}
            assert set(store.get(resource, ["a", "b"])) == {"a"}

        assert self.verdicts(store, resource, [live("a", 2), live("b")]) == {OK}

    def test_an_index_that_is_gone_is_unavailable_and_is_not_made(self, store: ReadStore, declare: Declare) -> None:
        resource = declare()
        self.drop(store, resource)

        assert self.verdicts(store, resource, [live("a")]) == {UNAVAILABLE}
        assert store.pending(resource) != []
        for call in (lambda: store.get(resource, ["a"]), lambda: find(store, resource)):
            with pytest.raises(Unavailable):
                call()
        with pytest.raises(Outdated, match="twofold migrate"):
            store.status(resource)

    @staticmethod
    def verdicts(store: ReadStore, resource: Declaration, operations: list[Operation]) -> set[Verdict]:
        try:
            return {outcome.verdict for outcome in store.apply(resource, operations)}
        except Unavailable:
            return {UNAVAILABLE}

    # get

    def test_get_is_as_of_the_last_apply_with_tombstones_and_without_the_unknown(self, store: ReadStore, declare: Declare) -> None:
        resource = declare()
        store.apply(resource, [live("a", 1, code="one"), live("b")])
        store.apply(resource, [live("a", 2, code="two"), dead("b", 2)])

        found = store.get(resource, ["a", "b", "unknown", "", "x" * 600])

        assert set(found) == {"a", "b"}
        assert found["a"]["code"] == "two"
        assert found["b"] == {"id": "b", "version": 2, "deleted": True}
        assert store.get(resource, []) == {}

    # search

    def test_what_was_applied_is_found_after_a_refresh_and_tombstones_never(self, store: ReadStore, declare: Declare) -> None:
        resource = declare()
        fill(store, resource, [live("a", title="ant"), live("b", title="bee"), dead("c", 1)])
        assert ids(find(store, resource)) == ["a", "b"]

        fill(store, resource, [live("a", 2, title="ape"), dead("b", 2)])

        assert [ids(find(store, resource, *words)) for words in ([], ["ant"], ["ape"], ["bee"])] == [["a"], [], ["a"], []]
        assert store.search(resource, []) == []

    def test_nothing_found_is_a_page(self, store: ReadStore, declare: Declare) -> None:
        resource = declare()

        assert (
            find(store, resource) == find(store, resource, "x") == find(store, resource, refinements=(("amount", (1,)),)) == Page()
        )

    def test_every_word_occurs_in_some_text_field(self, store: ReadStore, declare: Declare) -> None:
        resource = declare()
        fill(
            store,
            resource,
            [
                live("a", title="Anna Karenina", label="Tolstoy", code="novel", note="hidden", tags=["tagged"]),
                live("b", title="anna", label="", lines=["one line", "and Tolstoy"]),
                live("c", title="Karenina", label="anna"),
            ],
        )

        def found(*words: str) -> list[str]:
            return ids(find(store, resource, *words))

        assert found("anna") == ["a", "b", "c"]
        assert found("anna", "karenina") == ["a", "c"]
        assert found("tolstoy", "anna") == ["a", "b"]
        assert found("tolstoy", "anna", "karenina") == ["a"]
        assert found("ann") == found("novel") == found("hidden") == found("tagged") == found("anna", "zork") == []

    def test_a_word_of_several_parts_is_a_phrase_within_one_value(self, store: ReadStore, declare: Declare) -> None:
        resource = declare()
        fill(
            store, resource, [live("a", title="well known"), live("b", title="known well"), live("c", lines=["all is well", "known thing"])]
        )

        assert ids(find(store, resource, "well-known")) == ["a"]

    def test_case_and_accents_do_not_matter(self, store: ReadStore, declare: Declare) -> None:
        resource = declare()
        fill(store, resource, [live("a", title="Café Ångström"), live("b", title="CAFE angstrom")])

        for words in (["café"], ["CAFÉ", "angström"], ["cafe"], ["Ångstrom"]):
            assert ids(find(store, resource, *words)) == ["a", "b"]
        for prefix in ("caf", "CAFÉ", "ång", "ANGS"):
            assert ids(find(store, resource, prefix=prefix)) == ["a", "b"]

    def test_a_prefix_finds_every_word_that_begins_with_it(self, store: ReadStore, declare: Declare) -> None:
        resource = declare()
        letters = "abcdefghijklmno"
        words = [f"qu{a}{b}{c}" for a in letters for b in letters for c in letters]
        fill(store, resource, [live(word, title=f"some {word}") for word in words] + [live("z", title="quiet", label="some")])

        assert find(store, resource, prefix="qu", limit=1).total == len(words) + 1
        assert find(store, resource, "some", prefix="qu", limit=1).total == len(words) + 1
        assert find(store, resource, prefix="q", limit=1).total == len(words) + 1
        assert ids(find(store, resource, prefix="quabc")) == ids(find(store, resource, "quabc")) == ["quabc"]
        assert find(store, resource, prefix="quab", limit=1).total == len(letters)
        assert find(store, resource, "quabc", prefix="quabd") == Page()

    @pytest.mark.parametrize(
        "text",
        [
            *('"', '""', '"a', "*", "a*", "AND", "OR", "NOT", "NEAR(", "NEAR(a b, 2)", "(", ")", "a:b", "title:a", "-a", "+a", "^a", "{a}"),
            *("[a", "a]", "\\", "\\\\", "/a/", "~", "a~2", "a^2", "'", "'; --", "%", "_", "\t", "\x01", "&&", "||", "!", "?", ":", ","),
            *("a,b", "<b>", "${a}", "{{a}}", " ", "", "{}", "null", "x" * 2000, "a " * 300, "東京", "ﷺ", "\u0627", "\u0301", "\u202e"),
            *("\ue000", "\U000e0001", "🎉", "a🎉", "\U0001f469\u200d\U0001f469\u200d\U0001f467"),
        ],
    )  # fmt: skip
    def test_any_text_can_be_searched_for(self, store: ReadStore, text_resource: Declaration, text: str) -> None:
        texts = said(text), said(text, "plain"), said(prefix=text), said("plain", prefix=text)
        searches = [Search(each) for each in texts]
        searches.append(Search(refinements=(("code", (text,)),)))

        *_, page = store.search(text_resource, searches)

        assert ids(page) == ["odd"]

    @pytest.fixture
    def text_resource(self, store: ReadStore, declare: Declare, text: str) -> Declaration:
        resource = declare()
        fill(store, resource, [live("odd", title=text, code=text), live("plain", title="plain")])
        return resource

    def test_a_word_without_letters_drops_out_beside_others_and_finds_nothing_alone(self, store: ReadStore, declare: Declare) -> None:
        resource = declare()
        fill(store, resource, [live("a", title="Sons & daughters"), live("b", title="Sons")])

        assert ids(find(store, resource, "sons", "&")) == ids(find(store, resource, "&", prefix="so")) == ["a", "b"]
        assert ids(find(store, resource, "daughters", prefix="&")) == ["a"]
        assert find(store, resource, "&") == find(store, resource, "&", "!!") == find(store, resource, prefix="&") == Page()
        assert find(store, resource, "") == find(store, resource, prefix="") == Page()

    def test_where_nothing_is_text_no_word_is_found(self, store: ReadStore, declare: Declare) -> None:
        resource = declare(Tiny)
        fill(store, resource, [live("a", rank=1)])

        assert find(store, resource, "a") == find(store, resource, prefix="a") == Page()
        assert ids(find(store, resource)) == ["a"]

    def test_a_filters_field_has_one_of_its_values_and_each_filter_holds(self, store: ReadStore, declare: Declare) -> None:
        resource = declare()
        one = live("one", title="word", **{name: value for name, value, _ in ALIKE})
        two = live("two", title="word", **{name: value for name, _, value in ALIKE})
        fill(store, resource, [one, two, live("none"), live("empty", tags=[], numbers=[])])

        def found(*filters: tuple[str, tuple[Any, ...]], words: tuple[str, ...] = ()) -> list[str]:
            return ids(find(store, resource, *words, refinements=filters))

        for name, *values in ALIKE:
            first, second = (value[-1] if isinstance(value, list) else value for value in values)
            assert found((name, (first,))) == ["one"], name
            assert found((name, (first, second))) == ["one", "two"], name
            assert found((name, ())) == [], name
            assert found((name, (first,)), ("id", ("one", "two"))) == ["one"], name
            assert found((name, (first,)), ("status", ("open",))) == [], name
            assert found((name, (second,)), words=("word",)) == ["two"], name
        assert found(("tags", ("x",)), ("tags", ("y z",))) == ["one"]
        assert found(("tags", ("y",))) == found(("label", ("Big",))) == found(("ratio", (0.30000000000000004,))) == []
        assert found(("version", (1,)), ("created_at", (timestamp(DAY),)), ("id", ("none", "two"))) == ["none", "two"]

    @pytest.mark.parametrize("descending", [False, True])
    def test_pages_in_every_order_neither_repeat_nor_skip_and_missing_values_come_last(
        self, store: ReadStore, declare: Declare, descending: bool
    ) -> None:
        resource = declare()
        model = Model(random.Random(7), 100)
        fill(store, resource, model.operations())

        for name in SORTABLE:
            for second in (Sort("id"), Sort("id", descending=True), Sort("active", descending=not descending)):
                search = Search(sort=(Sort(name, descending), second), limit=7)
                hits = walk(store, resource, search)
                assert [hit.document["id"] for hit in hits] == model.found(search), (name, second)

    def test_strings_sort_by_code_point(self, store: ReadStore, declare: Declare) -> None:
        resource = declare()
        codes = ["", " ", "A", "B", "Z", "a", "aa", "b", "z", "\u00e9", "\u6771", "\uffee", "\U0001f389"]
        fill(store, resource, [live(str(number), code=code) for number, code in enumerate(reversed(codes))])

        assert [hit.document["code"] for hit in find(store, resource, sort=(Sort("code"),)).hits] == codes

    def test_pages_by_score_neither_repeat_nor_skip(self, store: ReadStore, declare: Declare) -> None:
        resource = declare()
        model = Model(random.Random(11), 300)
        fill(store, resource, model.operations())

        for search in (Search(said("anna")), Search(said(prefix="a")), Search(said("anna", prefix="b")), Search()):
            for sort in (
                (Sort("_score", descending=True),),
                (Sort("_score", descending=True), Sort("id", descending=True)),
                (Sort("_score"),),
            ):
                hits = walk(store, resource, replace(search, sort=sort, limit=7))
                scores = [hit.score for hit in hits]
                assert sorted(hit.document["id"] for hit in hits) == sorted(model.found(search))
                assert scores == sorted(scores, reverse=sort[0].descending)

    def test_a_document_that_fits_better_scores_higher(self, store: ReadStore, declare: Declare) -> None:
        resource = declare()
        others = [live(f"z{number}", title="something else entirely") for number in range(20)]
        fill(store, resource, [live("long", title="fox " + "and so on " * 50), live("short", title="fox"), *others])

        assert ids(find(store, resource, "fox", sort=(Sort("_score", descending=True),))) == ["short", "long"]

    def test_total_counts_all_matches_up_to_the_cap(self, store: ReadStore, declare: Declare) -> None:
        resource = declare(Tiny)
        fill(store, resource, (live(f"{number:06}", rank=number % 2) for number in range(TOTAL_CAP)))
        assert (find(store, resource).total, find(store, resource).exact) == (TOTAL_CAP, True)

        fill(store, resource, (live(f"x{number:06}", rank=2) for number in range(50)))

        everything, some = find(store, resource, limit=3), find(store, resource, refinements=(("rank", (0,)),), limit=0)
        assert (len(everything.hits), everything.total, everything.exact) == (3, TOTAL_CAP, False)
        assert (len(some.hits), some.total, some.exact) == (0, TOTAL_CAP // 2, True)
        last = find(store, resource, sort=(Sort("rank"),), after=(2, "x000047"))
        assert (ids(last), last.total, last.exact) == (["x000048", "x000049"], TOTAL_CAP, False)

    def test_a_search_that_does_not_fit_the_declaration_is_rejected(self, store: ReadStore, declare: Declare) -> None:
        resource = declare()
        fill(store, resource, [live("a", amount=1)])
        unfit: list[dict[str, Any]] = [
            {"sort": (Sort("title"),)},
            {"sort": (Sort("tags"),)},
            {"sort": (Sort("zork"),)},
            {"refinements": (("title", ("a",)),)},
            {"refinements": (("zork", ("a",)),)},
            {"refinements": (("amount", ("1",)),)},
            {"refinements": (("born", ("yesterday",)),)},
            {"refinements": (("active", (None,)),)},
            {"refinements": (("amount", (2**63,)),)},
            {"after": ("a", "b")},
            {"after": (1,)},
            {"sort": (Sort("amount"),), "after": ("x", "a")},
        ]

        for search in unfit:
            with pytest.raises(Rejected):
                find(store, resource, **search)

    def test_too_many_words_are_refused_if_they_cannot_be_searched_for(self, store: ReadStore, declare: Declare) -> None:
        resource = declare()
        fill(store, resource, [live("a", title="a")])

        for count in (50, 500, 5_000, 50_000):
            try:
                assert find(store, resource, *(f"w{number}" for number in range(count))) == Page()
            except Rejected:
                assert count > 50

    # migrate, pending, status, check, close

    def test_pending_is_what_migrate_would_do(self, store: ReadStore, declare: Declare) -> None:
        resource = declare(Small, migrate=False)
        steps = store.pending(resource)

        assert steps
        assert all(resource.index in step for step in steps)
        with pytest.raises(Outdated):
            store.status(resource)
        assert store.pending(resource) == store.migrate(resource) == steps
        assert store.pending(resource) == store.migrate(resource) == []
        assert store.status(resource).generation == f"{resource.index}-000001"

    def test_migrate_adds_new_fields_to_the_live_generation(self, store: ReadStore, declare: Declare) -> None:
        small = declare(Small)
        grown = replace(Grown.declaration, index=small.index)
        fill(store, small, [live("a", name="anna"), dead("b", 1)])
        assert store.apply(small, [live("c", name="carl", city="Rome")])[0].verdict is REJECTED

        steps = store.pending(grown)
        assert [step for name, step in zip(("city", "about", "sizes"), steps, strict=True) if name not in step] == []
        assert store.migrate(grown) == steps
        assert store.pending(grown) == []
        fill(store, grown, [live("c", name="carl", city="Rome", about="likes cats", sizes=[3, 4])])

        assert ids(find(store, grown, "anna")) == ids(find(store, grown, prefix="an")) == ["a"]
        assert ids(find(store, grown, "cats", "carl", refinements=(("city", ("Rome",)), ("sizes", (4,))))) == ["c"]
        assert ids(find(store, grown, sort=(Sort("city"),))) == ["c", "a"]

    @pytest.mark.parametrize(("cls", "was"), [(Changed, "name was keyword and text, is keyword"), (Shrunk, "name was .* is not declared")])
    def test_what_only_a_rebuild_can_do_is_told_and_not_done(
        self, store: ReadStore, declare: Declare, cls: type[Resource], was: str
    ) -> None:
        small = declare(Small)
        other = replace(cls.declaration, index=small.index)

        [sentence] = store.migrate(other)
        assert re.fullmatch(f"{small.index}-000001 was built for another declaration .{was}.*: run `twofold rebuild small`.*", sentence)
        with pytest.raises(Outdated, match=re.escape(sentence)):
            store.pending(other)
        assert store.pending(small) == []

    def test_two_may_migrate_at_once(self, store: ReadStore, declare: Declare) -> None:
        resource = declare(migrate=False)

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda _: store.migrate(resource), range(4)))

        assert store.pending(resource) == []

    def test_status_counts_documents_and_tombstones(self, store: ReadStore, declare: Declare) -> None:
        resource = declare(User)
        fill(store, resource, [live(str(number), name="n", email="e@example.com") for number in range(5)])
        fill(store, resource, [dead("1", 2), dead("3", 2), dead("unknown", 1)])

        status = store.status(resource)

        assert (status.documents, status.tombstones) == (3, 3)

    def test_check_tells_engine_and_version(self, store: ReadStore) -> None:
        assert re.fullmatch(r"(SQLite|Elasticsearch|OpenSearch) \d+\.\d+\.\d+.*", store.check())

    def test_it_may_be_closed_twice_and_is_unavailable_then(self, store: ReadStore, declare: Declare) -> None:
        resource = declare(Small)
        store.close()
        store.close()

        for call in (store.check, lambda: store.apply(resource, [live("a", name="a")]), lambda: find(store, resource)):
            with pytest.raises(Unavailable):
                call()

    def test_it_serves_several_threads(self, store: ReadStore, declare: Declare) -> None:
        resource = declare()

        def work(worker: int) -> None:
            for version in range(1, 11):
                outcomes = store.apply(resource, [live(f"{number}", version, amount=version) for number in range(worker, worker + 5)])
                assert {outcome.verdict for outcome in outcomes} <= {OK, STALE}
                assert store.get(resource, [f"{worker}"])[f"{worker}"]["version"] >= version
                find(store, resource, "nothing", prefix="n", sort=(Sort("amount"),))

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(work, range(8)))
        assert {document["version"] for document in store.get(resource, [str(number) for number in range(12)]).values()} == {10}

    # the same answers everywhere

    def test_latin_text_gives_the_answers_of_a_plain_scan(self, store: ReadStore, declare: Declare) -> None:
        resource = declare()
        chance = random.Random(20260102)
        model = Model(chance, 1500)
        fill(store, resource, model.operations())

        for _ in range(10):
            searches = [model.random_search() for _ in range(30)]
            for search, page in zip(searches, store.search(resource, searches), strict=True):
                expected = model.found(search)
                assert (page.total, page.exact) == (len(expected), True), search
                assert ids(page) == expected[: search.limit], search


class Model:
    """Random documents in Latin letters, and searches answered by looking at each of them."""

    WORDS = (
        *("anna", "Anne", "ANNABEL", "Zoë", "zoe", "naïve", "Ångström", "angst", "facade", "façade", "piñata", "pinata", "résumé"),
        *("resume", "über", "42", "4711", "a", "an", "I", "x2", "bar", "Barça"),
    )
    FILTERED = ("code", "amount", "active", "status", "born", "seen", "price", "ratio", "tags", "numbers")

    def __init__(self, chance: random.Random, size: int) -> None:
        self.chance = chance
        self.documents = {f"{number:05}": self._document(f"{number:05}") for number in range(size)}
        for key in chance.sample(sorted(self.documents), size // 10):
            self.documents[key] = {"id": key, "version": 2, "deleted": True}

    def operations(self) -> list[Operation]:
        return [
            Operation(key, document["version"], orjson.dumps(document), deleted="deleted" in document)
            for key, document in self.documents.items()
        ]

    def random_search(self) -> Search:
        chance = self.chance
        filters = []
        for name in chance.sample(self.FILTERED, chance.choice([0, 0, 1, 2])):
            held = [document[name] for document in self.documents.values() if document.get(name) not in (None, [])]
            values = [value[0] if isinstance(value, list) else value for value in chance.sample(held, chance.randint(1, 3))]
            filters.append((name, tuple(values)))
        prefix = chance.choice([None, chance.choice(self.WORDS)[: chance.randint(1, 4)]])
        sort = tuple(Sort(name, chance.random() < 0.5) for name in chance.sample(SORTABLE, chance.randint(1, 2)))
        words = tuple(self._word() for _ in range(chance.choice([0, 1, 1, 2])))
        return Search(said(*words, prefix=prefix), refinements=tuple(filters), sort=sort, limit=chance.choice([1, 20, 2000]))

    def found(self, search: Search) -> list[str]:
        """The ids of all matches, in order; `after` and `limit` left aside."""
        matches = sorted((document for document in self.documents.values() if self._matches(document, search)), key=lambda d: d["id"])
        for sort in reversed(search.sort):
            if sort.field != "_score":
                present = [document for document in matches if document.get(sort.field) is not None]
                present.sort(key=lambda document: document[sort.field], reverse=sort.descending)
                matches = present + [document for document in matches if document.get(sort.field) is None]
        return [document["id"] for document in matches]

    def _matches(self, document: Document, search: Search) -> bool:
        texts = [document.get("title"), document.get("label"), *document.get("lines", [])]
        words = {word for text in texts for word in _fold(text or "").split()}
        filtered = (_held(document.get(name)) & set(values) for name, values in search.refinements)
        return (
            "deleted" not in document
            and all(_applies(term, words) for (term,) in search.text)
            and all(filtered)
        )

    def _word(self) -> str:
        word = self.chance.choice(self.WORDS)
        return self.chance.choice([word, word.lower(), word.upper(), _fold(word)])

    def _text(self) -> str:
        return self.chance.choice([" ", ", ", " - "]).join(self._word() for _ in range(self.chance.randint(0, 4)))

    def _document(self, key: str) -> Document:
        chance = self.chance
        moment = DAY + timedelta(milliseconds=chance.randint(-3, 3))
        document = {
            "title": self._text(),
            "code": chance.choice(["", "A", "a", "é", "z z"]),
            "label": self._text(),
            "amount": chance.choice([1 - 2**63, -1, 0, 1, 2**53 + 1, 2**63 - 2]),
            "ratio": chance.choice([-1e300, -0.5, 0.1, 0.1 + 0.2, 3, 1e300]),
            "active": chance.random() < 0.5,
            "status": chance.choice(["new", "open", "done"]),
            "born": (date(1999, 12, 30) + timedelta(days=chance.randint(0, 4))).isoformat(),
            "seen": timestamp(moment.replace(year=chance.choice([1001, 1969, 2026, 9998]))),
            "price": chance.randint(-3, 3),
            "tags": chance.sample(["x", "y", "z z"], chance.randint(0, 3)),
            "lines": [self._text() for _ in range(chance.randint(0, 2))],
            "numbers": [chance.randint(0, 3) for _ in range(chance.randint(0, 2))],
        }
        kept = {name: value for name, value in document.items() if chance.random() < 0.8}
        nulls = {name: None for name in document if name not in kept and chance.random() < 0.5 and name not in ("tags", "lines", "numbers")}
        return {"id": key, "version": 1, "created_at": timestamp(moment), "updated_at": timestamp(DAY), **kept, **nulls}


def _applies(term: Term, words: set[str]) -> bool:
    wanted = _fold(term.text)
    return any(word.startswith(wanted) for word in words) if term.prefix else wanted in words


def _fold(text: str) -> str:
    letters = unicodedata.normalize("NFKD", text)
    return re.sub(r"[^a-z0-9 ]", " ", "".join(c for c in letters if not unicodedata.combining(c)).lower())


def _held(value: Any) -> set[Any]:
    return set(value) if isinstance(value, list) else {value}
