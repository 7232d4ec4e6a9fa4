"""A service's life: it starts once, outlives its engines' failures, and stops from wherever it is told to."""

from __future__ import annotations

import inspect
import re
import threading
from collections.abc import Callable

import pytest

from twofold.command.purger import Purger
from twofold.errors import Contended, EngineError, NeedsRebuild, Outdated, Stalled, Unavailable
from twofold.projector.projector import Projector
from twofold.relay.relay import Relay
from twofold.runtime import service as module
from twofold.runtime.service import Service, stop_all
from twofold.runtime.workers import Leash

SECONDS = 10


class Counter(Service):
    """Counts its steps; what a step does is given."""

    def __init__(self, work: Callable[[], float] = lambda: 0.001, closing: Callable[[], None] = lambda: None) -> None:
        super().__init__("counter")
        self.steps = 0
        self.closed = 0
        self.stepped = threading.Semaphore(0)
        self._work, self._closing = work, closing

    def step(self) -> float:
        self.steps += 1
        self.stepped.release()
        return self._work()

    def close(self) -> None:
        self.closed += 1
        self._closing()

    def wait_for(self, steps: int = 1) -> None:
        for _ in range(steps):
            assert self.stepped.acquire(timeout=SECONDS)


class Blocked(Service):
    """Its step waits for something that never comes, until it is unblocked."""

    def __init__(self) -> None:
        super().__init__("blocked")
        self.inside = threading.Event()
        self.released = threading.Event()

    def step(self) -> float:
        self.inside.set()
        assert self.released.wait(SECONDS)
        return 0

    def unblock(self) -> None:
        self.released.set()


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "Backoff", Quick)


class Quick:
    def next(self) -> float:
        return 0.001

    def reset(self) -> None:
        pass


def test_it_steps_until_it_is_stopped() -> None:
    service = Counter()
    service.start()
    assert service.started.wait(SECONDS)
    service.wait_for(3)
    assert service.stop()
    steps = service.steps
    assert (service.ended.is_set(), service.closed, service.failure) == (True, 1, None)
    assert steps == service.steps


def test_starting_twice_starts_one() -> None:
    service = Counter()
    service.start()
    service.start()
    service.wait_for()
    assert sum(thread.name == "counter" for thread in threading.enumerate()) == 1
    assert service.stop()
    assert service.closed == 1


def test_stopping_before_starting_means_never() -> None:
    service = Counter()
    assert service.stop()
    service.start()
    assert service.stop()
    assert (service.steps, service.started.is_set()) == (0, False)


def test_stopping_twice_is_stopping() -> None:
    service = Counter()
    service.start()
    assert service.stop()
    assert service.stop()
    assert service.closed == 1


def test_a_step_that_waits_is_unblocked() -> None:
    service = Blocked()
    service.start()
    assert service.inside.wait(SECONDS)
    assert service.stop()
    assert service.failure is None


def test_stop_does_not_wait_for_the_pause_between_steps() -> None:
    service = Counter(lambda: 3600)
    service.start()
    service.wait_for()
    assert service.stop(SECONDS)


def test_wake_ends_the_pause_between_steps() -> None:
    service = Counter(lambda: 3600)
    service.start()
    for _ in range(5):
        service.wait_for()
        service.wake()
    assert service.stop()


def test_what_does_not_stop_in_time_is_told() -> None:
    hold = threading.Event()
    stuck = Counter(lambda: float(hold.wait(SECONDS)))
    quick = Counter()
    for service in (stuck, quick):
        service.start()
        service.wait_for()
    assert stop_all([stuck, quick], 0.05) == ["counter"]
    hold.set()
    assert stop_all([stuck, quick]) == []


def test_a_step_may_stop_its_own_service() -> None:
    told: list[bool] = []

    def work() -> float:
        told.append(service.stop())
        return 0

    service = Counter(work)
    service.start()
    assert service.ended.wait(SECONDS)
    assert (told, service.failure) == ([False], None)
    assert service.stop()


@pytest.mark.parametrize("failure", [Unavailable("away"), Contended("locked"), EngineError("odd")])
def test_it_outlives_its_engines_failures(failure: EngineError) -> None:
    failures = [failure] * 3

    def work() -> float:
        if failures:
            raise failures.pop()
        return 3600

    service = Counter(work)
    service.start()
    service.wait_for(4)
    assert service.stop()
    assert (service.failure, service.trouble, service.steps) == (None, None, 4)


def test_it_says_what_it_waits_for() -> None:
    def work() -> float:
        raise Unavailable("the engine is away")

    service = Counter(work)
    service.start()
    service.wait_for(2)
    assert service.trouble == "the engine is away"
    assert service.stop()


@pytest.mark.parametrize("failure", [NeedsRebuild("gone"), Outdated("old"), Stalled("stands still"), ValueError("a mistake"), SystemExit()])
def test_what_no_waiting_mends_ends_it(failure: BaseException) -> None:
    def work() -> float:
        raise failure

    service = Counter(work)
    service.start()
    assert service.ended.wait(SECONDS)
    assert (service.failure, service.steps, service.closed) == (failure, 1, 1)
    assert service.stop()


def test_an_engine_that_is_away_does_not_spoil_the_end() -> None:
    def closing() -> None:
        raise Unavailable("away")

    service = Counter(closing=closing)
    service.start()
    service.wait_for()
    assert service.stop()
    assert service.failure is None


@pytest.mark.parametrize("kind", [Counter, Blocked])
def test_starting_and_stopping_from_ten_threads_at_once(kind: type[Service]) -> None:
    for _ in range(50):
        service = kind()
        meeting = threading.Barrier(10)

        def live(number: int, service: Service = service, meeting: threading.Barrier = meeting) -> None:
            meeting.wait(SECONDS)
            for _ in range(50):
                (service.stop if number % 2 else service.start)()

        threads = [threading.Thread(target=live, args=(number,)) for number in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(SECONDS)
        assert service.stop()
        assert service.failure is None
        assert service.started.is_set() == service.ended.is_set()


@pytest.mark.parametrize("kind", [Projector, Relay, Purger, Leash])
def test_what_is_private_of_a_service_is_not_used_by_its_kinds(kind: type[Service]) -> None:
    private = {name for name in (*vars(Service), *vars(Service("any"))) if re.match(r"_[a-z]", name)}
    assert private & set(re.findall(r"self\.(_\w+)", inspect.getsource(kind))) == set()
