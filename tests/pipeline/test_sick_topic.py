"""An app of two resources, one of whose topics takes nothing: the other goes on from command to index."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Annotated

import pytest
import structlog
from confluent_kafka.admin import AdminClient

from tests import engines
from tests.pipeline.steps import Pipeline
from tests.pipeline.systems import database, real_settings, remove
from twofold import App, Keyword, Resource
from twofold.bootstrap import System
from twofold.errors import Unavailable
from twofold.relay import line as line_module
from twofold.relay import relay as relay_module
from twofold.relay.relay import Relay
from twofold.settings import load

Lose = Callable[[str], None]


def make_app(name: str) -> App:
    class Sick(Resource, name=f"{name}a", table="sick"):
        name: Annotated[str, Keyword()]
        note: str | None = None

    class Well(Resource, name=f"{name}b", table="well"):
        name: Annotated[str, Keyword()]
        note: str | None = None

    return App(Sick, Well)


@pytest.fixture(params=["embedded", pytest.param("elasticsearch", marks=pytest.mark.engine)])
def system(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[System, Lose]]:
    """And how a topic is lost."""
    name = f"t{uuid.uuid4().hex[:12]}"
    if request.param == "embedded":
        system = System(make_app(name), load(data=tmp_path))

        def lose(topic: str) -> None:
            with closing(sqlite3.connect(tmp_path / "log.db")) as connection, connection:
                connection.execute("DELETE FROM topic WHERE name = ?", (topic,))

        system.migrate()
        yield system, lose
        system.close()
        return
    settings, admin = real_settings(name, request.param), AdminClient({"bootstrap.servers": engines.KAFKA})
    with database(name):
        system = System(make_app(name), load(**settings))
        system.migrate()
        yield system, lambda topic: admin.delete_topics([topic])[topic].result()
        system.close()
    for each in ("a", "b"):
        remove(f"{name}{each}", request.param)


def relayed(relay: Relay, done: Callable[[], bool]) -> None:
    for _ in range(2000):
        if done():
            return
        with suppress(Unavailable):
            relay.step()
    pytest.fail("it did not happen")


def test_a_topic_that_is_lost_holds_up_its_own_resource_only(system: tuple[System, Lose], monkeypatch: pytest.MonkeyPatch) -> None:
    engines_of, lose = system
    monkeypatch.setattr(line_module, "log", structlog.get_logger())  # the module's keeps what a command has configured
    monkeypatch.setattr(relay_module, "BATCH", 2)  # fewer than what is stuck
    sick, well = [Pipeline(engines_of, resource) for resource in engines_of.app]
    lose(sick.resource.topic)
    sick.write()
    well.write()
    relay = Relay(engines_of.app, engines_of.outbox, engines_of.log, holder="one")

    with structlog.testing.capture_logs() as logs:
        relayed(relay, lambda: not engines_of.outbox.pending(10, [well.resource.name]))
        well.project()
        assert well.found() == well.expected()
        assert len(engines_of.outbox.pending(100, [sick.resource.name])) == 8
        told = [each for each in logs if each["event"] == "a topic takes no records"]
        assert [each["topic"] for each in told] == [sick.resource.topic]
        assert "twofold migrate" in told[0]["reason"]

        engines_of.log.create(sick.resource.topic, sick.resource.partitions)
        relayed(relay, lambda: not engines_of.outbox.backlog()[0])
        sick.project()
        assert sick.found() == sick.expected()
    assert [each["topic"] for each in logs if each["event"] == "a topic takes records again"] == [sick.resource.topic]
    for each in (sick, well):
        each.writer.stop()
