"""What can be asked of an index, and what it answers. User text is only ever a value in this tree; each adapter translates it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

TOTAL_CAP = 10_000

Operator = Literal["<", "<=", ">", ">="]
Interval = Literal["year", "quarter", "month", "week", "day", "hour"]


@dataclass(frozen=True, slots=True)
class Term:
    """Applies where some text field holds `text`; text of several words as a phrase, the words next to each other.

    With `prefix`, a word that begins with the text will do; of several words, one field holds all, and the last is a beginning.
    With `typos`, a word with so many letters inserted, deleted, replaced or swapped with a neighbour will do too: its first letter
    is as given, and at most 128 such words are looked for. `excluded` turns it round.
    """

    text: str
    prefix: bool = False
    typos: int = 0
    excluded: bool = False


@dataclass(frozen=True, slots=True)
class OneOf:
    """The field holds one of these values; an item of it, where it is a list."""

    field: str
    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Compare:
    """The field, or an item of it, lies on that side of the value. Strings compare by their bytes in UTF-8."""

    field: str
    operator: Operator
    value: Any


@dataclass(frozen=True, slots=True)
class Begins:
    """The string, or an item of it, begins with exactly this text."""

    field: str
    text: str


@dataclass(frozen=True, slots=True)
class Exists:
    """The field holds a value: it is neither missing, nor null, nor an empty list."""

    field: str


@dataclass(frozen=True, slots=True)
class Not:
    """True where the condition is not; so also where the field holds no value."""

    condition: Condition


@dataclass(frozen=True, slots=True)
class And:
    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Or:
    conditions: tuple[Condition, ...]


Condition = OneOf | Compare | Begins | Exists | Not | And | Or


@dataclass(frozen=True, slots=True)
class Terms:
    """How many matches hold each value: the `limit` most frequent, equal counts in the order of their values, and those in `also`."""

    field: str
    limit: int = 10
    also: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Dates:
    """How many matches lie in each calendar interval of a time zone (IANA name), the first interval first, empty ones left out.

    More than 1,000 intervals with matches are refused (Unfit).
    """

    field: str
    interval: Interval
    time_zone: str = "UTC"


@dataclass(frozen=True, slots=True)
class Ranges:
    """How many matches lie in each range, from its first value on and below its second; None is no bound."""

    field: str
    bounds: tuple[tuple[Any, Any], ...]


@dataclass(frozen=True, slots=True)
class Stats:
    """Least, greatest and sum of the field's values, in double precision."""

    field: str


Facet = Terms | Dates | Ranges | Stats


@dataclass(slots=True)  # not frozen: see Record
class Bucket:
    """`value`: as documents hold it; of Dates the interval's beginning (a date, or a timestamp in UTC); of Ranges the pair of bounds."""

    value: Any
    count: int


@dataclass(frozen=True, slots=True)
class Buckets:
    """`other` counts values that are not listed, `missing` matches without a value; no count is wrong by more than `error_bound`.

    A match counts once for each of its values that differ.
    """

    buckets: tuple[Bucket, ...] = ()
    other: int = 0
    missing: int = 0
    error_bound: int = 0


@dataclass(frozen=True, slots=True)
class Summary:
    """Of all values, each item of a list by itself; `least` and `greatest` are None where `count` is 0."""

    count: int = 0
    least: float | None = None
    greatest: float | None = None
    sum: float = 0.0
    missing: int = 0


@dataclass(frozen=True, slots=True)
class Sort:
    """By a field, by `id`, `created_at`, `updated_at`, `version`, or by `_score` (how well `text` fits)."""

    field: str
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Search:
    """Live documents to which one term of each group in `text` applies, for which `filter` is true, and each refinement's field has one
    of its values.

    A term without a word in it ("&") drops out; where all dropped out, nothing is found. Values are as documents hold them. `sort`
    always ends with `id`; missing values sort last; by `_score` alone, equal matches have an order of the engine's own. Where terms have
    typos, a match without any has a score at least 1,000 above one with. `after` holds the sort values of the hit behind which the page
    starts, `offset` skips hits. `exact` counts all matches, beyond TOTAL_CAP too.

    A facet counts the matches; a `disjunctive` search counts for each facet as if the refinement of its own field were not there.
    `highlight` names text fields. With `seconds`, the engine gives up after that time, and tells what it has as an incomplete page; an
    export whose first hits are not there by then is Unavailable.
    """

    text: tuple[tuple[Term, ...], ...] = ()
    filter: Condition | None = None
    refinements: tuple[tuple[str, tuple[Any, ...]], ...] = ()
    sort: tuple[Sort, ...] = (Sort("id"),)
    limit: int = 20
    after: tuple[Any, ...] | None = None
    offset: int = 0
    exact: bool = False
    facets: tuple[Facet, ...] = ()
    disjunctive: bool = True
    highlight: tuple[str, ...] = ()
    marks: tuple[str, str] = ("", "")
    seconds: float | None = None


class Hit(NamedTuple):
    """A live document, how well `text` fits it (None where the search is not sorted by that), and by field the texts in which words were
    found, with the search's `marks` around each.
    """

    document: dict[str, Any]
    score: float | None
    marked: Mapping[str, list[str]] = {}


@dataclass(frozen=True, slots=True)
class Page:
    """`last` holds the values that the last hit was sorted by: the next page's `after`. `total` counts all matches, up to TOTAL_CAP
    unless the search is `exact`; `exact` is false where there are more. `facets` come in the search's order.
    """

    hits: list[Hit] = field(default_factory=list)
    last: tuple[Any, ...] | None = None
    total: int = 0
    exact: bool = True
    facets: tuple[Buckets | Summary, ...] = ()
    incomplete: bool = False
