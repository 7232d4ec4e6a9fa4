"""A service's life: start, started, stop. A loop in a thread that outlives its engines' failures."""

from __future__ import annotations

import threading
import time
from typing import Any

import structlog

from twofold.errors import EngineError, NeedsRebuild, Outdated, Stalled
from twofold.runtime.retry import Backoff
from twofold.telemetry import stack

log: Any = structlog.get_logger()
STOP_SECONDS = 10.0


class Service:
    """Runs `step()` again and again in a thread of its own until it is stopped.

    A step that raises an EngineError is tried again after a while. NeedsRebuild, Outdated and Stalled, which no waiting mends, and
    every error that is not an engine's end the service: `failure` holds the error and `ended` is set.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.started = threading.Event()
        self.ended = threading.Event()
        self.stopping = threading.Event()
        self.failure: BaseException | None = None
        self.trouble: str | None = None
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._life = threading.Lock()

    def start(self) -> None:
        """Starts the thread; a second call does nothing, and so does a call after `stop`."""
        with self._life:
            if self._thread is None and not self.stopping.is_set():
                self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
                self._thread.start()

    def stop(self, timeout: float = STOP_SECONDS) -> bool:
        """Ends the loop after the step that runs. True once it has ended. May come before `start`, twice, or from any thread.

        A step that stops its own service is told False: it has not ended yet.
        """
        self.stopping.set()
        self._wake.set()
        self.unblock()
        with self._life:
            thread = self._thread
        if thread is None:
            return True
        if thread is not threading.current_thread():
            thread.join(timeout)
        return not thread.is_alive()

    def wake(self) -> None:
        """Cuts short a wait between steps."""
        self._wake.set()

    def step(self) -> float:
        """One piece of work; returns how many seconds to wait before the next (0: at once)."""
        raise NotImplementedError

    def unblock(self) -> None:
        """Called by `stop`: makes a step that waits return soon."""

    def close(self) -> None:
        """Called by the thread when the loop has ended."""

    def _run(self) -> None:
        backoff = Backoff()
        self.started.set()
        try:
            while not self.stopping.is_set():
                self._pause(self._guarded(backoff))
        except BaseException as error:  # noqa: BLE001 - told by `failure` and the log
            self.failure = error
            told = None if isinstance(error, EngineError) else stack(error)
            log.error("service failed", service=self.name, error=str(error), stack=told)
        finally:
            self._close()
            self.ended.set()

    def _guarded(self, backoff: Backoff) -> float:
        try:
            pause = self.step()
        except (NeedsRebuild, Outdated, Stalled):
            raise
        except EngineError as error:
            self.report(str(error))
            return backoff.next()
        backoff.reset()
        self.report(None)
        return pause

    def report(self, trouble: str | None) -> None:
        """Logs when trouble begins and ends, not at every try."""
        if trouble is not None and self.trouble is None:
            log.warning("waiting for an engine", service=self.name, reason=trouble)
        if trouble is None and self.trouble is not None:
            log.info("working again", service=self.name)
        self.trouble = trouble

    def _pause(self, seconds: float) -> None:
        if seconds > 0:
            self._wake.wait(seconds)
        self._wake.clear()

    def _close(self) -> None:
        try:
            self.close()
        except EngineError as error:
            log.warning("not closed cleanly", service=self.name, reason=str(error))


def stop_all(services: list[Service], timeout: float = STOP_SECONDS) -> list[str]:
    """Stops all at once, within `timeout` seconds together; the names of those that did not end in time."""
    for service in services:
        service.stop(0)
    deadline = time.monotonic() + timeout
    return [service.name for service in services if not service.stop(max(0.0, deadline - time.monotonic()))]
