"""A field is declared otherwise: migrate says that it takes a rebuild; what runs goes on until the alias moves, and then stops."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Annotated

import pytest
import uuid_utils

from tests.pipeline.steps import Pipeline
from twofold import App, Column, Keyword, Resource, Text, Unique
from twofold.bootstrap import LOG, READ, WRITE, System
from twofold.errors import Outdated
from twofold.projector.projector import Projector
from twofold.settings import load
from twofold.tools import rebuilding, verifying
from twofold.tools.letters import Letters


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


def test_rebuild_and_verify_name_the_row_and_the_field_of_a_stored_value_that_does_not_fit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As where somebody has copied texts of lists into a column of integers."""

    class Before(Resource, name="things"):
        words: list[str] = []  # noqa: RUF012 - Pydantic copies defaults

    class After(Resource, name="things"):
        words: int = 0

    settings = load(data=tmp_path / "data")
    system = System(App(Before), settings)
    system.migrate()
    pipeline = Pipeline(system)
    broken, fine = str(uuid_utils.uuid7()), str(uuid_utils.uuid7())
    for id_, words in ((broken, ["a"]), (fine, [])):
        pipeline.command("create", id_, words=words).result(10)
    pipeline.relay()
    pipeline.project()
    pipeline.writer.stop()
    system.close()
    with closing(sqlite3.connect(tmp_path / "data" / "write.db")) as connection, connection:
        connection.execute("ALTER TABLE things RENAME COLUMN words TO old")
        connection.execute("ALTER TABLE things ADD COLUMN words BIGINT DEFAULT 0 NOT NULL")
        connection.execute("UPDATE things SET words = old WHERE id = ?", (broken,))
        connection.execute("UPDATE column_kind SET kind = 'integer'")
        connection.execute("ALTER TABLE things DROP COLUMN old")

    system = System(App(After), settings)
    try:
        system.migrate()
        [resource] = system.app
        assert rebuilding.run_rebuild(system, resource, 0) == 1
        told = f"{broken}  the field words does not hold integer in the table: change it there"
        assert told in capsys.readouterr().out
        assert Letters(system, resource).count() == 1

        how = verifying.How(deep=True, repair=True)
        assert verifying.once(system, resource, how, as_json=False, ids=None) == 1
        assert "the field words does not hold integer" in capsys.readouterr().out

        with closing(sqlite3.connect(tmp_path / "data" / "write.db")) as connection, connection:
            connection.execute("UPDATE things SET words = 1 WHERE id = ?", (broken,))
        assert verifying.once(system, resource, how, as_json=False, ids=None) == 0
    finally:
        system.close()
