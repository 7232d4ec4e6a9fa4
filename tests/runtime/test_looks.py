"""Looks that are slow, hang or fail: one thread each, a truthful word, and no look that is the last one."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
import structlog

from twofold.errors import EngineError, Outdated, SettingsError, Unavailable
from twofold.runtime import looks as module
from twofold.runtime.looks import EngineLook, Look

SECONDS = 10


class Engine:
    """Answers its checks with what is given, the last of it again and again."""

    def __init__(self, *answers: BaseException | None) -> None:
        self._answers = list(answers)
        self.threads: list[threading.Thread] = []

    def __call__(self) -> None:
        self.threads.append(threading.current_thread())
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if answer is not None:
            raise answer


def states(check: Callable[[], Any], count: int) -> list[str]:
    async def ask() -> list[str]:
        look = EngineLook("read store", check)
        return [await look.state() for _ in range(count)]

    return asyncio.run(ask())


def test_a_hundred_looks_need_one_thread() -> None:
    engine = Engine(None)
    assert states(engine, 100) == ["ok"] * 100
    assert len(engine.threads) == 100
    assert len(set(engine.threads)) == 1


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (Unavailable("away"), "unavailable"),
        (Outdated("old"), "outdated"),
        (EngineError("odd"), "engineerror"),
        (SettingsError("missing"), "settingserror"),
        (KeyError("version"), "error"),
        (TimeoutError(), "error"),
        (SystemExit(), "error"),
    ],
)
def test_a_look_that_fails_is_not_the_last_one(error: BaseException, state: str) -> None:
    assert states(Engine(error, error, None), 4) == [state, state, "ok", "ok"]


def test_why_is_logged_once_when_it_changes_and_never_what_may_be_secret() -> None:
    engine = Engine(Unavailable("refused"), Unavailable("refused"), KeyError("a value"), None, None)
    with structlog.testing.capture_logs() as logs:
        states(engine, 5)
    assert [(entry["event"], entry.get("state"), entry.get("reason")) for entry in logs] == [
        ("an engine is not well", "unavailable", "refused"),
        ("an engine is not well", "error", "KeyError"),
        ("an engine is well again", None, None),
    ]
    assert "in __call__" in logs[1]["stack"]
    assert "a value" not in str(logs)


def test_who_asks_while_one_hangs_shares_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.01)
    begun, hold = [], threading.Event()

    def hang() -> None:
        begun.append(threading.current_thread())
        assert hold.wait(SECONDS)

    async def ask() -> list[str]:
        look = EngineLook("read store", hang)
        found = [await look.state() for _ in range(5)]
        found += await asyncio.gather(*(look.state() for _ in range(5)))
        hold.set()
        await look._look.begun()
        return [*found, str(len(begun)), await look.state()]

    assert asyncio.run(ask()) == [*["slow"] * 10, "1", "ok"]


def test_what_was_found_is_kept_for_a_while() -> None:
    counter = iter(range(100))

    async def ask(look: Look[int]) -> list[int]:
        together = await asyncio.gather(*(look.begun() for _ in range(5)))
        kept = await look.begun()
        look._kept_until = 0  # the while is over
        return [*together, kept, await look.begun()]

    assert asyncio.run(ask(Look("status", lambda: next(counter), keep=3600))) == [0] * 6 + [1]
