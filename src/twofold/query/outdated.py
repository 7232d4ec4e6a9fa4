"""The index was rebuilt for another declaration than this program has, which so is the wrong one to answer."""

from __future__ import annotations

from functools import cache
from typing import Any

import structlog

from twofold.errors import Outdated, Problem

log: Any = structlog.get_logger()


def outdated(error: Outdated) -> Problem:
    """What a client is told; the sentence that says what to do is for the log."""
    _tell(str(error))
    return Problem(
        503,
        "declaration-outdated",
        "The index was built for another declaration than this instance of the service has.",
        headers={"Retry-After": "10"},
    )


@cache  # once, not at every request
def _tell(reason: str) -> None:
    log.error("queries are refused", reason=reason)
