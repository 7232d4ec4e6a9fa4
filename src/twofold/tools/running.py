"""What tools that run for a while have in common: a soft end, and on the embedded default the pipeline, which nobody else can run then."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from twofold.bootstrap import System
from twofold.runtime.service import Service, stop_all
from twofold.tools.status import on_the_way, settled

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
        stop_all(services)


def drain(system: System, services: list[Service], interrupted: Callable[[], bool] = lambda: False) -> None:
    """Waits until everything is searchable, or a service has failed, or somebody asks to stop."""
    while not interrupted() and not settled(on_the_way(system)) and not any(service.ended.is_set() for service in services):
        time.sleep(0.05)


@contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """Ctrl-C ends a tool softly, after the piece of work that runs; a second one ends it at once."""
    asked = False

    def ask(_number: int, _frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
