"""Holds what the stores have against what clients were told. Pure; every fault is one line, and no line means that all is well."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise

from tests.chaos.history import Sent
from tests.chaos.world import Record, World

MOST = 20  # lines of one kind
EVENTS = {"create": "created", "put": "created", "patch": "updated", "replace": "updated", "secret": "updated", "delete": "deleted"}
MONEY = {"deposit": 1, "withdraw": -1}
UNMARKED = ("secret", "delete")  # what changes neither note nor balance leaves no mark


@dataclass
class Log:
    """The records of each key, each version once, in the order of their first occurrences."""

    by_key: dict[str, list[Record]]
    by_version: dict[tuple[str, int], Record]
    by_mark: dict[tuple[str, str, str], Record]  # key, type and mark

    def made_by(self, each: Sent) -> Record | None:
        """The record of an operation that was done."""
        kind = each.operation.kind
        if kind not in UNMARKED:
            return self.by_mark.get((each.id, EVENTS.get(kind, kind), each.operation.mark))
        found = self.by_version.get((each.id, (each.done and each.done.version) or 0))
        return found if found and found.type == EVENTS[kind] else None


def check(sent: Sequence[Sent], world: World) -> list[str]:
    log = read(world.records)
    checks = (
        answers(sent),
        order(world.records),
        done_once(sent, log),
        nothing_else(sent, log),
        money(sent, log, world),
        clock(log),
        table(log, world),
        index(world),
        uniques(world),
        asides(world),
    )
    return [line for found in checks for line in islice(found, MOST)]


def read(records: Sequence[Record]) -> Log:
    log = Log(defaultdict(list), {}, {})
    for record in records:
        if (record.key, record.version) not in log.by_version:
            log.by_key[record.key].append(record)
            log.by_version[record.key, record.version] = record
            log.by_mark.setdefault((record.key, record.type, mark(record)), record)
    return log


def answers(sent: Sequence[Sent]) -> Iterator[str]:
    """Every answer is the one that the plan knew, and all answers under one key are one."""
    for each in sent:
        if each.unresolved:
            yield f"{_told(each)}: not answered for certain, however often it was sent"
        elif each.done and each.refused:
            yield f"{_told(each)}: under one key {each.done.status} and {each.refused.status} {each.refused.code}"
        elif not each.as_planned:
            answer = each.done or each.refused
            wanted = f"{each.operation.expected}, version {each.operation.leaves}"
            yield f"{_told(each)}: {answer.status} {answer.code}, version {answer.version}, instead of {wanted}"  # type: ignore[union-attr]
        elif each.operation.leaves and len({(answer.status, answer.version, answer.body) for answer in each.answers if answer}) > 1:
            yield f"{_told(each)}: answers under one key differ: {each.answers}"


def order(records: Sequence[Record]) -> Iterator[str]:
    """Versions 1, 2, 3, … of each key; what comes again was there before, and is the same."""
    seen: dict[str, dict[int, Record]] = defaultdict(dict)
    for record in records:
        before = seen[record.key]
        if record.version not in before and record.version != len(before) + 1:
            yield f"{record.key}: version {record.version} in the log right after {len(before)}"
        elif before.setdefault(record.version, record) != record:
            yield f"{record.key}: version {record.version} is in the log with two contents"


def done_once(sent: Sequence[Sent], log: Log) -> Iterator[str]:
    """What was acknowledged is there, under the version that was told, and only there."""
    claims: Counter[tuple[str, int]] = Counter()
    for each in sent:
        if each.done is None:
            continue
        record = log.made_by(each)
        if record is None:
            yield f"{_told(each)}: acknowledged as version {each.done.version}, which is not in the log"
            continue
        claims[record.key, record.version] += 1
        if each.first_hand and each.first_hand.version != record.version:
            yield f"{_told(each)}: acknowledged as version {each.first_hand.version}, in the log as {record.version}"
    yield from (f"{key}: version {version} was given to {count} operations" for (key, version), count in claims.items() if count > 1)


def nothing_else(sent: Sequence[Sent], log: Log) -> Iterator[str]:
    """What is in the log was acknowledged, or may have been done by an operation that nobody knows the outcome of."""
    made = [log.made_by(each) for each in sent if each.done]
    acknowledged = {(record.key, record.version) for record in made if record}
    refused = {each.operation.mark for each in sent if each.refused and not each.done}
    open_marks = {each.operation.mark for each in sent if each.unresolved}
    open_ids = {(each.id, EVENTS.get(each.operation.kind)) for each in sent if each.unresolved}
    for (key, version), record in log.by_version.items():
        if (key, version) in acknowledged or mark(record) in open_marks or (key, record.type) in open_ids:
            continue
        how = "was refused" if mark(record) in refused else "nobody was told of"
        yield f"{key}: version {version}, {record.type} {mark(record)}, {how}, is in the log"
    marks = Counter(each for records in log.by_key.values() for each in _marks(records))
    yield from (f"{each}: done {count} times" for each, count in marks.items() if count > 1)


def money(sent: Sequence[Sent], log: Log, world: World) -> Iterator[str]:
    """Per account: what was acknowledged adds up to its balance, give or take what is unresolved; so do its records, one by one."""
    sums, open_in, open_out = Counter[str](), Counter[str](), Counter[str]()
    for each in sent:
        sign = MONEY.get(each.operation.kind)
        if sign is None:
            continue
        if each.done:
            sums[each.id] += sign * each.operation.amount
        elif each.unresolved:
            (open_in if sign > 0 else open_out)[each.id] += each.operation.amount
    for id_, row in world.rows.items():
        least, most = sums[id_] - open_out[id_], sums[id_] + open_in[id_]
        if not least <= row["balance"] <= most:
            yield f"{id_}: has {row['balance']}, acknowledged are {sums[id_]}, unresolved +{open_in[id_]} -{open_out[id_]}"
    for key, records in log.by_key.items():
        yield from _running(key, records)


def _running(key: str, records: Sequence[Record]) -> Iterator[str]:
    balance = 0
    for record in records:
        if record.value is None:
            return
        expected = balance + MONEY.get(record.type, 0) * record.args.get("amount", 0)
        balance = record.value["balance"]
        if balance != expected or balance < 0:
            yield f"{key}: version {record.version}, {record.type} of {record.args.get('amount')}, holds {balance} instead of {expected}"


def clock(log: Log) -> Iterator[str]:
    for key, records in log.by_key.items():
        times = [(record.version, record.value["updated_at"]) for record in records if record.value]
        for (_, before), (version, after) in pairwise(times):
            if after < before:
                yield f"{key}: version {version} was updated at {after}, the one before at {before}"


def table(log: Log, world: World) -> Iterator[str]:
    """The table is the last record of each key."""
    wanted = {key: _state(records[-1].value) for key, records in log.by_key.items() if records[-1].value}
    dead = {key: records[-1].version for key, records in log.by_key.items() if not records[-1].value}
    yield from _differences("the table", wanted, world.rows)
    yield from _differences("the tombstones", dead, world.tombstones)


def index(world: World) -> Iterator[str]:
    """The index is the table."""
    live = {id_: _state(document) for id_, document in world.documents.items() if not document.get("deleted")}
    dead = {id_: document["version"] for id_, document in world.documents.items() if document.get("deleted")}
    yield from _differences("the index", world.rows, live)
    yield from _differences("the index's tombstones", world.tombstones, dead)


def uniques(world: World) -> Iterator[str]:
    for what, states in (("rows", world.rows), ("documents", world.documents)):
        handles = Counter(state["handle"] for state in states.values() if not state.get("deleted"))
        yield from (f"{handle}: {count} {what} have this handle" for handle, count in handles.items() if count > 1)


def asides(world: World) -> Iterator[str]:
    if world.letters:
        yield f"{world.letters} dead letters"
    yield from (f"a secret stands in {place}" for place in world.leaks)
    yield from (f"a traceback stands in {place}" for place in world.tracebacks)


def mark(record: Record) -> str:
    """The mark of the operation that made it; for a secret that of the one before, and none for a delete."""
    return record.args.get("memo") or (record.value or {}).get("note", "")


def _marks(records: Sequence[Record]) -> Iterator[str]:
    """The mark of each record that brings one of its own."""
    note = ""
    for record in records:
        if record.type in MONEY or (record.value and record.value["note"] != note):
            yield mark(record)
        note = record.value["note"] if record.value else note


def _state(value: dict[str, object] | None) -> dict[str, object]:
    return {name: (value or {}).get(name) for name in ("version", "handle", "note", "balance")}


def _differences(where: str, wanted: dict[str, object], found: dict[str, object]) -> Iterator[str]:
    for key in sorted(wanted.keys() | found.keys()):
        if wanted.get(key) != found.get(key):
            yield f"{key}: {where} has {found.get(key)} instead of {wanted.get(key)}"


def _told(each: Sent) -> str:
    twin = "" if each.operation.twin is None else f" with a twin after {each.operation.twin * 1000:.1f} ms"
    return f"{each.operation.mark}, {each.operation.kind}{twin}"
