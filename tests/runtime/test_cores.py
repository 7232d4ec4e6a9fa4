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


@pytest.mark.parametrize(("workers", "usable", "hashing"), [("1", 8, 7), ("2", 4, 3), ("3", 2, 1), ("8", 1, 1), ("64", 1, 1), ("no", 8, 7)])
def test_workers_of_one_service_share_the_cores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: str, usable: int, hashing: int
) -> None:
    monkeypatch.setattr(cores, "GROUPS", tmp_path)
    monkeypatch.setenv(cores.WORKERS, workers)
    assert (cores.usable("", tmp_path), HashPool.workers()) == (usable, hashing)
