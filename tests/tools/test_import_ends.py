"""How an import ends early, and what is told meanwhile: whatever was done is said, and how to go on."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest
from tests.tools.conftest import Desk

from twofold.errors import Outdated, Unavailable
from twofold.imports import loader
from twofold.imports.creator import Creator
from twofold.imports.loader import Loader
from twofold.imports.rejects import Rejects
from twofold.store.sql import SqlStore
from twofold.tools import progress

ROWS = "".join(f"A{number},Name {number}\n" for number in range(120))
TABLE = f"sku,name\n{ROWS}"


def interrupt_after(patch: pytest.MonkeyPatch, batches: int) -> None:
    """Ctrl-C while that batch is done."""
    take, count = Creator.take, [0]

    def interrupted(self: Creator, chunk: Any) -> None:
        count[0] += 1
        if count[0] == batches:
            os.kill(os.getpid(), signal.SIGINT)
        take(self, chunk)

    patch.setattr(Creator, "take", interrupted)


def test_ctrl_c_ends_it_after_the_batch_and_the_same_command_goes_on(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        interrupt_after(patch, 1)
        ran = desk.load("a.csv", f"{TABLE}", "--rejects", "r.csv")
    assert (ran.code, ran.tally) == (130, "created 50, already there 0, rejected 0")
    assert "interrupted after 50 lines: run the same command again to go on" in ran.err
    assert desk.twofold("import", "products", "a.csv").tally == "created 70, already there 50, rejected 0"


def test_ctrl_c_is_heard_while_the_store_is_away(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: Any, **__: Any) -> Any:
        os.kill(os.getpid(), signal.SIGINT)
        raise Unavailable("away")

    monkeypatch.setattr(SqlStore, "look", away)
    ran = desk.load("a.csv", TABLE)
    assert (ran.code, ran.tally) == (130, "created 0, already there 0, rejected 0")


def test_ctrl_c_is_heard_between_passwords(empty_desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWOFOLD_APP", "twofold.users:app")
    hashes = []

    def many(_: Any, passwords: Any) -> list[str]:
        hashes.extend(passwords)
        os.kill(os.getpid(), signal.SIGINT)
        return list(passwords)

    monkeypatch.setattr(loader.HashPool, "many", many)
    rows = "".join(f"Ann,a{number}@example.com,correct horse {number}\n" for number in range(40))
    ran = empty_desk.load("a.csv", f"name,email,password\n{rows}", resource="users")
    assert (ran.code, ran.tally) == (130, "created 0, already there 0, rejected 0")
    assert len(hashes) == loader.HASHES


def test_a_second_ctrl_c_ends_it_at_once(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def twice(*_: Any) -> None:
        for _number in range(2):
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Loader, "patiently", twice)
    ran = desk.load("a.csv", TABLE)
    assert (ran.code, ran.tally) == (130, "created 0, already there 0, rejected 0")
    assert "Traceback" not in ran.err


def test_an_engine_that_fails_is_told_beside_what_was_done(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    look, calls = SqlStore.look, [0]

    def fails(self: SqlStore, *asked: Any) -> Any:
        calls[0] += 1
        if calls[0] > 1:
            raise Outdated("The table is another one now.")
        return look(self, *asked)

    monkeypatch.setattr(SqlStore, "look", fails)
    ran = desk.load("a.csv", TABLE)
    assert (ran.code, ran.tally) == (1, "created 50, already there 0, rejected 0")
    assert "The table is another one now." in ran.err


def test_rejects_that_cannot_be_written_end_it(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Rejects, "_cells", full)
    ran = desk.load("a.csv", "sku,name\nA1,\nA2,Two\n")
    assert ran.code == 1
    assert "No space left on device" in ran.err
    assert "Traceback" not in ran.err


def test_a_line_tells_how_far_it_is_where_there_is_no_terminal(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "EVERY_SECONDS", 0.0)
    ran = desk.load("a.csv", TABLE)
    assert "50 lines (100% of the file), " in ran.err
    assert "120 lines (100% of the file), " in ran.err


def test_batches_are_small_where_lines_take_long(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    take, sizes = Creator.take, []

    def noted(self: Creator, chunk: Any) -> None:
        sizes.append(len(chunk))
        take(self, chunk)

    monkeypatch.setattr(Creator, "take", noted)
    monkeypatch.setattr(loader, "LONG", -1.0)
    assert desk.load("a.csv", TABLE).tally == "created 120, already there 0, rejected 0"
    assert sizes[:4] == [50, 12, 3, 1]
