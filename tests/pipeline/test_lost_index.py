"""An index that is gone is made anew, and filled from the log's beginning. A topic that is gone has taken along what the index lacks."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from typing import Any

import httpx
import pytest
from confluent_kafka.admin import AdminClient

from tests import engines
from tests.pipeline.steps import Pipeline
from twofold.bootstrap import LOG, System
from twofold.errors import NeedsRebuild, Outdated, Unavailable
from twofold.rebuild.rebuild import rebuild
from twofold.tools.status import status
from twofold.urls import scheme


def lose(system: System, name: str) -> None:
    url = system.settings.read_url
    if scheme(url) == "sqlite":
        for file in system.settings.data.glob("read.db*"):
            file.unlink()
    else:
        host = engines.ELASTICSEARCH if scheme(url) == "elasticsearch" else engines.OPENSEARCH
        httpx.delete(f"{host}/{name}-000001").raise_for_status()


def test_an_index_that_was_lost_is_filled_again(pipeline: Pipeline) -> None:
    pipeline.write()
    pipeline.relay()
    pipeline.project()
    pipeline.writer.stop()
    pipeline.system.close()
    lose(pipeline.system, pipeline.resource.name)

    system = System(pipeline.system.app, pipeline.system.settings)
    try:
        assert system.migrate() != []
        after = Pipeline(system)
        after.ids = pipeline.ids
        after.project()
        after.writer.stop()
        assert after.found() == after.expected()
    finally:
        system.close()


def lose_topic(system: System, topic: str) -> None:
    if scheme(system.settings.log_url) == "sqlite":
        with closing(sqlite3.connect(system.settings.data / "log.db")) as connection, connection:
            for table, column in (("topic", "name"), ("message", "topic"), ("position", "topic")):
                connection.execute(f"DELETE FROM {table} WHERE {column} = ?", (topic,))
        return
    admin = AdminClient({"bootstrap.servers": engines.KAFKA})
    admin.delete_topics([topic])[topic].result()
    while True:  # brokers come to know it one after the other
        try:
            system.log.positions(topic, "any")
        except Outdated:
            return
        except Unavailable:  # by half
            pass
        time.sleep(0.05)


@pytest.mark.parametrize("projected", [True, False])
def test_a_topic_that_was_lost_with_unread_records_takes_a_rebuild(pipeline: Pipeline, projected: bool) -> None:
    system, resource = pipeline.system, pipeline.resource
    told = f"topic {resource.topic} begins anew, and the index may lack what was in it: run `twofold rebuild {resource.name}`"
    pipeline.write()
    pipeline.relay()
    if projected:
        pipeline.project()
        pipeline.command("patch", pipeline.ids[0], note="lost").result(10)
        pipeline.relay()
    lose_topic(system, resource.topic)

    assert told in system.migrate()
    assert system.migrate() == []
    assert system.left() == [told]
    assert "twofold rebuild" in status(system)["resources"][resource.name]["topic"]["error"]
    pipeline.command("patch", pipeline.ids[4], note="later").result(10)
    pipeline.relay()
    for _ in range(2):
        with pytest.raises(NeedsRebuild, match="twofold rebuild"):
            pipeline.project()

    rebuild(system.parts(resource), lambda _: None)
    assert system.left() == []
    pipeline.command("patch", pipeline.ids[3], note="goes on").result(10)
    pipeline.relay()
    pipeline.project()
    changed = {pipeline.ids[4]: (2, "later"), pipeline.ids[3]: (2, "goes on")}
    changed |= {pipeline.ids[0]: (2, "lost")} if projected else {}
    assert pipeline.found() == {**pipeline.expected(), **changed}
    assert "error" not in status(system)["resources"][resource.name]["topic"]


class Crash(BaseException):
    """Nothing catches it."""


def crashing(system: System, calls: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """What changes the log succeeds so many times."""
    left = iter(range(calls))

    def counted(change: Callable[..., None], *given: Any, **named: Any) -> None:
        if next(left, None) is None:
            raise Crash
        change(*given, **named)

    for name in ("create", "forget", "move"):
        monkeypatch.setattr(system.log, name, partial(counted, getattr(system.log, name)))


def test_wherever_a_crash_comes_it_stays_known_that_a_topic_was_lost(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    system, resource = pipeline.system, pipeline.resource
    pipeline.write()
    pipeline.relay()
    crashed, calls = True, 0
    while crashed:
        lose_topic(system, resource.topic)
        with monkeypatch.context() as patch:
            crashing(system, calls, patch)
            try:
                system.migrate()
                crashed = False
            except Crash:
                calls += 1
        assert system.pending([LOG]) or any("begins anew" in each for each in system.left())
        system.migrate()
        assert system.pending([LOG]) == []
        assert ["begins anew" in each for each in system.left()] == [True]
    assert calls > 4


def test_an_index_that_is_lost_too_does_not_make_a_lost_topic_forgotten(pipeline: Pipeline) -> None:
    pipeline.write()
    pipeline.relay()
    pipeline.writer.stop()
    lose_topic(pipeline.system, pipeline.resource.topic)
    pipeline.system.migrate()
    pipeline.system.close()
    lose(pipeline.system, pipeline.resource.name)

    system = System(pipeline.system.app, pipeline.system.settings)
    try:
        system.migrate()
        assert ["begins anew" in each for each in system.left()] == [True]
    finally:
        system.close()


def test_a_topic_is_not_made_anew_under_a_projector(pipeline: Pipeline) -> None:
    """It would begin the empty topic, and nobody would know any more that something is missing."""
    system, resource = pipeline.system, pipeline.resource
    pipeline.write()
    pipeline.relay()
    subscription = system.log.subscribe(resource.topic, resource.group)
    while not subscription.poll(1, 1):
        pass
    lose_topic(system, resource.topic)

    with pytest.raises(Unavailable, match="stop the projectors first"):
        system.migrate()
    subscription.close()
    assert any("begins anew" in done for done in system.migrate())


def test_a_topic_that_is_new_like_everything_else_has_lost_nothing(pipeline: Pipeline) -> None:
    lose_topic(pipeline.system, pipeline.resource.topic)
    assert pipeline.system.migrate() == [f"create topic {pipeline.resource.topic}"]
    pipeline.write()
    pipeline.relay()
    pipeline.project()
    assert pipeline.found() == pipeline.expected()
