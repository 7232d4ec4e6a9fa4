"""What cannot be imported is one line, with the place in the user's own code."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from twofold.bootstrap import load_app
from twofold.errors import DeclarationError, SettingsError

LIBRARY = "import json\n\n\ndef wrong():\n    return json.loads('{')\n\n\nwrong()\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("import os\n\nos.nope\n", r"{0}\.py, line 3: AttributeError: module 'os' has no attribute 'nope'\. .*python -c 'import {0}'"),
        ("\nimport nothing_here\n", r"{0}\.py, line 2: ModuleNotFoundError: No module named 'nothing_here'"),
        ("def f(:\n", r"{0}\.py, line 1: SyntaxError: invalid syntax"),
        ("x = 1\n  y = 2\n", r"{0}\.py, line 2: IndentationError: unexpected indent"),
        (LIBRARY, r"{0}\.py, line 5: JSONDecodeError: "),
        ("raise ValueError('two\\nlines')", r"{0}\.py, line 1: ValueError: two lines"),
        ("x = 1\n", r"{0} has no 'app'"),
        ("app = 1\n", r"this is int, not a twofold\.App"),
    ],
)
def test_an_error_in_a_module_has_its_place(
    text: str, told: str, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"module_{abs(hash(request.node.name))}"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / f"{name}.py").write_text(text)
    with pytest.raises(SettingsError, match=f"--app {name}:app: {told.format(name)}") as error:
        load_app(f"{name}:app")
    assert "\n" not in str(error.value)
    assert error.value.__suppress_context__ or error.value.__context__ is None


def test_a_module_that_is_not_there_is_said_to_be_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    for path in ("nowhere_at_all:app", "nowhere_at_all.shop:app"):
        with pytest.raises(SettingsError, match=f"--app {path}: there is no module 'nowhere_at_all', neither in the current folder"):
            load_app(path)


def test_a_wrong_declaration_keeps_its_own_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "wrong_shop.py").write_text("from twofold import Resource\n\n\nclass Item(Resource):\n    Name: str\n")
    with pytest.raises(DeclarationError):
        load_app("wrong_shop:app")


def test_what_needs_no_extra_works_without(tmp_path: Path) -> None:
    """On a plain install `twofold bench` measures the embedded default."""
    blocked = "import sys; sys.modules.update(dict.fromkeys(['elastic_transport', 'pymysql', 'confluent_kafka', 'certifi'])); "
    code = f"{blocked}import twofold.cli, twofold.bench.main, twofold.tools.serving, twofold.tools.importing, twofold.tools.verifying"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
