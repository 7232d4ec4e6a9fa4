"""The read store's ports: one index of documents per resource, written by version and searched, and its generations.

A *document* is JSON: the fields that the declaration shows to readers, decimals as scaled integers; or a tombstone
`{"id", "version", "deleted": true}`. A *generation* is one index with documents; the alias names the live one, which is meant wherever
`generation` is "". Adapters translate their driver's errors into `twofold.errors`; they never retry.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

from twofold.index.search import Hit, Page, Search
from twofold.resource import Declaration


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
class IndexStatus:
    """`generation` is the name behind the alias, `documents` the live ones, `tombstones` the deleted ones."""

    generation: str
    documents: int
    tombstones: int


@dataclass(frozen=True, slots=True)
class Generation:
    """One generation as it is now. `fits`: its shape is the declaration's. `blocked`: it takes no writes. `marks`: what `note` left."""

    name: str
    live: bool
    fits: bool
    blocked: bool
    documents: int
    size: int  # bytes
    marks: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Held:
    """What a generation holds under an id, tombstones too. `gate` is the version that the engine compares the next one with; a hand
    edit can raise it above the document's own. `place` is where exactly it stands: it changes with every write, and only the adapter
    reads it. A document that somebody made by hand may have another `id` inside, or none.
    """

    id: str
    gate: int
    document: dict[str, Any]
    place: tuple[Any, ...]


class ReadStore(Protocol):
    """Indices. Safe to use from several threads. `unsupported` names what this engine cannot do: a member of `CAPABILITIES`."""

    unsupported: frozenset[str]

    def migrate(self, resource: Declaration) -> list[str]:
        """Creates the first generation and its alias, adds new fields to the live one; says what it did, [] for nothing.

        A change that only a rebuild can make is not begun: the sentence about it is what is said. Raises Outdated for an index of that
        name that is not ours.
        """

    def pending(self, resource: Declaration) -> list[str]:
        """What `migrate` would do; the services refuse to start unless it is []. Raises Outdated for a change that only a rebuild can
        make, and as `migrate` does.
        """

    def apply(self, resource: Declaration, operations: Sequence[Operation], *, generation: str = "", anew: bool = False) -> list[Outcome]:
        """One outcome per operation, in their order. An id occurs once. A version as old as the index's own changes nothing,
        also after a delete; with `anew`, an equal version is written again. Raises Unavailable where nothing is known of any; the same
        call may then be made again. Raises Outdated where the generation is not of this declaration; so do `get`, `search` and `export`.
        """

    def get(self, resource: Declaration, ids: Sequence[str], *, generation: str = "") -> dict[str, dict[str, Any]]:
        """The documents of these ids, as of the last `apply`; tombstones are among them, the unknown are left out."""

    def search(self, resource: Declaration, searches: Sequence[Search], *, generation: str = "") -> list[Page]:
        """One page per search, over live documents as of the last refresh. Part of an answer only where the search allows it:
        Unavailable instead. Raises Rejected for a search that does not fit the declaration.
        """

    def export(self, resource: Declaration, search: Search) -> AbstractContextManager[Iterator[list[Hit]]]:
        """All hits of the search in bounded chunks, as of one moment, whatever is written or swapped meanwhile. `seconds` are
        for the first chunk, else Unavailable. `limit`, `after`,
        `offset`, facets and highlights have no meaning here.
        """

    def refresh(self, resource: Declaration, *, generation: str = "") -> None:
        """What was applied before is found by searches that start after."""

    def live(self, resource: Declaration) -> str:
        """The name of the generation behind the alias, asked for now. Raises Unavailable where there is none."""

    def refuse(self, resource: Declaration, versions: Mapping[str, int]) -> None:
        """Notes that these versions by id went to the dead letters. Survives rebuilds; the highest version stays."""

    def forgive(self, resource: Declaration, versions: Mapping[str, int]) -> None:
        """Takes the notes of these ids back, up to these versions. Later ones are noted as before."""

    def refused(self, resource: Declaration, ids: Sequence[str]) -> dict[str, int]:
        """The highest version that was noted for each of these ids; ids without a note are left out."""

    def status(self, resource: Declaration) -> IndexStatus:
        """Counts, as of the last refresh. Raises Outdated where `migrate` never ran."""

    def check(self) -> str:
        """One line on the engine and its version. Raises Unavailable where it does not answer."""

    def close(self) -> None:
        """Frees everything. May be called twice."""


class Generations(Protocol):
    """The generations of indices, for rebuild and rollback. All but `create` raise Rejected for a name that is none of the resource's."""

    def generations(self, resource: Declaration) -> list[Generation]:
        """All that exist, the oldest first."""

    def create(self, resource: Declaration, marks: Mapping[str, Any]) -> str:
        """The next generation, empty, of the declaration's shape; no reader sees it. `marks` as `note` leaves them. Returns its name."""

    def note(self, resource: Declaration, generation: str, marks: Mapping[str, Any]) -> None:
        """Leaves these marks (JSON) beside the generation in place of the ones before, durably."""

    def block(self, resource: Declaration, generation: str, *, blocked: bool) -> None:
        """Once it returns, nothing more is written to the generation by anybody: operations are unavailable. Or lifts that."""

    def promote(self, resource: Declaration, generation: str) -> None:
        """The alias names this generation, and no other, from one moment to the next. Nothing happens where it does already."""

    def drop(self, resource: Declaration, generation: str) -> None:
        """Deletes a generation and what it holds. Raises Rejected for the live one, and for one that is not this resource's."""

    def room(self) -> int | None:
        """Free bytes where generations are kept; None where the engine does not say."""


class Holdings(Protocol):
    """What the live generation holds, for verify and repair. All raise Outdated where it is not of this declaration."""

    def scan(self, resource: Declaration, after: Held | None, limit: int) -> list[Held]:
        """`limit` of what the live generation holds, tombstones too, behind `after`, which an earlier page ended with; fewer at the end
        only. As of the last refresh. In the order of ids (by bytes), but for those whose document has another `id` inside: they come where
        that belongs, or at the end. What is written meanwhile may come twice.
        """

    def held(self, resource: Declaration, ids: Sequence[str]) -> dict[str, Held]:
        """What is held under these ids now."""

    def restore(self, resource: Declaration, operations: Sequence[Operation], seen: Mapping[str, Held]) -> list[Outcome]:
        """Puts these documents in place of what was `seen`, with the operation's version as gate even where that is lower.

        STALE where a gate above the operation's version stands there that was not seen: a write came between, and wins.
        """

    def remove(self, resource: Declaration, seen: Sequence[Held]) -> list[Outcome]:
        """Deletes these, without a tombstone. STALE where something else stands there by now."""


CAPABILITIES = ("fuzzy", "facets", "highlight", "suggest", "export", "offset", "timeout")
