"""What a reader asks to see, and how long it waits: the headers Consistency-Token and Prefer (RFC 7240). Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.request import parse_http_list

from twofold.errors import Problem
from twofold.record import UUID
from twofold.resource import Declaration

MAX_TOKENS = 16
WAIT, MAX_WAIT = 2, 10  # seconds
_VERSION = re.compile("[1-9][0-9]{0,17}")
_FORM = "resource/id@version, as an answer to a command gave it"


@dataclass(frozen=True, slots=True)
class Token:
    """A version that a reader has to see, or a newer one. As text it is what the command service gave."""

    resource: Declaration
    id: str
    version: int

    def __str__(self) -> str:
        return f"{self.resource.name}/{self.id}@{self.version}"


@dataclass(frozen=True, slots=True)
class Wish:
    """Of each id at most one token. `lenient`: rather what is there than a problem. `applied`: what of Prefer is honoured."""

    tokens: tuple[Token, ...]
    seconds: int
    lenient: bool
    applied: str


def read(resources: Mapping[str, Declaration], tokens: Sequence[str], prefer: Sequence[str]) -> Wish:
    """What these headers ask for, all of each kind. Raises Problem 400."""
    preferences = _preferences(prefer)
    wait = preferences.get("wait")
    if wait is not None and wait not in map(str, range(MAX_WAIT + 1)):
        raise Problem(400, "malformed-header", f"Prefer: wait is a number of seconds from 0 to {MAX_WAIT}.")
    lenient = preferences.get("handling") == "lenient"
    applied = [] if wait is None else [f"wait={wait}"]
    seconds = WAIT if wait is None else int(wait)
    return Wish(_tokens(resources, tokens), seconds, lenient, ", ".join(applied + ["handling=lenient"] * lenient))


def _preferences(prefer: Sequence[str]) -> dict[str, str]:
    """The first of each name counts; parameters of a preference and those that nobody knows do not."""
    found: dict[str, str] = {}
    for each in parse_http_list(",".join(prefer)):
        name, _, value = each.partition(";")[0].partition("=")
        found.setdefault(name.strip().lower(), value.strip().strip('"'))
    return found


def _tokens(resources: Mapping[str, Declaration], given: Sequence[str]) -> tuple[Token, ...]:
    texts = [text for each in given for part in each.split(",") if (text := part.strip(" \t"))]
    if not 1 <= len(texts) <= MAX_TOKENS:
        raise _invalid(f"A read takes 1 to {MAX_TOKENS} tokens, and this one has {len(texts)}.")
    newest: dict[tuple[str, str], Token] = {}
    for token in (_token(resources, text) for text in texts):
        key = token.resource.name, token.id
        if key not in newest or newest[key].version < token.version:
            newest[key] = token
    return tuple(newest.values())


def _token(resources: Mapping[str, Declaration], text: str) -> Token:
    name, _, rest = text.partition("/")
    id_, _, version = rest.partition("@")
    if not UUID.fullmatch(id_) or not _VERSION.fullmatch(version):
        raise _invalid(f"A token is {_FORM}.")
    if name not in resources:
        raise _invalid(f"The token is of a resource that this service does not have. It has: {', '.join(resources)}.")
    return Token(resources[name], id_, int(version))


def _invalid(detail: str) -> Problem:
    return Problem(400, "consistency-token-invalid", f"Consistency-Token: {detail}")
