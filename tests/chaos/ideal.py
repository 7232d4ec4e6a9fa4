"""A bank without a fault, in memory: what every answer and every store is when all is well."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import orjson

from tests.chaos.checker import EVENTS, MONEY
from tests.chaos.history import Answer, Sent
from tests.chaos.operations import Operation, opening, operations
from tests.chaos.world import Record, World


@dataclass
class Bank:
    """Clients one after the other; each sends its twins and repetitions."""

    sent: list[Sent] = field(default_factory=list)
    world: World = field(default_factory=World)
    ids: dict[str, str] = field(default_factory=dict)  # by account
    ticks: int = 0

    def send(self, operation: Operation | None) -> None:
        while operation is not None:
            answer = self._answer(operation)
            again = [answer] * ((operation.twin is not None) + (operation.repeated and answer.done))
            self.sent.append(Sent(operation, self.ids.get(operation.account, operation.id), [answer, *again]))
            operation = operation.then if answer.done else None

    def _answer(self, operation: Operation) -> Answer:
        world, kind = self.world, operation.kind
        if kind in ("create", "put"):
            return self._created(operation)
        id_ = self.ids[operation.account]
        if id_ in world.tombstones:
            return Answer(410, "deleted")
        row = world.rows[id_]
        if operation.version not in (None, row["version"]):
            return Answer(412, "version-mismatch")
        if kind == "withdraw" and operation.amount > row["balance"]:
            return Answer(409, "insufficient-funds")
        return self._changed(operation, id_, dict(row))

    def _created(self, operation: Operation) -> Answer:
        if any(row["handle"] == operation.handle for row in self.world.rows.values()):
            return Answer(409, "handle-taken")
        id_ = self.ids[operation.account] = operation.id or str(uuid.uuid4())
        return self._written(operation, id_, {"version": 0, "handle": operation.handle, "note": operation.mark, "balance": 0}, 201)

    def _changed(self, operation: Operation, id_: str, row: dict[str, Any]) -> Answer:
        if operation.kind == "delete":
            del self.world.rows[id_]
            version = self.world.tombstones[id_] = row["version"] + 1
            self.world.documents[id_] = {"id": id_, "version": version, "deleted": True}
            self.world.records.append(Record(id_, version, "deleted", None))
            return Answer(204, version=version)
        row["balance"] += MONEY.get(operation.kind, 0) * operation.amount
        row["handle"] = operation.handle or row["handle"]
        row["note"] = operation.mark if operation.kind in ("patch", "replace") else row["note"]
        return self._written(operation, id_, row, 200)

    def _written(self, operation: Operation, id_: str, row: dict[str, Any], status: int) -> Answer:
        self.ticks += 1
        row["version"] += 1
        value = {"id": id_, **row, "updated_at": f"{self.ticks:09d}"}
        args = {"amount": operation.amount, "memo": operation.mark} if operation.kind in MONEY else {}
        self.world.rows[id_], self.world.documents[id_] = row, dict(value)
        self.world.records.append(Record(id_, row["version"], EVENTS.get(operation.kind, operation.kind), value, args))
        return Answer(status, version=row["version"], body=orjson.dumps(value).decode())


def bank(clients: int = 3, each: int = 400) -> Bank:
    found = Bank()
    for operation in [*opening(), *(one for client in range(clients) for one in islice(operations(7, client), each))]:
        found.send(operation)
    return found
