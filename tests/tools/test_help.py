"""Help: the command that starts everything comes first, no summary is cut, nothing is said twice, one thing has one name."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import typer
from typer.testing import CliRunner

from twofold.cli import cli

GROUP = typer.main.get_command(cli)


def paths(command: object = GROUP, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    for name, below in getattr(command, "commands", {}).items():
        yield from paths(below, (*path, name))


@pytest.fixture(params=list(paths()), ids=" ".join)
def told(request: pytest.FixtureRequest) -> str:
    done = CliRunner().invoke(cli, [*request.param, "--help"], env={"COLUMNS": "80"})
    assert done.exit_code == 0
    return " ".join(done.output.split())


def test_up_comes_first() -> None:
    assert next(iter(GROUP.commands)) == "up"  # type: ignore[attr-defined]


def test_no_summary_is_cut(told: str) -> None:
    assert "..." not in re.sub(r"\[ARGS\]\.\.\.|numbers\]?\.\.\.", "", told)


def test_a_default_is_said_once(told: str) -> None:
    assert re.findall(r"\[default: [^\]]*\]\s+\[default", told) == []


def test_a_resource_has_one_name(told: str) -> None:
    assert "{resource}" not in told
    assert "[resource]" not in told
