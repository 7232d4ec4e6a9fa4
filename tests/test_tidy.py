"""What holds of the source as a whole, and neither ruff nor import-linter can say."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "twofold"
MODULES = sorted(SOURCE.rglob("*.py"))
LONGEST_MODULE, LONGEST_FUNCTION = 400, 40  # lines
# Who may ask which kind a field has, or which database system it is, and how others would ask.
OWN = {
    "kinds": r"(?<!parameter)\.kind(\.name)?\s*(==|!=|(not )?in\b)|isinstance\([^)]*\.kind\b|type\([^)]*\.kind\)",
    "store/dialects": r"\bdialect\.name\s*(==|!=|(not )?in\b)|database\.mysql\b|get_backend_name\(\)\s*(==|!=|(not )?in\b)",
}


def functions(module: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


@pytest.mark.parametrize("module", MODULES, ids=lambda module: str(module.relative_to(SOURCE)))
def test_modules_and_functions_are_short(module: Path) -> None:
    assert len(module.read_text().splitlines()) <= LONGEST_MODULE
    lengths = {each.name: (each.end_lineno or 0) - each.lineno + 1 for each in functions(module)}
    assert {name: length for name, length in lengths.items() if length > LONGEST_FUNCTION} == {}


@pytest.mark.parametrize("room", OWN)
def test_only_its_room_asks(room: str) -> None:
    others = [module for module in MODULES if not module.is_relative_to(SOURCE / room)]
    lines = [(module, number, line) for module in others for number, line in enumerate(module.read_text().splitlines(), 1)]
    asking = re.compile(OWN[room])
    assert [f"{module.relative_to(SOURCE)}:{number}: {line.strip()}" for module, number, line in lines if asking.search(line)] == []
