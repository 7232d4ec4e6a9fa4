"""Logs: structured, to stderr; for people on a terminal, one JSON object a line otherwise.

Tracebacks carry no local variables: a frame of a command holds passwords.
"""

from __future__ import annotations

import logging
import os
import sys
import traceback
from collections.abc import Iterable
from typing import Any

import structlog

CAUSES = 5
FRAMES = 15
HIDDEN = "**********"  # as Pydantic shows a secret
_on_terminal = False
WORKER = "TWOFOLD_WORKER_NUMBER"  # variable with a worker's number, set by its supervisor


def stack(error: BaseException) -> str:
    """Where an error was raised, and its causes: types and places only. Words of an error and variables of a frame may hold a secret."""
    parts: list[str] = []
    cause: BaseException | None = error
    while cause is not None and len(parts) < CAUSES:  # contexts can form a circle
        parts.append("".join(traceback.format_tb(cause.__traceback__, limit=-FRAMES)) + type(cause).__name__)
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    return "\n".join(reversed(parts))


def described(error: BaseException, secrets: Iterable[str] | None = None) -> dict[str, str]:
    """What a log may tell of an error that nobody expected: its type and place.

    Its message may hold what a row or a body holds. So it is told only where the `secrets` are known that could be in it, and only on a
    terminal: there whoever develops the app looks at it, and nothing keeps it.
    """
    told = {"error": type(error).__name__, "stack": stack(error)}
    if _on_terminal and secrets is not None:
        message = str(error)
        for secret in sorted(filter(None, secrets), key=len, reverse=True):
            message = message.replace(secret, HIDDEN)
        told["message"] = message
    return told


def configure(stream: Any = None) -> None:
    """Sends structlog and the standard library's logging through one handler."""
    global _on_terminal  # noqa: PLW0603 - there is one log
    stream = stream or sys.stderr
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if WORKER in os.environ:
        shared.append(_worker(int(os.environ[WORKER])))
    human = _on_terminal = stream.isatty()
    renderer: list[Any] = (
        [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
        if human
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream)
    final = [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer]
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processors=final, foreign_pre_chain=shared))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.INFO)
    for noisy in ("alembic", "elastic_transport", "uvicorn.error", "sqlalchemy"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def _worker(number: int) -> Any:
    """Puts the worker's number into each line, from whatever thread it comes: structlog's context is a thread's own."""
    return lambda _logger, _method, event: {**event, "worker": number}
