"""What failed, in the log: each kind and reason at once, and however often it comes again, one line a while with the count."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import structlog
import uuid_utils

from twofold.errors import EngineError
from twofold.telemetry import described

log: Any = structlog.get_logger()
SECONDS = 10.0  # for which a failure that comes again is counted, not logged
MOST = 100  # kinds and reasons that are known at a time


@dataclass(slots=True)
class _Kind:
    event: str
    instance: str
    until: float = field(default_factory=lambda: time.monotonic() + SECONDS)
    more: int = 0


class Failures:
    """The log of one service. Answers to what comes again carry the instance of the line that says why."""

    def __init__(self) -> None:
        self._kinds: dict[tuple[str, ...], _Kind] = {}
        self._lock = threading.Lock()

    def told(self, event: str, cause: BaseException | None = None, secrets: Iterable[str] | None = None, **about: Any) -> str:
        """Sees to it that the log has this failure and why. Returns the instance under which."""
        why = _why(cause, secrets)
        key = (event, str(about.get("code")), why.get("reason") or why.get("stack", ""))
        with self._lock:
            known = self._kinds.get(key)
            if known is not None and time.monotonic() < known.until:
                known.more += 1
                return known.instance
            ended = self._forget_old()
            kind = self._kinds[key] = _Kind(event, instance())
        for old in ended:
            log.warning("this came again", failure=old.event, instance=old.instance, times=old.more)
        (log.error if "stack" in why else log.warning)(event, **about, **why, instance=kind.instance)
        return kind.instance

    def _forget_old(self) -> list[_Kind]:
        """Those whose time is over, or all where there are too many. Returns those that came again."""
        now = time.monotonic()
        old = [key for key, kind in self._kinds.items() if now >= kind.until or len(self._kinds) >= MOST]
        return [kind for kind in [self._kinds.pop(key) for key in old] if kind.more]


def instance() -> str:
    """A name for one occurrence of a problem."""
    return f"urn:uuid:{uuid_utils.uuid7()}"


def _why(cause: BaseException | None, secrets: Iterable[str] | None) -> dict[str, str]:
    """An engine's words hold no values; those of other errors may."""
    if cause is None:
        return {}
    return {"reason": str(cause)} if isinstance(cause, EngineError) else described(cause, secrets)
