"""A field is declared anew: `migrate` brings table and live index along, and the stream of old and new records never breaks."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from tests.pipeline.steps import Pipeline
from twofold import App, Column, Keyword, Resource, Text, Unique
from twofold.bootstrap import System
from twofold.index.search import OneOf, Search, Sort, Term


def newer(name: str) -> App:
    class Person(Resource, name=name, table="person"):
        name: Annotated[str, Text(), Keyword(), Column("full_name")]
        email: Annotated[str, Keyword(), Text(), Unique()]
        note: str | None = None
        city: Annotated[str, Keyword(), Text()] = "unknown"
        home_town: Annotated[str, Keyword(), Text(), Field(alias="homeTown")] = "none"

    return App(Person)


def test_a_new_field_does_not_break_the_live_stream(pipeline: Pipeline) -> None:
    """Records of the old code are on their way when the new code starts."""
    pipeline.write()
    pipeline.relay()
    old = pipeline.system
    settings = old.settings
    pipeline.writer.stop()
    old.close()

    system = System(newer(pipeline.resource.name), settings)
    try:
        assert system.pending(("write store", "event log", "read store")) != []
        done = system.migrate()
        assert {"add column person.city", "add column person.home_town"} <= set(done)
        assert system.migrate() == []
        after = Pipeline(system)
        after.ids = pipeline.ids
        after.command("patch", after.ids[0], city="Łódź", homeTown="Kraków").result(10)
        after.relay()
        after.project()
        system.index.refresh(after.resource)
        at_home = Search(filter=OneOf("homeTown", ("Kraków",)), text=((Term("krakow"),),), sort=(Sort("homeTown"),))
        [page, found] = system.index.search(after.resource, [Search(limit=10), at_home])
        cities = {hit.document["id"]: hit.document["city"] for hit in page.hits}
        after.writer.stop()
        assert [(hit.document["id"], hit.document["homeTown"]) for hit in found.hits] == [(after.ids[0], "Kraków")]
        assert after.dead_letters() == []
        assert cities == {id_: "Łódź" if id_ == after.ids[0] else "unknown" for id_ in after.ids if id_ != after.ids[2]}
    finally:
        system.close()
