from __future__ import annotations

import os
from pathlib import Path

import pytest

from twofold.command.passwords import HashPool
from twofold.runtime import cores
from twofold.runtime.cores import usable


@pytest.fixture(autouse=True)
def eight(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    monkeypatch.setattr(os, "cpu_count", lambda: 64)


@pytest.mark.parametrize(
    ("quotas", "expected"),
    [
        ({}, 8),
        ({"": "max 100000"}, 8),
        ({"": "200000 100000"}, 2),
        ({"a": "max 100000", "a/b": "150000 100000"}, 2),
        ({"a": "100000 100000", "a/b": "300000 100000"}, 1),
        ({"a/b": "1000 100000"}, 1),
        ({"a/b": "6400000 100000"}, 8),
        ({"a/b": "what is this"}, 8),
    ],
)
def test_the_least_of_what_is_allowed_counts(tmp_path: Path, quotas: dict[str, str], expected: int) -> None:
    for group, text in quotas.items():
        (tmp_path / group).mkdir(parents=True, exist_ok=True)
        (tmp_path / group / "cpu.max").write_text(f"{text}\n")
    assert usable("/a/b", tmp_path) == expected


def test_hashes_have_all_usable_cores_but_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cores, "_group", lambda: "")
    monkeypatch.setattr(cores, "_quota", lambda _: 3.0)
    assert HashPool.workers() == 2
