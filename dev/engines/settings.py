"""Where the engines live, which ports they use, and how the tool talks to the developer."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
JAVA_SOURCES = PROJECT / "dev" / "java"
HOST = "127.0.0.1"


class EngineError(Exception):
    """A failure that the developer can act on; its text is the whole message."""


def folder() -> Path:
    """Return the one folder that holds programs, data, logs and pid files."""
    chosen = os.environ.get("TWOFOLD_ENGINES_DIR") or PROJECT / ".engines"
    return Path(chosen).expanduser().resolve()


def port(variable: str, default: int) -> int:
    """Return the port that an environment variable sets, or the default."""
    text = os.environ.get(variable) or str(default)
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise EngineError(f"{variable} is not a port number: {text}")
    return int(text)


def say(name: str, text: str) -> None:
    """Tell the developer one thing; standard output is kept for results."""
    print(f"{name}: {text}", file=sys.stderr, flush=True)


@contextmanager
def step(name: str, text: str) -> Iterator[None]:
    """Report one step of work, with the seconds it took."""
    began = time.monotonic()
    print(f"{name}: {text} ... ", end="", file=sys.stderr, flush=True)
    outcome = "failed after"
    try:
        yield
        outcome = "done in"
    finally:
        seconds = time.monotonic() - began
        print(f"{outcome} {seconds:.1f} s", file=sys.stderr, flush=True)
