"""Tokens and preferences, as headers carry them."""

# ruff: noqa: PT017 - not every input is refused

from __future__ import annotations

import pytest
from examples.accounts import app as accounts
from hypothesis import given
from hypothesis import strategies as st

from twofold import App
from twofold.command.decide import token
from twofold.errors import Problem
from twofold.query.tokens import MAX_TOKENS, WAIT, Wish, read
from twofold.users import User

RESOURCES = App(User, *(declaration.cls for declaration in accounts)).resources
ID, OTHER = "01890000-0000-7000-8000-00000000000a", "01890000-0000-7000-8000-00000000000b"
ONE = f"users/{ID}@3"


def wish(*tokens: str, prefer: tuple[str, ...] = ()) -> Wish:
    return read(RESOURCES, tokens, prefer)


def refusal(*tokens: str, prefer: tuple[str, ...] = ()) -> Problem:
    with pytest.raises(Problem) as raised:
        wish(*tokens, prefer=prefer)
    return raised.value


@given(st.sampled_from(sorted(RESOURCES)), st.uuids(), st.integers(1, 10**18 - 1))
def test_a_token_is_what_the_command_service_gives(name: str, id_: object, version: int) -> None:
    text = token(RESOURCES[name], str(id_), version)
    [found] = wish(text).tokens
    assert (str(found), found.resource, found.id, found.version) == (text, RESOURCES[name], str(id_), version)


@pytest.mark.parametrize(
    "given",
    [
        (f"users/{ID}@3, accounts/{OTHER}@1",),
        (f"users/{ID}@3", f"accounts/{OTHER}@1"),
        (f"  users/{ID}@3\t,,accounts/{OTHER}@1,", ""),
        (f"users/{ID}@3,users/{ID}@2", f"accounts/{OTHER}@1,users/{ID}@1"),
        (f"users/{ID}@1,users/{ID}@3", f"accounts/{OTHER}@1"),
    ],
)
def test_several_are_taken_in_one_header_or_in_several_and_the_newest_of_an_id_counts(given: tuple[str, ...]) -> None:
    assert sorted(map(str, wish(*given).tokens)) == [f"accounts/{OTHER}@1", f"users/{ID}@3"]


@pytest.mark.parametrize(
    "given",
    [
        "x",
        "undefined",
        f"users/{ID}",
        f"users/{ID}@",
        f"users/{ID}@0",
        f"users/{ID}@03",
        f"users/{ID}@-3",
        f"users/{ID}@+3",
        f"users/{ID}@3.0",
        f"users/{ID}@\u0663",
        f"users/{ID}@{10**18}",
        f"users/{ID}@3@4",
        f"users/{ID} @3",
        f"users/{ID.upper()}@3",
        f"users/x/{ID}@3",
        "users/@3",
        f"{ID}@3",
        f'"users/{ID}@3"',
        f"users/{ID}@3; users/{ID}@4",
        f"{ONE},x",
    ],
)
def test_what_is_no_token_is_refused_with_its_form(given: str) -> None:
    error = refusal(given)
    assert (error.status, error.code) == (400, "consistency-token-invalid")
    assert "resource/id@version" in error.detail


@pytest.mark.parametrize("name", ["orders", "Users", "user", "", "users "])
def test_an_unknown_resource_is_refused_with_those_there_are(name: str) -> None:
    error = refusal(f"{name}/{ID}@3")
    assert (error.status, error.code) == (400, "consistency-token-invalid")
    assert error.detail.endswith("It has: users, accounts.")


def test_no_more_than_so_many_are_taken() -> None:
    texts = [f"users/01890000-0000-7000-8000-{number:012}@1" for number in range(MAX_TOKENS + 1)]
    assert len(wish(", ".join(texts[1:])).tokens) == MAX_TOKENS
    for tokens in ((", ".join(texts),), tuple(texts), ("",), (" , ",)):
        error = refusal(*tokens)
        assert (error.status, error.code) == (400, "consistency-token-invalid")
        assert f"1 to {MAX_TOKENS}" in error.detail


@pytest.mark.parametrize(
    ("prefer", "seconds", "lenient", "applied"),
    [
        ((), WAIT, False, ""),
        (("wait=0",), 0, False, "wait=0"),
        (("wait=10",), 10, False, "wait=10"),
        (("Wait = 5",), 5, False, "wait=5"),
        (('wait="5"; foo=3',), 5, False, "wait=5"),
        (("handling=lenient",), WAIT, True, "handling=lenient"),
        (("handling=strict",), WAIT, False, ""),
        (("handling=other, respond-async",), WAIT, False, ""),
        (("handling=lenient, wait=3",), 3, True, "wait=3, handling=lenient"),
        (("respond-async", "wait=3", "handling=lenient"), 3, True, "wait=3, handling=lenient"),
        (("wait=3", "wait=99", "handling=strict, handling=lenient"), 3, False, "wait=3"),
        (('foo="a, wait=99, handling=lenient", wait=1',), 1, False, "wait=1"),
        (('foo="a; wait=99"; bar="\\", wait=98"',), WAIT, False, ""),
        ((",,wait=1,",), 1, False, "wait=1"),
        (("",), WAIT, False, ""),
    ],
)
def test_preferences_are_those_of_their_specification(prefer: tuple[str, ...], seconds: int, lenient: bool, applied: str) -> None:
    found = wish(ONE, prefer=prefer)
    assert (found.seconds, found.lenient, found.applied) == (seconds, lenient, applied)


@pytest.mark.parametrize("wait", ["11", "-1", "1.5", "x", "", "1s", "99999999999999999999", "\u0663", "+1"])
def test_a_wait_out_of_range_is_refused_with_the_range(wait: str) -> None:
    error = refusal(ONE, prefer=(f"wait={wait}",))
    assert (error.status, error.code) == (400, "malformed-header")
    assert "from 0 to 10" in error.detail


@given(st.lists(st.text(st.characters(max_codepoint=255), max_size=60), max_size=4), st.lists(st.text(max_size=60), max_size=4))
def test_whatever_headers_hold_is_a_wish_or_a_problem(tokens: list[str], prefer: list[str]) -> None:
    try:
        found = wish(*tokens, ONE, prefer=tuple(prefer))
    except Problem as error:
        assert error.status == 400
    else:
        assert 1 <= len(found.tokens) <= MAX_TOKENS
        assert 0 <= found.seconds <= 10
