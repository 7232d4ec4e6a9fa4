"""What was polled together, made ready for the index. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from twofold.documents import read_message
from twofold.index.port import Operation, Outcome
from twofold.log.port import Message
from twofold.record import Undeclared, Unreadable
from twofold.resource import Declaration

Tried = tuple[list[Outcome], str | None]  # outcomes of the first operations, and why it is not all of them


@dataclass(slots=True)
class Batch:
    """Messages, and what they do to the index: the newest operation per id with the message that it came from, and `letters`,
    messages that are no records, with the reason. `tried` is the index's first answer, once it is asked.
    """

    messages: Sequence[Message]
    newest: dict[str, tuple[Operation, Message]] = field(default_factory=dict)
    letters: list[tuple[Message, str]] = field(default_factory=list)
    undeclared: bool = False
    tried: Future[Tried] | None = None

    @property
    def operations(self) -> list[Operation]:
        return [each for each, _ in self.newest.values()]


def read(resource: Declaration, messages: Sequence[Message]) -> Batch:
    batch = Batch(messages)
    for message in messages:
        try:
            each = read_message(resource, message)
        except Unreadable as reason:
            batch.undeclared |= isinstance(reason, Undeclared)
            batch.letters.append((message, str(reason)))
            continue
        held = batch.newest.get(each.id)
        if held is None or held[0].version < each.version:
            batch.newest[each.id] = each, message
    return batch
