"""Both sides and the way between, in memory: what the ports promise, and nothing more."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson

from twofold import Resource
from twofold.documents import of_row
from twofold.index.port import Held, Operation, Outcome, Verdict
from twofold.log.port import Position
from twofold.resource import Declaration
from twofold.store.port import Row, Tombstone
from twofold.verify.judge import Sides

TIME = "2026-01-02T03:04:05.678Z"
OK, STALE = Outcome(Verdict.OK), Outcome(Verdict.STALE)


class Person(Resource, name="people"):
    name: str


PEOPLE: Declaration = Person.declaration


def row(id_: str, version: int = 1, name: str = "Ana") -> Row:
    return Row(id_, version, {"name": name}, TIME, TIME)


def tombstone(id_: str, version: int = 2) -> Tombstone:
    return Tombstone(id_, version, TIME)


class World:
    """`between` is called at each call of a port: what happens meanwhile."""

    def __init__(self) -> None:
        self.truths: dict[str, Row | Tombstone] = {}
        self.documents: dict[str, Held] = {}
        self.outbox: list[tuple[float, Row | Tombstone]] = []
        self.log: list[Row | Tombstone] = []
        self.committed = 0
        self.refusals: dict[str, int] = {}
        self.refuses: Callable[[Operation], str] = lambda _: ""
        self.between: Callable[[], None] = lambda: None
        self._writes = 0
        side: Any = self
        self.sides = Sides(side, _Outbox(self), side, side, _Holdings(self))

    # what happens

    def write(self, truth: Row | Tombstone) -> None:
        self.truths[truth.id] = truth
        self.outbox.append((time.time(), truth))

    def relay(self) -> None:
        self.log += [truth for _, truth in self.outbox]
        self.outbox.clear()

    def project(self) -> None:
        for truth in self.log[self.committed :]:
            self.put(of_row(PEOPLE, truth))
        self.committed = len(self.log)

    def put(self, operation: Operation) -> None:
        """As the projector does, gated."""
        if operation.id not in self.documents or self.documents[operation.id].gate < operation.version:
            self.plant(operation.id, orjson.loads(operation.document), operation.version)

    def plant(self, id_: str, document: dict[str, Any], gate: int) -> None:
        self._writes += 1
        self.documents[id_] = Held(id_, gate, document, (self._writes,))

    def level(self, *truths: Row | Tombstone) -> None:
        """Rows that are in the index."""
        for truth in truths:
            self.truths[truth.id] = truth
            self.put(of_row(PEOPLE, truth))

    # the store, the log and the index, as far as they are asked

    def scan(self, resource: Declaration, after: str, limit: int) -> list[Row | Tombstone]:
        self.between()
        return [self.truths[id_] for id_ in sorted(self.truths) if id_ > after][:limit]

    def fetch(self, resource: Declaration, ids: Sequence[str]) -> dict[str, Row | Tombstone]:
        self.between()
        return {id_: self.truths[id_] for id_ in ids if id_ in self.truths}

    def positions(self, topic: str, group: str) -> list[Position]:
        self.between()
        return [Position(0, 0, self.committed or None, len(self.log)), Position(1, 0, None, 0)]

    def refused(self, resource: Declaration, ids: Sequence[str]) -> dict[str, int]:
        return {id_: self.refusals[id_] for id_ in ids if id_ in self.refusals}

    def refresh(self, resource: Declaration) -> None:
        pass


class _Outbox:
    def __init__(self, world: World) -> None:
        self._world = world

    def backlog(self) -> tuple[int, float]:
        self._world.between()
        pending = self._world.outbox
        return len(pending), time.time() - pending[0][0] if pending else 0.0


class _Holdings:
    def __init__(self, world: World) -> None:
        self._world = world

    def scan(self, resource: Declaration, after: Held | None, limit: int) -> list[Held]:
        """Strays stand where their `id` belongs, or at the end; equal ones in the order of their last write."""
        self._world.between()
        ordered = sorted(self._world.documents.values(), key=_order)
        return [each for each in ordered if after is None or _order(each) > _order(after)][:limit]

    def held(self, resource: Declaration, ids: Sequence[str]) -> dict[str, Held]:
        self._world.between()
        return {id_: self._world.documents[id_] for id_ in ids if id_ in self._world.documents}

    def restore(self, resource: Declaration, operations: Sequence[Operation], seen: Mapping[str, Held]) -> list[Outcome]:
        self._world.between()
        return [self._restore(each, seen.get(each.id)) for each in operations]

    def _restore(self, operation: Operation, seen: Held | None) -> Outcome:
        now = self._world.documents.get(operation.id)
        if now and now.gate > operation.version and now != seen:
            return STALE
        if reason := self._world.refuses(operation):
            return Outcome(Verdict.REJECTED, reason)
        self._world.plant(operation.id, orjson.loads(operation.document), operation.version)
        return OK

    def remove(self, resource: Declaration, seen: Sequence[Held]) -> list[Outcome]:
        self._world.between()
        return [OK if self._world.documents.get(each.id) == each and self._world.documents.pop(each.id) else STALE for each in seen]


def _order(held: Held) -> tuple[bool, str, int]:
    id_ = held.document.get("id")
    return not isinstance(id_, str), str(id_), held.place[0]
