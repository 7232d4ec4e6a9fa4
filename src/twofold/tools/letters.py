"""`twofold dead-letters`: what was put aside, and what becomes of it.

A topic cannot lose single messages, so that a letter is settled is a message too: without key and value, its header `dlq_settled` names
the offsets of the letters, `dlq_how` whether they were retried or discarded.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from twofold.bootstrap import System
from twofold.errors import NeedsRebuild, Rejected, Unavailable
from twofold.index.port import Verdict
from twofold.letters import versions
from twofold.log.port import Message
from twofold.projector.batch import read
from twofold.record import identity
from twofold.resource import Declaration

BATCH = 500
SHOWN = 200  # characters of a header in a list: anybody who may write into the topic may have written it
COUNTED = 10_000  # messages that are read, at most, to tell how many letters are open
POLL_SECONDS = 1.0
PATIENCE = 30.0  # seconds that bring nothing, while the log says that there is more


ABOUT = ("topic", "partition", "offset", "reason", "size")


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter; `number` is its offset in the topic of the dead letters, `message` what the projector met, as far as it was kept."""

    number: int
    message: Message
    about: Mapping[str, str]

    @property
    def row(self) -> dict[str, Any]:
        """For people and for JSON, of a bounded size."""
        headers = {name: _text(value) for name, value in self.message.headers}
        named = {"version": headers.get("ce_sequence"), "type": headers.get("ce_type"), "time": headers.get("ce_time")}
        told = {"key": _text(self.message.key), **named, **{name: self.about[name] for name in ABOUT if name in self.about}}
        return {"number": self.number, **{name: _short(value) for name, value in told.items()}}

    @property
    def whole(self) -> dict[str, Any]:
        """With its headers and its value."""
        headers = {name: _text(value) for name, value in self.message.headers}
        return {**self.row, "headers": headers, "value": _text(self.message.value)}


class Letters:
    """The dead letters of one resource."""

    def __init__(self, system: System, resource: Declaration) -> None:
        self._system, self._resource = system, resource

    def open(self) -> Iterator[Letter]:
        """Those that are not settled, the oldest first."""
        return (_letter(message) for message, is_open in self._letters() if is_open)

    def count(self) -> int:
        """How many are open, of the first COUNTED messages."""
        letters: set[int] = set()
        settled: set[int] = set()
        for message in islice(self._all(), COUNTED):
            numbers = _settled(message)
            settled.update(numbers)
            if not numbers:
                letters.add(message.offset)
        return len(letters - settled)

    def chosen(self, numbers: Collection[int]) -> list[Letter]:
        """The open letters of these numbers. Raises Rejected where one is not open."""
        found = [letter for letter in self.open() if letter.number in numbers]
        if missing := sorted(set(numbers) - {letter.number for letter in found}):
            raise Rejected(f"There is no open dead letter {missing[0]} of {self._resource.name}. `twofold dead-letters list` shows them.")
        return found

    def retry(self, letters: Iterator[Letter]) -> Iterator[tuple[Letter, str]]:
        """Applies the newest of each key that the index takes, gated by version. What became of each; those not refused are settled."""
        standing = _Standing(self._letters())
        for group in _groups(letters):
            found = [self._whole(letter) for letter in group]
            reasons = iter(self._applied([each for each in found if isinstance(each, Message)]))
            told = [(letter, each if isinstance(each, str) else next(reasons)) for letter, each in zip(group, found, strict=True)]
            taken = {letter.number for letter, reason in told if not reason}
            settled = [each for letter, each in zip(group, found, strict=True) if letter.number in taken and isinstance(each, Message)]
            self._settle(sorted(taken), settled, "retried", standing)
            yield from told

    def discard(self, letters: Iterator[Letter]) -> int:
        """Settles them without another try. Returns how many."""
        count, standing = 0, _Standing(self._letters())
        for group in _groups(letters):
            self._settle([letter.number for letter in group], [letter.message for letter in group], "discarded", standing)
            count += len(group)
        return count

    def _applied(self, messages: Sequence[Message]) -> list[str]:
        """Per message, why it cannot be applied still, or ""."""
        batch, resource, index = read(self._resource, messages), self._resource, self._system.index
        while batch.newest.found:
            outcomes = index.apply(resource, batch.newest.operations)
            if unavailable := [each for each in outcomes if each.verdict is Verdict.UNAVAILABLE]:
                raise Unavailable(f"The index cannot take {len(unavailable)} documents now: {unavailable[0].reason}")
            batch.judge(outcomes)
        reasons = {id(message): reason for message, reason in batch.letters}
        return [reasons.get(id(message), "") for message in messages]

    def _settle(self, numbers: Sequence[int], messages: Sequence[Message], how: str, standing: _Standing) -> None:
        """Notes that letters are settled, and that their ids are refused no more, but for those of which another letter is open."""
        if not numbers:
            return
        note = Message(None, None, (("dlq_settled", ",".join(map(str, numbers)).encode()), ("dlq_how", how.encode())))
        if reasons := [reason for reason in self._system.log.publish(self._resource.dead_letters, [note]) if reason]:
            raise Unavailable(f"It was not noted that letters are settled: {reasons[0]}")
        if forgiven := standing.without(messages):
            self._system.index.forgive(self._resource, forgiven)

    def _whole(self, letter: Letter) -> Message | str:
        """The message, read where it stood if it was too large for the topic of the dead letters; or why it cannot be had."""
        if "size" not in letter.about:
            return letter.message
        positions = self._system.log.positions(self._resource.topic, self._resource.group)
        ends = {each.partition: each.end for each in positions}
        try:
            partition, offset = int(letter.about["partition"]), int(letter.about["offset"])
            if not 0 <= offset < ends[partition]:
                raise KeyError(offset)
        except (KeyError, ValueError):
            return f"its headers name no place in {self._resource.topic}"
        try:
            return next(self._read(self._resource.topic, ends | {partition: offset}, partition, offset + 1))
        except (NeedsRebuild, StopIteration):
            mend = f"`twofold verify {self._resource.name} --repair` mends its document from the table"
            return f"its message has left {self._resource.topic}; {mend}"

    def _letters(self) -> Iterator[tuple[Message, bool]]:
        """All that were put aside, the oldest first, and whether they are open."""
        settled = {number for message in self._all() for number in _settled(message)}
        for message in self._all():
            if not _settled(message):
                yield message, message.offset not in settled

    def _all(self) -> Iterator[Message]:
        [position] = self._system.log.positions(self._resource.dead_letters, self._resource.group)
        return self._read(self._resource.dead_letters, {0: position.begin}, 0, position.end)

    def _read(self, topic: str, offsets: Mapping[int, int], partition: int, end: int) -> Iterator[Message]:
        """The messages of one partition before `end`. What comes in the others meanwhile is passed over."""
        if offsets[partition] >= end:
            return
        replay, until = self._system.log.replay(topic, offsets), time.monotonic() + PATIENCE
        try:
            while time.monotonic() < until:
                messages = [message for message in replay.poll(BATCH, POLL_SECONDS) if message.partition == partition]
                yield from (message for message in messages if message.offset < end)
                if messages and messages[-1].offset >= end - 1:
                    return
                until = time.monotonic() + PATIENCE if messages else until  # not counted: how long they were worked on
        finally:
            replay.close()
        raise Unavailable(f"The log does not give what it says to hold in {topic}")


class _Standing:
    """How many letters of each id are open: for as long as one is, the id is noted as refused. `letters` come with whether each is open."""

    def __init__(self, letters: Iterable[tuple[Message, bool]]) -> None:
        self._open: Counter[str] = Counter()
        self._highest: dict[str, int] = {}
        for message, is_open in letters:
            if found := identity(message):
                self._open[found[0]] += is_open
                self._highest[found[0]] = max(found[1], self._highest.get(found[0], 0))

    def without(self, messages: Sequence[Message]) -> dict[str, int]:
        """Takes the letters of these messages out. Returns the ids of which none is open any more, with the highest version of each."""
        settled = Counter(found[0] for found in map(identity, messages) if found)
        self._open -= settled
        highest = versions([(message, "") for message in messages])
        return {id_: max(version, self._highest.get(id_, 0)) for id_, version in highest.items() if not self._open[id_]}


def _groups(letters: Iterator[Letter]) -> Iterator[list[Letter]]:
    while group := list(islice(letters, BATCH)):
        yield group


def _letter(message: Message) -> Letter:
    about = {name.removeprefix("dlq_"): _text(value) or "" for name, value in message.headers if name.startswith("dlq_")}
    own = tuple((name, value) for name, value in message.headers if not name.startswith("dlq_"))
    return Letter(message.offset, Message(message.key, message.value, own), about)


def _settled(message: Message) -> list[int]:
    text = dict(message.headers).get("dlq_settled") or b""
    return [int(number) for number in text.split(b",") if re.fullmatch(rb"[0-9]{1,18}", number)]


def _short(text: str | None) -> str | None:
    return text if text is None or len(text) <= SHOWN else f"{text[:SHOWN]}… ({len(text)} characters)"


def _text(value: bytes | None) -> str | None:
    """A key, a header or a value as text, whatever bytes it holds."""
    return None if value is None else value.decode(errors="replace")
