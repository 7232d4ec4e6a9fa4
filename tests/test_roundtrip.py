"""What goes in by the command service comes out of the query service as it was, after table, log and index."""

# ruff: noqa: DTZ001 - bounds of a strategy, which adds the zone
# ruff: noqa: RUF012 - Pydantic copies defaults

from __future__ import annotations

import enum
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import temporary_folder
from tests.stack import Stack
from twofold import App, Keyword, Places, Resource, Text
from twofold.kinds.datetimes import timestamp
from twofold.kinds.durations import duration
from twofold.kinds.kind import INT64


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blau"


class Thing(Resource, name="things"):
    """A field of every kind."""

    text: Annotated[str, Text()]
    word: Annotated[str | None, Keyword()] = None
    number: int | None = None
    ratio: float | None = None
    flag: bool | None = None
    day: date | None = None
    moment: datetime | None = None
    price: Annotated[Decimal | None, Places(4)] = None
    colour: Colour = Colour.RED
    ref: UUID | None = None
    span: timedelta | None = None
    spans: list[timedelta] = []
    numbers: list[int] = []
    ratios: list[float] = []
    flags: list[bool] = []
    days: list[date] = []
    moments: list[datetime] = []
    prices: Annotated[list[Decimal] | None, Places(2)] = None
    words: Annotated[list[str], Keyword(), Text()] = []


TEXTS = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters=[chr(n) for n in [*range(9), 11, 12, *range(14, 32), 127]]), max_size=30
)
NUMBERS = st.integers(-INT64, INT64 - 1)
RATIOS = st.floats(allow_nan=False, allow_infinity=False)
DAYS = st.dates(date(1000, 1, 1)).map(date.isoformat)
MOMENTS = st.datetimes(datetime(1001, 1, 2), datetime(9998, 12, 30), timezones=st.just(UTC)).map(timestamp)

SPANS = st.integers(-(10**15), 10**15).map(duration)


def decimals(places: int) -> st.SearchStrategy[str]:
    return st.integers(-(10**18) + 1, 10**18 - 1).map(lambda scaled: f"{Decimal(scaled).scaleb(-places):f}")


BODIES = st.fixed_dictionaries(
    {
        "text": TEXTS,
        "word": st.none() | TEXTS,
        "number": st.none() | NUMBERS,
        "ratio": st.none() | RATIOS,
        "flag": st.none() | st.booleans(),
        "day": st.none() | DAYS,
        "moment": st.none() | MOMENTS,
        "price": st.none() | decimals(4),
        "ref": st.none() | st.uuids().map(str),
        "span": st.none() | SPANS,
        "spans": st.lists(SPANS, max_size=3),
        "colour": st.sampled_from(["red", "blau"]),
        "numbers": st.lists(NUMBERS, max_size=3),
        "ratios": st.lists(RATIOS, max_size=3),
        "flags": st.lists(st.booleans(), max_size=3),
        "days": st.lists(DAYS, max_size=3),
        "moments": st.lists(MOMENTS, max_size=3),
        "prices": st.none() | st.lists(decimals(2), max_size=3),
        "words": st.lists(TEXTS, max_size=3),
    }
)


@pytest.fixture(scope="module")
def things() -> Iterator[Stack]:
    with temporary_folder() as folder:
        stack = Stack(App(Thing), folder)
        yield stack
        stack.close()


@settings(max_examples=15, suppress_health_check=list(HealthCheck))
@given(bodies=st.lists(BODIES, min_size=3, max_size=8))
def test_every_value_comes_out_as_it_went_in(things: Stack, bodies: list[dict[str, Any]]) -> None:
    answers = things.command.together([("POST", "/things", {"json": body}) for body in bodies])
    shown = [answer.json() for answer in answers]
    assert [{name: each[name] for name in body} for each, body in zip(shown, bodies, strict=True)] == bodies
    things.settle()
    for each in shown:
        assert things.query.get(f"/things/{each['id']}").json() == each
        unchanged = things.command.put(f"/things/{each['id']}", {name: each[name] for name in bodies[0]}, if_match="*")
        assert (unchanged.json(), unchanged.headers["etag"]) == (each, '"1"')


@settings(max_examples=15, suppress_health_check=list(HealthCheck))
@given(body=BODIES)
def test_every_value_is_found_by_itself(things: Stack, body: dict[str, Any]) -> None:
    made = things.command.post("/things", body).json()
    things.settle()
    for name, value in body.items():
        values = value if isinstance(value, list) else [value]
        for each in values:
            if name == "text" or each is None:
                continue
            asked = {
                name: str(each).lower() if isinstance(each, bool) else repr(each) if isinstance(each, float) else each,
                "sort": "-created_at,-id",
            }
            found = things.query.get("/things", {**asked, "limit": 100})
            assert made["id"] in [item["id"] for item in found.json()["items"]], (name, each, found.text[:200])
