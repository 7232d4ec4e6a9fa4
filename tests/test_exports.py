"""The public names, and what keeps the sources readable."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import twofold

ROOT = Path(twofold.__file__).parent
SOURCES = {str(path.relative_to(ROOT)): path.read_text() for path in sorted(ROOT.rglob("*.py"))}
LINES_OF_A_MODULE, LINES_OF_A_FUNCTION = 400, 40


def functions() -> Iterator[tuple[str, int]]:
    """(file and name, lines) of each function; what stands inside another is counted there too."""
    for path, source in SOURCES.items():
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{path}: {node.name}", (node.end_lineno or 0) - node.lineno + 1


def test_the_public_names_are_these() -> None:
    assert twofold.__all__ == [
        "App",
        "Column",
        "Context",
        "Document",
        "Email",
        "Guarded",
        "Keyword",
        "Password",
        "Places",
        "Refused",
        "Resource",
        "Secret",
        "Text",
        "Unique",
        "command",
    ]


@pytest.mark.parametrize("name", twofold.__all__)
def test_every_public_name_says_what_it_is(name: str) -> None:
    assert getattr(twofold, name).__doc__


def test_the_decorator_stays_itself_whatever_was_imported_before() -> None:
    """There is a package of the same name, which its first import would put in the decorator's place."""
    program = "import twofold.bootstrap, twofold.command.http; from twofold import command; assert callable(command(event='done'))"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_no_module_is_long() -> None:
    lengths = {path: len(source.splitlines()) for path, source in SOURCES.items()}
    assert {path: length for path, length in lengths.items() if length > LINES_OF_A_MODULE} == {}


def test_no_function_is_long() -> None:
    assert {name: length for name, length in functions() if length > LINES_OF_A_FUNCTION} == {}


def test_every_module_says_what_it_is_for() -> None:
    assert [path for path, source in SOURCES.items() if source.strip() and not ast.get_docstring(ast.parse(source))] == []
