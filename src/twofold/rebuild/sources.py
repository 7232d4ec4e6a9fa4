"""What a generation is filled from: messages of the log, and rows and tombstones of the table. Pure, but for what is fetched."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import orjson
import uuid_utils

from twofold.documents import of_row, read_message
from twofold.index.port import Outcome
from twofold.log.port import Message
from twofold.newest import Newest
from twofold.record import Record, Unreadable
from twofold.resource import Declaration
from twofold.store.port import Row, Tombstone

Source = Message | Row | Tombstone
Fetch = Callable[[Sequence[str]], Mapping[str, Row | Tombstone]]


@dataclass(frozen=True, slots=True)
class Refusal:
    """A version of a resource that does not get into the generation, and why."""

    id: str
    version: int
    source: Source
    reason: str


@dataclass(slots=True)
class Items:
    """What there is to fill in, with what it comes from; and `refused`, of which no documents can be made, or that the index refuses."""

    newest: Newest[Source] = field(default_factory=Newest)
    refused: list[Refusal] = field(default_factory=list)

    def judge(self, outcomes: Sequence[Outcome]) -> None:
        """Takes the index's final answer. There is more to ask for where it refuses something that there is an older version of."""
        judged = self.newest.judge(outcomes)
        self.refused += [Refusal(operation.id, operation.version, source, reason) for operation, source, reason in judged]

    def add_rows(self, resource: Declaration, rows: Iterable[Row | Tombstone]) -> None:
        for row in rows:
            try:
                self.newest.add(of_row(resource, row), row)
            except Unreadable as reason:
                self.refused.append(Refusal(row.id, row.version, row, str(reason)))


def from_rows(resource: Declaration, rows: Iterable[Row | Tombstone]) -> Items:
    items = Items()
    items.add_rows(resource, rows)
    return items


def from_messages(resource: Declaration, messages: Iterable[Message], fetch: Fetch) -> Items:
    """What cannot be read, as a record of an older declaration, is taken from the table.

    What is not there either is passed over: the projector, which reads the same messages, puts it aside.
    """
    items = Items()
    unknown: set[str] = set()
    for message in messages:
        try:
            items.newest.add(read_message(resource, message), message)
        except Unreadable:
            unknown.add((message.key or b"").decode(errors="replace"))
    if unknown:
        items.add_rows(resource, fetch(sorted(unknown)).values())
    return items


def letter(resource: Declaration, source: Source) -> Message:
    """The message that a source came as, or would have come as."""
    if isinstance(source, Message):
        return source
    if isinstance(source, Tombstone):
        return _record(resource, source, "deleted", source.deleted_at, None)
    value = {"id": source.id, "version": source.version, **source.state, "created_at": source.created_at, "updated_at": source.updated_at}
    return _record(resource, source, "updated", source.updated_at, orjson.dumps(value, default=repr))


def _record(resource: Declaration, row: Row | Tombstone, event: str, time: str, value: bytes | None) -> Message:
    return Record(row.id, row.version, f"{resource.name}.{event}", str(uuid_utils.uuid7()), time, value).to_message()
