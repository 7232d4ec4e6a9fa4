"""Suggestions are values of text fields in which all the words are found."""

from __future__ import annotations

from typing import Any

import pytest
from tests.query.films import FILMS
from tests.stack import Http, Stack

from twofold.errors import Problem
from twofold.index.search import Hit, Page
from twofold.query import suggest


def suggested(films: Http, q: str, **parameters: Any) -> list[str]:
    answer = films.get("/films/suggest", {"q": q, **parameters})
    assert answer.status_code == 200, answer.text
    return [item["text"] for item in answer.json()["items"]]


def test_values_of_text_fields_are_suggested(films: Http) -> None:
    assert films.get("/films/suggest?q=jul").json() == {
        "items": [{"text": "Jules et Jim", "field": "title", "highlight": "<em>Jules</em> et Jim"}]
    }
    assert set(suggested(films, "paris")) == {"Paris, Texas", "Monsieur Hulot is lost in Paris"}
    (found,) = films.get("/films/suggest", {"q": "two fri"}).json()["items"]
    assert found["highlight"] == "<em>Two</em> <em>friends</em> &amp; &lt;one&gt; woman"


def test_of_a_hit_the_values_that_hold_most_of_the_words_are_suggested(films: Http) -> None:
    assert set(suggested(films, "hulot mon")) == {"Monsieur Hulot is lost in Paris", "Monsieur Hulot visits a modern house"}
    assert "Mon oncle" in suggested(films, "mon")
    assert suggested(films, "nobody") == []


@pytest.mark.parametrize("q", ["", " ", "-", "&", "-paris"])
def test_without_a_word_nothing_is_suggested(films: Http, q: str) -> None:
    assert suggested(films, q) == []


def test_the_number_is_limited(films: Http) -> None:
    assert len(suggested(films, "mo", limit=1)) == 1


@pytest.mark.parametrize(
    ("query", "parameter"),
    [("", "q"), ("q=a&limit=0", "limit"), ("q=a&limit=21", "limit"), ("q=a&genre=drama", "genre"), ("q=a&q=b", "q")],
)
def test_what_does_not_fit_is_refused(films: Http, query: str, parameter: str) -> None:
    answer = films.get(f"/films/suggest?{query}")
    assert (answer.status_code, [error["parameter"] for error in answer.json()["errors"]]) == (400, [parameter])


def test_a_resource_called_suggest_is_not_looked_for(cinema: Stack) -> None:
    assert cinema.query.post("/films/suggest", {}).status_code == 405


def page(asked: suggest.Suggest, *hits: dict[str, list[str]]) -> Page:
    """Hits whose texts have brackets for marks."""
    begins, ends = asked.search.marks
    marked = [{name: [text.replace("[", begins).replace("]", ends) for text in texts] for name, texts in hit.items()} for hit in hits]
    return Page([Hit({}, 1.0, each) for each in marked])


def test_each_value_is_suggested_once_whatever_its_case_and_accents() -> None:
    asked = suggest.read(FILMS, [("q", "gar"), ("limit", "2")])
    same = {"title": ["[GARCIA]"], "plot": ["[garcía]"]}
    found = page(asked, {"title": ["[García]"]}, same, {"plot": ["[Garbo]"]}, {"plot": ["[Gary]"]})
    assert [item["text"] for item in suggest.answer_of(asked, found)["items"]] == ["García", "Garbo"]
    assert asked.search.limit == 10


def test_what_is_longer_than_a_line_or_two_is_none() -> None:
    asked = suggest.read(FILMS, [("q", "gar")])
    found = page(asked, {"plot": ["[Garbo] " + "x" * 200]}, {"plot": ["[Garbo]" + "x" * 195]})
    assert [len(item["text"]) for item in suggest.answer_of(asked, found)["items"]] == [200]


def test_the_words_are_needed() -> None:
    with pytest.raises(Problem) as problem:
        suggest.read(FILMS, [])
    assert problem.value.members["errors"][0]["detail"].startswith("Needed:")
