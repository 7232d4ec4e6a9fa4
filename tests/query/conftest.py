"""Films in an index."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.conftest import QUICK, temporary_folder
from tests.query.films import BODIES, Film
from tests.stack import Http, Stack

from twofold import App
from twofold.command import passwords


@pytest.fixture(scope="module")
def cinema() -> Iterator[Stack]:
    """The films, in the order of their ids; for tests that leave nothing behind that another one could meet."""
    with pytest.MonkeyPatch.context() as patch, temporary_folder() as folder:
        patch.setattr(passwords, "_HASHER", QUICK)
        stack = Stack(App(Film), folder / "data")
        for body in BODIES:
            made = stack.command.post("/films", body)
            assert made.status_code == 201, made.text
        stack.settle()
        yield stack
        stack.close()


@pytest.fixture
def films(cinema: Stack) -> Http:
    return cinema.query
