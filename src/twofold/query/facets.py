"""What `facets` asks for: values, calendar intervals, ranges or statistics of fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast, get_args

from twofold.fields import Field
from twofold.index.search import Dates, Facet, Interval, Ranges, Stats, Terms
from twofold.query import parameters
from twofold.query.parameters import Given
from twofold.query.values import SYSTEM, value_of
from twofold.resource import Declaration

NAMES = {"facets", "facet_limit", "time_zone"}
MAX_FACETS = 10
MAX_RANGES = 20
MAX_BUCKETS = 100
DEFAULT_BUCKETS = 10
INTERVALS: tuple[str, ...] = get_args(Interval)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What holds for all facets of a request."""

    zone: str
    limit: int
    selected: Mapping[str, tuple[Any, ...]]


def facetable(resource: Declaration) -> dict[str, Field]:
    """The fields that can be counted by, by name."""
    return {**resource.filterable, **{name: SYSTEM[name] for name in ("version", "created_at", "updated_at")}}


def read(resource: Declaration, given: Given, refinements: tuple[tuple[str, tuple[Any, ...]], ...]) -> dict[str, Facet]:
    """The facets by the words that asked for them. What is wrong is noted in `given`."""
    if not given.values.keys() & NAMES:
        return {}
    zone = parameters.time_zone(given)
    limit = parameters.integer(given, "facet_limit", 1, MAX_BUCKETS) or DEFAULT_BUCKETS
    asked = given.listed("facets")
    if asked is None:
        return {}
    if len(asked) > MAX_FACETS or len(set(asked)) < len(asked):
        given.refuse("facets", f"At most {MAX_FACETS} facets, each once.")
        return {}
    wanted, found = _Wanted(zone, limit, dict(refinements)), {}
    for words in asked:
        try:
            found[words] = _facet(facetable(resource), words, wanted)
        except ValueError as reason:
            given.refuse("facets", f"{reason}")
    return found


def _facet(fields: Mapping[str, Field], words: str, wanted: _Wanted) -> Facet:
    name, colon, how = words.partition(":")
    if name not in fields:
        raise ValueError(f"Names of fields.{parameters.did_you_mean(name, fields)} Allowed are: {', '.join(fields)}.")
    field = fields[name]
    if not colon:
        return Terms(name, wanted.limit, wanted.selected.get(name, ()))
    if how in field.kind.intervals:
        return Dates(name, cast("Interval", how), wanted.zone if field.kind.has_zone else "UTC")
    if field.kind.is_number and how == "stats":
        return Stats(name)
    if (field.kind.intervals or field.kind.is_number) and ".." in how:
        return Ranges(name, _bounds(field, how))
    raise ValueError(f"{name}: {_ways(field)}")


def _ways(field: Field) -> str:
    """What may be asked of a field."""
    name = field.name
    if field.kind.intervals:
        intervals = ", ".join(f"{name}:{each}" for each in field.kind.intervals)
        return f"Allowed are: {name}, {intervals}, and ranges ({name}:from..to;from..to)."
    if field.kind.is_number:
        return f"Allowed are: {name}, {name}:stats, and ranges ({name}:0..18;18..65;65..)."
    return f"Allowed is: {name}."


def _bounds(field: Field, how: str) -> tuple[tuple[Any, Any], ...]:
    ranges = how.split(";")
    if len(ranges) > MAX_RANGES:
        raise ValueError(f"{field.name}: At most {MAX_RANGES} ranges.")
    return tuple(_range(field, each) for each in ranges)


def _range(field: Field, text: str) -> tuple[Any, Any]:
    least, dots, beyond = text.partition("..")
    try:
        low, high = (value_of(field, bound) if bound else None for bound in (least, beyond))
    except ValueError as reason:
        raise ValueError(f"{field.name}: {reason}") from None
    if not dots or (low is None and high is None) or (low is not None and high is not None and low >= high):
        raise ValueError(f"{field.name}: A range begins below its end, which is not part of it: 18..65, ..18 or 65...")
    return low, high
