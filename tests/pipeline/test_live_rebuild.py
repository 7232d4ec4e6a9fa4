"""An index is made anew under live writes, is stopped between every two steps, and goes back: nothing is lost, nothing comes back."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Annotated, Any

import pytest
import uuid_utils
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from tests import engines
from tests.pipeline.steps import Pipeline
from tests.pipeline.test_interrupted import Stopped, stopped_after, stopped_before
from twofold import Keyword, Resource, Text, Unique
from twofold.bootstrap import System
from twofold.errors import NeedsRebuild, Outdated
from twofold.fields import Column
from twofold.index.port import Verdict
from twofold.index.search import Search
from twofold.log.sqlite import SqliteLog
from twofold.projector.projector import Projector
from twofold.rebuild import backfill, catchup, filling, lease
from twofold.rebuild.progress import Done
from twofold.rebuild.rebuild import abort, rebuild
from twofold.rebuild.rollback import drop, rollback
from twofold.rebuild.sources import from_rows
from twofold.resource import Declaration
from twofold.runtime.service import Service, stop_all
from twofold.store.port import Row, Tombstone


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backfill, "CHUNK", 20)
    monkeypatch.setattr(catchup, "BATCH", 50)
    monkeypatch.setattr(filling, "NEAR", 20)
    monkeypatch.setattr(filling, "SAVE_SECONDS", 0.5)
    monkeypatch.setattr(lease, "SECONDS", 3.0)


def rebuilt(pipeline: Pipeline, resource: Declaration | None = None, **options: Any) -> Done:
    return rebuild(pipeline.system.parts(resource or pipeline.resource), lambda _: None, **options)


def rolled_back(pipeline: Pipeline, resource: Declaration | None = None) -> Done:
    return rollback(pipeline.system.parts(resource or pipeline.resource), lambda _: None)


def live(pipeline: Pipeline) -> str:
    return pipeline.system.index.status(pipeline.resource).generation


def person(pipeline: Pipeline, number: int) -> Future[Any]:
    pipeline.ids.append(str(uuid_utils.uuid7()))
    return pipeline.command("create", pipeline.ids[-1], name=f"Person {number}", email=f"p{number}@example.com", note=None)


def assert_level(pipeline: Pipeline) -> None:
    """The index holds what the table does, with tombstones, and searches find the living and no others."""
    system, resource = pipeline.system, pipeline.resource
    rows: list[Row | Tombstone] = []
    while chunk := system.store.scan(resource, rows[-1].id if rows else "", 500):
        rows += chunk
    held = system.index.get(resource, [row.id for row in rows])
    assert {id_: (document["version"], document.get("name")) for id_, document in held.items()} == {
        row.id: (row.version, row.state["name"] if isinstance(row, Row) else None) for row in rows
    }
    system.index.refresh(resource)
    found: list[str] = []
    after = None
    while True:
        [page] = system.index.search(resource, [Search(limit=100, after=after)])
        found += [hit.document["id"] for hit in page.hits]
        after = page.last
        if not page.hits:
            break
    assert sorted(found) == [row.id for row in rows if isinstance(row, Row)]


class Writers(Service):
    """Creates, changes and deletes, until it is stopped."""

    def __init__(self, pipeline: Pipeline) -> None:
        super().__init__("writers")
        self._pipeline, self._draw = pipeline, random.Random(7)
        self.deleted: set[str] = set()
        self.number = 1000

    def step(self) -> float:
        self.number += 1
        alive = [id_ for id_ in self._pipeline.ids if id_ not in self.deleted]
        dice = self._draw.random()
        if dice < 0.3:
            person(self._pipeline, self.number).result(10)
        elif dice < 0.7:
            self._pipeline.command("patch", self._draw.choice(alive), note=f"n{self.number}").result(10)
        else:
            self.deleted.add(id_ := self._draw.choice(alive[1:]))
            self._pipeline.command("delete", id_).result(10)
        return 0.001


class Readers(Service):
    """Searches all the time; whatever happens, the first person is found."""

    def __init__(self, pipeline: Pipeline) -> None:
        super().__init__("readers")
        self._pipeline, self.count = pipeline, 0

    def step(self) -> float:
        pipeline = self._pipeline
        [page] = pipeline.system.index.search(pipeline.resource, [Search(sort=(), limit=1)])
        assert page.hits
        assert pipeline.ids[0] in pipeline.system.index.get(pipeline.resource, pipeline.ids[:1])
        self.count += 1
        return 0.005


@contextmanager
def running(pipeline: Pipeline) -> Iterator[list[Service]]:
    """Writers, readers, relay and projector; at the end what was written is projected."""
    system, resource = pipeline.system, pipeline.resource
    services = [system.relay(), Projector(resource, system.log, system.index), Writers(pipeline), Readers(pipeline)]
    for service in services:
        service.start()
    try:
        yield services
        assert not stop_all(services[2:])
        deadline = time.monotonic() + 30
        while system.outbox.backlog()[0] or any(each.lag for each in system.log.positions(resource.topic, resource.group)):
            assert time.monotonic() < deadline, "it does not settle"
            time.sleep(0.02)
    finally:
        stop_all(services)
    assert [service.failure for service in services] == [None] * 4


def test_under_live_writes_nothing_is_lost_nothing_comes_back_and_searches_answer(pipeline: Pipeline) -> None:
    for future in [person(pipeline, number) for number in range(300)]:
        future.result(10)
    pipeline.relay()
    pipeline.project()
    first = live(pipeline)
    assert pipeline.found()
    with running(pipeline) as services:
        done = rebuilt(pipeline, rate=600)
        second = live(pipeline)
        time.sleep(0.3)
        back = rolled_back(pipeline)
        again = rebuilt(pipeline)
        assert services[3].count > 10  # type: ignore[attr-defined]
    assert (done.before, done.generation, done.refused) == (first, second, 0)
    assert (back.generation, again.before) == (first, first)
    assert live(pipeline) == again.generation not in (first, second)
    assert_level(pipeline)


def test_a_projector_that_lags_behind_resurrects_nothing(pipeline: Pipeline) -> None:
    pipeline.write()
    pipeline.relay()
    rebuilt(pipeline)
    assert pipeline.found() == pipeline.expected()
    pipeline.command("delete", pipeline.ids[3]).result(10)
    pipeline.relay()
    pipeline.project()
    assert_level(pipeline)


def test_a_dead_letter_of_what_was_deleted_stays_overtaken(pipeline: Pipeline) -> None:
    """Its first version never got into the index; the second deleted it; the first is tried again on the new generation."""
    person(pipeline, 1).result(10)
    [(first, _, record)] = pipeline.system.outbox.pending(10)
    pipeline.system.outbox.remove([first])
    pipeline.command("delete", pipeline.ids[0]).result(10)
    pipeline.relay()
    pipeline.project()
    rebuilt(pipeline)

    state = {"name": "x", "email": "x@example.com", "note": None}
    late = from_rows(pipeline.resource, [Row(record.key, 1, state, record.time, record.time)])
    [(operation, _)] = late.newest.found.values()
    assert [each.verdict for each in pipeline.system.index.apply(pipeline.resource, [operation])] == [Verdict.STALE]
    assert pipeline.found() == {}


@pytest.mark.parametrize("stop", [stopped_after, stopped_before], ids=["after", "before"])
@pytest.mark.parametrize(
    ("target", "method"),
    [
        ("index", "create"),
        ("store", "scan"),
        ("index", "apply"),
        ("index", "note"),
        ("log", "replay"),
        ("index", "block"),
        ("index", "refresh"),
        ("index", "promote"),
    ],
)
def test_stopped_around_a_step_a_rebuild_is_gone_on_with(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, stop: Callable[..., Any], target: str, method: str
) -> None:
    pipeline.write()
    pipeline.relay()
    with stop(getattr(pipeline.system, target), method, monkeypatch), pytest.raises(Stopped):
        rebuilt(pipeline)
    pipeline.command("patch", pipeline.ids[3], note="meanwhile").result(10)
    pipeline.command("delete", pipeline.ids[4]).result(10)
    pipeline.relay()

    done = rebuilt(pipeline)

    assert done.generation == live(pipeline) == f"{pipeline.resource.index}-000002"
    pipeline.project()
    assert_level(pipeline)


@pytest.mark.parametrize("method", ["note", "block", "refresh", "promote"])
def test_stopped_behind_a_step_a_rollback_is_gone_on_with(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    pipeline.write()
    pipeline.relay()
    pipeline.project()
    rebuilt(pipeline)
    pipeline.command("patch", pipeline.ids[3], note="meanwhile").result(10)
    pipeline.command("delete", pipeline.ids[4]).result(10)
    pipeline.relay()
    pipeline.project()
    with stopped_after(pipeline.system.index, method, monkeypatch), pytest.raises(Stopped):
        rolled_back(pipeline)

    assert rolled_back(pipeline).generation == live(pipeline) == f"{pipeline.resource.index}-000001"
    assert_level(pipeline)
    pipeline.command("patch", pipeline.ids[3], note="behind it").result(10)
    pipeline.relay()
    pipeline.project()
    assert_level(pipeline)


def test_an_aborted_rebuild_leaves_everything_as_it_was(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline.write()
    pipeline.relay()
    pipeline.project()
    with stopped_before(pipeline.system.index, "promote", monkeypatch), pytest.raises(Stopped):
        rebuilt(pipeline)
    assert [each.blocked for each in pipeline.system.index.generations(pipeline.resource)] == [True, False]
    abort(pipeline.system.parts(pipeline.resource))
    [left] = pipeline.system.index.generations(pipeline.resource)
    assert (left.live, left.blocked) == (True, False)
    pipeline.command("patch", pipeline.ids[3], note="behind it").result(10)
    pipeline.relay()
    pipeline.project()
    assert_level(pipeline)


def test_generations_are_dropped(pipeline: Pipeline) -> None:
    pipeline.write()
    pipeline.relay()
    first = live(pipeline)
    rebuilt(pipeline)
    drop(pipeline.system.parts(pipeline.resource), first)
    assert [each.name for each in pipeline.system.index.generations(pipeline.resource)] == [live(pipeline)]
    assert rebuilt(pipeline).generation.endswith("-000003")


def test_a_projector_whose_next_message_is_gone_goes_on_after_a_rebuild(pipeline: Pipeline) -> None:
    pipeline.write()
    pipeline.relay()
    trimmed(pipeline.system, pipeline.resource)
    with pytest.raises(NeedsRebuild, match="twofold rebuild"):
        pipeline.project()
    rebuilt(pipeline)
    assert_level(pipeline)
    pipeline.command("patch", pipeline.ids[3], note="behind it").result(10)
    pipeline.relay()
    pipeline.project()
    assert_level(pipeline)
    with pytest.raises(NeedsRebuild, match="no longer holds what"):
        rolled_back(pipeline)


# another declaration


def changed(pipeline: Pipeline) -> Declaration:
    """The same resource, with a field that the index holds in another way."""
    old = pipeline.resource

    class Person(Resource, name=old.name, table="person"):
        name: Annotated[str, Text(), Keyword(), Column("full_name")]
        email: Annotated[str, Keyword(), Text(), Unique()]
        note: Annotated[str | None, Keyword()] = None

    return Person.declaration


def test_an_old_projector_stops_at_the_new_generation_and_old_code_rolls_back(pipeline: Pipeline) -> None:
    pipeline.write()
    pipeline.relay()
    pipeline.project()
    new = changed(pipeline)
    with pytest.raises(Outdated):
        pipeline.system.index.pending(new)
    rebuilt(pipeline, new)
    assert pipeline.system.index.pending(new) == []
    pipeline.command("patch", pipeline.ids[3], note="meanwhile").result(10)
    pipeline.relay()
    with pytest.raises(Outdated):
        pipeline.project()
    with pytest.raises(Outdated, match="of another declaration than this code's"):
        rolled_back(pipeline, new)
    rolled_back(pipeline)
    pipeline.project()
    assert_level(pipeline)


def test_what_the_new_index_refuses_is_told_noted_and_put_aside(pipeline: Pipeline) -> None:
    pipeline.write()
    pipeline.command("patch", pipeline.ids[3], note="x" * 40_000).result(10)
    pipeline.relay()
    pipeline.project()
    new = changed(pipeline)

    done = rebuilt(pipeline, new)

    assert (done.refused, [id_ for id_, _ in done.examples]) == (1, [pipeline.ids[3]])
    [letter] = pipeline.dead_letters()
    assert (letter.key, dict(letter.headers)["ce_sequence"]) == (pipeline.ids[3].encode(), b"2")
    assert pipeline.system.index.refused(new, pipeline.ids) == {pipeline.ids[3]: 2}
    assert pipeline.ids[3] not in pipeline.system.index.get(new, pipeline.ids)


def trimmed(system: System, resource: Declaration) -> None:
    """Every partition loses what it has but for the last message."""
    positions = [each for each in system.log.positions(resource.topic, resource.group) if each.end > 1]
    assert positions
    if isinstance(system.log, SqliteLog):
        with system.log._file.write() as db:
            for each in positions:
                place = (resource.topic, each.partition, each.end - 1)
                db.execute("DELETE FROM message WHERE topic = ? AND partition = ? AND offset < ?", place)
        return
    admin = AdminClient({"bootstrap.servers": engines.KAFKA})
    for answer in admin.delete_records([TopicPartition(resource.topic, each.partition, each.end - 1) for each in positions]).values():
        answer.result()
