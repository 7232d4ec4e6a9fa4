"""The write store's ports: units of work, the outbox that they fill, and leases.

Adapters translate their driver's errors into `twofold.errors`; they never retry.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from twofold.record import Record
from twofold.resource import Declaration

RECEIPT_HOURS = 24
UNIT_HOURS = 1
Key = tuple[str, str, str]  # who asks ("" as long as nobody is known), resource, Idempotency-Key


@dataclass(slots=True)  # not frozen: see Record
class Row:
    """A live aggregate: its public state (JSON by field name), version and RFC 3339 times. Secrets are never loaded."""

    id: str
    version: int
    state: Mapping[str, Any]
    created_at: str
    updated_at: str


@dataclass(frozen=True, slots=True)
class Tombstone:
    """What is left of a deleted aggregate: the delete's version and RFC 3339 time."""

    id: str
    version: int
    deleted_at: str


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to a command: HTTP status, headers, body (JSON bytes, b"" for none).

    `seal` is that of the receipt that it rests on, "" where no secrets were given then; None without a receipt, or with one of 0.1.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    seal: str | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """That a command was done under an Idempotency-Key: with which status, on which id, and the version that this led to.

    `fingerprint` is a SHA-256 of what was asked but for its secrets, `seal` an argon2id hash of these, and goes with a deleted id. `kept`
    is the whole answer, in the receipts of twofold 0.1 only.
    """

    key: Key
    fingerprint: bytes
    status: int
    id: str
    version: int
    seal: str | None = None
    kept: Reply | None = None


@dataclass(frozen=True, slots=True)
class Loaded:
    """What became of the ids asked for: `rows` are locked by this unit, `busy` by somebody else, `deleted` are tombstones.

    Ids in none of the three do not exist.
    """

    rows: dict[str, Row] = field(default_factory=dict)
    busy: frozenset[str] = frozenset()
    deleted: frozenset[str] = frozenset()


@dataclass(slots=True)
class Writes:
    """What a unit changes in one resource. `secrets` are by id, then field; a row without an entry keeps its secrets.

    `replaces` has by id the version that an update or a delete finds, 0 for a row that this unit made; without an entry, the one before.
    """

    deletes: list[tuple[str, int, str]] = field(default_factory=list)  # id, version, time
    updates: list[Row] = field(default_factory=list)
    inserts: list[Row] = field(default_factory=list)
    secrets: dict[str, dict[str, str]] = field(default_factory=dict)
    replaces: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Doubt:
    """What a commit of unknown outcome is looked up by: the unit's id, its connection's number, its begin (monotonic seconds)."""

    unit: str
    connection: int = 0
    since: float = 0.0


class Unit(Protocol):
    """One transaction. Nothing of it remains unless `commit` returns, or `WriteStore.settle` says it does."""

    doubt: Doubt

    def load(self, resource: Declaration, ids: Sequence[str]) -> Loaded:
        """Locks the rows that it returns, and waits for none."""

    def taken(self, resource: Declaration, name: str, keys: Sequence[bytes]) -> dict[bytes, str]:
        """Which unique values of the field `name` are taken, and by which id. Locks nothing; the unique index decides."""

    def receipts(self, keys: Sequence[Key]) -> dict[Key, Receipt]:
        """The receipts that exist. Locks nothing."""

    def peek(self, resource: Declaration, ids: Sequence[str]) -> dict[str, Row]:
        """The rows of these ids, as they are now. Locks nothing."""

    def save(self, resource: Declaration, writes: Writes) -> None:
        """Deletes (leaving tombstones, and no seal in a receipt), updates, inserts, in this order. Raises Taken or Rejected, and
        Changed where a row has not the version that is replaced.
        """

    def publish(self, records: Iterable[tuple[Declaration, Record]], receipts: Iterable[Receipt]) -> None:
        """Puts records into the outbox, in the order given, and receipts beside them."""

    def commit(self) -> None:
        """Durable when it returns. OutcomeUnknown where the connection is lost meanwhile."""


class WriteStore(Protocol):
    """Units, and what may be asked without one. `unit` is used by one thread at a time."""

    def unit(self) -> AbstractContextManager[Unit]:
        """A new unit; leaving it without commit rolls it back."""

    def settle(self, doubt: Doubt) -> bool:
        """Whether a doubtful unit is done. Ends its connection, and waits until the answer cannot change.

        Raises Unavailable where the answer cannot be had.
        """

    def look(
        self, resource: Declaration, values: Mapping[str, bytes], keys: Sequence[str], principal: str | None = None
    ) -> tuple[set[str], dict[str, Receipt]]:
        """A cheap look without locks: the names of unique fields whose value is taken, and the receipts that exist, by Idempotency-Key.

        What is seen to be taken by a command that has a receipt is seen there too.
        """

    def owners(self, resource: Declaration, name: str, keys: Sequence[bytes]) -> dict[bytes, str]:
        """Which committed values of the unique field `name` are taken, and by which id. Locks nothing."""

    def scan(self, resource: Declaration, after: str, limit: int) -> list[Row | Tombstone]:
        """Up to `limit` committed rows and tombstones, in the order of ids (by bytes), behind the id `after`. Locks nothing.

        An id occurs once. One that is deleted meanwhile is a row or a tombstone, never missing.
        """

    def fetch(self, resource: Declaration, ids: Sequence[str]) -> dict[str, Row | Tombstone]:
        """The committed rows and tombstones of these ids; the unknown are left out. Locks nothing."""

    def count(self, resource: Declaration) -> int:
        """How many live rows there are."""

    def records(self, resource: Declaration) -> int:
        """How many records rows and tombstones have made: the sum of their versions."""

    def purge(self) -> bool:
        """Removes unit rows older than an hour and receipts older than a day, a bounded number at a call; True if there are more."""

    def check(self) -> list[tuple[bool, str]]:
        """Findings on engine, version and durable settings, each good or bad. Raises Unavailable where it does not answer,
        Outdated where this program's writers are not let in any more.
        """


class Leases(Protocol):
    """Who does what only one may do at a time, of all processes on this store."""

    def take(self, name: str, holder: str, seconds: float) -> bool:
        """Takes or renews the lease of this name (up to 63 characters) by the store's clock; False while another holds it."""

    def give_back(self, name: str, holder: str) -> None:
        """Gives the lease back, if it is this holder's."""


class Outbox(Protocol):
    """Records that are committed and not yet in the log. Used by the relay that leads."""

    def lead(self, holder: str, seconds: float) -> bool:
        """Takes or renews the lease by the store's clock; False while another holds it."""

    def resign(self, holder: str) -> None:
        """Gives the lease back."""

    def pending(self, limit: int, resources: Sequence[str] = ()) -> list[tuple[int, str, Record]]:
        """(row id, resource, record) of committed rows that were not removed, in order per key: of these resources, or of all that
        the app declares. A row that commits late, with a lower id than rows already removed, is among them.
        Fewer than `limit` where values are large: it ends behind the first that make up 8 MiB, and a few dozen rows more.
        """

    def remove(self, ids: Sequence[int]) -> None:
        """Removes exactly these rows, however many others commit meanwhile, and waits for no open transaction."""

    def backlog(self) -> tuple[int, float]:
        """How many records of the app's resources are pending (counted up to 100,000), and the age of the oldest in seconds."""

    def kept(self) -> Mapping[str, int]:
        """How many there are of what is kept beside rows and records, by name (each counted up to 100,000)."""
