"""JSON from strangers: RFC 8259 with nothing left to interpretation.

Python's decoder accepts duplicate members (the last wins), NaN, lone surrogates and numbers of any length, and fails on deep
nesting with a RecursionError. All of these are refused here, with words for the client.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

from twofold.kinds.floats import double

MAX_DEPTH = 32
MAX_DIGITS = 400
_LONE = re.compile("[\ud800-\udfff]")
# The closing quote is optional: else a text that lacks it would be searched to its end from each of its quotes.
_STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*"?|[\[{]|[\]}]', re.DOTALL)


class NotJson(ValueError):
    """The text is not the JSON that is accepted; the message says why, without quoting it."""


def loads(body: bytes) -> Any:
    """The value. Raises NotJson."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise NotJson("The body is not UTF-8.") from None
    _check_depth(text)
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise NotJson(f"The body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}.") from None
    if "\\u" in text or "\\U" in text:
        _check_surrogates(value)
    return value


def _check_depth(text: str) -> None:
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return
    depth = 0
    for match in _STRING_OR_BRACKET.finditer(text):
        found = match.group()
        depth += found in "[{"
        depth -= found in "]}"
        if depth > MAX_DEPTH:
            raise NotJson(f"The body is nested more than {MAX_DEPTH} levels deep.")


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise NotJson("A member occurs twice in one object.")
    return members


def _constant(_: str) -> Any:
    raise NotJson("NaN and Infinity are not JSON.")


def _integer(digits: str) -> int:
    if len(digits) > 20 or not -(2**63) <= (value := int(digits)) < 2**63:
        raise NotJson("An integer does not fit in 64 bits.")
    return value


def _float(digits: str) -> float:
    if len(digits) > MAX_DIGITS or math.isinf(float(digits)):
        raise NotJson("A number does not fit in a double.")
    if (value := double(digits)) is None:
        raise NotJson("A number has more digits than a double holds. Decimal fields take strings.")
    return value


def _check_surrogates(value: Any) -> None:
    if isinstance(value, str) and _LONE.search(value):
        raise NotJson("A string holds half of a surrogate pair.")
    if isinstance(value, dict):
        for key, item in value.items():
            _check_surrogates(key)
            _check_surrogates(item)
    if isinstance(value, list):
        for item in value:
            _check_surrogates(item)


_DECODER = json.JSONDecoder(object_pairs_hook=_members, parse_constant=_constant, parse_int=_integer, parse_float=_float)
