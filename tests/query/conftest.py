"""Films in an index, on every engine that there is."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import httpx
import pytest
from tests import engines
from tests.conftest import QUICK, temporary_folder
from tests.query.films import BODIES, Film
from tests.stack import Http, Stack

from twofold import App
from twofold.command import passwords

URLS = {"elasticsearch": engines.ELASTICSEARCH, "opensearch": engines.OPENSEARCH}


@pytest.fixture(scope="module", params=["sqlite", *(pytest.param(name, marks=pytest.mark.engine) for name in URLS)])
def cinema(request: pytest.FixtureRequest) -> Iterator[Stack]:
    """The films, in the order of their ids; for tests that leave nothing behind that another one could meet."""
    own = f"q{uuid.uuid4().hex[:12]}"

    class Own(Film, name="films", index=own):
        pass

    url = URLS.get(request.param, "")
    with pytest.MonkeyPatch.context() as patch, temporary_folder() as folder:
        patch.setattr(passwords, "_HASHER", QUICK)
        if url:
            engines.need(url)
            patch.setenv("TWOFOLD_READ_URL", url.replace("http", request.param, 1))
        stack = Stack(App(Own), folder / "data")
        try:
            for body in BODIES:
                made = stack.command.post("/films", body)
                assert made.status_code == 201, made.text
            stack.settle()
            stack.system.index.refresh(Own.declaration)
            yield stack
        finally:
            stack.close()
            if url:
                httpx.delete(f"{url}/{own}-000001,{own}-refusals?ignore_unavailable=true")


@pytest.fixture
def films(cinema: Stack) -> Http:
    return cinema.query
