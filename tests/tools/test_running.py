"""What tools wait for at their end, and what they say where it does not come."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
import structlog

from twofold.runtime.service import Service
from twofold.tools import running

Status = dict[str, Any]


class Clock:
    """Goes on while somebody sleeps; not for ever."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        assert self.now < 1000, "this never ends"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(running, "time", clock)
    return clock


def found(pending: int, lag: int = 0, error: str = "", oldest: float = 0.0) -> Status:
    topic: Status = {"name": "users-topic", "messages": 9, "lag": lag}
    index: Status = {"error": error} if error else {"generation": "users-000001", "documents": 9, "tombstones": 0}
    return {"outbox": {"pending": pending, "oldest_seconds": oldest}, "resources": {"users": {"topic": topic, "index": index}}}


def drain(monkeypatch: pytest.MonkeyPatch, look: Callable[[], Status], services: list[Service] | None = None) -> list[Any]:
    monkeypatch.setattr(running, "on_the_way", lambda _: look())
    with structlog.testing.capture_logs() as logs:
        running.drain(None, services or [])  # type: ignore[arg-type]
    return logs


def test_what_does_not_get_on_is_left_to_the_next_start_and_told(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    logs = drain(monkeypatch, lambda: found(3, 40, oldest=clock.now))  # which grows older
    [line] = logs
    assert (line["event"], line["log_level"], line["pending"], line["lag"]) == ("left for the next start", "warning", 3, 40)


def test_why_it_does_not_get_on_is_told(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    stuck = Service("projector users")
    stuck.trouble = "the disk is full"
    [line] = drain(monkeypatch, lambda: found(0, 0, "the index is closed"), [stuck])
    assert line["reasons"] == ["the index is closed", "the disk is full"]


def test_what_gets_on_is_waited_for_however_long_it_takes(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    logs = drain(monkeypatch, lambda: found(max(0, 100 - int(clock.now))))
    assert logs == []
    assert clock.now >= 100


def test_a_service_that_has_failed_is_not_waited_for(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = Service("relay")
    failed.ended.set()
    [line] = drain(monkeypatch, lambda: found(3), [failed])
    assert (line["pending"], clock.now) == (3, 0)


def test_services_that_do_not_stop_in_time_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    inside, go = threading.Event(), threading.Event()

    class Stuck(Service):
        def step(self) -> float:
            inside.set()
            go.wait()
            return 0

    monkeypatch.setattr(running, "STOP_SECONDS", 0.01)
    service = Stuck("stuck")
    service.start()
    assert inside.wait(10)
    with structlog.testing.capture_logs() as logs:
        running.stop([service])
    go.set()
    assert [(line["event"], line["services"]) for line in logs] == [("did not stop in time", ["stuck"])]
    assert service.stop()
