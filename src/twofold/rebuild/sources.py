"""What a generation is filled from: messages of the log, and rows and tombstones of the table. Pure, but for what is fetched."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import orjson
import uuid_utils

from twofold.documents import of_row, read_message
from twofold.index.port import Operation
from twofold.log.port import Message
from twofold.record import Record, Undeclared, Unreadable
from twofold.resource import Declaration
from twofold.store.port import Row, Tombstone

Source = Message | Row | Tombstone
Item = tuple[Operation, Source]
Fetch = Callable[[Sequence[str]], Mapping[str, Row | Tombstone]]


def from_rows(resource: Declaration, rows: Iterable[Row | Tombstone]) -> list[Item]:
    return [(of_row(resource, row), row) for row in rows]


def from_messages(resource: Declaration, messages: Iterable[Message], fetch: Fetch) -> list[Item]:
    """The newest operation per id. What an older declaration wrote and this one cannot read is taken from the table.

    What is no record at all is passed over: the projector, which reads it too, puts it aside.
    """
    newest: dict[str, Item] = {}
    unknown: set[str] = set()
    for message in messages:
        try:
            each = read_message(resource, message)
        except Undeclared:
            unknown.add((message.key or b"").decode())
        except Unreadable:
            continue
        else:
            if each.id not in newest or newest[each.id][0].version < each.version:
                newest[each.id] = each, message
    for each, row in from_rows(resource, fetch(sorted(unknown)).values() if unknown else ()):
        if each.id not in newest or newest[each.id][0].version < each.version:
            newest[each.id] = each, row
    return list(newest.values())


def letter(resource: Declaration, source: Source) -> Message:
    """The message that a source came as, or would have come as."""
    if isinstance(source, Message):
        return source
    if isinstance(source, Tombstone):
        return _record(resource, source, "deleted", source.deleted_at, None)
    value = {"id": source.id, "version": source.version, **source.state, "created_at": source.created_at, "updated_at": source.updated_at}
    return _record(resource, source, "updated", source.updated_at, orjson.dumps(value))


def _record(resource: Declaration, row: Row | Tombstone, event: str, time: str, value: bytes | None) -> Message:
    return Record(row.id, row.version, f"{resource.name}.{event}", str(uuid_utils.uuid7()), time, value).to_message()
