"""A filter expression means one condition, or is refused with the place where it goes wrong."""

# ruff: noqa: PT017 - not every input is refused

from __future__ import annotations

import random
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.query.films import FIELDS, FILMS, SYSTEM, asked, errors

from twofold.errors import Problem
from twofold.fields import Field
from twofold.index.checks import check
from twofold.index.search import And, Begins, Compare, Condition, Exists, Not, OneOf, Or
from twofold.query.filter import read
from twofold.query.grammar import MAX_COMPARISONS, MAX_DEPTH, MAX_FILTER
from twofold.query.values import filterable

MIXED = "AND and OR side by side could be read in two ways: write (a AND b) OR c, or a AND (b OR c)."
A, B, C = OneOf("year", (1,)), OneOf("year", (2,)), OneOf("year", (3,))


def wrong(text: str) -> tuple[str, int, str]:
    """What is wrong, and the line with its place marked."""
    (error,) = errors(filter=text)
    line, caret = error["place"].splitlines()
    assert caret.strip() == "^"
    return error["detail"], error["position"], line[caret.index("^") :]


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("year = 1962", OneOf("year", (1962,))),
        ("year=1962", OneOf("year", (1962,))),
        ("year != 1962", Not(OneOf("year", (1962,)))),
        ("year < -1", Compare("year", "<", -1)),
        ("year<=1", Compare("year", "<=", 1)),
        ("year > 1", Compare("year", ">", 1)),
        ("year>=1", Compare("year", ">=", 1)),
        ("price >= 12.3", Compare("price", ">=", 1230)),
        ("prices = 0.05", OneOf("prices", (5,))),
        ("seen = true", OneOf("seen", (True,))),
        ("genre IN [drama, comedy]", OneOf("genre", ("drama", "comedy"))),
        ('tags in["new wave"]', OneOf("tags", ("new wave",))),
        ("premiere > 1962-01-23", Compare("premiere", ">", "1962-01-23")),
        ("added < 2026-01-31T12:00:00+02:00", Compare("added", "<", "2026-01-31T10:00:00.000Z")),
        ("created_at >= 2026-01-31T12:00:00Z", Compare("created_at", ">=", "2026-01-31T12:00:00.000Z")),
        ("version > 1", Compare("version", ">", 1)),
        ("id = 01a2", OneOf("id", ("01a2",))),
        ('id = "01*"', Begins("id", "01")),
        ("premiere EXISTS", Exists("premiere")),
        ("premiere is null", Not(Exists("premiere"))),
        ('title = "Jo*"', Begins("title", "Jo")),
        ("title = Jo*", Begins("title", "Jo")),
        ('title != "Jo*"', Not(Begins("title", "Jo"))),
        ('title = "*"', Exists("title")),
        (r'title = "Jo\*"', OneOf("title", ("Jo*",))),
        (r'title = "a\"b\\c\*d"', OneOf("title", ('a"b\\c*d',))),
        ('title = ""', OneOf("title", ("",))),
        ('title = "null"', OneOf("title", ("null",))),
        ("title = NOT", OneOf("title", ("NOT",))),
        ("genre IN [drama] and title = in", And((OneOf("genre", ("drama",)), OneOf("title", ("in",))))),
        ("title = \"'; DROP TABLE films; --\"", OneOf("title", ("'; DROP TABLE films; --",))),
        ("title = é'😀", OneOf("title", ("é'😀",))),
    ],
)
def test_a_comparison_means(text: str, condition: Condition) -> None:
    assert asked(filter=text).filter == condition


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("year=1 AND year=2 AND year=3", And((A, B, C))),
        ("year=1 or year=2 OR year=3", Or((A, B, C))),
        ("(year=1 AND year=2) OR year=3", Or((And((A, B)), C))),
        ("year=1 AND (year=2 OR year=3)", And((A, Or((B, C))))),
        ("(year=1)", A),
        ("((year=1 AND year=2))", And((A, B))),
        ("NOT year=1", Not(A)),
        ("NOT year=1 AND year=2", And((Not(A), B))),
        ("not (year=1 AND year=2)", Not(And((A, B)))),
        ("NOT NOT year=1", Not(Not(A))),
        ("\n year\t=\r\n1 ", A),
    ],
)
def test_conditions_are_combined(text: str, condition: Condition) -> None:
    assert asked(filter=text).filter == condition


@pytest.mark.parametrize(
    ("text", "detail", "position", "rest"),
    [
        ("", "Expected a field, NOT or (.", 1, ""),
        ("year", "Expected one of = != < <= > >=, IN, EXISTS or IS NULL.", 5, ""),
        ("year 5", "Expected one of = != < <= > >=, IN, EXISTS or IS NULL.", 6, "5"),
        ("year = ", "Expected a value, in double quotes if it is more than one plain word.", 8, ""),
        ("year == 1", "Expected a value, in double quotes if it is more than one plain word.", 7, "= 1"),
        ("year = 1 AND", "Expected a field, NOT or (.", 13, ""),
        ("year = 1 year = 2", "Expected AND, OR or the end.", 10, "year = 2"),
        ("title = Jules Jim", "Expected AND, OR or the end.", 15, "Jim"),
        ("(year = 1", "Expected AND, OR or ).", 10, ""),
        ("year = 1)", "Expected AND, OR or the end.", 9, ")"),
        ("year IN [1, 2", "Expected ] or a comma.", 14, ""),
        ("year IN []", "Expected a value, in double quotes if it is more than one plain word.", 10, "]"),
        ("year IN 1", "Expected [.", 9, "1"),
        ("year IS 5", "Expected NULL.", 9, "5"),
        ('title = "x', "This quote is not closed.", 9, '"x'),
        ('"title" = x', "Expected a field, NOT or (.", 1, '"title" = x'),
        ("title = \\", "Expected a value, in double quotes if it is more than one plain word.", 9, "\\"),
        ("year=1 AND year=2 OR year=3", MIXED, 19, "OR year=3"),
        ("(year=1 OR year=2 AND year=3)", MIXED, 19, "AND year=3)"),
        ("seen < true", "true and false have no order: write = or !=.", 6, "< true"),
        ('genre = "d*"', "Only text has a beginning; genre is one of a few values.", 9, '"d*"'),
        ('year = "1*"', "Only text has a beginning; year is integer.", 8, '"1*"'),
        ('title > "b*"', r"Text that ends with * is a beginning, and goes with = or != only. For a star write \* in quotes.", 9, '"b*"'),
        ("title = a*b", r"A * stands at the end of text only. For a star write \* in quotes.", 9, "a*b"),
        (r'title = "a\nb"', r'A backslash stands before ", \ or * only.', 9, r'"a\nb"'),
        ("title = NULL", 'Write IS NULL for no value, or "null" in quotes for the text.', 9, "NULL"),
        ("year = x", "year: An integer of 64 bits, for example 42.", 8, "x"),
        ("genre = horror", "genre: One of: drama, comedy.", 9, "horror"),
    ],
)
def test_the_place_is_marked_where_it_goes_wrong(text: str, detail: str, position: int, rest: str) -> None:
    assert wrong(text) == (detail, position, rest)


@pytest.mark.parametrize(
    ("text", "position"),
    [("title = 'Playtime'", 9), ("title = 'Jules et Jim'", 9), ("title != `Playtime`", 10), ("tags IN [a, “b”]", 13), ("year = '1962'", 8)],
)
def test_other_quotes_than_the_double_ones_are_refused(text: str, position: int) -> None:
    """As part of the value they would find nothing, and nobody would be told."""
    (error,) = errors(filter=text)
    assert (error["position"], "double quotes" in error["detail"]) == (position, True)
    assert read(FILMS, """title = O'Neill OR title = "'t Hooft" """)


@pytest.mark.parametrize("text", ['title > "{}"', 'title = "{}*"'])
def test_text_that_is_compared_by_its_order_or_beginning_is_short(text: str) -> None:
    check(FILMS, asked(filter=text.format("x" * 200)))
    (error,) = errors(filter=text.format("x" * 201))
    detail = "At most 200 characters, unless the text is compared as a whole, with =, != or IN."
    assert (error["detail"], error["position"]) == (detail, 9)
    check(FILMS, asked(filter=f'title = "{"x" * 201}" OR title IN ["{"x" * 201}"]'))


def test_everything_wrong_with_fields_and_values_is_told_at_once() -> None:
    found = errors(filter="yaer = 1 AND (price > 0.001 OR plot = x) AND key = x")
    assert [(error["position"], error["detail"].split(" Allowed")[0]) for error in found] == [
        (1, "There is no such field to filter by. Did you mean year?"),
        (23, "price: A decimal number with no more digits, and no more places, than the field has, for example 12.30."),
        (32, "There is no such field to filter by."),
        (46, "There is no such field to filter by."),
    ]
    assert found[0]["detail"].endswith(f"Allowed are: {', '.join([*FIELDS, *SYSTEM])}.")


def test_of_a_long_text_only_the_surroundings_are_shown() -> None:
    text = " AND ".join(["year = 1"] * 20) + " AND year = x AND " + " AND ".join(["year = 1"] * 20)
    (error,) = errors(filter=text)
    line, caret = error["place"].splitlines()
    assert (line[0], line[-1], line[caret.index("^")]) == ("…", "…", "x")
    assert len(line) < 100


def test_length_number_and_depth_are_limited() -> None:
    assert asked(filter=f'title = "{"x" * (MAX_FILTER - 10)}"')
    assert wrong(f'title = "{"x" * (MAX_FILTER - 9)}"')[0] == "At most 4,096 characters."
    assert asked(filter=" OR ".join(["year=1"] * MAX_COMPARISONS))
    assert wrong(" OR ".join(["year=1"] * (MAX_COMPARISONS + 1)))[:2] == ("At most 50 comparisons.", 501)
    assert asked(filter="year IN [" + ",".join(["1"] * 50) + "]")
    assert wrong("year IN [" + ",".join(["1"] * 51) + "]")[0] == "At most 50 values."
    for opening, closing in (("(", ")"), ("NOT ", ""), ("NOT (", ")")):
        deep = MAX_DEPTH // (1 + (opening == "NOT ("))
        assert asked(filter=opening * deep + "year=1" + closing * deep)
        assert wrong(opening * (deep + 1) + "year=1" + closing * (deep + 1))[0] == "NOT and parentheses at most 10 deep."
    assert asked(filter=" AND ".join(["(NOT (NOT year=1))"] * 12))


@pytest.mark.parametrize("piece", ["(", "NOT ", "x", " ", "x=", '"', '\\"', "year=1 AND ", "1,", "(year=1) OR ", ")", "[", "é"])
@pytest.mark.parametrize("before", ["", "year = ", 'title = "', "year IN ["])
def test_no_text_takes_long(before: str, piece: str) -> None:
    text = (before + piece * MAX_FILTER)[:MAX_FILTER]
    began = time.perf_counter()
    with pytest.raises(Problem):
        asked(filter=text)
    assert time.perf_counter() - began < 0.5


def printed(condition: Condition, draw: random.Random) -> str:
    """A text that means the condition; one of several."""
    match condition:
        case And(parts) | Or(parts):
            word = " AND " if isinstance(condition, And) else " or "
            return word.join(_inner(part, draw) for part in parts)
        case Not(inner):
            return _negated(inner, draw) if draw.random() < 0.5 else f"NOT {_inner(inner, draw)}"
        case _:
            return _comparison(condition)


def _negated(inner: Condition, draw: random.Random) -> str:
    match inner:
        case Exists(field):
            return f"{field} is null"
        case OneOf(field, (value,)):
            return f"{field} != {_literal(field, value)}"
        case _:
            return f"not {_inner(inner, draw)}"


def _comparison(condition: Condition) -> str:
    match condition:
        case OneOf(field, (value,)):
            return f"{field} = {_literal(field, value)}"
        case OneOf(field, values):
            return f"{field} IN [{', '.join(_literal(field, value) for value in values)}]"
        case Compare(field, operator, value):
            return f"{field}{operator}{_literal(field, value)}"
        case Begins(field, text):
            return f'{field} = {_quoted(text)[:-1]}*"'
        case Exists(field):
            return f"{field} EXISTS"
    raise AssertionError(condition)


def _inner(condition: Condition, draw: random.Random) -> str:
    text = printed(condition, draw)
    return f"({text})" if isinstance(condition, And | Or) else text


def _literal(field: str, value: Any) -> str:
    one: Field = filterable(FILMS)[field]
    if one.kind.name == "decimal":
        return f"{value / 100:.2f}"
    return _quoted(value) if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else repr(value)


def _quoted(text: str) -> str:
    return '"' + "".join(f"\\{character}" if character in '"\\*' else character for character in text) + '"'


TEXTS = st.text(max_size=8)
VALUES = {
    "title": TEXTS,
    "genre": st.sampled_from(["drama", "comedy"]),
    "year": st.integers(-(2**63), 2**63 - 1),
    "score": st.floats(allow_nan=False, allow_infinity=False),
    "price": st.integers(-(10**9), 10**9),
    "premiere": st.dates().filter(lambda day: day.year > 999).map(lambda day: day.isoformat()),
    "tags": TEXTS,
}
COMPARISONS = st.sampled_from(list(VALUES)).flatmap(
    lambda name: st.one_of(
        st.lists(VALUES[name], min_size=1, max_size=3).map(lambda values: OneOf(name, tuple(values))),
        st.builds(Compare, st.just(name), st.sampled_from(["<", "<=", ">", ">="]), VALUES[name]),
        st.just(Exists(name)),
    )
) | st.builds(Begins, st.sampled_from(["title", "tags", "id"]), st.text(min_size=1, max_size=8))
CONDITIONS: st.SearchStrategy[Condition] = st.recursive(
    COMPARISONS,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(And, st.lists(inner, min_size=2, max_size=3).map(tuple)),
        st.builds(Or, st.lists(inner, min_size=2, max_size=3).map(tuple)),
    ),
    max_leaves=8,
)


@given(CONDITIONS, st.randoms(use_true_random=False))
def test_what_is_printed_is_read_again(condition: Condition, draw: random.Random) -> None:
    text = printed(condition, draw)
    assert read(FILMS, text) == condition


PIECES = st.sampled_from(
    [
        *[*FIELDS, *SYSTEM, "plot", "AND", "or", "Not", "IN", "EXISTS", "IS", "NULL", "nul"],
        *["(", ")", "[", "]", ",", "=", "!=", "<", ">=", "!", '"', "\\", "*", "\0", "\ud800", "é", " "],
        *["1", "1.5", "true", "drama", "2026-01-31", "2026-01-31T12:00:00Z", '"a b"', r'"\*"', "Jo*", "1e999999"],
    ]
)


@given(st.lists(PIECES, max_size=20).map(" ".join) | st.lists(PIECES, max_size=12).map("".join) | st.text(max_size=60))
def test_any_text_is_a_condition_or_a_bad_request(text: str) -> None:
    try:
        search = asked(filter=text)
    except Problem as problem:
        assert problem.status == 400
        for error in problem.members["errors"]:
            assert error["detail"]
            assert 1 <= error["position"] <= len(text) + 1
            error["place"].encode()
        return
    check(FILMS, search)
