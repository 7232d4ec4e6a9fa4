"""Drift made by hand is found on every set of engines and mended, nothing else is touched, and live writes are no drift."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import orjson
import uuid_utils

from tests.pipeline.hand import hand
from tests.pipeline.steps import Pipeline
from twofold.bootstrap import System
from twofold.documents import of_row
from twofold.errors import Problem
from twofold.log.port import Message
from twofold.record import Record
from twofold.runtime.service import Service, stop_all
from twofold.tools.status import settled, status
from twofold.verify.result import Result
from twofold.verify.verifier import Verifier

EACH = 100
MOMENT = "2026-01-02T03:04:05.678Z"


def verified(pipeline: Pipeline, **options: Any) -> tuple[Result, dict[str, set[str]]]:
    """The result, and the ids by kind."""
    found: dict[str, set[str]] = {"missing": set(), "stale": set(), "orphaned": set(), "different": set()}
    verifier = Verifier(pipeline.system.sides(), pipeline.resource, tell=lambda kind, id_: found[kind].add(id_), **options)
    [*_, result] = verifier.run()
    assert {kind: len(ids) for kind, ids in found.items()} == {kind: tally.count for kind, tally in result.drift.items()}
    return result, found


def commanded(pipeline: Pipeline, name: str, ids: list[str], **body: Any) -> None:
    """One command for each, and their records in the index."""
    bodies = [{"name": f"Person {id_}", "email": f"{id_}@example.com", "note": None} if name == "create" else body for id_ in ids]
    for future in [pipeline.command(name, id_, **each) for id_, each in zip(ids, bodies, strict=True)]:
        future.result(30)


def new_ids() -> list[str]:
    return [str(uuid_utils.uuid7()) for _ in range(EACH)]


class Damaged:
    """People of every fate, EACH of them, and what is done to them by hand."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.gone, self.edited, self.altered, self.old, self.fine = live = [new_ids() for _ in range(5)]
        self.alive, self.buried, self.dead = deleted = [new_ids() for _ in range(3)]
        self.orphans, self.strays = new_ids(), new_ids()
        commanded(pipeline, "create", [id_ for ids in (*live, *deleted) for id_ in ids])
        first = pipeline.system.store.fetch(pipeline.resource, [*self.old, *self.alive])
        commanded(pipeline, "patch", [id_ for ids in live for id_ in ids], note="changed")
        commanded(pipeline, "delete", [id_ for ids in deleted for id_ in ids])
        pipeline.relay()
        pipeline.project()
        self._damage(pipeline, {id_: self._document(pipeline, row) for id_, row in first.items()})

    def _damage(self, pipeline: Pipeline, first: dict[str, Any]) -> None:
        rows = pipeline.system.store.fetch(pipeline.resource, [*self.edited, *self.altered])
        now = {id_: self._document(pipeline, row) for id_, row in rows.items()}
        by = hand(pipeline.system)
        by.delete([*self.gone, *self.buried])
        by.put({id_: now[id_] | {"name": "by hand"} for id_ in self.edited})
        by.put({id_: {**now[self.edited[0]], "id": id_, "version": 1} for id_ in self.orphans})
        by.put({id_: {"name": "by hand"} for id_ in self.strays})
        by.force(first | {id_: now[id_] | {"name": "by hand"} for id_ in self.altered})

    def _document(self, pipeline: Pipeline, row: Any) -> dict[str, Any]:
        document: dict[str, Any] = orjson.loads(of_row(pipeline.resource, row).document)
        return document

    def expected(self, *, deep: bool) -> dict[str, set[str]]:
        return {
            "missing": {*self.gone, *self.buried},
            "stale": {*self.old, *self.alive},
            "orphaned": {*self.orphans, *self.strays},
            "different": {*self.edited, *(self.altered if deep else [])},
        }


def test_what_was_damaged_by_hand_is_found_and_mended_and_nothing_else_is_touched(pipeline: Pipeline) -> None:
    damaged = Damaged(pipeline)
    before = hand(pipeline.system).state()

    shallow, found = verified(pipeline)
    assert (found, shallow.agrees) == (damaged.expected(deep=False), False)
    deep, found = verified(pipeline, deep=True)
    assert (found, deep.agrees) == (damaged.expected(deep=True), False)
    assert hand(pipeline.system).state() == before

    mended, found = verified(pipeline, deep=True, repair=True)
    assert found == damaged.expected(deep=True)
    assert mended.agrees, mended
    after = hand(pipeline.system).state()

    touched = {id_ for ids in found.values() for id_ in ids}
    assert {id_: state for id_, state in after.items() if id_ not in touched} == {
        id_: state for id_, state in before.items() if id_ not in touched
    }
    assert len(after.keys() - touched) == 2 * EACH
    assert not after.keys() & found["orphaned"]
    assert sum(map(len, verified(pipeline, deep=True)[1].values())) == 0


def test_later_events_are_taken_after_a_repair(pipeline: Pipeline) -> None:
    damaged = Damaged(pipeline)
    assert verified(pipeline, deep=True, repair=True)[0].agrees
    some = [ids[0] for ids in (damaged.gone, damaged.edited, damaged.altered, damaged.old, damaged.fine)]

    commanded(pipeline, "patch", some, note="later")
    commanded(pipeline, "delete", [damaged.edited[1], damaged.gone[1]])
    pipeline.relay()
    pipeline.project()

    found = pipeline.system.index.get(pipeline.resource, [*some, damaged.edited[1], damaged.gone[1]])
    assert [(found[id_]["version"], found[id_]["note"]) for id_ in some] == [(3, "later")] * 5
    assert [found[id_]["deleted"] for id_ in (damaged.edited[1], damaged.gone[1])] == [True, True]
    assert verified(pipeline, deep=True)[0].agrees


def test_what_somebody_has_forged_in_the_topic_is_found_and_mended_and_later_changes_show(pipeline: Pipeline) -> None:
    """Whoever may write into the topic may write into the index (docs/security.md): nothing of it stays unseen, or for good."""
    resource, log = pipeline.resource, pipeline.system.log
    pipeline.write()
    pipeline.relay()
    pipeline.project()
    frozen, buried, altered, _, stranger = *pipeline.ids[:2], pipeline.ids[3], None, str(uuid_utils.uuid7())
    state = {"name": "Eve", "email": "eve@example.com", "note": None, "created_at": MOMENT, "updated_at": MOMENT}

    def forged(id_: str, version: int, *, deleted: bool = False) -> Message:
        value = None if deleted else orjson.dumps({"id": id_, "version": version, **state})
        event = f"{resource.name}.{'deleted' if deleted else 'updated'}"
        return Record(id_, version, event, str(uuid_utils.uuid7()), MOMENT, value).to_message()

    false = [forged(frozen, 10**15), forged(buried, 10**15, deleted=True), forged(altered, 2), forged(stranger, 1)]
    assert log.publish(resource.topic, false) == [None] * 4
    pipeline.command("patch", frozen, note="real").result(10)
    pipeline.relay()
    pipeline.project()
    assert pipeline.found()[frozen] == (10**15, None)

    result, found = verified(pipeline, deep=True)
    assert (found["orphaned"], set.union(*found.values())) == ({stranger}, {frozen, buried, altered, stranger})
    verified(pipeline, deep=True, repair=True)
    assert verified(pipeline, deep=True)[0].agrees
    for id_ in (frozen, buried, altered):
        pipeline.command("patch", id_, note="later").result(10)
    pipeline.relay()
    pipeline.project()
    wanted = {**pipeline.expected(), frozen: (3, "later"), buried: (4, "later"), altered: (2, "later")}
    assert pipeline.found() == wanted
    assert not result.agrees


def test_live_writes_are_no_drift(pipeline: Pipeline) -> None:
    """People are created, changed and deleted all the while, and one document is damaged, which is found every time."""
    commanded(pipeline, "create", new_ids())
    [damaged, *others] = new_ids()
    commanded(pipeline, "create", [damaged, *others])
    pipeline.relay()
    pipeline.project()
    hand(pipeline.system).delete([damaged])

    with living(pipeline, others) as count:
        rounds = 0
        while rounds < 3 or count() < 20:
            result, found = verified(pipeline, deep=True)
            assert found == {"missing": {damaged}, "stale": set(), "orphaned": set(), "different": set()}, result
            assert result.undecided.count == 0
            rounds += 1
        mended, _ = verified(pipeline, deep=True, repair=True)
        assert mended.agrees, mended

    assert verified(pipeline, deep=True)[0].agrees


@contextmanager
def living(pipeline: Pipeline, ids: list[str]) -> Iterator[Any]:
    """Relay, projector, and a few clients who write as fast as they are answered."""
    system = pipeline.system
    services: list[Service] = [system.relay(), *system.projectors()]
    stop, done = threading.Event(), [0, 0]

    def client(number: int) -> None:
        chance = random.Random(number)
        while not stop.is_set():
            name, id_ = chance.choice([("patch", chance.choice(ids)), ("create", str(uuid_utils.uuid7())), ("delete", chance.choice(ids))])
            try:
                commanded(pipeline, name, [id_], note=str(chance.random()) if name == "patch" else None)
            except Problem as problem:
                if problem.status not in (404, 410):
                    raise
            done[number] += 1

    threads = [threading.Thread(target=client, args=(number,)) for number in range(2)]
    for each in (*services, *threads):
        each.start()
    try:
        yield lambda: sum(done)
    finally:
        stop.set()
        for thread in threads:
            thread.join(30)
        _drain(system)
        stop_all(services)


def _drain(system: System) -> None:
    until = time.monotonic() + 30
    while not settled(status(system)):
        assert time.monotonic() < until
        time.sleep(0.05)


def test_what_is_in_the_dead_letters_is_told_as_such_and_tried_again(pipeline: Pipeline) -> None:
    pipeline.write()
    pipeline.relay()
    pipeline.project()
    hand(pipeline.system).delete(pipeline.ids[:2])
    pipeline.system.index.refuse(pipeline.resource, {pipeline.ids[0]: 1, pipeline.ids[1]: 2})  # the second is at 3

    result, _ = verified(pipeline, repair=True)

    assert (result.drift["missing"].count, result.drift["missing"].refused) == (2, 1)
    assert result.agrees


def test_a_stopped_projector_leaves_things_undecided_and_is_named(pipeline: Pipeline) -> None:
    pipeline.write()

    result, found = verified(pipeline, patience=0.3)
    assert result.undecided.count == 5
    assert result.reasons == {"the relay did not pass within 0 s: does it run?"}

    pipeline.relay()
    result, _ = verified(pipeline, patience=0.3, repair=True)
    assert result.undecided.count == 5
    assert result.reasons == {"the projector did not pass within 0 s: does it run?"}
    assert not any(found.values())

    pipeline.project()
    assert verified(pipeline, deep=True)[0].agrees
