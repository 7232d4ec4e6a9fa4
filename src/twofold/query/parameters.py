"""Parameters one by one: what each may say, and what is answered where it says something else."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from twofold.errors import Problem
from twofold.index.checks import time_zones
from twofold.index.search import Sort
from twofold.query.values import MAX_VALUES, value_of
from twofold.resource import Declaration

MAX_SORTS = 3
MAX_TOLD = 20  # unknown names in one answer
LISTS = ("sort", "fields", "facets", "highlight")  # names with commas between them, or given several times
Parameters = Sequence[tuple[str, str]]


class Given:
    """The parameters of one request, and what is wrong with them."""

    def __init__(self, parameters: Parameters) -> None:
        self.values: dict[str, list[str]] = {}
        self.errors: list[dict[str, Any]] = []
        for name, value in parameters:
            self.values.setdefault(name, []).append(value)

    def one(self, name: str) -> str | None:
        """The value of a parameter that is given once; None where it is not given."""
        found = self.values.get(name)
        if found is None:
            return None
        if len(found) > 1:
            self.refuse(name, "Give this parameter once.")
        return found[0]

    def listed(self, name: str) -> list[str] | None:
        found = self.values.get(name)
        return None if found is None else ",".join(found).split(",")

    def refuse(self, name: str, detail: str, **members: Any) -> None:
        self.errors.append({"parameter": name[:64], "detail": detail, **members})

    def raise_errors(self) -> None:
        """Raises Problem 400 with everything that is wrong, if anything is."""
        if self.errors:
            raise Problem(400, "invalid-parameter", "The query has parameters that do not fit.", errors=self.errors)


def check_names(resource: Declaration, given: Given, parameters: Sequence[str], fields: Mapping[str, Any]) -> None:
    """Refuses what is neither one of these parameters nor one of these fields."""
    wrong = [name for name in given.values if name not in parameters and name not in fields]
    if not wrong:
        return
    allowed = [*parameters, *fields]
    told = {field.name for field in resource.indexed}
    for name in wrong[:MAX_TOLD]:
        if name in told and fields:
            given.refuse(name, f"This field is not declared as filterable (Keyword). Allowed are: {', '.join(allowed)}.")
        else:
            given.refuse(name, f"Unknown.{did_you_mean(name, allowed)} Allowed are: {', '.join(allowed)}.")


def did_you_mean(name: str, allowed: Iterable[str]) -> str:
    """A guess as a sentence, with a space before it; "" where nothing is like it."""
    meant = difflib.get_close_matches(name[:64], list(allowed), 1)
    return f" Did you mean {meant[0]}?" if meant else ""


def integer(given: Given, name: str, low: int, high: int) -> int | None:
    text = given.one(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(high)) and low <= int(text) <= high):
        given.refuse(name, f"{low:,} to {high:,}.")
        return None
    return int(text)


def choice(given: Given, name: str, allowed: Sequence[str]) -> str:
    """One of these words, the first where none of them is given."""
    text = given.one(name)
    if text is not None and text not in allowed:
        given.refuse(name, f"One of: {', '.join(allowed)}.")
        text = None
    return allowed[0] if text is None else text


def names(given: Given, name: str, allowed: Sequence[str]) -> tuple[str, ...]:
    """Names out of those that are allowed, each once; () where none are given."""
    found = given.listed(name)
    if found is None:
        return ()
    for each in found:
        if each not in allowed:
            given.refuse(name, f"Names with commas between them.{did_you_mean(each, allowed)} Allowed are: {', '.join(allowed)}.")
            return ()
    return tuple(dict.fromkeys(found))


def members(resource: Declaration) -> list[str]:
    """The members of a representation, in its order."""
    return list(resource.blank)


def sortable(resource: Declaration) -> list[str]:
    return [*("id", "created_at", "updated_at", "version"), *(field.name for field in resource.indexed if field.sortable)]


def searchable(resource: Declaration) -> list[str]:
    return [field.name for field in resource.indexed if field.text]


def sort(resource: Declaration, given: Given, default: Sort) -> tuple[Sort, ...]:
    found = given.listed("sort")
    if found is None:
        return (default,)
    bare, allowed = [name.removeprefix("-") for name in found], sortable(resource)
    for name in bare:
        if name not in allowed:
            guess = did_you_mean(name, allowed)
            given.refuse("sort", f"Names of fields, with - before one for descending.{guess} Allowed are: {', '.join(allowed)}.")
            return (default,)
    if len(bare) > MAX_SORTS or len(set(bare)) < len(bare):
        given.refuse("sort", f"At most {MAX_SORTS} fields, each once.")
    return tuple(Sort(name.removeprefix("-"), name.startswith("-")) for name in found)


def refinements(resource: Declaration, given: Given) -> tuple[tuple[str, tuple[Any, ...]], ...]:
    """The values of fields, in the order of their names."""
    found = []
    for name in sorted(given.values.keys() & resource.filterable.keys()):
        texts = given.values[name]
        if len(texts) > MAX_VALUES:
            given.refuse(name, f"At most {MAX_VALUES} values.")
            continue
        try:
            found.append((name, tuple(value_of(resource.filterable[name], text) for text in texts)))
        except ValueError as reason:
            given.refuse(name, f"{reason}")
    return tuple(found)


def time_zone(given: Given) -> str:
    name = given.one("time_zone")
    if name is not None and name not in time_zones():
        given.refuse("time_zone", f"The IANA name of a time zone, for example Europe/Berlin.{did_you_mean(name, time_zones())}")
    return "UTC" if name is None else name
