"""What was polled together, made ready for the index. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from twofold.documents import read_message
from twofold.index.port import Outcome
from twofold.log.port import Message
from twofold.newest import Newest
from twofold.record import Undeclared, Unreadable
from twofold.resource import Declaration

Tried = tuple[list[Outcome], str | None]  # outcomes of the first operations, and why it is not all of them


@dataclass(slots=True)
class Batch:
    """Messages, what they do to the index, with the message that it came from, and `letters`, messages that are put aside, with the reason.
    `tried` is the index's first answer to what it is asked for, once it is asked.
    """

    messages: Sequence[Message]
    newest: Newest[Message] = field(default_factory=Newest)
    letters: list[tuple[Message, str]] = field(default_factory=list)
    undeclared: bool = False
    tried: Future[Tried] | None = None

    def judge(self, outcomes: Sequence[Outcome]) -> None:
        """Takes the index's final answer. There is more to ask for where it refuses something that there is an older version of."""
        self.letters += [(message, reason) for _, message, reason in self.newest.judge(outcomes)]
        self.tried = None


def read(resource: Declaration, messages: Sequence[Message]) -> Batch:
    batch = Batch(messages)
    for message in messages:
        try:
            batch.newest.add(read_message(resource, message), message)
        except Unreadable as reason:
            batch.undeclared |= isinstance(reason, Undeclared)
            batch.letters.append((message, str(reason)))
    return batch
