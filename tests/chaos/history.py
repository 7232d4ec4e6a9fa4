"""What was sent, and what was answered: the one side that the checker holds the stores against."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import orjson

from tests.chaos.operations import Operation

TOKENS = 200  # of the newest writes, for readers to ask with


@dataclass(frozen=True, slots=True)
class Answer:
    """One that leaves nothing open: done (2xx) or refused (4xx)."""

    status: int
    code: str = ""
    version: int | None = None
    body: str = ""
    replayed: bool = False  # given to a request that was done before: the account may have been changed since

    @property
    def done(self) -> bool:
        return 200 <= self.status < 300


@dataclass(slots=True)
class Sent:
    """An operation with all its answers: its own, its twin's, and that of its repetition. None where no answer came in time."""

    operation: Operation
    id: str
    answers: list[Answer | None] = field(default_factory=list)

    @property
    def done(self) -> Answer | None:
        return next((answer for answer in self.answers if answer and answer.done), None)

    @property
    def first_hand(self) -> Answer | None:
        """From the request that did it."""
        return next((answer for answer in self.answers if answer and answer.done and not answer.replayed), None)

    @property
    def refused(self) -> Answer | None:
        return next((answer for answer in self.answers if answer and not answer.done), None)

    @property
    def unresolved(self) -> bool:
        return None in self.answers and self.done is None

    @property
    def as_planned(self) -> bool:
        """Whether every answer is the one that the plan knew."""
        planned = self.operation
        if self.unresolved or (self.done and self.refused):
            return False
        if planned.expected is None:
            return True
        if self.done:
            return planned.expected == "done" and planned.leaves in (None, self.done.version)
        return self.refused is not None and self.refused.code == planned.expected


class History:
    """Filled by all clients at a time. `path` gets all of it as it happens, one JSON object a line."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.sent: list[Sent] = []
        self.ids: dict[str, str] = {}  # by account
        self.doubtful: set[str] = set()  # accounts whose state the plan does not know any more
        self.complaints: list[str] = []
        self.tokens: deque[tuple[str, int]] = deque(maxlen=TOKENS)  # id and version
        self.deleting: set[str] = set()  # ids that are deleted, or about to be
        self.reads: dict[str, int] = {}
        self._file = path.open("wb")
        self._begun = time.monotonic()
        self._lock = threading.Lock()

    def event(self, what: str, **details: Any) -> None:
        with self._lock:
            at = round(time.monotonic() - self._begun, 3)
            self._file.write(orjson.dumps({"at": at, "what": what, **details}, option=orjson.OPT_APPEND_NEWLINE))

    def complain(self, text: str) -> None:
        self.event("complaint", text=text)
        with self._lock:
            self.complaints.append(text)

    def note(self, sent: Sent) -> None:
        operation = sent.operation
        self.event("outcome", **asdict(sent))
        with self._lock:
            self.sent.append(sent)
            if sent.done and operation.kind in ("create", "put"):
                self.ids[operation.account] = sent.id
            if not sent.as_planned:
                self.doubtful.add(operation.account)
            if sent.done and sent.done.version is not None:
                self.tokens.append((sent.id, sent.done.version))

    def read(self, outcome: str) -> None:
        with self._lock:
            self.reads[outcome] = self.reads.get(outcome, 0) + 1

    def close(self) -> None:
        self._file.close()
