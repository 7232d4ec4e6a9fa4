"""JSON from strangers is read in one way or not at all."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from twofold.runtime.strictjson import MAX_DEPTH, NotJson, loads

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4), max_leaves=20)
LOOKS_LIKE_JSON = st.lists(
    st.sampled_from(['"', "\\", "\\u", "d800", "{", "}", "[", "]", ",", ":", "1", "e9", "-", "NaN", "\x00", "é", " "])
).map("".join)

REFUSED = {
    "a member twice": b'{"role":"user","role":"admin"}',
    "a member twice, deep inside": b'[{"a":{"b":1,"b":1}}]',
    "a member twice, written in two ways": b'{"a":1,"\\u0061":2}',
    "NaN": b'{"a":NaN}',
    "Infinity": b"Infinity",
    "minus Infinity": b"[-Infinity]",
    "a number too large for a double": b"1e400",
    "an exponent beyond those of decimals": b"1e-999999999999999999999",
    "zero with such an exponent": b"0e-99999999999999999999",
    "a long fraction": b"0." + b"1" * 5000,
    "5,000 digits": b"9" * 5000,
    "65 bits": b"9223372036854775808",
    "65 bits below zero": b"-9223372036854775809",
    "half a surrogate pair": rb'"\ud800"',
    "the other half": rb'{"a":["\udfff"]}',
    "half a pair in a name": rb'{"\ud83d":1}',
    "halves in the wrong order": rb'"\udca9\ud83d"',
    "half a pair as bytes": b'"\xed\xa0\x80"',
    "an open bracket 100,000 times": b"[" * 100_000,
    "an open object 100,000 times": b'{"a":' * 100_000,
    "100,000 pairs": b"[" * 100_000 + b"]" * 100_000,
    "one level too many": b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1),
    "a byte order mark": b'\xef\xbb\xbf{"a":1}',
    "UTF-16": '{"a":1}'.encode("utf-16"),
    "UTF-16 without a mark": '{"a":1}'.encode("utf-16-le"),
    "UTF-32": '{"a":1}'.encode("utf-32"),
    "Latin-1": b'"caf\xe9"',
    "a byte that UTF-8 never has": b'"\xff"',
    "an overlong slash": b'"\xc0\xaf"',
    "nothing": b"",
    "spaces": b" \n",
    "a control character": b'"a\nb"',
    "a zero byte": b'"\x00"',
    "two values": b"1 2",
    "a comma at the end": b"[1,]",
    "a comment": b"{}//",
    "single quotes": b"{'a':1}",
    "no quotes": b"{a:1}",
    "a plus": b"+1",
    "a leading zero": b"01",
    "a point at the end": b"1.",
    "hexadecimal": b"0x10",
    "an unknown escape": rb'"\x41"',
    "an open string": b'"abc',
    "a form": b"name=Ana&email=ana%40example.com",
}


@pytest.mark.parametrize("body", REFUSED.values(), ids=REFUSED)
def test_refused_is(body: bytes) -> None:
    with pytest.raises(NotJson):
        loads(body)


@pytest.mark.parametrize("body", REFUSED.values(), ids=REFUSED)
def test_a_refusal_is_short_and_quotes_nothing(body: bytes) -> None:
    with pytest.raises(NotJson) as refusal:
        loads(b'{"MARKER":"MARKER","x":' + body + b"}")
    assert len(str(refusal.value)) < 100
    assert "MARKER" not in str(refusal.value)


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (rb'"\ud83d\udca9"', "💩"),
        ('"💩"'.encode(), "💩"),
        (rb'"\\ud800"', r"\ud800"),
        (b"[" * MAX_DEPTH + b"]" * MAX_DEPTH, json.loads("[" * MAX_DEPTH + "]" * MAX_DEPTH)),
        (b'["' + b"[" * 100 + b'","' + rb"\"[" * 100 + b'"]', ["[" * 100, '"[' * 100]),
        (b"[" + b",".join([b"[]"] * 100) + b"]", [[]] * 100),
        (b" 9223372036854775807 ", 2**63 - 1),
        (b"-9223372036854775808", -(2**63)),
        (b"1e-300", 1e-300),
        (b"0.30000000000000004", 0.1 + 0.2),
        (b"1E308", 1e308),
        (b'{"":{"":1}}', {"": {"": 1}}),
    ],
)
def test_accepted_is(body: bytes, value: object) -> None:
    assert loads(body) == value


@given(VALUES)
def test_what_others_write_is_read(value: object) -> None:
    for ascii_only in (True, False):
        assert loads(json.dumps(value, ensure_ascii=ascii_only).encode()) == value


@given(
    st.binary()
    | LOOKS_LIKE_JSON.map(str.encode)
    | st.tuples(VALUES, st.binary(max_size=3)).map(lambda pair: json.dumps(pair[0]).encode() + pair[1])
)
@example(b"\xff\xfe{")
def test_any_bytes_are_a_value_or_not_json(body: bytes) -> None:
    try:
        value = loads(body)
    except NotJson:
        return
    json.dumps(value, allow_nan=False).encode()
    json.dumps(value, ensure_ascii=False).encode()


@pytest.mark.parametrize(
    "body",
    [
        b"[]" * 40 + b'"' + rb"\"" * 30_000,
        b'"' * 60_000 + b"[" * 40,
        rb"\"" * 30_000 + b"[" * 40,
        b"{" * 60_000,
        b"[" * 32 + b'"[' * 30_000,
    ],
    ids=["an open string", "quotes", "backslashes", "brackets", "brackets in strings"],
)
def test_no_body_takes_long_to_refuse(body: bytes) -> None:
    begun = time.process_time()
    with pytest.raises(NotJson):
        loads(body)
    assert time.process_time() - begun < 0.5
