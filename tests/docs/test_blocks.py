"""Blocks that are not commands: code is executed, settings are loaded, trees are there."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from tests.docs.blocks import DOCUMENTS, ROOT, Block, blocks, name, steps
from tests.docs.test_commands import NOT_RUN

from twofold.settings import load

ALL = [block for path in DOCUMENTS for block in blocks(path)]


def _of(language: str) -> list[object]:
    return [pytest.param(block, id=f"{block.document}:{block.line}") for block in ALL if block.language == language]


def test_every_block_says_what_it_is() -> None:
    """A picture or an outline is `text`; everything else is run by a test of its language."""
    for path in DOCUMENTS:
        assert path.read_text().count("```") == 2 * (len(blocks(path)) + _indented(path)), name(path)
    assert {block.language for block in ALL} <= {"console", "python", "toml", "text"}
    assert {block.mark for block in ALL if block.language == "console"} <= {"", "engines", "stopped"}
    assert all(block.text.startswith("$ ") for block in ALL if block.language == "console")


def _indented(path: Path) -> int:
    """Blocks inside a list: outlines only."""
    return len(re.findall(r"^ +```text$", path.read_text(), re.MULTILINE))


def test_what_is_not_run_is_listed_and_nothing_else_is() -> None:
    commands = {step.command for block in ALL if block.language == "console" for step in steps(block)}
    assert NOT_RUN.keys() <= commands | {"docker compose up --wait", "make engines-down"}
    text = "\n".join(path.read_text() for path in DOCUMENTS)
    assert all(command in text for command in NOT_RUN)


@pytest.mark.parametrize("block", _of("python"))
def test_code_runs(block: Block) -> None:
    exec(compile(block.text, f"{block.document}:{block.line}", "exec", dont_inherit=True), {"__name__": "example"})  # noqa: S102 - that is the test


def test_the_readme_declares_what_the_example_declares() -> None:
    [block] = [block for block in blocks(ROOT / "README.md") if block.language == "python"]
    example = (ROOT / "examples" / "accounts.py").read_text().splitlines()
    own = [line for line in block.text.splitlines() if line and not line.startswith(("from ", "import "))]
    assert [line for line in own if line not in example] == []


@pytest.mark.parametrize("block", _of("toml"))
def test_settings_load(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "twofold.toml").write_text(block.text)
    monkeypatch.chdir(tmp_path)
    settings = load()
    assert {key: getattr(settings, key) for key in tomllib.loads(block.text)} == tomllib.loads(block.text)


def test_the_tree_of_the_layout_is_there() -> None:
    [block] = [block for block in blocks(ROOT / "CONTRIBUTING.md") if block.language == "text" and block.text.startswith("src/")]
    folders: list[str] = []
    for line in block.text.splitlines():
        depth, words = (len(line) - len(line.lstrip())) // 2, line.split()
        entry = words[0]
        folders[depth:] = [entry.rstrip("/")] if entry.endswith("/") else []
        here = ROOT.joinpath(*folders)
        assert here.exists(), line
        for word in words:
            if re.fullmatch(r"\w+\.py:?", word):
                assert (here / word.rstrip(":")).exists(), line
