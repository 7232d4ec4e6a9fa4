"""`twofold bench` and `python -m benchmarks`, as far as they come without an engine."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A wrk that is never run, so that what is refused before is reached without one."""
    program = tmp_path / "bin" / "wrk"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho no luck >&2; echo today >&2; exit 9\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TWOFOLD_")}
    return {**kept, "PATH": str(program.parent), "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}", "COLUMNS": "120"}


def _run(environment: dict[str, str], folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", *arguments]
    return subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False, timeout=60)


def test_help_says_what_is_written_to(environment: dict[str, str], tmp_path: Path) -> None:
    done = _run(environment, tmp_path, "twofold", "bench", "--help")
    assert done.returncode == 0
    assert "Nothing of yours is written to" in done.stdout
    done = _run(environment, tmp_path, "benchmarks", "--help")
    assert done.returncode == 0
    assert "removed at the end" in done.stdout


def test_without_wrk_its_package_is_named(environment: dict[str, str], tmp_path: Path) -> None:
    done = _run({**environment, "PATH": "/nowhere"}, tmp_path, "twofold", "bench")
    assert (done.returncode, done.stdout) == (2, "")
    assert "apt install wrk" in done.stderr


def test_a_resource_that_is_not_there(environment: dict[str, str], tmp_path: Path) -> None:
    done = _run(environment, tmp_path, "twofold", "bench", "others")
    assert done.returncode == 2
    assert "There is no resource 'others'; there is users." in done.stderr
    assert not (tmp_path / "data").exists()


def test_bodies_that_do_not_fit(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "bodies.ndjson").write_text('{"name": "Ana"}\n')
    done = _run(environment, tmp_path, "twofold", "bench", "users", "--bodies", "bodies.ndjson")
    assert done.returncode == 2
    assert "bodies.ndjson, line 1: /email" in done.stderr
    assert not (tmp_path / "data").exists()


def test_a_mixture_of_engines_is_refused(environment: dict[str, str], tmp_path: Path) -> None:
    done = _run(environment, tmp_path, "twofold", "bench", "--log-url", "kafka://127.0.0.1:9")
    assert done.returncode == 2
    assert "set all three URLs, or none" in done.stderr
    assert not (tmp_path / "data").exists()


def test_a_run_that_fails_removes_what_it_made(environment: dict[str, str], tmp_path: Path) -> None:
    done = _run(environment, tmp_path, "twofold", "bench", "--quick")
    assert done.returncode == 1
    assert "Writes to these" in done.stderr
    assert "wrk failed: no luck today" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "data").exists()
    assert not (tmp_path / "bench.json").exists()


@pytest.mark.parametrize(("file", "reason"), [("none/bench.json", "there is no folder none"), ("bin", "cannot be written")])
def test_a_place_that_cannot_be_written_to_is_told_before_anything_is_measured(
    file: str, reason: str, environment: dict[str, str], tmp_path: Path
) -> None:
    for command in (["twofold", "bench", "--output", file], ["benchmarks", "--suites", "embedded", "--json", file]):
        done = _run(environment, tmp_path, *command)
        assert (done.returncode, done.stdout) == (2, "")
        [line] = done.stderr.splitlines()
        assert file in line
        assert reason in line
        assert not (tmp_path / "data").exists()


def test_the_peer_needs_its_folder(environment: dict[str, str], tmp_path: Path) -> None:
    done = _run(environment, tmp_path, "benchmarks", "--suites", "peer")
    assert done.returncode == 2
    assert "make bench SEED=folder" in done.stderr
