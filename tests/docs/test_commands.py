"""Every command that the documents show is run, and prints what they say."""

from __future__ import annotations

import subprocess
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests import engines
from tests.acceptance.roles import free_port
from tests.docs.blocks import DOCUMENTS, ROOT, Block, Step, blocks, name, steps
from tests.docs.shell import Shell, kafka_jars
from tests.pipeline.systems import database, real_settings, remove

NOT_RUN = {
    "make test": "it is what runs this test",
    "make check": "it is a part of `make test`",
    "make unit": "it is a part of `make test`",
    "make engines-down": "other tests use the engines",
    "make bench": "tests/bench runs its suites in short",
    "make bench QUICK=1": "tests/bench runs its suites in short",
    'make bench SUITES="commands queries"': "tests/bench runs its suites in short",
    "make bench SEED=folder": "it needs the article's programs, which are not ours to ship",
    "docker compose up --wait": "there may be no Docker; test_reference holds its addresses against those of `make engines`",
}
SHORTER = {"creations.py 200": "creations.py 20", "timeit -n 50 ": "timeit -n 2 ", "visible.py 60": "visible.py 3"}  # measurements
TARGETS = {"make run": (".venv/run", "twofold up"), "make engines": (".venv/test", ".venv/bin/python -m dev.engines up")}
APP = """
from twofold import App
from twofold.users import User as BuiltIn

class User(BuiltIn, name="users", table="user", topic="{name}-topic", group="{name}-group", index="{name}"):
    pass

app = App(User)
"""


def _documents(mark: str) -> list[Any]:
    """Documents with blocks of commands of this kind."""
    return [pytest.param(path, id=name(path)) for path in DOCUMENTS if _console(path, engines_=mark == "engines")]


def _console(path: Path, *, engines_: bool) -> list[Block]:
    return [block for block in blocks(path) if block.language == "console" and (block.mark == "engines") == engines_]


@pytest.mark.timeout(120)
@pytest.mark.parametrize("path", _documents(""))
def test_commands_on_the_embedded_default(path: Path, tmp_path: Path) -> None:
    command, query = str(free_port()), str(free_port())
    names = {"127.0.0.1:3000": f"127.0.0.1:{command}", "127.0.0.1:3001": f"127.0.0.1:{query}", "9464": str(free_port()), **SHORTER}
    names["port=3000"] = f"port={command}"
    environment = {"TWOFOLD_COMMAND_PORT": command, "TWOFOLD_QUERY_PORT": query, "PYTHONPATH": str(ROOT)}
    shell = Shell(tmp_path, environment, names)
    _provide(shell, path)
    try:
        for block in _console(path, engines_=False):
            _run(shell, block)
        shell.stop()
    finally:
        shell.close()


@pytest.mark.engine
@pytest.mark.timeout(120)
@pytest.mark.parametrize("path", _documents("engines"))
def test_commands_on_real_engines(path: Path, tmp_path: Path) -> None:
    own = f"d{uuid.uuid4().hex[:12]}"
    real_settings(own, "elasticsearch")
    engines.need(engines.OPENSEARCH)
    if "kafka-console" in path.read_text() and not kafka_jars():
        pytest.skip("Kafka's own tools are not here: `make engines` fetches them")
    command, query = str(free_port()), str(free_port())
    (tmp_path / "docs_app.py").write_text(APP.format(name=own))
    names = {
        "127.0.0.1:3000": f"127.0.0.1:{command}",
        "127.0.0.1:3001": f"127.0.0.1:{query}",
        "users-topic": f"{own}-topic",
        "user-group": f"{own}-group",
        "users-000001": f"{own}-000001",
        "users-refusals": f"{own}-refusals",
        "3306/user": f"3306/{own}",
        "alias users": f"alias {own}",
        **SHORTER,
    }
    environment = {"TWOFOLD_COMMAND_PORT": command, "TWOFOLD_QUERY_PORT": query, "TWOFOLD_APP": "docs_app:app"}
    shell = Shell(tmp_path, environment, names)
    _provide(shell, path)
    with database(own):
        try:
            for block in _console(path, engines_=True):
                _run(shell, block)
            shell.stop()
        finally:
            shell.close()
            remove(own, "elasticsearch")


def _provide(shell: Shell, path: Path) -> None:
    """The programs that a document shows, wherever in it they are run."""
    shown = (step for block in blocks(path) if block.language == "console" for step in steps(block))
    for step in reversed([step for step in shown if step.command.startswith("cat ") and step.command.endswith(".py")]):
        shell.write(step.command.removeprefix("cat "), step.expected)  # of one that is changed, the first form


def _run(shell: Shell, block: Block) -> None:
    if block.mark == "stopped":
        shell.stop()
    for step in steps(block):
        if step.command not in NOT_RUN:
            shell.run(_without_installing(step))


def _without_installing(step: Step) -> Step:
    """What a target does, where `make` would first install what pyproject.toml asks for anew."""
    environment, command = TARGETS.get(step.command, ("", ""))
    stale = environment and subprocess.run(["make", "-q", environment], cwd=ROOT, check=False).returncode
    return replace(step, command=command) if stale else step
