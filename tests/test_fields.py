"""A value survives every form that it takes, and what a store would refuse is refused before."""

# ruff: noqa: DTZ001 - bounds of a strategy, which adds the zone
# ruff: noqa: RUF001 - letters that look alike are the point
# ruff: noqa: RUF012 - Pydantic copies defaults

from __future__ import annotations

import enum
import unicodedata
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import EmailStr, ValidationError
from pydantic_core import PydanticCustomError

from twofold import Keyword, Places, Resource, Text, Unique
from twofold.errors import DeclarationError
from twofold.fields import LIST_LENGTH, Field
from twofold.kinds.datetimes import timestamp
from twofold.kinds.kind import INT64
from twofold.kinds.strings import KEYWORD_LENGTH, TEXT_LENGTH


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Thing(Resource, name="things"):
    """A field of every kind; all but `text` may be null."""

    text: Annotated[str, Text()] = ""
    word: Annotated[str | None, Keyword()] = None
    number: int | None = None
    ratio: float | None = None
    flag: bool | None = None
    day: date | None = None
    moment: datetime | None = None
    price: Annotated[Decimal | None, Places(2)] = None
    whole: Annotated[Decimal | None, Places(0)] = None
    fine: Annotated[Decimal | None, Places(9)] = None
    colour: Colour | None = None
    mail: Annotated[EmailStr | None, Unique()] = None
    code: Annotated[str | None, Unique()] = None
    ref: Annotated[UUID | None, Unique()] = None
    span: timedelta | None = None
    spans: list[timedelta] = []
    numbers: list[int] = []
    flags: list[bool] = []
    moments: list[datetime] = []
    prices: Annotated[list[Decimal], Places(2)] = []
    words: Annotated[list[str], Keyword()] = []


THING = Thing.declaration
INTEGERS = st.integers(-INT64, INT64 - 1)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
ZONES = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
MOMENTS = st.datetimes(datetime(1001, 1, 2), datetime(9998, 12, 30), timezones=ZONES)
DAYS = st.dates(date(1000, 1, 1))
SPANS = st.timedeltas(timedelta(days=-999_999_998), timedelta(days=999_999_998))
PRICES = st.integers(-(10**18) + 1, 10**18 - 1).map(lambda cents: Decimal(cents).scaleb(-2))
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=50)
KINDS = {
    "text": TEXTS,
    "word": TEXTS,
    "number": INTEGERS,
    "ratio": FLOATS,
    "flag": st.booleans(),
    "day": DAYS,
    "moment": MOMENTS,
    "price": PRICES,
    "ref": st.uuids(),
    "span": SPANS,
    "colour": st.sampled_from(Colour),
    "numbers": st.lists(INTEGERS),
    "flags": st.lists(st.booleans()),
    "moments": st.lists(MOMENTS),
    "prices": st.lists(PRICES),
    "words": st.lists(TEXTS),
}


def checked(name: str, value: Any) -> Any:
    """The value as the declaration takes it from JSON."""
    return getattr(Thing.model_validate_json(orjson.dumps({name: value}), strict=True), name)


def refusal(name: str, value: Any) -> str:
    with pytest.raises(ValidationError) as error:
        checked(name, value)
    return error.value.errors()[0]["msg"]


@given(st.data())
def test_a_value_survives_state_and_store_and_json(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(KINDS)))
    field, value = THING.field(name), data.draw(KINDS[name])
    value = field.checked(value)
    state = field.encode(value)
    assert field.decode(orjson.loads(orjson.dumps(state))) == value
    assert field.restored(orjson.loads(orjson.dumps(field.stored(state)))) == state


@given(st.data())
def test_what_the_declaration_gave_out_it_takes_back(data: st.DataObject) -> None:
    state = {name: THING.field(name).encode(THING.field(name).checked(data.draw(kind))) for name, kind in KINDS.items()}
    again = Thing.model_validate_json(orjson.dumps(state), strict=True)
    assert {name: value for name, value in THING.encode(again).items() if name in KINDS} == state


@pytest.mark.parametrize("field", THING.fields, ids=lambda field: field.name)
def test_no_value_stays_no_value(field: Field) -> None:
    forms = (field.encode, field.decode, field.stored, field.restored, field.unique_key, field.checked)
    assert [form(None) for form in forms] == [None] * 6


def test_a_list_in_python_is_not_the_list_of_the_state() -> None:
    state = [1, 2]
    THING.field("numbers").decode(state).append(3)
    assert state == [1, 2]


@pytest.mark.parametrize(
    ("given", "state", "scaled"),
    [("0", "0.00", 0), ("-0.00", "0.00", 0), ("10", "10.00", 1000), (1e1, "10.00", 1000), (7, "7.00", 700), ("-0.05", "-0.05", -5)],
)
def test_a_decimal_is_text_in_state_and_an_integer_in_stores(given: Any, state: str, scaled: int) -> None:
    price = THING.field("price")
    assert price.encode(checked("price", given)) == state
    assert price.stored(state) == scaled


@pytest.mark.parametrize("name", ["price", "whole", "fine"])
def test_the_largest_decimals_fit_64_bits(name: str) -> None:
    field = THING.field(name)
    most = Decimal(10**18 - 1).scaleb(-field.places)
    for value in (most, -most):
        assert field.restored(field.stored(field.encode(field.checked(value)))) == field.encode(value)
    assert "digits before the point" in refusal(name, str(most + Decimal(1).scaleb(-field.places)))


@pytest.mark.parametrize("value", ["0.001", 1e-9, "1.005", "0.0000000001"])
def test_a_decimal_is_never_rounded(value: str) -> None:
    assert "at most 2 places" in refusal("price", value)


@pytest.mark.parametrize("value", ["1e999999999", "Infinity", "-Infinity", "NaN", "sNaN", "", "one", "1" * 5000])
def test_a_decimal_is_a_finite_number(value: str) -> None:
    assert refusal("price", value)


def test_a_command_may_return_no_text_that_json_could_not_hold() -> None:
    for name, value in (("moment", "20240131"), ("moment", 0), ("day", 0), ("price", "1_0"), ("ratio", "1_5"), ("ratio", 10**400)):
        with pytest.raises(ValidationError):
            Thing.model_validate({name: value})


def test_a_default_is_read_as_values_are() -> None:
    with pytest.raises(DeclarationError, match=r"Wrong\.at: its default does not fit the annotation"):

        class Wrong(Resource, name="wrong"):
            at: datetime = "20240131"  # type: ignore[assignment]


def test_zero_has_one_sign() -> None:
    assert str(checked("ratio", -0.0)) == "0.0"


def test_a_moment_is_cut_to_milliseconds_in_utc() -> None:
    moment = checked("moment", "2026-01-31T23:30:00.9876543-02:30")
    assert THING.field("moment").encode(moment) == "2026-02-01T02:00:00.987Z"
    assert timestamp(datetime(2026, 1, 2, 3, 4, 5, 678_999, tzinfo=UTC)) == "2026-01-02T03:04:05.678Z"


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("moment", "2026-01-31T12:00:00", "with a zone"),
        ("moment", "20240131", "for example 2026-01-31T12:00:00Z"),
        ("moments", ["2024"], "for example 2026-01-31T12:00:00Z"),
        ("day", "-86400", "for example 2026-01-31"),
        ("price", "1_0", "for example 12.30"),
        ("price", "１２", "for example 12.30"),
        ("price", " 1 ", "for example 12.30"),
        ("price", True, 'A decimal number, best as text, for example "12.30"'),
        ("prices", ["1e1"], "for example 12.30"),
        ("ratio", 9007199254740993, "a double holds"),
        ("ratio", -123456789012345678, "a double holds"),
        ("moment", "1000-12-31T12:00:00Z", "between the years 1001 and 9998"),
        ("moment", "9999-01-01T12:00:00Z", "between the years 1001 and 9998"),
        ("moments", ["0001-01-01T00:00:00+10:00"], "between the years 1001 and 9998"),
        ("day", "0999-12-31", "between the years 1000 and 9999"),
        ("number", True, "valid integer"),
        ("number", "1", "valid integer"),
        ("number", 1.0, "valid integer"),
        ("ratio", "1", "A number, not as text, for example 1.5"),
        ("flag", 1, "valid boolean"),
        ("flag", "true", "valid boolean"),
        ("text", 1, "valid string"),
        ("text", None, "valid string"),
        ("day", 0, 'A date as text, for example "2026-01-31"'),
        ("day", 20240131, "as text"),
        ("moment", 0, 'A date and time with a zone as text, for example "2026-01-31T12:00:00Z"'),
        ("colour", "green", "'red' or 'blue'"),
        ("numbers", [1, None], "valid integer"),
        ("numbers", {}, "valid array"),
        ("numbers", [0] * (LIST_LENGTH + 1), "at most 1000 items"),
        ("text", "x" * (TEXT_LENGTH + 1), "at most 65536 characters"),
        ("word", "x" * (KEYWORD_LENGTH + 1), "at most 8191 characters"),
        ("words", ["x" * (KEYWORD_LENGTH + 1)], "at most 8191 characters"),
        ("code", "€" * 107, "at most 320 bytes"),
        ("code", "\ufdfa" * 20, "at most 320 bytes"),
    ],
)
def test_what_a_store_would_refuse_is_refused_first(name: str, value: Any, words: str) -> None:
    assert words in refusal(name, value)


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1])
def test_an_integer_has_64_bits(number: int) -> None:
    with pytest.raises(PydanticCustomError, match="64 bits"):
        THING.field("number").checked(number)


@pytest.mark.parametrize("value", ["x" * KEYWORD_LENGTH, "😀" * KEYWORD_LENGTH, "", "line\nand\ttab", "e\u0301", "\u202e", "👨‍👩‍👧"])
def test_the_longest_and_strangest_words_are_kept_as_they_are(value: str) -> None:
    assert checked("word", value) == value


@pytest.mark.parametrize("character", [*map(chr, [*range(9), 11, 12, *range(14, 32), 127])], ids=ascii)
def test_control_characters_are_refused(character: str) -> None:
    for name, value in (("text", f"a{character}b"), ("words", [character])):
        assert "control characters" in refusal(name, value)


SAME = [
    ("ana@example.com", "ANA@Example.COM"),
    ("ana@example.com", " ana@example.com "),
    ("josé", "jose\u0301"),
    ("ana", "ａｎａ"),
    ("straße", "STRASSE"),
    ("ﬁsh", "FISH"),
    ("ΣΑΣ", "σας"),
    ("x²", "X2"),
    ("\u00b4", " \u0301"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_unique_values_that_look_alike_are_one_value(one: str, other: str) -> None:
    code = THING.field("code")
    assert code.unique_key(one) == code.unique_key(other)


@pytest.mark.parametrize(("one", "other"), [("ana", "anna"), ("jose", "josé"), ("a b", "ab"), ("a", "а")])
def test_unique_values_that_differ_are_two(one: str, other: str) -> None:
    code = THING.field("code")
    assert code.unique_key(one) != code.unique_key(other)


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
def test_a_unique_key_does_not_depend_on_how_a_value_is_written(text: str) -> None:
    key = THING.field("code").unique_key
    variants = [unicodedata.normalize(form, text) for form in ("NFC", "NFD", "NFKC", "NFKD")]
    assert {key(variant) for variant in variants} == {key(text)}
    assert key((key(text) or b"").decode()) == key(text)


def test_only_keywords_and_plain_kinds_are_filtered_and_single_ones_sorted() -> None:
    filterable = {field.name for field in THING.fields if field.filterable}
    assert filterable == {field.name for field in THING.fields} - {"text", "mail", "code"}
    lists = {"spans", "numbers", "flags", "moments", "prices", "words"}
    assert {field.name for field in THING.fields if field.sortable} == filterable - lists
