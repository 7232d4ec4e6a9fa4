"""A write store, a log and a read store in memory, for one resource, as the ports have them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from twofold.errors import NeedsRebuild, Rejected, Unavailable
from twofold.index.port import Generation, Operation, Outcome, Verdict
from twofold.log.port import Message, Position
from twofold.rebuild.parts import Parts
from twofold.record import Record
from twofold.resource import Declaration
from twofold.store.port import Row, Tombstone
from twofold.users import User

USERS: Declaration = User.declaration
NOW = "2026-01-31T12:00:00.000Z"
OK, STALE = Outcome(Verdict.OK), Outcome(Verdict.STALE)


def key(number: int) -> str:
    return f"00000000-0000-7000-8000-{number:012d}"


def row(number: int, version: int = 1, name: str = "Ana") -> Row:
    return Row(key(number), version, {"name": name, "email": f"{number}@example.com"}, NOW, NOW)


def message(number: int, version: int = 1, name: str = "Ana", **more: Any) -> Message:
    one = row(number, version, name)
    value = {"id": one.id, "version": version, **one.state, "created_at": NOW, "updated_at": NOW, **more}
    return Record(one.id, version, "users.updated", "event", NOW, orjson.dumps(value)).to_message()


def deletion(number: int, version: int) -> Message:
    return Record(key(number), version, "users.deleted", "event", NOW, None).to_message()


class Store:
    def __init__(self, *rows: Row | Tombstone) -> None:
        self.rows: dict[str, Row | Tombstone] = {each.id: each for each in rows}
        self.failing: list[Exception] = []
        self.scans = 0
        self.scanned: Callable[[], None] = lambda: None

    def scan(self, resource: Declaration, after: str, limit: int) -> list[Row | Tombstone]:
        if self.failing:
            raise self.failing.pop(0)
        self.scans += 1
        found = [self.rows[id_] for id_ in sorted(self.rows) if id_ > after][:limit]
        self.scanned()
        return found

    def fetch(self, resource: Declaration, ids: Sequence[str]) -> dict[str, Row | Tombstone]:
        return {id_: self.rows[id_] for id_ in ids if id_ in self.rows}

    def count(self, resource: Declaration) -> int:
        return sum(isinstance(each, Row) for each in self.rows.values())

    def records(self, resource: Declaration) -> int:
        return sum(each.version for each in self.rows.values())


class Leases:
    def __init__(self) -> None:
        self.held: dict[str, str] = {}
        self.lock = threading.Lock()

    def take(self, name: str, holder: str, seconds: float) -> bool:
        with self.lock:
            return self.held.setdefault(name, holder) == holder

    def give_back(self, name: str, holder: str) -> None:
        with self.lock:
            if self.held.get(name) == holder:
                del self.held[name]


class Log:
    """One partition."""

    def __init__(self, *messages: Message, begin: int = 0, committed: int | None = None) -> None:
        self.begin, self.committed = begin, committed
        self.messages: list[Message] = []
        self.letters: list[Message] = []
        self.moved: list[Mapping[int, int]] = []
        self.replays: list[int] = []
        self.put(*messages)

    def put(self, *messages: Message) -> None:
        self.messages += [replace(each, partition=0, offset=len(self.messages) + number) for number, each in enumerate(messages)]

    def positions(self, topic: str, group: str) -> list[Position]:
        return [Position(0, self.begin, self.committed, len(self.messages))]

    def replay(self, topic: str, offsets: Mapping[int, int]) -> Replay:
        self.replays.append(offsets[0])
        return Replay(self, offsets[0])

    def publish(self, topic: str, messages: Sequence[Message]) -> list[str | None]:
        assert topic == USERS.dead_letters
        self.letters += messages
        return [None] * len(messages)

    def move(self, topic: str, group: str, offsets: Mapping[int, int]) -> None:
        self.moved.append(dict(offsets))
        self.committed = offsets[0]


class Replay:
    def __init__(self, log: Log, offset: int) -> None:
        self._log, self._next = log, offset

    def poll(self, limit: int, timeout: float) -> list[Message]:
        if self._next < self._log.begin:
            raise NeedsRebuild(f"message {self._next} is gone")
        found = self._log.messages[self._next : self._next + limit]
        self._next += len(found)
        return found

    def offsets(self) -> dict[int, int]:
        return {0: self._next}

    def close(self) -> None:
        pass


@dataclass
class Made:
    """A generation in memory: documents with their gates."""

    marks: Mapping[str, Any]
    fits: bool = True
    blocked: bool = False
    documents: dict[str, tuple[int, dict[str, Any]]] = field(default_factory=dict)

    @property
    def live(self) -> int:
        return sum(not document.get("deleted") for _, document in self.documents.values())


class Index:
    def __init__(self, *operations: Operation) -> None:
        self.made = {"users-000001": Made({})}
        self.alias = "users-000001"
        self.free: int | None = None
        self.size = 1000
        self.refusing: dict[str, str] = {}
        self.noted: dict[str, int] = {}
        self.refreshed: list[str] = []
        self.answers: list[Exception | Outcome] = []
        self.lock = threading.Lock()
        self.apply(USERS, operations)

    def live(self, resource: Declaration) -> str:
        return self.alias

    def apply(self, resource: Declaration, operations: Sequence[Operation], *, generation: str = "", anew: bool = False) -> list[Outcome]:
        with self.lock:
            answer = self.answers.pop(0) if self.answers else None
            if isinstance(answer, Exception):
                raise answer
            made = self.made[generation or self.alias]
            if made.blocked or answer is not None:
                return [answer or Outcome(Verdict.UNAVAILABLE, "blocked")] * len(operations)
            return [self._put(made, each, anew) for each in operations]

    def _put(self, made: Made, each: Operation, anew: bool) -> Outcome:
        gate = made.documents.get(each.id, (0, {}))[0]
        document = orjson.loads(each.document)
        if reason := self.refusing.get(document.get("name", "")):
            return Outcome(Verdict.REJECTED, reason)
        if each.version < gate or (each.version == gate and not anew):
            return STALE
        made.documents[each.id] = each.version, document
        return OK

    def refresh(self, resource: Declaration, *, generation: str = "") -> None:
        self.refreshed.append(generation or self.alias)

    def refuse(self, resource: Declaration, versions: Mapping[str, int]) -> None:
        self.noted |= versions

    def generations(self, resource: Declaration) -> list[Generation]:
        return [
            Generation(name, name == self.alias, made.fits, made.blocked, made.live, self.size, made.marks)
            for name, made in sorted(self.made.items())
        ]

    def create(self, resource: Declaration, marks: Mapping[str, Any]) -> str:
        name = f"users-{int(max(self.made)[-6:]) + 1:06d}"
        self.made[name] = Made(orjson.loads(orjson.dumps(marks)))
        return name

    def note(self, resource: Declaration, generation: str, marks: Mapping[str, Any]) -> None:
        self.made[generation].marks = orjson.loads(orjson.dumps(marks))

    def block(self, resource: Declaration, generation: str, *, blocked: bool) -> None:
        self.made[generation].blocked = blocked

    def promote(self, resource: Declaration, generation: str) -> None:
        self.alias = generation

    def drop(self, resource: Declaration, generation: str) -> None:
        if generation == self.alias:
            raise Rejected("live")
        del self.made[generation]

    def room(self) -> int | None:
        return self.free

    def held(self, generation: str = "") -> dict[str, tuple[int, str | None]]:
        """By the last digits of the id: version and name, None for a tombstone."""
        held = self.made[generation or self.alias].documents
        return {id_[-3:]: (version, document.get("name")) for id_, (version, document) in held.items()}


def parts(store: Store, log: Log, index: Index, leases: Leases | None = None, holder: str = "me") -> Parts:
    given: Any = (store, leases or Leases(), log, index, index)
    return Parts(USERS, *given, holder)


AWAY = Unavailable("away")
