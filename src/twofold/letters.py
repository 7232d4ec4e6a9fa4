"""The dead letters: messages that are put aside, with where they stood and why."""

from __future__ import annotations

from collections.abc import Sequence

from twofold.errors import Unavailable
from twofold.log.port import EventLog, Message
from twofold.record import MAX_VALUE, identity
from twofold.resource import Declaration

LARGE = MAX_VALUE // 2  # bytes; what may be too large for a log that took it once, in a compressed batch


def versions(letters: Sequence[tuple[Message, str]]) -> dict[str, int]:
    """The highest version of each id of which one is put aside, as far as the messages tell them."""
    found: dict[str, int] = {}
    for id_, version in filter(None, (identity(message) for message, _ in letters)):
        found[id_] = max(version, found.get(id_, 0))
    return found


def bury(resource: Declaration, events: EventLog, letters: Sequence[tuple[Message, str]]) -> None:
    """Puts messages aside, each with the reason. Raises Unavailable unless all are durable."""
    written = [_letter(resource, message, reason) for message, reason in letters]
    reasons = events.publish(resource.dead_letters, written)
    failed = [(letter, reason) for letter, reason in zip(written, reasons, strict=True) if reason is not None]
    large = [_without_content(letter) for letter, _ in failed if _size(letter) > LARGE]
    if len(large) < len(failed) or (large and any(events.publish(resource.dead_letters, large))):
        raise Unavailable(f"dead letters were not published: {failed[0][1]}")


def _letter(resource: Declaration, message: Message, reason: str) -> Message:
    place = {"topic": resource.topic, "partition": message.partition, "offset": message.offset, "reason": reason}
    headers = [(f"dlq_{name}", str(value).encode()) for name, value in place.items()]
    return Message(message.key, message.value, (*message.headers, *headers))


def _size(letter: Message) -> int:
    return len(letter.key or b"") + len(letter.value or b"") + sum(len(name) + len(value or b"") for name, value in letter.headers)


def _without_content(letter: Message) -> Message:
    """Where it stood, why it was refused, how large it was, and whose version it is, if it tells: the message itself stays in the topic."""
    told = identity(letter) is not None
    kept = tuple((name, value) for name, value in letter.headers if name.startswith("dlq_") or (told and name == "ce_sequence"))
    return Message(letter.key if told else None, None, (*kept, ("dlq_size", str(_size(letter)).encode())))
