"""Rebuild as an operator meets it on the embedded default: interrupted, killed, gone on with, given up, refused."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.acceptance.roles import Role, free_port, run


@pytest.fixture
def embedded(tmp_path: Path) -> dict[str, str]:
    """With 1,200 users."""
    environment = {
        "TWOFOLD_DATA": str(tmp_path / "data"),
        "TWOFOLD_COMMAND_PORT": str(free_port()),
        "TWOFOLD_QUERY_PORT": str(free_port()),
    }
    made = run(["demo", "--users", "1200"], environment, tmp_path)
    assert made.returncode == 0, made.stderr
    return environment


def slow(environment: dict[str, str], folder: Path) -> subprocess.Popen[str]:
    """A rebuild that would take a minute, once it has noted how far it is."""
    command = [sys.executable, "-m", "twofold", "rebuild", "users", "--rate", "20"]
    told = folder / "rebuild.log"
    with told.open("w") as log:
        process = subprocess.Popen(command, env={**os.environ, **environment}, cwd=folder, stdout=subprocess.PIPE, stderr=log, text=True)
    deadline = time.monotonic() + 30
    while '"step":"backfill"' not in told.read_text().replace(" ", ""):
        assert process.poll() is None, told.read_text()
        assert time.monotonic() < deadline, told.read_text()
        time.sleep(0.05)
    return process


def generations(environment: dict[str, str], folder: Path) -> list[dict[str, Any]]:
    listed = run(["generations", "users", "--json"], environment, folder)
    assert listed.returncode == 0, listed.stderr
    found: list[dict[str, Any]] = orjson.loads(listed.stdout)
    return found


def states(environment: dict[str, str], folder: Path) -> list[tuple[str, bool, str]]:
    return [(each["name"], each["live"], each["state"]) for each in generations(environment, folder)]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_and_killed_and_gone_on_with(embedded: dict[str, str], tmp_path: Path, number: signal.Signals) -> None:
    process = slow(embedded, tmp_path)
    process.send_signal(number)
    said, _ = process.communicate(timeout=20)
    assert process.returncode == 130
    assert said == (
        "Interrupted. `twofold rebuild users` goes on from here, `twofold rebuild users --abort` gives it up.\n"
    )
    begun = [("users-000001", True, "complete"), ("users-000002", False, "filling")]
    assert states(embedded, tmp_path) == begun
    process = slow(embedded, tmp_path)
    process.kill()
    process.communicate()
    assert states(embedded, tmp_path) == begun
    done = run(["rebuild", "users"], embedded, tmp_path)
    assert (done.returncode, done.stdout.splitlines()[0].partition(" documents")[0]) == (0, "users-000002 is live: 1200"), done.stderr
    assert states(embedded, tmp_path) == [("users-000001", False, "complete"), ("users-000002", True, "complete")]
    assert [each["documents"] for each in generations(embedded, tmp_path)] == [1200, 1200]


def test_given_up(embedded: dict[str, str], tmp_path: Path) -> None:
    process = slow(embedded, tmp_path)
    process.kill()
    process.communicate()
    refused = run(["drop", "users", "users-000002"], embedded, tmp_path)
    assert (refused.returncode, "--abort" in refused.stderr) == (1, True)
    given_up = run(["rebuild", "users", "--abort"], embedded, tmp_path)
    assert (given_up.returncode, given_up.stdout) == (0, "users-000002 is dropped. users-000001 is live.\n")
    assert states(embedded, tmp_path) == [("users-000001", True, "complete")]


def test_while_a_process_has_the_files_it_is_said_so(embedded: dict[str, str], tmp_path: Path) -> None:
    with Role(["up"], embedded, tmp_path) as up:
        for command in (["rebuild", "users"], ["rollback", "users"], ["generations", "users"]):
            refused = run(command, embedded, tmp_path)
            assert refused.returncode == 2
            assert "is in use already" in refused.stderr
        assert up.stop() == 0


@pytest.mark.parametrize(
    ("command", "code", "words"),
    [
        (["rebuild", "user"], 2, "There is no resource 'user'; there is users."),
        (["rebuild", "users", "--rate", "-1"], 2, "--rate"),
        (["rollback", "users"], 1, "There is no generation of users to go back to."),
        (["drop", "users", "users-000001"], 1, "users-000001 is live."),
        (["drop", "users", "users-000009"], 2, "users has no generation 'users-000009'; it has users-000001"),
    ],
)
def test_mistakes_are_one_line(tmp_path: Path, command: list[str], code: int, words: str) -> None:
    environment = {"TWOFOLD_DATA": str(tmp_path / "data")}
    assert run(["migrate"], environment, tmp_path).returncode == 0
    refused = run(command, environment, tmp_path)
    assert (refused.returncode, refused.stdout) == (code, "")
    assert words in refused.stderr
    assert "Traceback" not in refused.stderr


def test_where_migrate_never_ran_it_is_told(tmp_path: Path) -> None:
    refused = run(["rebuild", "users"], {"TWOFOLD_DATA": str(tmp_path / "data")}, tmp_path)
    assert refused.returncode == 3
    assert "twofold migrate" in refused.stderr
