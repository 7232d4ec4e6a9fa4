"""`twofold verify --watch` waits for what passes, and ends at what does not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from twofold.bootstrap import System, load_app
from twofold.errors import Outdated, Unavailable
from twofold.settings import load
from twofold.tools import verifying


def test_an_engine_that_is_away_is_waited_for_and_another_declaration_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    errors = [Unavailable("away"), Outdated("this program is the older one")]

    class Verifier:
        def __init__(self, *_: Any, **__: Any) -> None:
            pass

        def run(self) -> Iterator[Any]:
            raise errors.pop(0)

    monkeypatch.setattr(verifying, "Verifier", Verifier)
    system = System(load_app("twofold.users:app"), load(data=tmp_path))
    try:
        with pytest.raises(Outdated, match="the older one"):
            verifying.watch(system, next(iter(system.app)), verifying.How(deep=False, repair=True), every=0.01, port=0)
    finally:
        system.close()
    assert errors == []
