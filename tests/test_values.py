"""A text stands for one value of a kind, in the form that OpenAPI promises, or for none."""

# ruff: noqa: RUF001 - digits that look alike are the point

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twofold.fields import Field
from twofold.kinds import KINDS, NotAValue
from twofold.kinds.datetimes import timestamp
from twofold.kinds.floats import double
from twofold.kinds.kind import INT64
from twofold.values import from_text

NOT: dict[str, list[str]] = {
    "integer": [
        *("", " 1", "1 ", "+1", "1_0", "1__0", "١٢", "１２", "1.0", "1e3", "0x10", "--1"),
        *("9223372036854775808", "-9223372036854775809", "9" * 5000),
    ],
    "float": [
        *("", " 1", "+1", ".5", "1.", "1_5", "١", "1,5", "nan", "inf", "-Infinity"),
        *("1e400", "1e-400", "9007199254740993", "123456789.123456789"),
    ],
    "decimal": [
        *("", " 1 ", "+1", "1_0", "1__0", "٣", "１２", "1e1", ".5", "1.", "1,50"),
        *("NaN", "Infinity", "1.005", "9" * 17, "1" * 5000),
    ],
    "boolean": ["", "1", "0", "True", "TRUE", "yes", "no", "t"],
    "date": [
        *("", "0", "-86400", "20240131", "2024", "2026-W01-1", "2026W011", "2026-1-31"),
        *("2026-02-30", "２０２４-01-31", "0999-12-31", "2026-01-31T00:00:00Z"),
    ],
    "datetime": [
        *("", "0", "-1", "2024", "20240131", "20240131120000", "1706700000000", "45322", "45322.5"),
        *("2026-01-31", "2026-W01-1T12:00:00Z", "2026-01-31T12:00:00", "2026-01-31T12:00Z", "2026-01-31T12Z"),
        *("20260131T120000Z", "2026-01-31 12:00:00Z", "2026-01-31T12:00:00+0100"),
        *("2026-01-31T24:00:00Z", "2026-01-31T12:00:60Z", "2026-01-31T12:00:00+25:00"),
        *("1000-01-01T00:00:00Z", "２０２６-01-31T12:00:00Z"),
    ],
    "uuid": [
        "",
        "0190F5C8-7A3E-7C1D-9B52-3F6E8D2A4C10",
        "0190f5c87a3e7c1d9b523f6e8d2a4c10",
        "{0190f5c8-7a3e-7c1d-9b52-3f6e8d2a4c10}",
        "urn:uuid:0190f5c8-7a3e-7c1d-9b52-3f6e8d2a4c10",
        "0190f5c8-7a3e-7c1d-9b52-3f6e8d2a4c1０",
    ],
    "timedelta": ["", "P", "PT", "P1", "01:30:00", "P1Y", "P1W", "PT1.5H", "P-1D", "pt1h", "P1DT", "PT1S1M", "-P999999999DT1H", "PT١S"],
}
ARE: list[tuple[str, str, Any]] = [
    ("integer", "-42", -42),
    ("integer", "007", 7),
    ("integer", "-9223372036854775808", -INT64),
    ("float", "-0", 0.0),
    ("float", "1.50", 1.5),
    ("float", "1E3", 1000.0),
    ("float", "9007199254740992", 9007199254740992.0),
    ("decimal", "12.3", "12.30"),
    ("decimal", "-0.00", "0.00"),
    ("decimal", "1.500", "1.50"),
    ("boolean", "true", True),
    ("date", "2024-02-29", "2024-02-29"),
    ("datetime", "2026-01-31T23:30:00.9876543-02:30", "2026-02-01T02:00:00.987Z"),
    ("datetime", "2026-01-31t12:00:00z", "2026-01-31T12:00:00.000Z"),
    ("string", " 1_000 ", " 1_000 "),
    ("uuid", "0190f5c8-7a3e-7c1d-9b52-3f6e8d2a4c10", "0190f5c8-7a3e-7c1d-9b52-3f6e8d2a4c10"),
    ("timedelta", "PT1H30M", "PT1H30M"),
    ("timedelta", "PT5400S", "PT1H30M"),
    ("timedelta", "P1DT0.0015S", "P1DT0.001S"),
    ("timedelta", "-PT0.5S", "-PT0.5S"),
    ("timedelta", "-P0D", "PT0S"),
    ("timedelta", "P999999998D", "P999999998D"),
    ("timedelta", "-P999999998D", "-P999999998D"),
    ("timedelta", "PT1.0019999S", "PT1.001S"),
    ("timedelta", "P500000000DT0.007S", "P500000000DT0.007S"),
]


def field(kind: Any, **more: Any) -> Field:
    return Field("x", "x", KINDS[kind], places=2 if kind == "decimal" else 0, **more)


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in NOT.items() for text in texts])
@pytest.mark.parametrize("many", [False, True])
def test_what_is_not_written_as_promised_is_no_value(kind: str, text: str, many: bool) -> None:
    with pytest.raises(NotAValue) as refusal:
        from_text(field(kind, many=many), text)
    assert str(refusal.value).endswith(".")


@pytest.mark.parametrize(("kind", "text", "value"), ARE)
def test_what_is_written_as_promised_is_the_value(kind: str, text: str, value: Any) -> None:
    found = from_text(field(kind), text)
    assert (found, type(found)) == (value, type(value))
    assert str(found) != "-0.0"


def test_text_has_its_own_limits() -> None:
    assert from_text(field("string", choices=("a", "b")), "b") == "b"
    for given_, text in [(field("string", choices=("a", "b")), "c"), (field("string", max_length=3), "abcd"), (field("string"), "\ud800")]:
        with pytest.raises(NotAValue):
            from_text(given_, text)


@given(st.integers(-INT64, INT64 - 1), st.integers(-(10**16) + 1, 10**16 - 1), st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_are_taken_as_they_are_given_out(whole: int, cents: int, ratio: float) -> None:
    assert from_text(field("integer"), str(whole)) == whole
    price = f"{Decimal(cents).scaleb(-2):.2f}"
    assert from_text(field("decimal"), price) == price
    assert from_text(field("float"), repr(ratio)) == ratio


@given(st.dates(date(1000, 1, 1)), st.datetimes(datetime(1001, 1, 2), datetime(9998, 12, 30), timezones=st.just(UTC)))  # noqa: DTZ001
def test_days_and_moments_are_taken_as_they_are_given_out(day: date, moment: datetime) -> None:
    assert from_text(field("date"), day.isoformat()) == day.isoformat()
    assert from_text(field("datetime"), timestamp(moment)) == timestamp(moment)


@pytest.mark.parametrize("digits", ["1e-999999999999999999999", "0e-99999999999999999999", "1e400", "-1e999999999999999999999"])
def test_no_exponent_is_too_large_to_be_judged(digits: str) -> None:
    assert double(digits) is None
