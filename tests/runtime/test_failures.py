"""The reason of every failure is in the log once, under the instance that clients were given; a storm is counted."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from twofold.errors import Unavailable
from twofold.runtime import failures as module
from twofold.runtime.failures import Failures


@pytest.fixture
def failures() -> Failures:
    return Failures()


@pytest.fixture
def logs() -> Iterator[list[Any]]:
    with structlog.testing.capture_logs() as logs:
        yield logs


def test_what_comes_again_is_counted_and_has_the_instance_of_its_reason(failures: Failures, logs: list[Any]) -> None:
    away, full = Unavailable("away"), Unavailable("full")
    first = [failures.told("answered", away, code="down") for _ in range(1000)]
    other = failures.told("answered", full, code="down")
    assert len({*first, other}) == 2
    assert [(entry["reason"], entry["instance"], entry["log_level"]) for entry in logs] == [
        ("away", first[0], "warning"),
        ("full", other, "warning"),
    ]


def test_how_often_it_came_is_told_later(failures: Failures, logs: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SECONDS", 0)
    now = module.time.monotonic()
    first = failures.told("answered", Unavailable("away"))
    for kind in failures._kinds.values():
        kind.until = now + 3600
    assert failures.told("answered", Unavailable("away")) == first
    for kind in failures._kinds.values():
        kind.until = now
    assert failures.told("answered", Unavailable("away")) != first
    assert [(entry["event"], entry["instance"]) for entry in logs[1:2]] == [("this came again", first)]
    assert [entry.get("times") for entry in logs] == [None, 1, None]


def test_reasons_without_end_are_not_all_kept(failures: Failures, logs: list[Any]) -> None:
    for number in range(10 * module.MOST):
        failures.told("answered", Unavailable(f"offset {number}"))
    assert len(failures._kinds) <= module.MOST
    assert len(logs) == 10 * module.MOST


def test_an_error_that_nobody_expected_is_told_by_place(failures: Failures, logs: list[Any]) -> None:
    value = "of a row"
    try:
        raise KeyError(value)
    except KeyError as error:
        failures.told("command failed", error, [], resource="users")
    assert (logs[0]["error"], logs[0]["resource"], logs[0]["log_level"]) == ("KeyError", "users", "error")
    assert "test_failures.py" in logs[0]["stack"]
    assert value not in str(logs)


def test_on_a_terminal_its_message_is_told_without_secrets() -> None:
    program = """
from twofold import telemetry
from twofold.runtime.failures import Failures
telemetry.configure()
Failures().told("command failed", ValueError("no 12345 and no 1234 for Ana"), ["1234", "12345", ""])
Failures().told("request failed", ValueError("not even for Bo"))
"""
    ours, terminal = pty.openpty()
    subprocess.run([sys.executable, "-c", program], stderr=terminal, check=True, timeout=60)
    shown = os.read(ours, 1 << 16).decode()
    assert "no ********** and no ********** for Ana" in shown
    assert "Bo" not in shown
    piped = subprocess.run([sys.executable, "-c", program], stderr=subprocess.PIPE, check=True, timeout=60).stderr.decode()
    assert "Ana" not in piped
