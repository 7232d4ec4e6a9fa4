"""The command line in this process, on the embedded default in a folder of its own."""

from __future__ import annotations

import shutil
import sqlite3
import sys
from collections.abc import Callable
from dataclasses import dataclass
from io import BufferedReader, BytesIO, TextIOWrapper
from pathlib import Path
from typing import Any

import pytest

from twofold import cli
from twofold.bootstrap import System, load_app
from twofold.command.decide import Command
from twofold.command.writer import Writer
from twofold.settings import load
from twofold.store.port import Row
from twofold.tools import importing


@dataclass
class Ran:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def tally(self) -> str:
        return self.out.partition(";")[0]


class Desk:
    """A folder with a data folder in it."""

    def __init__(self, folder: Path, capture: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch) -> None:
        self.folder, self._capture, self._patch = folder, capture, patch

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def twofold(self, *arguments: str, stdin: bytes = b"") -> Ran:
        self._patch.setattr(sys, "argv", ["twofold", *arguments])
        self._patch.setattr(sys, "stdin", TextIOWrapper(BufferedReader(BytesIO(stdin)), encoding="utf-8"))
        self._capture.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        printed = self._capture.readouterr()
        return Ran(int(ended.value.code or 0), printed.out, printed.err)

    def load(self, name: str, content: str | bytes, *arguments: str, resource: str = "products") -> Ran:
        """Imports a file of this content."""
        self.write(name, content)
        return self.twofold("import", resource, name, *arguments)

    def rows(self, what: str, table: str = "products", order: str = "id") -> list[tuple[Any, ...]]:
        with sqlite3.connect(self.folder / "data" / "write.db") as database:
            return database.execute(f"SELECT {what} FROM {table} ORDER BY {order}").fetchall()

    def delete_all(self, name: str) -> None:
        """As somebody would over HTTP."""

        def command(system: System, writer: Writer) -> None:
            resource = system.app.resources[name]
            rows = [row for row in system.store.scan(resource, "", 1000) if isinstance(row, Row)]
            for row in rows:
                writer.submit(Command(resource, "delete", row.id, "e", str)).result()

        self.with_writer(command)

    def with_writer(self, do: Callable[[System, Writer], None]) -> None:
        settings = load()
        system = System(load_app(settings.app), settings)
        writer = Writer(system.store)
        try:
            do(system, writer)
        finally:
            writer.stop()
            system.close()


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the tables of the shop, which every test gets a copy of: to make and compare them costs more than an import."""
    folder = tmp_path_factory.mktemp("shop") / "data"
    system = System(load_app("tests.tools.shop:app"), load(data=folder))
    try:
        system.migrate()
    finally:
        system.close()
    return folder


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, migrated: Path) -> Desk:
    """A desk with the shop, whose tables are there."""
    made = _desk(tmp_path, capsys, monkeypatch)
    shutil.copytree(migrated, tmp_path / "data")
    monkeypatch.setattr(importing, "wait_for", lambda *_: None)
    return made


@pytest.fixture
def empty_desk(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A desk without a data folder."""
    return _desk(tmp_path, capsys, monkeypatch)


def _desk(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TWOFOLD_APP", "tests.tools.shop:app")
    monkeypatch.setenv("TWOFOLD_DATA", str(tmp_path / "data"))
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2]))
    return Desk(tmp_path, capsys, monkeypatch)
