"""A search as a JSON body: the same parameters as members."""

from __future__ import annotations

from typing import Any

from twofold.errors import Problem
from twofold.kinds import KINDS, Kind
from twofold.query.language import SEARCH
from twofold.query.parameters import LISTS, Given, Parameters
from twofold.resource import Declaration

NUMBERS = ("limit", "offset", "facet_limit", "timeout_ms")


def parameters(resource: Declaration, body: Any) -> Parameters:
    """The members as parameters, a list as one parameter for each of its items. Raises Problem 400 for what has no such meaning."""
    if not isinstance(body, dict):
        detail = 'The body should be an object whose members are parameters, for example {"q": "ana", "limit": 10}.'
        raise Problem(400, "invalid-parameter", detail)
    given, found = Given(()), []
    for name, value in body.items():
        if name not in SEARCH and name not in resource.filterable:
            found.append((name, ""))  # refused by its name, whatever it holds
            continue
        types, allowed = _kind(resource, name).member
        several = name in LISTS or name in resource.filterable
        values = value if several and isinstance(value, list) else [value]
        if values and all(type(each) in types for each in values):
            found += [(name, _text(each)) for each in values]
        else:
            given.refuse(name, f"Give {allowed}{', or a list of such' if several else ''}; leave the member out where nothing is meant.")
    given.raise_errors()
    return found


def _kind(resource: Declaration, name: str) -> Kind:
    if name in NUMBERS:
        return KINDS["integer"]
    return resource.filterable[name].kind if name in resource.filterable else KINDS["string"]


def _text(value: Any) -> str:
    return ("false", "true")[value] if isinstance(value, bool) else str(value)
