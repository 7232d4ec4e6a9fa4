"""Fixtures of the suites that run in process, without a server."""

from __future__ import annotations

import logging
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import structlog
from hypothesis import settings

from tests.stack import Stack
from twofold import users
from twofold.command import passwords
from twofold.resource import App
from twofold.testing import MEMORY, QUICK

settings.register_profile("twofold", database=None, deadline=None)
settings.load_profile("twofold")
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell has put this into the background: what tests start would ignore Ctrl-C too
    signal.signal(signal.SIGINT, signal.default_int_handler)


REAL = {"servers", "mysql", "private_mysql"}  # fixtures that are a real engine; the contracts of a search engine have its `url`


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks what needs real engines, and what has to run in one process where there are several: tests that share what is dear to make."""
    for item in items:
        owner = item.cls if isinstance(item, pytest.Function) else None
        if REAL & set(getattr(item, "fixturenames", ())) or getattr(owner, "url", ""):
            item.add_marker(pytest.mark.engine)
        item.add_marker(pytest.mark.xdist_group(_group(item, owner.__name__ if owner else "")))


def _group(item: pytest.Item, owner: str) -> str:
    """A class of a module, on one engine."""
    parameters = item.callspec.params if hasattr(item, "callspec") else {}
    engine = next((str(parameters[name]) for name in ("system", "cinema", "engine") if name in parameters), "")
    place = item.path.parent if item.path.parent.name == "parity" else item.path
    return f"{place.relative_to(item.config.rootpath)}{owner}{engine}"


@pytest.fixture(scope="session", autouse=True)
def uncached_loggers() -> Iterator[None]:
    """A logger that keeps the configuration of its first line would hide later ones from `capture_logs`."""
    configure = structlog.configure
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(structlog, "configure", lambda **options: configure(**{**options, "cache_logger_on_first_use": False}))
        yield


@pytest.fixture(autouse=True)
def no_handler_left() -> Iterator[None]:
    """A command line that ran in this process has sent the log to a stream that is closed by now."""
    yield
    root = logging.getLogger()
    root.handlers = [each for each in root.handlers if not isinstance(each.formatter, structlog.stdlib.ProcessorFormatter)]


@pytest.fixture
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Argon2id for those who wait."""
    monkeypatch.setattr(passwords, "_HASHER", QUICK)


@pytest.fixture(scope="session")
def template() -> Iterator[Path]:
    """A folder in which `migrate` has run for the built-in app: copying it is quicker."""
    with temporary_folder() as folder:
        Stack(users.app, folder / "data").close()
        yield folder / "data"


@pytest.fixture
def folder() -> Iterator[Path]:
    with temporary_folder() as folder:
        yield folder


@pytest.fixture
def open_stack(folder: Path, quick_hashes: None) -> Iterator[Callable[[App], Stack]]:
    """Opens an app on the embedded default, and closes it after the test."""
    opened: list[Stack] = []

    def open_(app: App) -> Stack:
        opened.append(Stack(app, folder / f"data-{len(opened)}"))
        return opened[-1]

    yield open_
    for stack in opened:
        stack.close()


@pytest.fixture
def stack(template: Path, folder: Path, quick_hashes: None) -> Iterator[Stack]:
    """The built-in app."""
    stack = Stack(users.app, shutil.copytree(template, folder / "data"), migrated=True)
    yield stack
    stack.close()


@pytest.fixture(scope="module")
def shared_stack() -> Iterator[Stack]:
    """The built-in app, for tests that leave nothing behind that another one could meet."""
    with pytest.MonkeyPatch.context() as patch, temporary_folder() as folder:
        patch.setattr(passwords, "_HASHER", QUICK)
        stack = Stack(users.app, folder / "data")
        yield stack
        stack.close()


@contextmanager
def temporary_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="twofold-", dir=MEMORY if MEMORY.is_dir() else None) as name:
        yield Path(name)
