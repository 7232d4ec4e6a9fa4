"""A record is read through the current declaration: it becomes a document, or is unreadable and says why."""

# ruff: noqa: RUF001 - letters that look alike are the point
# ruff: noqa: RUF012 - Pydantic copies defaults

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twofold import Keyword, Password, Places, Resource, Text
from twofold.documents import of_row, operation
from twofold.kinds.kind import INT64
from twofold.record import Record, Unreadable
from twofold.resource import Declaration
from twofold.store.port import Row, Tombstone
from twofold.users import User

KEY = "01890a5d-ac96-774b-bcce-b302099a8057"
NOW = "2026-01-31T12:00:00.000Z"
SYSTEM = {"id": KEY, "version": 3, "created_at": NOW, "updated_at": NOW}
ANA = {"name": "Ana", "email": "ana@example.com"}


class Rich(Resource, name="rich"):
    text: Annotated[str, Text()]
    word: Annotated[str | None, Keyword()] = None
    number: int = 7
    ratio: float = 0.5
    flag: bool = True
    day: date | None = None
    moment: datetime | None = None
    price: Annotated[Decimal, Places(2)] = Decimal("1.50")
    prices: Annotated[list[Decimal], Places(2)] = []
    numbers: list[int] = []
    words: Annotated[list[str] | None, Keyword()] = None
    span: timedelta | None = None
    ref: UUID | None = None
    key: Password


STATE = {
    "text": "Ä",
    "word": None,
    "number": 1,
    "ratio": 2,
    "flag": False,
    "day": "2026-01-31",
    "moment": NOW,
    "price": "-0.05",
    "prices": ["1.00", "2.5"],
    "numbers": [1, 2],
    "words": None,
    "span": "PT1H",
    "ref": None,
}


def record(value: Mapping[str, Any] | bytes | None, version: int = 3) -> Record:
    content = value if value is None or isinstance(value, bytes) else orjson.dumps(value)
    kind = "deleted" if value is None else "updated"
    return Record(KEY, version, f"rich.{kind}", "event", NOW, content)


def document(value: Mapping[str, Any] | bytes, resource: Declaration = Rich.declaration) -> dict[str, Any]:
    made = operation(resource, record(value))
    assert (made.id, made.version, made.deleted) == (KEY, 3, False)
    return orjson.loads(made.document)


def unreadable(value: Mapping[str, Any] | bytes) -> str:
    with pytest.raises(Unreadable) as reason:
        operation(Rich.declaration, record(value))
    return str(reason.value)


def test_decimals_and_durations_are_integers_and_all_else_is_as_in_the_record() -> None:
    assert document({**SYSTEM, **STATE}) == {**SYSTEM, **STATE, "price": -5, "prices": [100, 250], "span": 3_600_000}


def test_a_record_that_is_a_document_is_not_written_anew() -> None:
    value = orjson.dumps({**ANA, **SYSTEM}, option=orjson.OPT_INDENT_2)
    assert operation(User.declaration, record(value)).document is value


def test_a_delete_is_a_grave_with_id_and_version() -> None:
    made = operation(Rich.declaration, record(None, version=9))
    assert (made.id, made.version, made.deleted) == (KEY, 9, True)
    assert orjson.loads(made.document) == {"id": KEY, "version": 9, "deleted": True}


@pytest.mark.parametrize(("resource", "state"), [(Rich.declaration, STATE), (User.declaration, ANA)])
def test_a_row_is_the_document_that_its_record_is(resource: Declaration, state: dict[str, Any]) -> None:
    made = of_row(resource, Row(KEY, 3, state, NOW, NOW))
    assert (made.id, made.version, made.deleted) == (KEY, 3, False)
    assert orjson.loads(made.document) == document({**SYSTEM, **state}, resource)


@pytest.mark.parametrize(
    ("name", "value"),
    [("number", '["a"]'), ("numbers", 7), ("numbers", ["a"]), ("price", "abc"), ("flag", 2), ("text", b"x"), ("text", None)],
)
def test_a_row_whose_value_is_of_another_kind_says_which_and_what_to_do(name: str, value: Any) -> None:
    with pytest.raises(Unreadable, match=f"field {name} does not hold .* in the table: change it there, then run `twofold verify rich"):
        of_row(Rich.declaration, Row(KEY, 3, {**STATE, name: value}, NOW, NOW))


def test_a_row_whose_time_is_none_is_unreadable() -> None:
    with pytest.raises(Unreadable, match="created_at or updated_at does not hold a time in the table"):
        of_row(Rich.declaration, Row(KEY, 3, STATE, b"\xff", NOW))  # type: ignore[arg-type]


def test_a_tombstone_is_the_document_that_its_record_is() -> None:
    assert of_row(Rich.declaration, Tombstone(KEY, 3, NOW)) == operation(Rich.declaration, record(None))


def test_a_field_that_is_newer_than_the_record_has_its_default() -> None:
    found = document({**SYSTEM, "text": "old"})
    assert found == {
        **SYSTEM,
        "text": "old",
        "word": None,
        "number": 7,
        "ratio": 0.5,
        "flag": True,
        "day": None,
        "moment": None,
        "price": 150,
        "prices": [],
        "numbers": [],
        "words": None,
        "span": None,
        "ref": None,
    }


def test_a_field_without_a_default_must_be_there() -> None:
    assert unreadable(SYSTEM) == "the field text is missing and has no default"


@pytest.mark.parametrize("name", ["nothing", "key", "password", "deleted", "_source", "x" * 1000])
def test_a_field_that_is_not_declared_or_secret_is_not_let_in(name: str) -> None:
    assert unreadable({**SYSTEM, **STATE, name: "x"}) == f"the field {name[:64]!r} is not declared"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("text", None),
        ("text", 1),
        ("text", ["a"]),
        ("word", 1),
        ("number", "1"),
        ("number", 1.0),
        ("number", True),
        ("number", None),
        ("number", INT64),
        ("ratio", "1"),
        ("ratio", False),
        ("flag", 1),
        ("flag", "true"),
        ("day", 20260131),
        ("moment", 1),
        ("price", 1.5),
        ("price", 150),
        ("price", "1.505"),
        ("price", "1e2"),
        ("price", "NaN"),
        ("price", "Infinity"),
        ("price", ""),
        ("price", "-"),
        ("price", "1.2.3"),
        ("price", "--1"),
        ("price", "1_0"),
        ("price", "١"),
        ("price", "1" * 17),
        ("price", "1" * 5000),
        ("prices", "1.00"),
        ("prices", ["1.00", None]),
        ("prices", ["1.001"]),
        ("numbers", [1, "2"]),
        ("numbers", {}),
        ("words", "one"),
        ("words", [None]),
        ("span", "an hour"),
        ("span", "-P999999999DT1H"),
        ("span", "P999999999DT999999999H"),
        ("span", "PT000000001H000000001M000000000.000000001S"),
        ("ref", "x" * 36),
        ("ref", "0190F5C8-7A3E-7C1D-9B52-3F6E8D2A4C10"),
    ],
)
def test_a_value_of_another_kind_makes_the_record_unreadable(name: str, value: Any) -> None:
    assert f"the field {name} does not hold" in unreadable({**SYSTEM, **STATE, name: value})


@pytest.mark.parametrize(("value", "held"), [("9999999999999999.99", 10**18 - 1), ("-1", -100), ("1.500", 150), ("0", 0), ("-0.00", 0)])
def test_a_decimal_that_loses_nothing_is_let_in(value: str, held: int) -> None:
    assert document({**SYSTEM, **STATE, "price": value})["price"] == held


@pytest.mark.parametrize("value", [b"", b"{", b"\xff", b"[1]", b'"x"', b"1", b"null", b"true", b"[" * 5000, b'{"a":NaN}'])
def test_what_is_no_object_is_unreadable(value: bytes) -> None:
    assert unreadable(value) in ("the value is not JSON", "the value is not an object")


@pytest.mark.parametrize("other", [{"id": "other"}, {"id": None}, {"version": 4}, {"version": "3"}, {"version": None}])
def test_a_value_of_another_record_is_unreadable(other: dict[str, Any]) -> None:
    assert unreadable({**SYSTEM, **STATE, **other}) == "id and version in the value are not those of key and ce_sequence"


@pytest.mark.parametrize("name", ["created_at", "updated_at"])
def test_times_must_be_there(name: str) -> None:
    for value in ({**SYSTEM, **STATE, name: None}, {key: value for key, value in {**SYSTEM, **STATE}.items() if key != name}):
        assert unreadable(value) == "created_at or updated_at is missing"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from(sorted(STATE)), JSON | st.from_regex(r"-?[0-9.]{0,25}", fullmatch=True), st.booleans())
def test_a_strangers_value_is_a_document_or_unreadable(name: str, value: Any, listed: bool) -> None:
    try:
        made = operation(Rich.declaration, record({**SYSTEM, **STATE, name: [value] if listed else value}))
    except Unreadable:
        return
    assert orjson.loads(made.document).keys() == {*SYSTEM, *STATE}
