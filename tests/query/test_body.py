"""The members of a JSON body mean what parameters of the same names mean."""

from __future__ import annotations

from typing import Any

import pytest
from tests.query.films import FILMS, asked

from twofold.errors import Problem
from twofold.query.body import parameters as body_parameters
from twofold.query.language import parse


@pytest.mark.parametrize(
    ("body", "parameters"),
    [
        ({}, {}),
        ({"q": "ana", "limit": 10, "offset": 0}, {"q": "ana", "limit": "10", "offset": "0"}),
        ({"facet_limit": 5, "timeout_ms": 100, "time_zone": "UTC"}, {"facet_limit": "5", "timeout_ms": "100", "time_zone": "UTC"}),
        ({"genre": ["drama", "comedy"], "year": 1962}, {"genre": ["drama", "comedy"], "year": "1962"}),
        ({"seen": [True, False], "score": [7.5, 7]}, {"seen": ["true", "false"], "score": ["7.5", "7"]}),
        ({"price": "12.30", "premiere": "1962-01-23"}, {"price": "12.30", "premiere": "1962-01-23"}),
        ({"sort": ["-year", "title"], "facets": ["genre", "seen"]}, {"sort": "-year,title", "facets": "genre,seen"}),
        ({"filter": "year = 1", "fuzzy": "1", "score": 1e300}, {"filter": "year = 1", "fuzzy": "1", "score": "1e300"}),
    ],
)
def test_members_are_parameters(body: dict[str, Any], parameters: dict[str, Any]) -> None:
    assert parse(FILMS, body_parameters(FILMS, body)) == asked(**parameters)


@pytest.mark.parametrize("value", [None, 1, [], {}, {"year": 1}])
def test_an_unknown_member_is_told_as_such_whatever_it_holds(value: Any) -> None:
    with pytest.raises(Problem) as problem:
        parse(FILMS, body_parameters(FILMS, {"filters": value}))
    (error,) = problem.value.members["errors"]
    assert error["detail"].startswith("Unknown. Did you mean filter?")


@pytest.mark.parametrize("body", [None, [], "q", 1, True])
def test_anything_but_an_object_is_refused_with_an_example(body: Any) -> None:
    with pytest.raises(Problem) as problem:
        body_parameters(FILMS, body)
    assert problem.value.status == 400
    assert '{"q": "ana", "limit": 10}' in problem.value.detail


@pytest.mark.parametrize(
    ("body", "allowed"),
    [
        ({"limit": "10"}, "a number without a point"),
        ({"limit": 1.5}, "a number without a point"),
        ({"limit": True}, "a number without a point"),
        ({"limit": None}, "a number without a point"),
        ({"q": 5}, "a string"),
        ({"q": ["ana"]}, "a string"),
        ({"limit": [10]}, "a number without a point"),
        ({"q": {"any": 1}}, "a string"),
        ({"year": "1962"}, "a number without a point"),
        ({"score": "7.5"}, "a number"),
        ({"seen": "true"}, "true or false"),
        ({"seen": 1}, "true or false"),
        ({"price": 12.3}, "a string"),
        ({"genre": []}, "a string"),
        ({"genre": ["drama", None]}, "a string"),
        ({"genre": [["drama"]]}, "a string"),
    ],
)
def test_a_member_has_the_type_of_its_meaning(body: dict[str, Any], allowed: str) -> None:
    with pytest.raises(Problem) as problem:
        body_parameters(FILMS, body)
    name = next(iter(body))
    several = ", or a list of such" if name not in ("limit", "q") else ""
    detail = f"Give {allowed}{several}; leave the member out where nothing is meant."
    assert problem.value.members["errors"] == [{"parameter": name, "detail": detail}]
