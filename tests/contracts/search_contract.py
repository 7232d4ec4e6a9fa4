"""The promises of `twofold.index.search.Search`, for every engine; `test_search.py` binds the engines.

Facets, marks and time limits are in `facets_contract.py`, exports in `export_contract.py`; which words are found without any operator is in
`index_contract.py`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from index_contract import ALIKE, DAY, Declare, Model, Rich, Tiny, dead, fill, find, ids, live
from search_model import TreeModel
from search_samples import HOSTILE, UNFIT, deep

from twofold.errors import Rejected
from twofold.index.port import ReadStore
from twofold.index.search import TOTAL_CAP, And, Begins, Compare, Condition, Exists, Not, OneOf, Or, Page, Search, Sort, Term
from twofold.kinds.datetimes import timestamp
from twofold.resource import Declaration

A, B = Term("anna"), Term("bob")
BEST = (Sort("_score", descending=True),)


class SearchContract:
    """Bind it with the fixtures `store` and `declare` of the read store's contract."""

    # text

    @pytest.fixture
    def people(self, store: ReadStore, declare: Declare) -> Callable[..., list[str]]:
        """Finds ids, in their order, among some names."""
        resource = declare()
        names = {"ab": "anna bob", "ac": "Anna Carl", "bc": "bob carl", "c": "carl", "d": "Dora-Maria", "e": ""}
        fill(store, resource, [*(live(key, title=name) for key, name in names.items()), dead("gone", 1)])

        def found(*groups: tuple[Term, ...], **search: Any) -> list[str]:
            return ids(store.search(resource, [Search(groups, **search)])[0])

        return found

    def test_one_term_of_each_group_applies(self, people: Callable[..., list[str]]) -> None:
        assert people((A, B)) == ["ab", "ac", "bc"]
        assert people((A, B), (Term("carl"),)) == ["ac", "bc"]
        assert people((A, Term("dora")), (B, Term("maria"))) == ["ab", "d"]
        assert people((A, Term("nobody"))) == ["ab", "ac"]
        assert people((Term("nobody"), Term("none"))) == []
        assert people((Term("an", prefix=True), Term("do", prefix=True))) == ["ab", "ac", "d"]

    def test_an_excluded_term_turns_it_round(self, people: Callable[..., list[str]]) -> None:
        assert people((A,), (Term("bob", excluded=True),)) == ["ac"]
        assert people((A,), (Term("b", prefix=True, excluded=True),)) == ["ac"]
        assert people((A,), (Term("anna carl", excluded=True),)) == ["ab"]
        assert people((A,), (Term("carl anna", excluded=True),)) == ["ab", "ac"]
        assert people((A,), (Term("nobody", excluded=True),)) == ["ab", "ac"]
        assert people((A,), (Term("anna", excluded=True),)) == []

    def test_exclusions_alone_find_all_others_live(self, people: Callable[..., list[str]]) -> None:
        no_anna, no_bob = (Term("anna", excluded=True),), (Term("bob", excluded=True),)

        for sort in ((Sort("id"),), (*BEST, Sort("id"))):
            assert people(no_anna, sort=sort) == ["bc", "c", "d", "e"]
            assert people(no_anna, no_bob, sort=sort) == ["c", "d", "e"]

    def test_a_group_may_mix_terms_with_excluded_ones(self, people: Callable[..., list[str]]) -> None:
        assert people((A, Term("carl", excluded=True))) == ["ab", "ac", "d", "e"]
        assert people((Term("anna", excluded=True), Term("bob", excluded=True))) == ["ac", "bc", "c", "d", "e"]
        assert people((A, Term("carl", excluded=True)), (B,)) == ["ab"]
        mixed, no_d = (A, Term("carl", excluded=True)), (Term("d", prefix=True, excluded=True),)
        assert people(mixed, no_d) == people(mixed, no_d, sort=(*BEST, Sort("id"))) == ["ab", "ac", "e"]

    def test_several_words_are_a_phrase(self, people: Callable[..., list[str]]) -> None:
        assert people((Term("anna bob"),)) == people((Term("Anna, BOB!"),)) == ["ab"]
        assert people((Term("bob anna"),)) == []
        assert people((Term("anna bob"), Term("dora maria"))) == ["ab", "d"]

    def test_a_prefix_of_several_words_is_in_one_field_and_its_last_word_a_beginning(self, store: ReadStore, declare: Declare) -> None:
        resource = declare()
        fill(
            store,
            resource,
            [
                live("in order", title="ana maria"),
                live("reversed", title="maria and ana"),
                live("list", lines=["ana", "marina"]),
                live("two fields", title="ana", label="maria"),
                live("half", title="anab maria"),
                live("half too", title="ana tamar"),
            ],
        )

        for text in ("ana mar", "Ana-Mar", "ana mar,", "(ana) mar'", "ana mar …", "ana mar\u200b"):
            assert ids(find(store, resource, prefix=text)) == ["in order", "list", "reversed"]

    def test_a_term_without_a_word_drops_out_of_its_group(self, people: Callable[..., list[str]]) -> None:
        mute, no_mute, no_anna = Term("&"), Term("&", excluded=True), Term("anna", excluded=True)

        assert people((A, mute)) == people((A,), (mute,)) == people((A,), (no_mute,)) == people((A, no_mute)) == ["ab", "ac"]
        assert people((mute,)) == people((no_mute,)) == people((mute, no_mute)) == people((mute,), (no_mute,)) == []
        assert people((mute,), (no_anna,)) == people((mute, no_anna)) == ["bc", "c", "d", "e"]
        assert people((Term("&", typos=1),)) == people((Term("&", prefix=True, typos=2),)) == []

    # typos

    @pytest.fixture
    def spelled(self, store: ReadStore, declare: Declare) -> Callable[..., list[str]]:
        """Finds words."""
        resource = declare()
        words = "anna anne ana anan nana annas hannah annabel an bana Ánna xyz zoe zoé zeo zo"
        fill(store, resource, [live(word, title=word) for word in words.split()] + [live("two", title="anna miller"), live("e", title="")])

        def found(term: Term, *others: Term) -> list[str]:
            return ids(store.search(resource, [Search(((term,), *((other,) for other in others)))])[0])

        return found

    def test_typos_are_letters_inserted_deleted_replaced_or_swapped_behind_the_first(self, spelled: Callable[..., list[str]]) -> None:
        one = ["ana", "anan", "anna", "annas", "anne", "two", "Ánna"]
        assert spelled(Term("anna", typos=0)) == ["anna", "two", "Ánna"]
        assert spelled(Term("anna", typos=1)) == spelled(Term("ÁNNA", typos=1)) == one
        assert spelled(Term("anna", typos=2)) == ["an", *one]
        assert spelled(Term("bnna", typos=1)) == ["bana"]
        assert spelled(Term("znna", typos=1)) == []
        assert spelled(Term("zoe", typos=1)) == ["zeo", "zo", "zoe", "zoé"]
        assert spelled(Term("annna", typos=1)) == ["anna", "two", "Ánna"]

    def test_typos_beside_prefixes_phrases_and_exclusions(self, spelled: Callable[..., list[str]]) -> None:
        assert spelled(Term("annb", typos=1, prefix=True)) == ["anna", "anne", "two", "Ánna"]
        assert spelled(Term("anna", typos=1, prefix=True)) == ["ana", "anan", "anna", "annabel", "annas", "anne", "two", "Ánna"]
        assert spelled(Term("miler", typos=1), Term("ana", typos=1)) == ["two"]
        assert spelled(Term("anna miler", typos=1)) == ["two"]
        assert spelled(Term("an", prefix=True), Term("anna", typos=1, excluded=True)) == ["an", "annabel"]

    def test_a_match_without_typos_scores_a_thousand_above_one_with(self, store: ReadStore, declare: Declare) -> None:
        resource = declare()
        long = "and so on " * 200
        exact = [live(f"exact {number}", title=f"anna {long * number}") for number in range(3)]
        typos = [live(f"typo {number}", title="anne " * 20, label="ana anne anan") for number in range(3)]
        fill(store, resource, [*exact, *typos, live("other", title="bob")])

        for groups in (((Term("anna", typos=1),),), ((Term("anna", typos=1, prefix=True), Term("carl", typos=2)),)):
            hits = store.search(resource, [Search(groups, sort=BEST)])[0].hits
            scores = {hit.document["id"]: hit.score or 0.0 for hit in hits}
            assert len(scores) == 6
            assert min(scores[f"exact {n}"] for n in range(3)) >= 1000 + max(scores[f"typo {n}"] for n in range(3))
            pages = [store.search(resource, [Search(groups, sort=BEST, limit=2, offset=offset)])[0] for offset in (0, 2, 4)]
            assert sorted(key for page in pages for key in ids(page)) == sorted(scores)

    def test_pages_of_matches_with_typos_neither_repeat_nor_skip(self, store: ReadStore, declare: Declare) -> None:
        resource = declare()
        words = ["anna", "anne", "ana", "annas", "bob"]
        fill(store, resource, [live(f"{number:03}", title=words[number % 5], label="x " * (number % 7)) for number in range(60)])
        search = Search(((Term("anna", typos=1),),), sort=BEST, limit=7)
        found: list[str] = []

        while (page := store.search(resource, [search])[0]).hits:
            found += ids(page)
            assert len(found) <= 60, "pages repeat"
            search = replace(search, after=page.last)

        assert sorted(found) == [f"{number:03}" for number in range(60) if number % 5 != 4]

    # filter

    def test_conditions_on_every_kind_and_on_lists(self, store: ReadStore, declare: Declare) -> None:
        resource = declare()
        one = live("one", **{name: value for name, value, _ in ALIKE})
        two = live("two", **{name: value for name, _, value in ALIKE})
        null = live("null", **{name: None for name, *_ in ALIKE})
        fill(store, resource, [one, two, live("none"), null, live("empty", tags=[], numbers=[])])

        def found(condition: Condition) -> list[str]:
            return ids(find(store, resource, filter=condition))

        for name, *values in ALIKE:
            first, second = (value[-1] if isinstance(value, list) else value for value in values)
            assert found(OneOf(name, (first,))) == ["one"], name
            assert found(OneOf(name, (first, second))) == found(Exists(name)) == ["one", "two"], name
            assert found(Not(Exists(name))) == found(Not(OneOf(name, (first, second)))) == ["empty", "none", "null"], name
            assert found(Not(OneOf(name, (second,)))) == ["empty", "none", "null", "one"], name
            assert found(Not(Not(OneOf(name, (first,))))) == ["one"], name
            assert found(Or((OneOf(name, (first,)), OneOf(name, (second,))))) == ["one", "two"], name
            assert found(OneOf(name, ())) == [], name

    def test_without_conditions_and_is_true_and_or_is_not(self, store: ReadStore, declare: Declare) -> None:
        resource = declare()
        fill(store, resource, [live("a", code="x"), live("b")])

        assert ids(find(store, resource, filter=And(()))) == ids(find(store, resource, filter=Not(Or(())))) == ["a", "b"]
        assert find(store, resource, filter=Or(())) == find(store, resource, filter=Not(And(()))) == Page()
        assert ids(find(store, resource, filter=Or((And(()), Exists("code"))))) == ["a", "b"]
        assert ids(find(store, resource, filter=And((Exists("code"), Not(Or(())))))) == ["a"]

    def test_compared_values_lie_on_that_side(self, store: ReadStore, declare: Declare) -> None:
        resource = declare()
        ordered: dict[str, list[Any]] = {
            "code": ["", " ", "A", "Z", "a", "aa", "b", "\u00e9", "\u6771", "\uffee", "\U0001f389"],
            "amount": [-(2**63), -1, 0, 1, 2**53, 2**53 + 1, 2**63 - 1],
            "price": [-(2**63), -100, 0, 1, 2**63 - 1],
            "ratio": [-1.7976931348623157e308, -0.5, 0, 5e-324, 0.1, 0.30000000000000004, 3, 1e300],
            "born": ["1000-01-01", "1969-12-31", "2026-02-28", "9999-12-31"],
            "seen": ["1001-01-01T00:00:00.000Z", "2026-01-02T03:04:05.678Z", "2026-01-02T03:04:05.679Z", "9998-12-31T23:59:59.999Z"],
        }
        for name, values in ordered.items():
            fill(store, resource, [live(f"{name} {place:02}", **{name: value}) for place, value in enumerate(values)])

        for name, values in ordered.items():
            keys = [f"{name} {place:02}" for place in range(len(values))]
            for place, value in enumerate(values):
                sides = {"<": keys[:place], "<=": keys[: place + 1], ">": keys[place + 1 :], ">=": keys[place:]}
                for operator, expected in sides.items():
                    condition = Compare(name, operator, value)  # type: ignore[arg-type]
                    assert ids(find(store, resource, filter=condition)) == expected, condition
        assert ids(find(store, resource, filter=And((Compare("id", ">=", "code 09"), Compare("id", "<", "price 01"))))) == [
            *("code 09", "code 10", "price 00")
        ]
        for none in (Compare("version", ">", 1), Compare("created_at", "<", timestamp(DAY))):
            assert find(store, resource, filter=none) == Page()

    def test_of_a_list_one_item_will_do(self, store: ReadStore, declare: Declare) -> None:
        resource = declare()
        fill(
            store,
            resource,
            [
                live("a", numbers=[1, 5], tags=["ab", "x"], days=["2026-01-01"], ratios=[0.1], flags=[True, False]),
                live("b", numbers=[3], tags=["b"], days=["2026-01-02", "2027-01-01"], ratios=[-0.5, 2.5], flags=[False]),
                live("c"),
            ],
        )

        def found(condition: Condition) -> list[str]:
            return ids(find(store, resource, filter=condition))

        assert found(Compare("numbers", ">", 3)) == found(Compare("numbers", "<", 3)) == ["a"]
        assert found(And((Compare("numbers", ">", 1), Compare("numbers", "<", 5)))) == ["a", "b"]  # of two items in a
        assert found(Compare("days", ">=", "2026-01-02")) == found(Compare("ratios", ">=", 2.5)) == ["b"]
        assert found(Compare("ratios", ">=", 0.1)) == found(Compare("ratios", "<=", 0.1)) == ["a", "b"]
        assert found(Compare("ratios", ">", 2.5)) == []
        assert found(Begins("tags", "a")) == found(Begins("tags", "x")) == found(OneOf("flags", (True,))) == ["a"]
        assert found(Begins("tags", "")) == found(OneOf("flags", (False,))) == ["a", "b"]
        assert found(Not(Compare("numbers", ">", 3))) == found(Not(Begins("tags", "a"))) == ["b", "c"]

    def test_begins_is_exact(self, store: ReadStore, declare: Declare) -> None:
        resource = declare()
        codes = ["", "a", "A", "ab", "aB", "a%b", "a_b", "axb", "á", "a\U0010ffff", "a\U0010ffffz", "\ud7ff", "\ud7ffx", "\ue000"]
        codes += ["%", "_", "\\", "a*", "a?", "[a]", "\U0001f389x", "'a", '"a']
        fill(store, resource, [live(f"{number:02}", code=code) for number, code in enumerate(codes)] + [live("none")])

        for text in [*codes, "b", "a\U0010ffff\U0010ffff", "\U0010ffff", "\U0001f389" * 200]:
            expected = [f"{number:02}" for number, code in enumerate(codes) if code.startswith(text)]
            assert ids(find(store, resource, filter=Begins("code", text), limit=50)) == expected, text
        assert ids(find(store, resource, filter=Begins("id", "0"), limit=50)) == [f"0{digit}" for digit in range(10)]

    def test_refinements_filter_and_words_all_hold(self, store: ReadStore, declare: Declare) -> None:
        resource = declare()
        names, states = ("anna", "bob"), ("new", "open")
        documents = [{"title": names[n % 2], "amount": n % 3, "status": states[n % 5 == 0]} for n in range(30)]
        fill(store, resource, [live(f"{number:02}", **document) for number, document in enumerate(documents)])
        chosen = (("status", ("open",)), ("amount", (0, 2)))

        page = store.search(resource, [Search(((A,),), Not(Compare("amount", "<", 1)), chosen, sort=BEST)])[0]

        assert ids(page) == ["20"]
        assert page.total == 1

    def test_random_trees_give_the_answers_of_a_plain_scan(self, store: ReadStore, declare: Declare) -> None:
        resource = declare()
        chance = random.Random(20261125)
        model = TreeModel(Model(chance, 600), chance)
        fill(store, resource, model.operations())

        for _ in range(10):
            searches = [model.random_search() for _ in range(30)]
            for search, page in zip(searches, store.search(resource, searches), strict=True):
                expected = model.found(search)
                assert (page.total, page.exact) == (len(expected), True), search
                assert ids(page) == expected[search.offset : search.offset + search.limit], search

    def test_as_many_conditions_and_words_as_are_allowed(self, store: ReadStore, declare: Declare) -> None:
        resource = declare()
        fill(store, resource, [live("a", code="x", title="w0"), live("b")])
        many = tuple(OneOf("code", (f"x{number}",)) for number in range(254))

        assert ids(find(store, resource, filter=Or((*many, Exists("code"))))) == ["a"]
        assert ids(find(store, resource, filter=And(tuple(map(Not, many[:127]))))) == ["a", "b"]
        assert ids(find(store, resource, filter=deep(20))) == ["a"]
        assert ids(find(store, resource, filter=OneOf("code", (*(f"v{number}" for number in range(9_999)), "x")))) == ["a"]
        with pytest.raises(Rejected):
            find(store, resource, filter=deep(21))

    # pages

    def test_offset_skips_hits(self, store: ReadStore, declare: Declare) -> None:
        resource = declare()
        fill(store, resource, [live(f"{number:02}", title="anna", amount=number // 3) for number in range(25)])

        for text in ((), ((A,),)):
            for sort in ((Sort("id"),), (Sort("amount"), Sort("id")), BEST):
                search = Search(text, sort=sort, limit=7)
                everything = ids(store.search(resource, [replace(search, limit=25)])[0])
                assert sorted(everything) == [f"{number:02}" for number in range(25)]
                for offset in (0, 1, 7, 20, 24, 25, 30):
                    page = store.search(resource, [replace(search, offset=offset)])[0]
                    assert ids(page) == everything[offset : offset + 7], (sort, offset)
                    assert (page.total, page.exact) == (25, True), (sort, offset)

    def test_an_exact_total_counts_beyond_the_cap(self, store: ReadStore, declare: Declare) -> None:
        resource = declare(Tiny)
        fill(store, resource, (live(f"{number:06}", rank=number % 2) for number in range(TOTAL_CAP + 50)))

        def told(**search: Any) -> tuple[int, bool]:
            page = find(store, resource, **search)
            return page.total, page.exact

        assert told(limit=3) == told(limit=0) == told(limit=3, offset=TOTAL_CAP - 3) == (TOTAL_CAP, False)
        assert told(limit=3, exact=True) == told(limit=0, exact=True) == told(limit=3, offset=9_000, exact=True) == (TOTAL_CAP + 50, True)
        half = Compare("rank", ">", 0)
        assert told(limit=3, exact=True, filter=half) == told(filter=half) == (TOTAL_CAP // 2 + 25, True)
        last = find(store, resource, after=(f"{TOTAL_CAP + 47:06}",), exact=True)
        assert (len(last.hits), last.total, last.exact) == (2, TOTAL_CAP + 50, True)

    # whatever is asked

    @pytest.mark.parametrize("search", UNFIT, ids=str)
    def test_what_does_not_fit_the_declaration_is_rejected(self, store: ReadStore, rich: Declaration, search: dict[str, Any]) -> None:
        with pytest.raises(Rejected):
            store.search(rich, [Search(**search)])
        with pytest.raises(Rejected), store.export(rich, Search(**search)) as chunks:
            list(chunks)

    @pytest.fixture
    def rich(self, store: ReadStore) -> Declaration:
        """Without an index: what does not fit is known without."""
        return replace(Rich.declaration, index="contract-absent")

    def test_any_text_is_only_ever_a_value(self, store: ReadStore, declare: Declare) -> None:
        resource = declare()
        fill(store, resource, [*self._documents(), live("plain", title="plain", code="plain")])

        for text in HOSTILE:
            plain, odd = Term("plain"), Term(text)
            conditions = OneOf("code", (text,)), Begins("code", text[:200]), Compare("code", ">=", text[:200])
            searches = [
                *(Search(((term,),)) for term in (odd, Term(text, prefix=True), Term(text, typos=1), Term(text, prefix=True, typos=2))),
                *(Search(((plain, term),)) for term in (odd, Term(text, prefix=True), Term(text, typos=2))),
                Search(((plain,), (Term(text, excluded=True),)), sort=BEST, highlight=("title",), marks=(text, text)),
                *(Search(filter=each) for each in conditions),
            ]
            pages = store.search(resource, [replace(search, limit=1_000) for search in searches])
            found = list(map(ids, pages))
            assert all("plain" in keys for keys in found[4:8]), ascii(text)
            if "\0" not in text:
                assert f"is {text}"[:100] in found[8], ascii(text)

    @staticmethod
    def _documents() -> Iterator[Any]:
        return (live(f"is {text}"[:100], title=text, code=text) for text in dict.fromkeys(HOSTILE) if "\0" not in text)
