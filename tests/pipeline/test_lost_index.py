"""An index that is gone is made anew, and filled from the log's beginning."""

from __future__ import annotations

import httpx

from tests import engines
from tests.pipeline.steps import Pipeline
from twofold.bootstrap import System
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
