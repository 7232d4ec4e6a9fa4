"""An index that is gone is made anew, and filled from the log's beginning. A topic that is gone has taken along what the index lacks."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
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
from twofold.tools.status import findings, status
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


def bad(system: System) -> list[str]:
    return [text for good, text in findings(system) if not good]


def test_check_tells_of_a_topic_that_is_gone_what_is_lost_and_what_to_do(pipeline: Pipeline) -> None:
    system, resource = pipeline.system, pipeline.resource
    assert bad(system) == []
    pipeline.write()
    assert bad(system) == []
    pipeline.relay()
    pipeline.project()
    assert bad(system) == []
    lose_topic(system, resource.topic)

    told = "\n".join(bad(system))
    assert f"topic {resource.topic} is gone, with records" in told
    assert "run `twofold migrate`" in told
    assert f"then `twofold rebuild {resource.name}`" in told
    system.migrate()
    assert bad(system) == system.left() != []
    rebuild(system.parts(resource), lambda _: None)
    assert bad(system) == []


@pytest.mark.parametrize("system", ["embedded"], indirect=True)
def test_check_tells_of_the_file_of_the_log_that_is_gone(pipeline: Pipeline) -> None:
    pipeline.write()
    pipeline.relay()
    pipeline.system.close()
    for file in pipeline.system.settings.data.glob("log.db*"):
        file.unlink()
    system = System(pipeline.system.app, pipeline.system.settings, reading=True)
    try:
        assert any(f"then `twofold rebuild {pipeline.resource.name}`" in text for text in bad(system))
    finally:
        system.close()


@pytest.mark.parametrize("projected", [True, False])
def test_check_tells_of_a_topic_that_somebody_else_has_made_anew(pipeline: Pipeline, projected: bool) -> None:
    """By hand, or by a broker that makes topics by itself: it looks as declared, and holds what came since."""
    system, resource = pipeline.system, pipeline.resource
    pipeline.write()
    pipeline.relay()
    pipeline.project()
    lose_topic(system, resource.topic)
    system.log.create(resource.topic, resource.partitions)
    pipeline.command("patch", pipeline.ids[3], note="since").result(10)
    pipeline.relay()
    if projected:
        pipeline.project()

    assert (len(bad(system)), system.left()) == (1, [])  # rows that were written by hand look the same
    assert "holds fewer records than the versions of all rows say" in bad(system)[0]
    assert f"`twofold rebuild {resource.name}`" in bad(system)[0]
    rebuild(system.parts(resource), lambda _: None)
    assert bad(system) == []
    lose_topic(system, resource.topic)
    system.log.create(resource.topic, resource.partitions)
    assert f"run `twofold rebuild {resource.name}`" in "".join(bad(system))


def test_check_tells_of_a_place_that_the_topic_has_left_behind(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    system, resource = pipeline.system, pipeline.resource
    pipeline.write()
    pipeline.relay()
    positions = system.log.positions
    trimmed = [replace(each, begin=each.end, committed=None) for each in positions(resource.topic, resource.group)]
    monkeypatch.setattr(system.log, "positions", lambda topic, group: trimmed if topic == resource.topic else positions(topic, group))
    [told] = bad(system)
    assert "no longer holds" in told
    assert f"run `twofold rebuild {resource.name}`" in told
    assert system.left() == [told]
    assert status(system)["resources"][resource.name]["topic"]["error"] == told
