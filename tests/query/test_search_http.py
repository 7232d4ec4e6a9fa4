"""Searches over HTTP, by query string and by body: what is found, counted, marked and shown."""

from __future__ import annotations

import base64
from typing import Any

import httpx
import orjson
import pytest
from tests.query.films import BODIES
from tests.stack import Http, Stack

from twofold.errors import Unavailable, Unfit
from twofold.index.search import Page, Search

TITLES = [body["title"] for body in BODIES]
JULES, PLAYTIME, TEXAS, ONCLE, MINUS = TITLES


def titles(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [item["title"] for item in answer.json()["items"]]


def facet(films: Http, words: str, **parameters: Any) -> dict[str, Any]:
    answer = films.get("/films", {"facets": words, "limit": 0, **parameters})
    assert answer.status_code == 200, answer.text
    return answer.json()["facets"][words]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"q": "hulot"}, {PLAYTIME, ONCLE}),
        ({"q": "paris"}, {PLAYTIME, TEXAS}),
        ({"q": '"monsieur hulot" -paris'}, {ONCLE}),
        ({"q": "jules | texas "}, {JULES, TEXAS}),
        ({"q": "hulot paris | house "}, {PLAYTIME, ONCLE}),
        ({"q": "play* "}, {PLAYTIME}),
        ({"q": "monsoeur "}, set()),
        ({"q": "monsoeur ", "fuzzy": "auto"}, {PLAYTIME, ONCLE}),
        ({"q": "monsoeur ", "fuzzy": "1", "seen": "true"}, {ONCLE}),
        ({"q": "mnsoeur ", "fuzzy": "2"}, {PLAYTIME, ONCLE}),
        ({"filter": "year < 1960 OR genre = comedy"}, {PLAYTIME, ONCLE, MINUS}),
        ({"filter": 'title = "P*" AND NOT tags = paris'}, {TEXAS}),
        ({"filter": "premiere IS NULL"}, {ONCLE, MINUS}),
        ({"filter": "price >= 5 AND price < 12.3"}, {PLAYTIME, TEXAS}),
        ({"filter": "prices = 2.5"}, {JULES}),
        ({"filter": "genre = drama", "year": ["1962", "1967"]}, {JULES}),
        ({"filter": r'tags IN ["c\"d", x]'}, {MINUS}),
        ({"filter": "version = 1 AND created_at > 2020-01-01T00:00:00Z", "seen": "true"}, {ONCLE}),
    ],
)
def test_words_and_filters_find(films: Http, asked: dict[str, Any], found: set[str]) -> None:
    assert set(titles(films.get("/films", asked))) == found


def test_a_body_asks_what_a_query_string_asks(films: Http) -> None:
    by_query = films.get("/films", {"q": "paris", "genre": ["drama", "comedy"], "year": 1984, "sort": "-year,title", "facets": "genre"})
    body = {"q": "paris", "genre": ["drama", "comedy"], "year": 1984, "sort": ["-year", "title"], "facets": ["genre"]}
    by_body = films.post("/films/search", body)
    assert {**by_query.json(), "took_ms": 0} == {**by_body.json(), "took_ms": 0}
    assert titles(by_body) == [TEXAS]
    first = films.post("/films/search", {"sort": "year", "limit": 2}).json()
    assert "link" not in films.post("/films/search", {"sort": "year", "limit": 2}).headers
    rest = films.post("/films/search", {"sort": "year", "limit": 100, "cursor": first["next_cursor"]})
    assert titles(rest) == [JULES, PLAYTIME, TEXAS]


@pytest.mark.parametrize(
    ("content", "kind", "status", "code"),
    [
        (b'{"q": "a", "q": "b"}', "application/json", 400, "malformed-json"),
        (b"{", "application/json", 400, "malformed-json"),
        (b"[]", "application/json", 400, "invalid-parameter"),
        (b"", "application/json", 400, "malformed-json"),
        (b'{"limit": "10"}', "application/json", 400, "invalid-parameter"),
        (b'{"nothing": 1}', "application/json", 400, "invalid-parameter"),
        (b"q=a", "application/x-www-form-urlencoded", 415, "unsupported-media-type"),
        (b'{"q": "' + b"x" * 65_536 + b'"}', "application/json", 413, "too-large"),
    ],
)
def test_a_body_is_read_strictly(films: Http, content: bytes, kind: str, status: int, code: str) -> None:
    answer = films("POST", "/films/search", content=content, headers={"Content-Type": kind})
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_parameters_of_a_body_do_not_stand_in_the_address(films: Http) -> None:
    answer = films.post("/films/search?limit=1", {})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid-parameter")


def test_an_offset_skips_and_leads_on_by_cursor(films: Http) -> None:
    answer = films.get("/films", {"sort": "year", "offset": 1, "limit": 2})
    assert titles(answer) == [ONCLE, JULES]
    assert titles(films.get("/films", {"sort": "year", "offset": 5})) == []
    following = httpx.URL(answer.links["next"]["url"])
    assert "offset" not in following.params
    assert titles(films.get(str(following))) == [PLAYTIME, TEXAS]
    deep = films.get("/films", {"offset": 10_000})
    assert (deep.status_code, deep.json()["code"]) == (400, "deep-pagination")


def test_nothing_of_a_page_may_be_wanted_but_its_counts(films: Http) -> None:
    body = films.get("/films", {"limit": 0, "count": "exact"}).json()
    assert (body["items"], body["total"], body["limit"], body["next_cursor"]) == ([], {"value": 5, "relation": "eq"}, 0, None)
    assert (body["incomplete"], type(body["took_ms"])) == (False, int)
    assert "facets" not in body


def test_some_fields_are_shown(films: Http) -> None:
    items = films.get("/films", {"fields": "title,price", "sort": "year", "limit": 1}).json()["items"]
    assert [list(item) for item in items] == [["id", "version", "title", "price"]]
    assert items[0]["price"] == "-0.05"


def test_what_was_found_is_marked_in_text_that_is_only_text(films: Http) -> None:
    (jules,) = films.get("/films", {"q": "friends woman", "highlight": "plot,title"}).json()["items"]
    assert jules["_highlight"] == {"plot": ["Two <em>friends</em> &amp; &lt;one&gt; <em>woman</em>"]}
    (playtime, texas) = films.get("/films", {"q": "paris", "highlight": "title", "sort": "year"}).json()["items"]
    assert (playtime["_highlight"], texas["_highlight"]) == ({}, {"title": ["<em>Paris</em>, Texas"]})
    assert "_highlight" not in films.get("/films", {"q": "paris"}).json()["items"][0]


def test_a_score_is_shown_where_the_page_is_sorted_by_it(films: Http) -> None:
    by_score, by_year, all_ = (films.get("/films", asked).json()["items"] for asked in ({"q": "paris"}, {"q": "paris", "sort": "year"}, {}))
    scores = [item["_score"] for item in by_score]
    assert scores == sorted(scores, reverse=True)
    assert not any("_score" in item for item in [*by_year, *all_])


class TestFacets:
    def test_values_are_counted_with_those_that_are_selected(self, films: Http) -> None:
        assert facet(films, "genre") == {
            "type": "terms",
            "buckets": [{"value": "drama", "count": 3, "selected": False}, {"value": "comedy", "count": 2, "selected": False}],
            "other": 0,
            "missing": 0,
            "error_bound": 0,
        }
        chosen = facet(films, "genre", genre="comedy", filter="year > 1960", facet_limit=1)
        assert chosen["buckets"] == [{"value": "drama", "count": 2, "selected": False}, {"value": "comedy", "count": 1, "selected": True}]
        together = facet(films, "genre", genre="comedy", facet_mode="conjunctive")
        assert together["buckets"] == [{"value": "comedy", "count": 2, "selected": True}]
        assert facet(films, "tags", facet_limit=1)["other"] == 4
        assert facet(films, "tags")["missing"] == 2

    def test_values_are_shown_as_documents_are(self, films: Http) -> None:
        assert [bucket["value"] for bucket in facet(films, "price", price="12.30")["buckets"]] == ["-0.05", "0.00", "5.00", "7.25", "12.30"]
        assert [bucket["selected"] for bucket in facet(films, "price", price="12.30")["buckets"]] == [False, False, False, False, True]
        assert [bucket["value"] for bucket in facet(films, "seen")["buckets"]] == [False, True]

    def test_days_begin_where_the_clocks_of_the_zone_say(self, films: Http) -> None:
        assert facet(films, "added:day", time_zone="Europe/Berlin") == {
            "type": "dates",
            "buckets": [
                {"value": "2026-03-29T00:00:00+01:00", "count": 1},
                {"value": "2026-03-30T00:00:00+02:00", "count": 1},
                {"value": "2026-10-25T00:00:00+02:00", "count": 1},
                {"value": "2026-10-26T00:00:00+01:00", "count": 1},
            ],
            "missing": 1,
        }
        assert facet(films, "added:month")["buckets"][0] == {"value": "2026-03-01T00:00:00+00:00", "count": 2}
        assert facet(films, "premiere:year", time_zone="Asia/Tokyo")["buckets"][0] == {"value": "1962-01-01", "count": 1}

    def test_ranges_hold_their_beginning(self, films: Http) -> None:
        assert facet(films, "year:..1962;1962..1967;1967..") == {
            "type": "ranges",
            "buckets": [
                {"from": None, "to": 1962, "count": 2},
                {"from": 1962, "to": 1967, "count": 1},
                {"from": 1967, "to": None, "count": 2},
            ],
            "missing": 0,
        }
        assert facet(films, "price:0..5.5")["buckets"] == [{"from": "0.00", "to": "5.50", "count": 2}]
        assert facet(films, "premiere:1960-01-01..1970-01-01") == {
            "type": "ranges",
            "buckets": [{"from": "1960-01-01", "to": "1970-01-01", "count": 2}],
            "missing": 2,
        }

    def test_numbers_are_summed_up(self, films: Http) -> None:
        years = facet(films, "year:stats")
        assert years == {"type": "stats", "count": 5, "min": -5, "max": 1984, "sum": 7866, "avg": 1573.2, "missing": 0}
        assert {type(years[name]) for name in ("min", "max", "sum")} == {int}
        prices = {"type": "stats", "count": 5, "min": "-0.05", "max": "12.30", "sum": "24.50", "avg": "4.9000", "missing": 0}
        assert facet(films, "price:stats") == prices
        nothing = facet(films, "price:stats", q="nobody ")
        assert nothing == {"type": "stats", "count": 0, "min": None, "max": None, "sum": "0.00", "avg": None, "missing": 0}
        assert facet(films, "score:stats")["min"] == -1.5

    def test_several_stand_under_the_words_that_asked_for_them(self, films: Http) -> None:
        found = films.get("/films", {"facets": "year:stats,genre,year:1960..", "limit": 0}).json()["facets"]
        assert {words: each["type"] for words, each in found.items()} == {"year:stats": "stats", "genre": "terms", "year:1960..": "ranges"}


class TestUnsupported:
    @pytest.mark.parametrize(
        ("asked", "name"),
        [
            ({"facets": "genre"}, "facets"),
            ({"q": "monsieur", "fuzzy": "auto"}, "fuzzy"),
            ({"q": "a", "highlight": "title"}, "highlight"),
            ({"offset": 1}, "offset"),
            ({"timeout_ms": 100}, "timeout"),
        ],
    )
    def test_what_the_read_store_cannot_do_is_told(self, cinema: Stack, monkeypatch: Any, asked: dict[str, Any], name: str) -> None:
        monkeypatch.setattr(cinema.system.index, "unsupported", frozenset({name}))
        answer = cinema.query.get("/films", asked)
        assert (answer.status_code, answer.json()["code"], answer.json()["unsupported"]) == (501, "unsupported", [name])
        assert cinema.query.get("/films", {"q": "monsieur"}).status_code == 200
        assert cinema.query.get("/capabilities").json()["features"][name] is False

    @pytest.mark.parametrize("name", ["suggest", "export"])
    def test_whole_addresses_may_be_unsupported(self, cinema: Stack, monkeypatch: Any, name: str) -> None:
        monkeypatch.setattr(cinema.system.index, "unsupported", frozenset({name}))
        answer = cinema.query.get(f"/films/{name}?q=a")
        assert (answer.status_code, answer.json()["unsupported"]) == (501, [name])


def test_capabilities_tell_what_can_be_asked(films: Http) -> None:
    body = films.get("/capabilities").json()
    assert set(body["features"]) == {"fuzzy", "facets", "highlight", "suggest", "export", "offset", "timeout"}
    assert all(body["features"].values())
    assert body["limits"]["filter_characters"] == 4096
    fields = body["resources"]["films"]
    assert fields["searchable"] == ["title", "plot"]
    assert ("plot" in fields["filterable"], "id" in fields["filterable"], "id" in fields["facetable"]) == (False, True, False)
    assert ("tags" in fields["sortable"], "key" in str(body)) == (False, False)
    assert films.post("/capabilities", {}).status_code == 405


def test_what_there_is_when_time_is_over_is_told_as_incomplete(cinema: Stack, monkeypatch: Any) -> None:
    def search(_: Any, searches: list[Search], *, generation: str) -> list[Page]:
        assert all(each.seconds is not None and 0 < each.seconds <= 5 for each in searches)
        return [Page(total=3, exact=False, incomplete=True)]

    monkeypatch.setattr(cinema.system.index, "search", search)
    body = cinema.query.get("/films", {"timeout_ms": 5000}).json()
    assert (body["incomplete"], body["total"]) == (True, {"value": 3, "relation": "gte"})


def test_a_store_that_is_away_is_told(cinema: Stack, monkeypatch: Any) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise Unavailable("10.0.0.7")

    monkeypatch.setattr(cinema.system.index, "search", fail)
    monkeypatch.setattr(cinema.system.index, "export", fail)
    for url in ("/films?facets=genre", "/films/suggest?q=a", "/films/export"):
        answer = cinema.query.get(url)
        assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, "read-store-unavailable", "1")
        assert "10.0.0.7" not in answer.text


def test_a_cursor_that_somebody_changed_is_refused(films: Http) -> None:
    mark, score, id_ = orjson.loads(base64.urlsafe_b64decode(films.get("/films?q=hulot&limit=1").json()["next_cursor"] + "=="))
    for values in ([None, id_], [None, None], ["x", id_], [score, 1]):
        changed = base64.urlsafe_b64encode(orjson.dumps([mark, *values])).decode()
        answer = films.get("/films", {"q": "hulot", "limit": 1, "cursor": changed})
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid-cursor")


def test_what_the_store_does_not_take_is_told_with_the_reason(cinema: Stack, monkeypatch: Any) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise Unfit("400 too_many_buckets_exception; ask for longer intervals")

    monkeypatch.setattr(cinema.system.index, "search", refuse)
    answer = cinema.query.get("/films?facets=added:hour")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid-parameter")
    assert "ask for longer intervals" in answer.json()["detail"]


@pytest.mark.parametrize(("method", "path"), [("POST", "/films/search"), ("GET", "/films/suggest?q=a"), ("GET", "/films/export")])
def test_every_search_waits_for_what_it_has_to_see(films: Http, method: str, path: str) -> None:
    seen = films.get("/films?limit=1").json()["items"][0]

    def ask(version: int, prefer: str) -> httpx.Response:
        headers = {"Consistency-Token": f"films/{seen['id']}@{version}", "Prefer": prefer, "Content-Type": "application/json"}
        return films(method, path, content=b"{}" if method == "POST" else b"", headers=headers)

    assert ask(seen["version"], "wait=1").headers["preference-applied"] == "wait=1"
    late = ask(seen["version"] + 1, "wait=0")
    assert (late.status_code, late.json()["code"]) == (503, "projection-lagging")
    stale = ask(seen["version"] + 1, "wait=0, handling=lenient")
    assert (stale.status_code, stale.headers["consistency-status"]) == (200, "stale")
