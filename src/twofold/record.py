"""The one thing that travels: a CloudEvents 1.0 record in Kafka's binary mode.

Key = id of the aggregate. Value = its full public state after the change (JSON), or null for a delete.
Headers = `ce_…` attributes. Source: CloudEvents Kafka protocol binding 1.0.2, section 3.2.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import orjson

from twofold.log.port import Message

MAX_VALUE = 512 * 1024
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_CONTENT_TYPE = b"application/json"
_HEADERS = ("ce_specversion", "ce_id", "ce_type", "ce_time", "ce_sequence", "ce_args", "traceparent")
_REQUIRED = 5  # of these, the first
_SEQUENCE = re.compile("[1-9][0-9]{0,17}")


def encoded(value: Any) -> bytes:
    """JSON to keep: orjson's own answers hold a buffer of 4 KiB for as long as they live, and a fresh one costs more than the encoding."""
    return b"%b" % orjson.dumps(value)


class Unreadable(Exception):
    """The message is not a record of ours; the text says why."""


class Undeclared(Unreadable):
    """The record is of this resource, and holds a field that this app does not declare."""


@dataclass(slots=True)  # not frozen: making a frozen one costs four times as much, and one is made per message
class Record:
    """One change of one aggregate. Nobody changes it.

    `event_id` is a UUIDv7, `type` e.g. `users.created`, `version` 1, 2, 3, … without a gap per key, `time` RFC 3339
    in UTC, `value` UTF-8 JSON (None for a delete), `args` the JSON of a domain command's public arguments.
    """

    key: str
    version: int
    type: str
    event_id: str
    time: str
    value: bytes | None
    args: str | None = None
    traceparent: str | None = None

    @property
    def deleted(self) -> bool:
        return self.value is None

    def to_message(self) -> Message:
        resource, _, _ = self.type.rpartition(".")
        headers = [
            ("ce_specversion", b"1.0"),
            ("ce_id", self.event_id.encode()),
            ("ce_source", f"/{resource}".encode()),
            ("ce_type", self.type.encode()),
            ("ce_subject", self.key.encode()),
            ("ce_time", self.time.encode()),
            ("ce_sequence", str(self.version).encode()),
            ("content-type", _CONTENT_TYPE),
        ]
        if self.args is not None:
            headers.append(("ce_args", self.args.encode()))
        if self.traceparent is not None:
            headers.append(("traceparent", self.traceparent.encode()))
        return Message(self.key.encode(), self.value, tuple(headers))

    @staticmethod
    def from_message(message: Message) -> Record:
        """The record in a message. Raises Unreadable for anything that twofold did not write."""
        headers = dict(message.headers)
        try:
            key = (message.key or b"").decode()
            texts = [None if (value := headers.get(name)) is None else value.decode() for name in _HEADERS]
        except UnicodeDecodeError:
            raise Unreadable("the key or a header is not UTF-8") from None
        required, more = texts[:_REQUIRED], texts[_REQUIRED:]
        if None in required:
            raise Unreadable(f"header {_HEADERS[required.index(None)]} is missing: not a CloudEvents record in binary mode")
        version, event_id, type_, time, sequence = [text for text in required if text is not None]
        if version != "1.0":
            raise Unreadable("ce_specversion is not 1.0")
        if not UUID.fullmatch(key):
            raise Unreadable("the key is not the id of an aggregate (a UUID in lower case)")
        if not _SEQUENCE.fullmatch(sequence):
            raise Unreadable("ce_sequence is not a version (a positive integer)")
        if (message.value is None) != type_.endswith(".deleted"):
            raise Unreadable("a null value goes with a ce_type that ends in .deleted, and only with it")
        return Record(key, int(sequence), type_, event_id, time, message.value, *more)


def identity(message: Message) -> tuple[str, int] | None:
    """Id and version, where key and ce_sequence tell them, whatever the rest of the message is worth."""
    key, sequence = message.key or b"", dict(message.headers).get("ce_sequence") or b""
    id_, version = key.decode(errors="replace"), sequence.decode(errors="replace")
    return (id_, int(version)) if UUID.fullmatch(id_) and _SEQUENCE.fullmatch(version) else None
