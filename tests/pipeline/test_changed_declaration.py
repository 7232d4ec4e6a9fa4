"""A field is declared otherwise: migrate says that it takes a rebuild; what runs goes on until the alias moves, and then stops."""

from __future__ import annotations

from typing import Annotated

import pytest

from tests.pipeline.steps import Pipeline
from twofold import App, Column, Keyword, Resource, Text, Unique
from twofold.bootstrap import LOG, READ, WRITE, System
from twofold.errors import Outdated
from twofold.projector.projector import Projector


def changed(name: str) -> App:
    class Person(Resource, name=name, table="person"):
        name: Annotated[str, Text(), Column("full_name")]
        email: Annotated[str, Keyword(), Text(), Unique()]
        note: str | None = None
        city: Annotated[str, Keyword()] = ""

    return App(Person)


def sentence(name: str) -> str:
    return f"{name}-000001 was built for another declaration (name was keyword and text, is text): run `twofold rebuild {name}`"


def test_migrate_does_the_rest_and_says_what_to_run(pipeline: Pipeline) -> None:
    pipeline.write()
    pipeline.relay()
    pipeline.project()
    name, settings = pipeline.resource.name, pipeline.system.settings
    pipeline.writer.stop()
    pipeline.system.close()

    system = System(changed(name), settings)
    try:
        done = system.migrate()
        assert "add column person.city" in done
        assert [step for step in done if step.startswith(sentence(name))] == done[-1:]
        with pytest.raises(Outdated) as refusal:
            system.pending((WRITE, LOG, READ))
        assert str(refusal.value).startswith(sentence(name))
        assert system.pending((WRITE, LOG)) == []
        assert system.index.status(pipeline.resource).generation == f"{name}-000001"
    finally:
        system.close()


def test_what_runs_goes_on_until_the_alias_moves_and_stops_then(pipeline: Pipeline) -> None:
    if pipeline.system.settings.embedded:
        pytest.skip("the embedded default is one process: old code does not run beside new")
    old, name = pipeline.system, pipeline.resource.name
    system = System(changed(name), old.settings)
    try:
        resource = next(iter(system.app))
        system.migrate()
        pipeline.write()
        pipeline.relay()
        pipeline.project()
        assert pipeline.found() == pipeline.expected()

        generation = system.index.create(resource, {})
        system.index.block(resource, f"{name}-000001", blocked=True)
        system.index.promote(resource, generation)
        pipeline.command("patch", pipeline.ids[3], note="later").result(10)
        pipeline.relay()
        projector = Projector(pipeline.resource, old.log, old.index)
        projector.start()
        assert projector.ended.wait(30)
        projector.stop()

        told = f"The index {name} is now {generation}, which was built for another declaration: this program is the older one."
        assert str(projector.failure) == f"{told} Start the new version."
        assert isinstance(projector.failure, Outdated)
        Pipeline(system).project()
        assert system.index.get(resource, pipeline.ids)[pipeline.ids[3]]["note"] == "later"
    finally:
        system.close()
