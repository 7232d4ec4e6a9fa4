"""When the index is asked for a refresh, beside the stream: soon where that is cheap, seldom where it is dear.

A refresh makes what was applied searchable, and costs the index more the more that is. The next one comes no sooner than
PAUSES times what the last one took, so that refreshes have at most a sixth of the time; the index's own interval goes on beside.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import structlog

from twofold.errors import EngineError
from twofold.runtime.batcher import Batcher
from twofold.runtime.retry import Backoff

log: Any = structlog.get_logger()
LOOK_SECONDS = 0.05  # how often it is looked whether a refresh has ended
SOONEST = 0.02  # seconds behind what was applied, for more to come along
PAUSES = 5


class Refresher:
    """Used by the projector's thread. `refresh` runs in a thread of its own, one at a time."""

    def __init__(self, refresh: Callable[[], None]) -> None:
        self._refresh = refresh
        self._lane: Batcher[None, None] = Batcher("refresh", self._run, max_items=1)
        self._running: Future[None] | None = None
        self._since: float | None = None
        self._not_before = 0.0
        self._backoff, self._troubled = Backoff(1.0, 60.0), False

    def applied(self) -> None:
        """Something was applied that searches do not find yet."""
        self._since = self._since or time.monotonic()

    def step(self) -> None:
        """Begins a refresh if one is due. One that failed is told once, and tried again after a while: the stream does not need it."""
        if self._running is not None and self._running.done():
            ended, self._running = self._running, None
            self._judge(ended.exception())
        if self._running is None and self._since is not None and self.seconds(0) <= 0:
            self._since = None
            self._running = self._lane.submit(None)

    def seconds(self, longest: float) -> float:
        """How long the projector may wait for messages, at most, until `step` has something to do."""
        if self._since is None:
            return longest
        if self._running is not None and not self._running.done():
            return min(longest, LOOK_SECONDS)
        return max(self._since + SOONEST, self._not_before) - time.monotonic()

    def _judge(self, error: BaseException | None) -> None:
        if error is None:
            self._backoff.reset()
            self._troubled = False
            return
        if not isinstance(error, EngineError):
            raise error
        if not self._troubled:
            log.warning("a refresh failed; the index refreshes itself meanwhile", reason=str(error))
        self._troubled = True
        self._not_before = time.monotonic() + self._backoff.next()
        self.applied()

    def stop(self, timeout: float | None = None) -> None:
        self._lane.stop(timeout)

    def _run(self, _: list[None]) -> list[None]:
        begun = time.monotonic()
        try:
            self._refresh()
        finally:
            ended = time.monotonic()
            self._not_before = ended + PAUSES * (ended - begun)
        return [None]
