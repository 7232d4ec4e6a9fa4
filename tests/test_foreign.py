"""What twofold takes of other packages is theirs to give, but for what is named here and pinned by tests."""

from __future__ import annotations

import ast
import inspect
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement
from pydantic_core import SchemaValidator, core_schema

ROOT = Path(__file__).parents[1]
SRC = ROOT / "src"
TOPS = {"uvicorn", "email_validator", "httptools", "argon2", "uvloop"}  # what is public of them can be had from the package itself
NAMED = {
    ("twofold/runtime/protocol.py", "uvicorn.protocols.http.httptools_impl"),  # tests/runtime/test_uvicorn.py
    ("twofold/declared.py", "pydantic._internal._model_construction"),  # for mypy alone: pydantic's metaclass has no public name
    ("twofold/command/passwords.py", "argon2.exceptions"),  # documented there
}


def imported(path: Path) -> Iterator[str]:
    """Full names of modules, and of what is taken from them where it is private."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module
            yield from (f"{node.module}.{each.name}" for each in node.names if re.match(r"_(?!_)", each.name))


def is_private(name: str) -> bool:
    top, *rest = name.split(".")
    return top not in ("twofold", "__future__") and (bool(rest and top in TOPS) or any(each.startswith("_") for each in rest))


def test_only_what_is_named_here_reaches_into_other_packages() -> None:
    """Attributes are ruff's to refuse (SLF001)."""
    found = {(str(path.relative_to(SRC)), name) for path in SRC.rglob("*.py") for name in imported(path) if is_private(name)}
    assert found == NAMED


def test_uvicorn_is_bounded_to_one_minor_version() -> None:
    requirements = map(Requirement, tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"])
    [bounds] = [each.specifier for each in requirements if each.name == "uvicorn"]
    assert re.fullmatch(r"<0\.(\d+),>=0\.(\d+)", ",".join(sorted(map(str, bounds))))
    low, high = sorted(int(str(each.version).split(".")[1]) for each in bounds)
    assert high == low + 1


def test_pydantic_makes_validators_of_models_inside_anew() -> None:
    """`_use_prebuilt=False` of forms.py: else Pydantic takes what it built for the model, without our looks."""
    assert "_use_prebuilt" in inspect.signature(SchemaValidator).parameters
    assert SchemaValidator(core_schema.int_schema(), _use_prebuilt=False).validate_python(1) == 1
