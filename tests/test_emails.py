"""`Email` takes what EmailStr takes, and makes the same of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import EmailStr, TypeAdapter, ValidationError

from twofold import Email

OURS, THEIRS = TypeAdapter(Email), TypeAdapter(EmailStr)
LOCAL = st.text(st.sampled_from('abcXYZ019._+-\'"@ é\\<>!'), max_size=70)
KNOWN = ("example.com", "EXAMPLE.com", "localhost", "a.test", "bücher.de")
DOMAIN = st.text(st.sampled_from("abcXYZ019.-_éßxn @[]"), max_size=70) | st.sampled_from(KNOWN)


def made(adapter: TypeAdapter[str], address: str) -> str | None:
    try:
        return adapter.validate_python(address)
    except ValidationError:
        return None


@given(local=LOCAL, domain=DOMAIN)
def test_generated_addresses(local: str, domain: str) -> None:
    address = f"{local}@{domain}"
    theirs = made(THEIRS, address)
    assert made(OURS, address) == (None if "<" in address else theirs)


@pytest.mark.parametrize(
    "address",
    [
        "ana@example.com",
        " ana@example.com ",
        "Ana.Maria+list@Example.COM",
        f"{'a' * 64}@example.com",
        f"{'a' * 65}@example.com",
        f"a@{'b' * 60}.{'c' * 60}.{'d' * 60}.{'e' * 60}.example.com",
        "Info@example.com",
        "POSTMASTER@example.com",
        "ana@bücher.de",
        "añá@example.com",
        "o'neill@example.com",
        '"a b"@example.com',
        "ana@localhost",
        "ana@example",
        "ana@-example.com",
        "ana..b@example.com",
        "ana@[127.0.0.1]",
        "ana",
        "@",
        "",
    ],
)
def test_addresses(address: str) -> None:
    assert made(OURS, address) == made(THEIRS, address)


def test_a_name_beside_the_address_is_refused() -> None:
    assert made(OURS, "Ana <ana@example.com>") is None


def test_it_is_described_as_an_address() -> None:
    assert OURS.json_schema() == {"type": "string", "format": "email"}
