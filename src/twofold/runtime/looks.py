"""Looks at what may be slow or hang: each has one thread, and whoever asks meanwhile shares the look that runs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Generic, TypeVar

import structlog

from twofold.errors import EngineError, SettingsError
from twofold.runtime.batcher import Batcher
from twofold.telemetry import stack

log: Any = structlog.get_logger()
T = TypeVar("T")
LOOK_SECONDS = 0.5  # neither a probe nor the end of the service waits longer for an engine's word


class Look(Generic[T]):
    """Calls `ask()` in a thread of its own, once at a time; what it gave is kept for `keep` seconds."""

    def __init__(self, name: str, ask: Callable[[], T], keep: float = 0) -> None:
        self._thread: Batcher[None, T] = Batcher(f"look-{name}", lambda _: [ask()])
        self._keep, self._kept_until = keep, 0.0
        self._last: Future[T] | None = None

    def begun(self) -> asyncio.Future[T]:
        """The look that runs or is kept, else a new one. It ends with what `ask()` gives or raises."""
        if self._last is None or (self._last.done() and time.monotonic() >= self._kept_until):
            self._last = self._thread.submit(None)
            self._last.add_done_callback(self._done)
        return asyncio.shield(asyncio.wrap_future(self._last))

    def stop(self) -> None:
        """Ends the thread; does not wait long for a look that hangs."""
        self._thread.stop(LOOK_SECONDS)

    def _done(self, _: Future[T]) -> None:
        self._kept_until = time.monotonic() + self._keep


class EngineLook:
    """How an engine is, for probes. `check` raises where it is not well; why is logged when that changes."""

    def __init__(self, name: str, check: Callable[[], Any]) -> None:
        self._name, self._look = name, Look(name, check)
        self._state = "ok"
        self.stop = self._look.stop

    async def state(self) -> str:
        """`ok`, `slow` where it has not answered in LOOK_SECONDS, an EngineError's name, or `error` for what nobody expected."""
        look = self._look.begun()
        done, _ = await asyncio.wait([look], timeout=LOOK_SECONDS)
        if not done:
            look.cancel()
            return self._told("slow", reason=f"no answer in {LOOK_SECONDS} s")
        error = look.exception()
        if error is None:
            return self._told("ok")
        if isinstance(error, (EngineError, SettingsError)):
            return self._told(type(error).__name__.lower(), reason=str(error))
        return self._told("error", reason=type(error).__name__, stack=stack(error))

    def _told(self, state: str, **why: str) -> str:
        if state != self._state and state == "ok":
            log.info("an engine is well again", engine=self._name)
        elif state != self._state:
            log.warning("an engine is not well", engine=self._name, state=state, **why)
        self._state = state
        return state
