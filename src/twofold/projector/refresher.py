"""When the index is asked for a refresh, beside the stream: soon where that is cheap, seldom where it is dear.

A refresh makes what was applied searchable, and costs the index more the more that is. The next one comes no sooner than
PAUSES times what the last one took, so that refreshes have at most a tenth of the time; the index's own interval goes on beside.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future

from twofold.runtime.batcher import Batcher

SOONEST = 0.02  # seconds behind what was applied, for more to come along
PAUSES = 10


class Refresher:
    """Used by the projector's thread. `refresh` runs in a thread of its own, one at a time."""

    def __init__(self, refresh: Callable[[], None]) -> None:
        self._refresh = refresh
        self._lane: Batcher[None, None] = Batcher("refresh", self._run, max_items=1)
        self._running: Future[None] | None = None
        self._since: float | None = None
        self._not_before = 0.0

    def applied(self) -> None:
        """Something was applied that searches do not find yet."""
        self._since = self._since or time.monotonic()

    def step(self) -> None:
        """Begins a refresh if one is due. Raises what the last one ended with; it is then tried again."""
        if self._running is not None and self._running.done():
            ended, self._running = self._running, None
            if error := ended.exception():
                self.applied()
                raise error
        if self._running is None and self._since is not None and self.seconds(0) <= 0:
            self._since = None
            self._running = self._lane.submit(None)

    def seconds(self, longest: float) -> float:
        """How long the projector may wait for messages, at most, until `step` has something to do."""
        if self._since is None:
            return longest
        return max(self._since + SOONEST, self._not_before) - time.monotonic()

    def stop(self) -> None:
        self._lane.stop()

    def _run(self, _: list[None]) -> list[None]:
        begun = time.monotonic()
        try:
            self._refresh()
        finally:
            ended = time.monotonic()
            self._not_before = ended + PAUSES * (ended - begun)
        return [None]
