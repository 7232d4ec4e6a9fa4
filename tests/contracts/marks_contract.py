"""What a search tells beside hits and counts: marks around the words that were found, and what it has when its time is over."""

# ruff: noqa: RUF012 - Pydantic copies defaults
from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

import pytest
from index_contract import Declare, Document, Model, fill, find, live, said

from twofold import Keyword, Resource, Text
from twofold.index.port import ReadStore
from twofold.index.search import OneOf, Search, Sort, Stats, Term, Terms
from twofold.resource import Declaration


class Written(Resource, name="written"):
    title: Annotated[str, Text()] = ""
    label: Annotated[str | None, Text(), Keyword()] = None
    lines: Annotated[list[str], Text()] = []
    code: Annotated[str, Keyword()] = ""


def marked(store: ReadStore, resource: Declaration, *text: Term, fields: tuple[str, ...] = ("title", "label", "lines")) -> list[Any]:
    """What is marked in each hit, where each of the terms has to apply."""
    page = store.search(resource, [Search(tuple((term,) for term in text), highlight=fields, marks=("[", "]"))])[0]
    return [dict(hit.marked) for hit in page.hits]


class MarksContract:
    """Beside `FacetsContract`, whose `modelled` it uses."""

    # marks

    def test_each_word_that_was_found_is_marked_in_the_whole_text_as_it_is(self, store: ReadStore, written: Declaration) -> None:
        assert marked(store, written, Term("anna")) == [
            {"title": ["[Anna] Karenina & <em>[anna]</em>\n\u2029[ANNA]"], "label": ["[Änna]"], "lines": ["one [anna]", "[anna] two"]},
            {"lines": ["[anna]-bell"]},
        ]

    def test_words_are_marked_by_their_prefix_phrase_typos_and_without_regard_to_accents(
        self, store: ReadStore, written: Declaration
    ) -> None:
        assert marked(store, written, Term("kare", prefix=True)) == [{"title": ["Anna [Karenina] & <em>anna</em>\n\u2029ANNA"]}]
        assert marked(store, written, Term("karennina", typos=1)) == [{"title": ["Anna [Karenina] & <em>anna</em>\n\u2029ANNA"]}]
        assert marked(store, written, Term("well-known")) == [{"title": ["all is [well] [known], known well. [Well]-[known]"]}]
        assert marked(store, written, Term("ángstrom")) == [{"label": ["[Ångström]"]}]
        assert marked(store, written, Term("well kno", prefix=True), fields=("title",)) == [
            {"title": ["all is [well] [known], [known] [well]. [Well]-[known]"]}
        ]

    def test_the_words_of_each_term_are_marked(self, store: ReadStore, written: Declaration) -> None:
        both = Term("anna"), Term("kare", prefix=True)
        either = ((Term("angstrom"), Term("bell"), Term("zork"), Term("one", excluded=True)),)

        assert marked(store, written, *both, fields=("title",)) == [{"title": ["[Anna] [Karenina] & <em>[anna]</em>\n\u2029[ANNA]"]}]
        page = store.search(written, [Search(either, highlight=("label", "lines"), marks=("<b>", "</b>"))])[0]
        assert [dict(hit.marked) for hit in page.hits] == [{}, {"label": ["<b>Ångström</b>"]}, {"lines": ["anna-<b>bell</b>"]}]

    def test_marks_are_in_the_fields_that_are_asked_for_and_under_their_names(self, store: ReadStore, written: Declaration) -> None:
        assert [set(each) for each in marked(store, written, Term("anna"), fields=("label",))] == [{"label"}, set()]
        assert marked(store, written, Term("anna"), fields=()) == [{}, {}]
        assert {str(each) for each in marked(store, written, fields=("title", "label", "lines"))} == {"{}"}

    def test_neither_excluded_words_nor_conditions_are_marked(self, store: ReadStore, written: Declaration) -> None:
        search = Search(
            ((Term("anna"),), (Term("karenina", excluded=True),)),
            filter=OneOf("code", ("bell",)),
            refinements=(("code", ("bell",)),),
            highlight=("title", "label", "lines"),
            marks=("[", "]"),
        )

        assert [dict(hit.marked) for hit in store.search(written, [search])[0].hits] == [{"lines": ["[anna]-bell"]}]

    @pytest.mark.parametrize("marks", [("<em>", "</em>"), ("\ue000", "\ue001"), ('"', "\\"), ("$1", "{{x}}"), ("&", "&")])
    def test_marks_may_be_any_text_and_may_stand_in_the_document(
        self, store: ReadStore, written: Declaration, marks: tuple[str, str]
    ) -> None:
        [hit, _] = find(store, written, "anna", highlight=("title",), marks=marks).hits

        texts = hit.marked["title"]
        assert texts == [f"{marks[0]}Anna{marks[1]} Karenina & <em>{marks[0]}anna{marks[1]}</em>\n\u2029{marks[0]}ANNA{marks[1]}"]

    def test_a_text_that_holds_very_many_of_the_words_is_marked(self, store: ReadStore, declare: Declare) -> None:
        resource = declare(Written)
        letters = "abcdefghijklmnop"
        words = [f"q{a}{b}{c}" for a in letters for b in letters for c in letters]
        fill(store, resource, [live("a", title=" ".join(words)), live("b", lines=[f"{word} x" for word in words[:1000]])])

        first, second = marked(store, resource, Term("q", prefix=True))

        assert first == {"title": [" ".join(f"[{word}]" for word in words)]}
        assert second == {"lines": [f"[{word}] x" for word in words[:1000]]}

    def test_marks_leave_the_page_as_it_is(self, store: ReadStore, written: Declaration) -> None:
        for sort in ((Sort("id"),), (Sort("_score", descending=True),)):
            page = find(store, written, "anna", highlight=("title",), marks=("[", "]"), sort=sort)
            bare = find(store, written, "anna", sort=sort)
            assert replace(page, hits=[hit._replace(marked={}) for hit in page.hits]) == bare

    @pytest.fixture(scope="class")
    @classmethod
    def written(cls, store: ReadStore, declare: Declare) -> Declaration:
        resource = declare(Written)
        texts: list[Document] = [
            {"title": "Anna Karenina & <em>anna</em>\n\u2029ANNA", "label": "Änna", "lines": ["one anna", "two", "anna two"]},
            {"title": "all is well known, known well. Well-known", "lines": ["all is well", "known by all"]},
            {"title": "units", "label": "Ångström"},
            {"title": "", "lines": ["anna-bell", ""], "code": "bell"},
        ]
        fill(store, resource, [live(str(number), **fields) for number, fields in enumerate(texts)])
        return resource

    # time

    def test_a_search_that_has_time_enough_is_complete(self, store: ReadStore, modelled: tuple[Declaration, Model]) -> None:
        resource, _ = modelled
        asked = Search(said("anna"), facets=(Terms("code"), Stats("numbers")), highlight=("title",), marks=("[", "]"))

        for seconds in (9, 0.999_9, 60.5):
            assert store.search(resource, [replace(asked, seconds=seconds)]) == store.search(resource, [asked])

    def test_a_search_without_time_tells_what_it_has(self, store: ReadStore, modelled: tuple[Declaration, Model]) -> None:
        resource, model = modelled
        asked = Search(((Term("anna", typos=2), Term("a", prefix=True)),), facets=(Terms("code"), Stats("numbers")))
        whole = store.search(resource, [asked])[0]

        for page in store.search(resource, [replace(asked, seconds=1e-9), asked, replace(asked, seconds=0.001)]):
            if page.incomplete:
                assert len(page.facets) == 2
                assert not page.exact
                assert page.total <= whole.total
                assert {hit.document["id"] for hit in page.hits} <= set(model.documents)
            else:
                assert page == whole
