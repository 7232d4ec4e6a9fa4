"""Who may ask what, which neither ruff nor import-linter can say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "twofold"
MODULES = sorted(SOURCE.rglob("*.py"))
# Who may ask which kind a field has, or which database system it is, and how others would ask.
OWN = {
    "kinds": r"(?<!parameter)\.kind(\.name)?\s*(==|!=|(not )?in\b)|isinstance\([^)]*\.kind\b|type\([^)]*\.kind\)",
    "store/dialects": r"\bdialect\.name\s*(==|!=|(not )?in\b)|database\.mysql\b|get_backend_name\(\)\s*(==|!=|(not )?in\b)",
}


@pytest.mark.parametrize("room", OWN)
def test_only_its_room_asks(room: str) -> None:
    others = [module for module in MODULES if not module.is_relative_to(SOURCE / room)]
    lines = [(module, number, line) for module in others for number, line in enumerate(module.read_text().splitlines(), 1)]
    asking = re.compile(OWN[room])
    assert [f"{module.relative_to(SOURCE)}:{number}: {line.strip()}" for module, number, line in lines if asking.search(line)] == []
