"""What tools that run for a while have in common: a soft end, and on the embedded default the pipeline, which nobody else can run then."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, TypeVar

import structlog

from twofold.bootstrap import System
from twofold.runtime.service import STOP_SECONDS, Service, stop_all
from twofold.tools.status import Status, errors, on_the_way, settled

T = TypeVar("T")
log: Any = structlog.get_logger()
STILL_SECONDS = 15.0  # more than a relay that was killed holds its lease for
INTERRUPTED = 130  # exit code, as shells have it: 128 and the signal's number


@contextmanager
def pipeline(system: System) -> Iterator[None]:
    """On the embedded default, relay and projectors beside what is done here; it begins when nothing is on its way any more."""
    services: list[Service] = [system.relay(), *system.projectors()] if system.settings.embedded else []
    for service in services:
        service.start()
    try:
        if services:
            drain(system, services)
        yield
    finally:
        stop(services)


def drain(system: System, services: list[Service], interrupted: Callable[[], bool] = lambda: False) -> None:
    """Waits until everything is searchable, or a service has failed, or somebody asks to stop, or nothing gets on for STILL_SECONDS. What
    is left then is told; nothing of it is lost.
    """
    before, until = None, 0.0
    while not settled(found := on_the_way(system)):
        pending, lag = found["outbox"].get("pending"), _lag(found)
        if before != (before := (pending, lag)):
            until = time.monotonic() + STILL_SECONDS
        if interrupted() or time.monotonic() >= until or any(service.ended.is_set() for service in services):
            reasons = [*errors(found), *(service.trouble for service in services if service.trouble)]
            log.warning("left for the next start", pending=pending, lag=lag, reasons=reasons)
            return
        time.sleep(0.05)


def stop(services: list[Service]) -> None:
    """Stops all, and tells which did not end in time."""
    if left := stop_all(services, STOP_SECONDS):
        log.error("did not stop in time", services=left)


def _lag(found: Status) -> int:
    return sum(resource["topic"].get("lag", 0) for resource in found["resources"].values())


class Interrupts:
    """Tells, when called, whether Ctrl-C or SIGTERM came. A second one raises KeyboardInterrupt, and so does one that meets a read."""

    def __init__(self) -> None:
        self._asked = self._reading = False

    def __call__(self) -> bool:
        return self._asked

    def ask(self, _number: int, _frame: FrameType | None) -> None:
        at_once, self._asked = self._asked or self._reading, True
        if at_once:
            raise KeyboardInterrupt

    def reading(self, items: Iterable[T]) -> Iterator[T]:
        """The items. Whoever writes them into a pipe may take for ever, and a read goes on behind a signal that raises nothing."""
        iterator = iter(items)
        while True:
            self._reading = True
            try:
                if self._asked:  # just before
                    raise KeyboardInterrupt
                item = next(iterator)
            except StopIteration:
                return
            finally:
                self._reading = False
            yield item


@contextmanager
def interruptible() -> Iterator[Interrupts]:
    """Ctrl-C ends a tool softly, after the piece of work that runs; a second one ends it at once."""
    interrupts = Interrupts()
    with handled(interrupts.ask, signal.SIGINT, signal.SIGTERM):
        yield interrupts


@contextmanager
def handled(handler: Callable[[int, FrameType | None], Any], *numbers: signal.Signals) -> Iterator[None]:
    """Meanwhile signals go to this handler."""
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, signal.SIG_DFL if old is None else old)  # None is one that was not set from Python
