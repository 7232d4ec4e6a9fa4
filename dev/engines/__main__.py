"""Command line: `python -m dev.engines COMMAND [NAME ...]`."""

import argparse
import fcntl
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO

from . import lifecycle, settings
from .elasticsearch import Elasticsearch
from .engine import Engine
from .kafka import Kafka
from .mysql import MySQL
from .opensearch import OpenSearch
from .settings import EngineError

ENGINES: dict[str, Engine] = {
    engine.name: engine for engine in (MySQL(), Kafka(), Elasticsearch(), OpenSearch())
}
Action = Callable[[Engine], None]
Engines = Sequence[Engine]


class Failures:
    """Applies actions engine by engine, so that one failure does not hold up the others."""

    def __init__(self) -> None:
        self.count = 0

    def each(self, action: Action, engines: Engines) -> list[Engine]:
        """Return the engines for which the action succeeded."""
        return [engine for engine in engines if self._succeeds(action, engine)]

    def _succeeds(self, action: Action, engine: Engine) -> bool:
        try:
            action(engine)
        except EngineError as error:
            self.count += 1
            settings.say(engine.name, f"error: {error}")
            return False
        return True


def up(engines: Engines) -> int:
    """Start the engines and print their addresses."""
    failures, ready = _start(engines)
    _print_urls(ready)
    return int(failures.count > 0)


def start(engines: Engines) -> int:
    """Start the engines."""
    failures, _ = _start(engines)
    return int(failures.count > 0)


def restart(engines: Engines) -> int:
    """Stop the engines and start them again."""
    refused = simple(lifecycle.refuse_foreign, engines)
    return refused or simple(lifecycle.stop, engines) or start(engines)


def status(engines: Engines) -> int:
    """Print one line for each engine."""
    for engine in engines:
        process = engine.process
        detail = f"pid {process.pid}, {process.megabytes} MB" if process.pid else ""
        line = f"{engine.name:14} {lifecycle.state(engine):11} port {engine.port:<6} {detail}"
        print(line.rstrip())
    return 0


def env(engines: Engines) -> int:
    """Print the addresses of the engines that answer, for a shell to evaluate."""
    answering = [engine for engine in engines if engine.answers()]
    _print_urls(answering, prefix="export ")
    return int(not answering)


def simple(action: Action, engines: Engines) -> int:
    """Apply one action to each engine."""
    failures = Failures()
    failures.each(action, engines)
    return int(failures.count > 0)


def _start(engines: Engines) -> tuple[Failures, list[Engine]]:
    failures = Failures()
    remaining = engines
    for action in (lifecycle.prepare, lifecycle.start, lifecycle.wait):
        remaining = failures.each(action, remaining)
    return failures, list(remaining)


def _print_urls(engines: Engines, prefix: str = "") -> None:
    seen: set[str] = set()
    for engine in engines:
        comment = "# or " if engine.url_variable in seen else ""
        print(f"{comment}{prefix}{engine.url_variable}={engine.url}")
        seen.add(engine.url_variable)


def _action(action: Action) -> Callable[[Engines], int]:
    return lambda engines: simple(action, engines)


COMMANDS: dict[str, tuple[Callable[[Engines], int], str]] = {
    "up": (up, "install what is missing, start, wait, print the addresses"),
    "down": (_action(lifecycle.stop), "stop"),
    "status": (status, "show what is running"),
    "env": (env, "print the addresses as shell exports"),
    "reset": (_action(lifecycle.reset), "stop and delete the data"),
    "start": (start, "start and wait"),
    "stop": (_action(lifecycle.stop), "stop"),
    "restart": (restart, "stop, start and wait"),
    "kill": (_action(lifecycle.kill), "end at once with SIGKILL"),
    "pause": (_action(lifecycle.pause), "freeze with SIGSTOP"),
    "resume": (_action(lifecycle.resume), "let a paused engine go on"),
}
NEED_NAMES = {"start", "stop", "restart", "kill", "pause", "resume"}
NEED_NO_LOCK = {"status", "env", "kill", "pause", "resume"}


@contextmanager
def _lock(command: str) -> Iterator[None]:
    """Let one command at a time change the folder."""
    folder = settings.folder()
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        if command not in NEED_NO_LOCK:
            _wait_for(lock)
        yield


def _wait_for(lock: IO[str]) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        settings.say("engines", "waiting for another run to finish")
        fcntl.flock(lock, fcntl.LOCK_EX)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m dev.engines", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (_, text) in COMMANDS.items():
        command = commands.add_parser(name, help=text)
        count = "+" if name in NEED_NAMES else "*"
        command.add_argument("names", nargs=count, metavar="NAME", help=" | ".join(ENGINES))
    return parser


def main() -> int:
    """Run one command."""
    parser = _parser()
    arguments = parser.parse_args()
    unknown = set(arguments.names) - set(ENGINES)
    if unknown:
        parser.error(
            f"no such engine: {', '.join(sorted(unknown))}; there are {', '.join(ENGINES)}"
        )
    engines = [engine for name, engine in ENGINES.items() if name in (arguments.names or ENGINES)]
    with _lock(arguments.command):
        return COMMANDS[arguments.command][0](engines)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except EngineError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
