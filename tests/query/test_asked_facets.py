"""Words of `facets` ask for values, intervals, ranges or statistics, or are refused with what is allowed."""

# ruff: noqa: PT017 - not every input is refused

from __future__ import annotations

import orjson
import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st
from tests.query.films import FILMS, asked, errors

from twofold.errors import Problem
from twofold.index.checks import check
from twofold.index.search import Dates, Facet, Page, Ranges, Stats, Summary, Terms
from twofold.query import language
from twofold.query.answer import answer_of


@pytest.mark.parametrize(
    ("given", "facet"),
    [
        ("genre", Terms("genre")),
        ("seen", Terms("seen")),
        ("tags", Terms("tags")),
        ("version", Terms("version")),
        ("premiere:month", Dates("premiere", "month")),
        ("created_at:hour", Dates("created_at", "hour")),
        ("moments:week", Dates("moments", "week")),
        ("year:stats", Stats("year")),
        ("prices:stats", Stats("prices")),
        ("year:1900..1950;1950..2000;2000..", Ranges("year", ((1900, 1950), (1950, 2000), (2000, None)))),
        ("price:..0.5", Ranges("price", ((None, 50),))),
        ("score:0.5..1.5", Ranges("score", ((0.5, 1.5),))),
        ("year:-5..-1", Ranges("year", ((-5, -1),))),
        ("premiere:1960-01-01..1970-01-01", Ranges("premiere", (("1960-01-01", "1970-01-01"),))),
        (
            "added:2026-01-31T12:00:00Z..2026-02-01T00:00:00+01:00",
            Ranges("added", (("2026-01-31T12:00:00.000Z", "2026-01-31T23:00:00.000Z"),)),
        ),
    ],
)
def test_a_facet_means(given: str, facet: Facet) -> None:
    assert asked(facets=given).facets == (facet,)


def test_several_stand_in_their_order_under_their_words() -> None:
    read = language.read(FILMS, [("facets", "year:stats,genre,year:..5")])
    assert read.facets == ("year:stats", "genre", "year:..5")
    assert read.search.facets == (Stats("year"), Terms("genre"), Ranges("year", ((None, 5),)))


def test_values_that_are_selected_are_listed_in_any_case() -> None:
    search = asked(facets="genre,year", genre="drama", facet_limit="3", facet_mode="conjunctive")
    assert search.facets == (Terms("genre", 3, ("drama",)), Terms("year", 3))
    assert [search.disjunctive, asked(facets="genre").disjunctive] == [False, True]


def test_days_are_those_of_a_time_zone_but_a_date_is_one_everywhere() -> None:
    search = asked(facets="added:day,premiere:day", time_zone="Europe/Berlin")
    assert search.facets == (Dates("added", "day", "Europe/Berlin"), Dates("premiere", "day", "UTC"))


@pytest.mark.parametrize(
    ("given", "detail"),
    [
        ("plot", "Names of fields. Allowed are: title, genre,"),
        ("", "Names of fields. Allowed are: title, genre,"),
        ("yaer", "Names of fields. Did you mean year? Allowed are:"),
        ("id", "Names of fields."),
        ("genre:month", "genre: Allowed is: genre."),
        ("year:month", "year: Allowed are: year, year:stats, and ranges (year:0..18;18..65;65..)."),
        ("year:", "year: Allowed are: year, year:stats,"),
        ("premiere:hour", "premiere: Allowed are: premiere, premiere:year, premiere:quarter, premiere:month, premiere:week, premiere:day"),
        ("added:stats", "added: Allowed are: added, added:year, added:quarter, added:month, added:week, added:day, added:hour"),
        ("genre:a..b", "genre: Allowed is: genre."),
        ("seen:0..1", "seen: Allowed is: seen."),
        ("year:5..1", "year: A range begins below its end"),
        ("year:5..5", "year: A range begins below its end"),
        ("year:..", "year: A range begins below its end"),
        ("year:1..2;3", "year: A range begins below its end"),
        ("year:1..x", "year: An integer of 64 bits"),
        ("year:" + ";".join(["1..2"] * 21), "year: At most 20 ranges."),
        (",".join(f"year:{n}.." for n in range(11)), "At most 10 facets, each once."),
        ("genre,genre", "At most 10 facets, each once."),
    ],
)
def test_what_is_none_is_told_with_what_is(given: str, detail: str) -> None:
    (error,) = errors(facets=given)
    assert error["parameter"] == "facets"
    assert error["detail"].startswith(detail)


@pytest.mark.parametrize(
    ("given", "detail"),
    [
        ({"facet_limit": "0"}, "1 to 100."),
        ({"facet_limit": "101"}, "1 to 100."),
        ({"facet_mode": "any"}, "One of: disjunctive, conjunctive."),
        ({"time_zone": "Europe/Berlni"}, "The IANA name of a time zone, for example Europe/Berlin. Did you mean Europe/Berlin?"),
        ({"time_zone": "+01:00"}, "The IANA name of a time zone, for example Europe/Berlin."),
    ],
)
def test_how_they_are_counted_is_checked(given: dict[str, str], detail: str) -> None:
    assert errors(**given) == [{"parameter": next(iter(given)), "detail": detail}]


@drawn(st.text(st.sampled_from("year:.;05-pmiadstgn,"), max_size=30) | st.text(max_size=30))
def test_any_text_is_facets_or_a_bad_request(given: str) -> None:
    try:
        search = asked(facets=given)
    except Problem as problem:
        assert problem.status == 400
        return
    check(FILMS, search)


def test_a_sum_beyond_64_bits_is_told() -> None:
    total = 2.0**64 + 2.0**60
    page = Page(facets=(Summary(3, -5.0, 2.0**63, total),))
    body = answer_of(FILMS, language.read(FILMS, [("facets", "year:stats")]), page)
    told = orjson.loads(orjson.dumps(body))["facets"]["year:stats"]
    assert told == {"type": "stats", "count": 3, "min": -5, "max": 2.0**63, "sum": total, "avg": total / 3, "missing": 0}
