"""Documents in numbers, put straight into the read store: queries are measured on them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import orjson
import uuid_utils

from twofold.bench import bodies
from twofold.bench.bodies import Body
from twofold.bench.client import Digits
from twofold.bench.commands import Work
from twofold.bench.queries import Known
from twofold.bootstrap import System
from twofold.command.body import creation
from twofold.documents import operation
from twofold.errors import EngineError
from twofold.index.port import Operation, Verdict
from twofold.kinds.datetimes import timestamp
from twofold.record import Record
from twofold.resource import Declaration

BATCH = 2000
SAMPLE = 10_000
_ID = "00000000-0000-7000-8000-000000000000"


def store(system: System, work: Work, count: int) -> Known:
    """Puts so many documents into the read store. Returns what may be asked for."""
    ids: list[str] = []
    for operations in _batches(work.resource, work.found, count):
        apply(system, work.resource, operations)
        ids += [each.id for each in operations[:: max(1, count // SAMPLE)]]
    system.index.refresh(work.resource)
    return Known(ids, bodies.texts(work.resource, work.found), *bodies.filtered(work.resource, work.found))


def apply(system: System, resource: Declaration, operations: Sequence[Operation]) -> None:
    """Raises EngineError where the read store does not take all."""
    refused = [outcome for outcome in system.index.apply(resource, operations) if outcome.verdict is not Verdict.OK]
    if refused:
        raise EngineError(f"{len(refused)} of {len(operations)} documents were not taken: {refused[0].verdict.value} {refused[0].reason}")


def _batches(resource: Declaration, found: Sequence[Body], count: int) -> Iterator[list[Operation]]:
    """Each body's document is made once; then only its id and what is unique are put in."""
    made, digits = [_document(resource, body) for body in found], Digits()
    for start in range(0, count, BATCH):
        numbers = range(start, min(start + BATCH, count))
        yield [_operation(made[number % len(made)], digits) for number in numbers]


def _operation(document: bytes, digits: Digits) -> Operation:
    id_ = str(uuid_utils.uuid7())
    return Operation(id_, 1, digits.unique(document).replace(_ID.encode(), id_.encode()))


def _document(resource: Declaration, body: Body) -> bytes:
    state, _ = creation(resource, body)
    now = timestamp(datetime.now(UTC))
    value = orjson.dumps({"id": _ID, "version": 1, **state, "created_at": now, "updated_at": now})
    return operation(resource, Record(_ID, 1, f"{resource.name}.created", _ID, now, value)).document
