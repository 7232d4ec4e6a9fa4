"""A system on each set of engines, with tables, topics and indices of its own."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pipeline.steps import Pipeline
from tests.pipeline.systems import REAL, database, make_app, real_settings, remove
from twofold.bootstrap import System
from twofold.settings import load


@pytest.fixture(params=["embedded", *(pytest.param(engine, marks=pytest.mark.engine) for engine in REAL)])
def system(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[System]:
    name = f"t{uuid.uuid4().hex[:12]}"
    app = make_app(name)
    if request.param == "embedded":
        system = System(app, load(data=tmp_path / "data"))
        system.migrate()
        yield system
        system.close()
        return
    settings = real_settings(name, request.param)
    with database(name):
        system = System(app, load(**settings))
        system.migrate()
        yield system
        system.close()
    remove(name, request.param)


@pytest.fixture
def pipeline(system: System) -> Iterator[Pipeline]:
    pipeline = Pipeline(system)
    yield pipeline
    pipeline.writer.stop()
