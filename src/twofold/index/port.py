"""The read store's port: one index of documents per resource, written by version and searched.

A *document* is JSON: the record's value with decimals as scaled integers, or a tombstone `{"id", "version", "deleted": true}`.
Adapters translate their driver's errors into `twofold.errors`; they never retry.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NamedTuple, Protocol

from twofold.resource import Declaration

TOTAL_CAP = 10_000


class Verdict(Enum):
    """What became of one operation."""

    OK = "ok"
    STALE = "stale"  # the index holds this version or a newer one: nothing to do
    REJECTED = "rejected"  # the index will never take this document
    UNAVAILABLE = "unavailable"  # the same operation may succeed later


@dataclass(slots=True)  # not frozen: see Record
class Operation:
    """Put `document` (JSON bytes) under `id` if the index holds no version as new as `version`."""

    id: str
    version: int
    document: bytes
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    verdict: Verdict
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Sort:
    """By a field, by `id`, `created_at`, `updated_at`, `version`, or by `_score` (how well `q` fits)."""

    field: str
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Search:
    """Every word of `words` and a word that begins with `prefix` occur in the text fields, and each filter's field has one of its values.

    Filter values are as documents hold them. `sort` always ends with `id`. `after` holds the sort values of the hit
    behind which the page starts. Missing values sort last. By `_score` alone, equal matches have an order of the engine's own.
    """

    words: tuple[str, ...] = ()
    prefix: str | None = None
    filters: tuple[tuple[str, tuple[Any, ...]], ...] = ()
    sort: tuple[Sort, ...] = (Sort("id"),)
    limit: int = 20
    after: tuple[Any, ...] | None = None


class Hit(NamedTuple):
    """A live document, and how well `q` fits it; None where the search is not sorted by that."""

    document: dict[str, Any]
    score: float | None


@dataclass(frozen=True, slots=True)
class Page:
    """`last` holds the values that the last hit was sorted by: the next page's `after`. `total` counts all matches, up to TOTAL_CAP;
    `exact` is false where there are more.
    """

    hits: list[Hit] = field(default_factory=list)
    last: tuple[Any, ...] | None = None
    total: int = 0
    exact: bool = True


@dataclass(frozen=True, slots=True)
class IndexStatus:
    """`generation` is the name behind the alias, `documents` the live ones, `tombstones` the deleted ones."""

    generation: str
    documents: int
    tombstones: int


class ReadStore(Protocol):
    """Indices. Safe to use from several threads."""

    def migrate(self, resource: Declaration) -> list[str]:
        """Creates the first generation and its alias, adds new fields to the live one; says what it did, [] for nothing.

        Raises Outdated for a change that only a rebuild can make, and for an index of that name that is not ours.
        """

    def pending(self, resource: Declaration) -> list[str]:
        """What `migrate` would do; the services refuse to start unless it is []. Raises Outdated as `migrate` does."""

    def apply(self, resource: Declaration, operations: Sequence[Operation]) -> list[Outcome]:
        """One outcome per operation, in their order. An id occurs once. A version as old as the index's own changes nothing,
        also after a delete. Raises Unavailable where nothing is known of any; the same call may then be made again.
        """

    def get(self, resource: Declaration, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """The documents of these ids, as of the last `apply`; tombstones are among them, the unknown are left out."""

    def search(self, resource: Declaration, searches: Sequence[Search]) -> list[Page]:
        """One page per search, over live documents as of the last refresh. Never part of an answer: Unavailable instead."""

    def refresh(self, resource: Declaration) -> None:
        """What was applied before is found by searches that start after."""

    def status(self, resource: Declaration) -> IndexStatus:
        """Counts, as of the last refresh. Raises Outdated where `migrate` never ran."""

    def check(self) -> str:
        """One line on the engine and its version. Raises Unavailable where it does not answer."""

    def close(self) -> None:
        """Frees everything. May be called twice."""
