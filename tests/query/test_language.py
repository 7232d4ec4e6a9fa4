"""A query string means one search, or is refused with everything that is wrong and what is allowed instead."""

# ruff: noqa: PT017 - not every input is refused
# ruff: noqa: RUF001 - digits that look alike are the point
# ruff: noqa: RUF012 - constants

from __future__ import annotations

import base64
import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.query.films import FIELDS, FILMS, asked, errors

from twofold.errors import Problem
from twofold.index.checks import check
from twofold.index.search import Search, Sort
from twofold.query import language
from twofold.query.cursor import MAX_CURSOR, cursor
from twofold.query.language import DEFAULT_LIMIT, MAX_LIMIT, SEARCH, parse
from twofold.query.values import MAX_VALUES

_MOMENT = "A date and time with a zone, for example 2026-01-31T12:00:00Z."
NEWEST = (Sort("created_at", descending=True),)
BEST = (Sort("_score", descending=True),)


def test_nothing_asks_for_the_newest() -> None:
    assert asked() == Search(sort=NEWEST, limit=DEFAULT_LIMIT)


class TestFilters:
    @pytest.mark.parametrize(
        ("name", "text", "value"),
        [
            ("title", "Jules et Jim", "Jules et Jim"),
            ("title", "", ""),
            ("title", 'x" OR 1=1--', 'x" OR 1=1--'),
            ("genre", "comedy", "comedy"),
            ("year", "-1962", -1962),
            ("year", "9223372036854775807", 2**63 - 1),
            ("score", "7.5", 7.5),
            ("score", "1e3", 1000.0),
            ("seen", "true", True),
            ("seen", "false", False),
            ("premiere", "1962-01-23", "1962-01-23"),
            ("added", "2026-01-31T12:00:00Z", "2026-01-31T12:00:00.000Z"),
            ("added", "2026-01-31T12:00:00+02:00", "2026-01-31T10:00:00.000Z"),
            ("added", "2026-01-31T12:00:00 02:00", "2026-01-31T10:00:00.000Z"),
            ("added", "2026-01-31T12:00:00.1239Z", "2026-01-31T12:00:00.123Z"),
            ("price", "12.3", 1230),
            ("price", "-0.05", -5),
            ("prices", "12.30", 1230),
            ("moments", "2026-01-31T12:00:00Z", "2026-01-31T12:00:00.000Z"),
            ("tags", "new wave", "new wave"),
        ],
    )
    def test_a_value_is_as_documents_hold_it(self, name: str, text: str, value: Any) -> None:
        assert asked(**{name: text}).refinements == ((name, (value,)),)

    def test_zero_has_one_sign_as_in_documents(self) -> None:
        ((_, (zero,)),) = asked(score="-0.0").refinements
        assert str(zero) == "0.0"

    @pytest.mark.parametrize(
        ("name", "texts", "allowed"),
        [
            ("genre", ["Drama", "", "horror"], "One of: drama, comedy."),
            ("year", ["x", "", "1.5", "9223372036854775808", "9" * 5000, "1e3", "1_0", "１２"], "An integer of 64 bits, for example 42."),
            ("score", ["x", "", "nan", "inf", "-inf", "1e400", "1_5", "9007199254740993"], "A number, for example 1.5."),
            ("seen", ["True", "1", "", "yes"], "true or false."),
            ("premiere", ["x", "", "1962-02-30", "1962-1-1", "today", "0", "1962-W01-1"], "A date, for example 2026-01-31."),
            ("added", ["x", "", "2026-01-31", "2026-01-31T12:00:00", "2024", "20260131T120000Z"], _MOMENT),
            (
                "added",
                ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59-23:00"],
                _MOMENT,
            ),
            ("moments", ["0001-01-01T00:00:00Z", "x"], _MOMENT),
            (
                "price",
                ["x", "", "0.001", "NaN", "sNaN", "Infinity", "1e999999999", "1" * 41, "1_0", "٣", " 1"],
                "A decimal number ",
            ),
            ("prices", ["x", "0.001", "NaN", "1e999999", "9" * 40], "A decimal number "),
            ("title", ["x" * 8192, "\ud800"], ""),
        ],
    )
    def test_what_is_no_value_is_told_with_what_is(self, name: str, texts: list[str], allowed: str) -> None:
        for text in texts:
            (error,) = errors(**{name: text})
            assert error["parameter"] == name
            assert error["detail"].startswith(allowed)

    def test_values_of_one_field_are_alternatives_and_fields_are_in_order(self) -> None:
        assert asked(year=["1962", "1961"], genre="drama").refinements == (("genre", ("drama",)), ("year", (1962, 1961)))

    def test_the_number_of_values_is_limited_where_it_is_exceeded(self) -> None:
        assert len(asked(year=["1"] * MAX_VALUES).refinements[0][1]) == MAX_VALUES
        assert errors(genre="drama", year=["1"] * (MAX_VALUES + 1)) == [{"parameter": "year", "detail": "At most 50 values."}]

    @given(st.sampled_from(FIELDS), st.text() | st.from_regex(r"[-+0-9.eETZ: ]{1,30}", fullmatch=True))
    def test_what_is_accepted_fits_every_index(self, name: str, text: str) -> None:
        try:
            search = asked(**{name: text})
        except Problem:
            return
        check(FILMS, search)


class TestNames:
    @pytest.mark.parametrize("name", ["nothing", "key", "password", "", "prefix", "x" * 1000])
    def test_an_unknown_parameter_is_refused_with_those_that_are_known(self, name: str) -> None:
        (error,) = errors(**{name: "1"})
        assert error == {"parameter": name[:64], "detail": f"Unknown. Allowed are: {', '.join([*SEARCH, *FIELDS])}."}

    @pytest.mark.parametrize(("name", "meant"), [("Title", "title"), ("limt", "limit"), ("filters", "filter"), ("title ", "title")])
    def test_what_may_have_been_meant_is_told(self, name: str, meant: str) -> None:
        (error,) = errors(**{name: "1"})
        assert error["detail"].startswith(f"Unknown. Did you mean {meant}? Allowed are: q,")

    def test_a_field_that_is_not_filtered_is_told_apart(self) -> None:
        (error,) = errors(plot="x")
        assert error["detail"].startswith("This field is not declared as filterable (Keyword). Allowed are: q, fuzzy,")

    def test_everything_wrong_is_told_at_once(self) -> None:
        given = {"nothing": "1", "year": "x", "sort": "plot", "limit": "101", "q": "x" * 300, "cursor": "bad", "filter": "("}
        given |= {"offset": "-1", "count": "all", "fields": "key", "highlight": "year", "timeout_ms": "1"}
        given |= {"facets": "plot", "facet_mode": "x", "time_zone": "x"}
        assert sorted(error["parameter"] for error in errors(**given)) == sorted({*given, "offset"} - {"cursor"})

    def test_of_many_unknown_names_the_first_are_told(self) -> None:
        assert [error["parameter"] for error in errors(**{f"x{number}": "1" for number in range(500)})] == [f"x{n}" for n in range(20)]

    @pytest.mark.parametrize("name", sorted({*SEARCH} - {"sort", "fields", "facets", "highlight"}))
    def test_what_is_asked_once_is_given_once(self, name: str) -> None:
        given = {"q": "a", "limit": "1", "cursor": "x", "fuzzy": "auto", "filter": "year=1", "offset": "1", "count": "exact"}
        given |= {"facet_limit": "1", "facet_mode": "conjunctive", "time_zone": "UTC", "timeout_ms": "100"}
        assert {"parameter": name, "detail": "Give this parameter once."} in errors(**{name: [given[name], given[name]]})

    def test_names_may_be_given_one_by_one(self) -> None:
        assert asked(sort=["-year", "title"], facets=["genre", "seen"]) == asked(sort="-year,title", facets="genre,seen")


class TestSort:
    @pytest.mark.parametrize(
        ("given", "sort"),
        [
            ("year", (Sort("year"),)),
            ("-year,title", (Sort("year", descending=True), Sort("title"))),
            ("id", (Sort("id"),)),
            (
                "-version,created_at,-updated_at",
                (Sort("version", descending=True), Sort("created_at"), Sort("updated_at", descending=True)),
            ),
        ],
    )
    def test_fields_are_in_order(self, given: str, sort: tuple[Sort, ...]) -> None:
        assert asked(sort=given).sort == sort

    @pytest.mark.parametrize(
        "given", ["", "plot", "tags", "key", "--year", "+year", "year,", ",", "_score", "year desc", "year;DROP TABLE films"]
    )
    def test_what_cannot_be_sorted_by_is_refused_with_what_can(self, given: str) -> None:
        (error,) = errors(sort=given)
        sortable = "id, created_at, updated_at, version, title, genre, year, score, seen, premiere, added, price"
        assert error["parameter"] == "sort"
        assert error["detail"].startswith("Names of fields, with - before one for descending.")
        assert error["detail"].endswith(f" Allowed are: {sortable}.")

    @pytest.mark.parametrize("given", ["year,title,genre,score", "year,year", "year,-year"])
    def test_number_is_limited_and_each_is_given_once(self, given: str) -> None:
        assert errors(sort=given) == [{"parameter": "sort", "detail": "At most 3 fields, each once."}]


class TestLimit:
    @pytest.mark.parametrize("given", ["0", "1", "20", str(MAX_LIMIT)])
    def test_it_is_a_number(self, given: str) -> None:
        assert asked(limit=given).limit == int(given)

    @pytest.mark.parametrize("given", ["101", "-1", "x", "", "1.0", "1e1", " 1", "٣", "9" * 5000])
    def test_beyond_its_bounds_it_is_refused(self, given: str) -> None:
        assert errors(limit=given) == [{"parameter": "limit", "detail": "0 to 100."}]


class TestOffset:
    def test_it_skips_hits(self) -> None:
        assert [asked(offset=each).offset for each in ("0", "1", "9980")] == [0, 1, 9980]
        assert asked(offset="9900", limit="100").offset == 9900

    @pytest.mark.parametrize("given", [{"offset": "9981"}, {"offset": "9901", "limit": "100"}, {"offset": "9" * 18}])
    def test_beyond_the_first_ten_thousand_there_are_other_ways(self, given: dict[str, str]) -> None:
        with pytest.raises(Problem) as problem:
            asked(**given)
        assert (problem.value.status, problem.value.code) == (400, "deep-pagination")
        assert "cursor" in problem.value.detail
        assert "export" in problem.value.detail

    @pytest.mark.parametrize("given", ["-1", "x", "", "1.5", "٣", "9" * 5000])
    def test_it_is_a_number(self, given: str) -> None:
        assert errors(offset=given) == [{"parameter": "offset", "detail": "0 to 10,000, together with limit."}]

    def test_a_page_does_not_begin_at_two_places(self) -> None:
        (error,) = errors(offset="0", cursor=cursor(asked(), ("2026-01-31T12:00:00.000Z", "id")))
        assert error["detail"] == "A page begins at an offset or behind a cursor: leave one of them out."


class TestOthers:
    def test_counts_are_capped_unless_asked_exactly(self) -> None:
        assert [asked(count=each).exact for each in ("capped", "exact")] == [False, True]
        assert errors(count="none") == [{"parameter": "count", "detail": "One of: capped, exact."}]

    def test_a_search_may_have_a_time_limit(self) -> None:
        assert [asked(timeout_ms=each).seconds for each in ("50", "10000")] == [0.05, 10]
        for each in ("49", "10001", "x", "0"):
            assert errors(timeout_ms=each) == [{"parameter": "timeout_ms", "detail": "50 to 10,000."}]

    def test_some_fields_are_shown_with_id_and_version(self) -> None:
        assert language.read(FILMS, [("fields", "plot,year")]).fields == {"id", "version", "plot", "year"}
        assert language.read(FILMS, []).fields == set()
        (error,) = errors(fields="plot,yaer")
        allowed = ["id", "version", "title", "plot", *FIELDS[1:], "created_at", "updated_at"]
        assert error["detail"] == f"Names with commas between them. Did you mean year? Allowed are: {', '.join(allowed)}."

    def test_text_fields_are_highlighted_with_marks_that_nobody_knows(self) -> None:
        one, other = (asked(q="a", highlight="title,plot") for _ in range(2))
        assert one.highlight == ("title", "plot")
        assert len({*one.marks, *other.marks}) == 4
        assert all(mark.isalnum() and len(mark) == 17 for mark in one.marks)
        (error,) = errors(highlight="genre")
        assert error["detail"].endswith("Allowed are: title, plot.")
        assert (asked(q="a").highlight, asked(q="a").marks) == ((), ("", ""))


class TestCursor:
    QUERY = {"q": "ana", "genre": ["drama", "comedy"], "sort": "-year,title"}

    def test_it_goes_on_behind_the_values_that_it_holds(self) -> None:
        search = asked(**self.QUERY)
        again = asked(**self.QUERY, cursor=cursor(search, (1962, "Jules et Jim", "id")))
        assert again.after == (1962, "Jules et Jim", "id")
        assert (again.text, again.refinements, again.sort) == (search.text, search.refinements, search.sort)

    @pytest.mark.parametrize(
        ("sort", "value"),
        [("year", None), ("seen", True), ("year", 0), ("year", -(2**63)), ("score", 1.5), ("score", 1e300), ("score", 3)]
        + [("title", value) for value in ("", "é😀\n", "x" * 8191)],
    )
    def test_any_value_survives(self, sort: str, value: Any) -> None:
        given = cursor(asked(sort=sort), (value, "id"))
        assert given.isascii()
        assert asked(sort=sort, cursor=given).after == (value, "id")

    def test_the_size_of_the_page_may_change(self) -> None:
        given = cursor(asked(sort="id", limit="1"), ("id",))
        assert asked(sort="id", limit="100", cursor=given).limit == 100

    @pytest.mark.parametrize(
        "other",
        [
            {},
            {"q": "an"},
            {"q": "ana "},
            {"genre": "drama"},
            {"genre": ["comedy", "drama"]},
            {"sort": "year,title"},
            {"sort": "-year"},
            {"seen": "true"},
            {"filter": "year = 1"},
            {"q": "anastasia", "fuzzy": "auto"},
        ],
    )
    def test_it_belongs_to_its_query(self, other: dict[str, Any]) -> None:
        given = cursor(asked(**self.QUERY), (1962, "Jules et Jim", "id"))
        with pytest.raises(Problem) as problem:
            asked(**{**self.QUERY, **other, "cursor": given} if other else {"cursor": given})
        assert (problem.value.status, problem.value.code) == (400, "invalid-cursor")
        assert "Repeat every other parameter as it was" in problem.value.detail

    @pytest.mark.parametrize(
        "content", [b"", b"x", b"{}", b"[]", b"null", b'"abc"', b"7", b"[1]", b'["mark"]', b"[" * 5000, b"\xff", b'[{"a":1},[]]']
    )
    def test_what_is_none_of_ours_is_refused(self, content: bytes) -> None:
        for text in (content.decode("latin-1"), base64.urlsafe_b64encode(content).decode()):
            with pytest.raises(Problem) as problem:
                asked(cursor=text)
            assert (problem.value.status, problem.value.code) == (400, "invalid-cursor")

    @pytest.mark.parametrize("values", [[], ["id"], [1962, "id", 3], [[1962], "id"], [{"a": 1}, "id"]])
    def test_the_values_are_as_many_as_the_sorts(self, values: list[Any]) -> None:
        search = asked(sort="year")
        mark = orjson.loads(base64.urlsafe_b64decode(cursor(search, ()) + "=="))[0]
        forged = base64.urlsafe_b64encode(orjson.dumps([mark, *values])).decode()
        with pytest.raises(Problem):
            asked(sort="year", cursor=forged)

    @pytest.mark.parametrize("value", [2**63, 2**64 - 1, True, "1.5"])
    def test_a_number_that_no_document_can_hold_is_none_of_ours(self, value: Any) -> None:
        given = cursor(asked(sort="score"), (1.5, "id"))
        assert asked(sort="score", cursor=given).after == (1.5, "id")
        mark = orjson.loads(base64.urlsafe_b64decode(given + "=="))[0]
        forged = base64.urlsafe_b64encode(json.dumps([mark, value, "id"]).encode()).decode()
        with pytest.raises(Problem) as problem:
            asked(sort="score", cursor=forged)
        assert (problem.value.status, problem.value.code) == (400, "invalid-cursor")

    def test_one_that_fits_in_no_request_is_not_given(self) -> None:
        search = asked(sort="title,genre,year")
        assert len(cursor(search, ("😀" * 8191, "x", 1, "id"))) <= MAX_CURSOR
        with pytest.raises(Problem) as problem:
            cursor(search, ("😀" * 8191, "é" * 8191, 1, "id"))
        assert problem.value.members["errors"][0]["parameter"] == "sort"


NAMES = st.sampled_from([*SEARCH, *FIELDS, "plot", "nothing", ""])
VALUES = st.text(max_size=40) | st.sampled_from(
    [
        *["-year,title", "10", "true", "1e999999", "\0", "\ud800", "\ud83d", "2026-01-31", "null", "[]"],
        *["year:stats,genre", "year = 1", "exact", "anastasia", "auto"],
    ]
)


@given(st.lists(st.tuples(NAMES | st.text(max_size=5), VALUES), max_size=8))
def test_any_query_string_is_a_search_or_a_bad_request(parameters: list[tuple[str, str]]) -> None:
    try:
        check(FILMS, parse(FILMS, parameters))
    except Problem as problem:
        assert problem.status == 400
        orjson.dumps([problem.detail, problem.members])
