"""A reader of Kafka that is opened anew when it makes no progress.

librdkafka comes back by itself behind most failures, and behind some it does not, without a word: behind a pause of a broker it may know
no broker any more, or wait for ever for the answer to a commit. What shows in all of them is that nothing is read although there is
something to read. So whoever has read nothing for STALL_SECONDS asks, through another client, whether there is.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from threading import Lock
from typing import Generic, Protocol, TypeVar

from twofold.errors import Outdated, Stalled, Unavailable
from twofold.log.port import Message

STALL_SECONDS = 30.0
AGAIN_SECONDS = 10.0  # from one look at a Kafka that does not answer to the next
ABSENT_SECONDS = 10.0  # whoever did not call for so long was busy elsewhere, and is no witness of a standstill
REOPENINGS = 3  # in a row that may be in vain
LOG = logging.getLogger("twofold.kafka")

Ends = Callable[[], Mapping[int, int]]


class Reader(Protocol):
    """What is watched. `poll` and `close` are those of a subscription."""

    def poll(self, limit: int, timeout: float) -> list[Message]: ...

    def standstill(self, ends: Ends) -> str | None:
        """Why nothing comes although something should; None where nothing is to come. `ends` raises Unavailable while Kafka is away."""

    def close(self) -> None: ...


R = TypeVar("R", bound=Reader)


class Watch(Generic[R]):
    """Holds the reader that is open. Used by one thread, but for `close`."""

    def __init__(self, opened: Callable[[], R], ends: Ends) -> None:
        self.reader = opened()
        self._open, self._ends = opened, ends
        self._changing, self._closed = Lock(), False
        self._reopened, self._away = 0, False
        self._called = 0.0
        self._look_at = 0.0
        self._wait(STALL_SECONDS)

    def poll(self, limit: int, timeout: float) -> list[Message]:
        """As the reader's. Raises Unavailable where it is opened anew, Stalled where that did not help."""
        with self.calling():
            found = self.reader.poll(limit, timeout)
            if found:
                self._reopened = 0
            if found or not limit:
                self._wait(STALL_SECONDS)
        if time.monotonic() >= self._look_at and not self._closed:
            self._look()
        return found

    @contextmanager
    def calling(self) -> Iterator[None]:
        """Around a call of the reader: one that is tried again and again in vain is a standstill too."""
        if time.monotonic() - self._called > ABSENT_SECONDS:
            self._wait(STALL_SECONDS)
        try:
            yield
        except Outdated as error:
            self._ends()  # raises it too where the topic is gone: librdkafka says so of one whose brokers are fenced for a moment
            raise Unavailable(f"{error} It is there, though.") from error
        except Unavailable:
            if time.monotonic() >= self._look_at and not self._closed:
                self._look()
            raise
        finally:
            self._called = time.monotonic()

    def close(self) -> None:
        with self._changing:
            self._closed = True
            reader = self.reader
        reader.close()

    def _look(self) -> None:
        try:
            why = self.reader.standstill(self._ends)
        except Unavailable:
            self._away = True
            self._wait(AGAIN_SECONDS)
            raise
        was_away, self._away = self._away, False
        self._wait(STALL_SECONDS)
        if why is None:
            self._reopened = 0
        elif not was_away:  # else it comes back by itself, most often, now that Kafka has
            self._renew(why)

    def _renew(self, why: str) -> None:
        if self._reopened >= REOPENINGS:
            raise Stalled(f"{why} The connection was opened anew {REOPENINGS} times in vain.")
        self._reopen()
        LOG.warning("%s The connection is opened anew.", why)
        raise Unavailable(f"{why} The connection is opened anew.")

    def _reopen(self) -> None:
        self._reopened += 1
        with self._changing:
            if self._closed:
                return
            old = self.reader
            old.close()
            self.reader = self._open()

    def _wait(self, seconds: float) -> None:
        self._look_at = time.monotonic() + seconds
