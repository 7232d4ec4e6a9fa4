"""The lock files have what pyproject.toml asks for, each with hashes, and the two agree."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
ENGINES = ("mysql", "kafka", "elasticsearch")
EXTRAS = {"requirements.lock": ENGINES, "requirements-test.lock": (*ENGINES, "testing", "test")}


def locked(file: str) -> dict[str, str]:
    """Version by name."""
    lines = re.findall(r"^([a-z0-9-]+)==([^ ]+)", (ROOT / file).read_text(), re.MULTILINE)
    return dict(lines)


def asked(extras: tuple[str, ...]) -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lists = [project["dependencies"], *(project["optional-dependencies"][extra] for extra in extras)]
    found = [Requirement(each) for requirements in lists for each in requirements]
    return [each for each in found if each.name != "twofold"]


@pytest.mark.parametrize("file", EXTRAS)
def test_what_is_asked_for_is_locked(file: str) -> None:
    """Else: `make lock`."""
    versions = locked(file)
    for each in asked(EXTRAS[file]):
        name = re.sub(r"[-_.]+", "-", each.name).lower()
        assert name in versions, each
        assert each.specifier.contains(versions[name], prereleases=True), each


@pytest.mark.parametrize("file", EXTRAS)
def test_everything_has_hashes_and_no_place_of_its_own(file: str) -> None:
    text = (ROOT / file).read_text()
    for entry in re.split(r"\n(?=[a-z])", text)[1:]:
        assert re.match(r"[a-z0-9-]+==\S+ [^\n]*\\\n(    --hash=sha256:[0-9a-f]{64}( \\)?\n?)+$", entry), entry[:80]
    assert not re.search(r"https?://|index-url|@ ", text)


def test_make_says_what_it_waits_for() -> None:
    """Before half a minute of silence."""
    done = subprocess.run(["make", "-n", "-W", "pyproject.toml", "run"], cwd=ROOT, capture_output=True, text=True, check=True)
    steps = done.stdout.splitlines()
    said, installed = (next(number for number, step in enumerate(steps) if word in step) for word in ("echo", "pip install"))
    assert said < installed


def test_what_is_tested_is_what_runs() -> None:
    assert locked("requirements.lock").items() <= locked("requirements-test.lock").items()
