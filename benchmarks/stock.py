"""People in numbers: put straight into the write store (with or without records in the outbox) or straight into the read store."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson
import uuid_utils

from twofold.bench import documents
from twofold.bench.queries import Known
from twofold.bootstrap import System
from twofold.index.port import Operation
from twofold.kinds.datetimes import timestamp
from twofold.record import Record
from twofold.resource import Declaration
from twofold.store.port import Row, Writes

BATCH = 2000
_SYLLABLES = "an na ma ri jo hn el la be to mi ka lu is so fi pe ter da vid sa ra tom as ro bert li en gu sta".split()  # noqa: SIM905 - syllables read best as words
_DRAW = random.Random(1)  # noqa: S311
WORDS = sorted({"".join(_DRAW.choice(_SYLLABLES) for _ in range(_DRAW.choice((2, 3)))).capitalize() for _ in range(3500)})[:2000]


@dataclass(frozen=True, slots=True)
class Person:
    """One resource in the form of each hop."""

    row: Row
    record: Record
    operation: Operation


def batches(resource: Declaration, count: int, first: int = 0) -> Iterator[list[Person]]:
    """So many people, in the order of their ids. Their names and addresses are the same in every run."""
    for start in range(first, first + count, BATCH):
        now = timestamp(datetime.now(UTC))
        size = min(BATCH, first + count - start)
        yield [_person(resource, now, *_named(number)) for number in range(start, start + size)]


def _named(number: int) -> tuple[str, str]:
    """A name and an address, the same ones in every run. Each of the 2,000 words is in one name of a thousand."""
    draw = random.Random(number)  # noqa: S311 - names, not secrets
    first, last = draw.choice(WORDS), draw.choice(WORDS)
    return f"{first} {last}", f"{first}.{last}.{number}@example.com".lower()


def commit(system: System, resource: Declaration, people: Sequence[Person], *, published: bool) -> None:
    """Rows in one transaction; with `published` their records in the outbox too."""
    with system.store.unit() as unit:
        unit.save(resource, Writes(inserts=[each.row for each in people]))
        if published:
            unit.publish([(resource, each.record) for each in people], [])
        unit.commit()


def index(system: System, resource: Declaration, people: Sequence[Person]) -> None:
    documents.apply(system, resource, [each.operation for each in people])


def indexed(system: System, resource: Declaration, count: int) -> Known:
    """Puts so many documents into the read store. Returns what may be asked for."""
    some: list[Person] = []
    for people in batches(resource, count):
        index(system, resource, people)
        some += sample(people, count)
    system.index.refresh(resource)
    return known(some)


def sample(people: Sequence[Person], count: int) -> Sequence[Person]:
    """Of `count` some 10,000."""
    return people[:: max(1, count // 10_000)]


def known(people: Sequence[Person]) -> Known:
    names = sorted({str(each.row.state["name"]) for each in people})
    words = sorted({word for name in names for word in name.split()})
    return Known([each.row.id for each in people], words, "name", names)


def _person(resource: Declaration, now: str, name: str, email: str) -> Person:
    id_ = str(uuid_utils.uuid7())
    state = {"name": name, "email": email}
    value = orjson.dumps({"id": id_, "version": 1, **state, "created_at": now, "updated_at": now})
    record = Record(id_, 1, f"{resource.name}.created", str(uuid_utils.uuid7()), now, value)
    return Person(Row(id_, 1, state, now, now), record, Operation(id_, 1, value))
