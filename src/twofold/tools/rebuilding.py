"""`twofold rebuild`, `rollback`, `generations` and `drop`: what they tell, and their exit codes."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from twofold import telemetry
from twofold.bootstrap import LOG, WRITE, System
from twofold.errors import Outdated
from twofold.rebuild.marks import Marks
from twofold.rebuild.progress import Done, Progress, Report
from twofold.rebuild.rebuild import abort, rebuild
from twofold.rebuild.rollback import drop, rollback
from twofold.resource import Declaration
from twofold.runtime import interpreter
from twofold.tools.running import INTERRUPTED

log: Any = structlog.get_logger()
LOG_SECONDS = 5.0
talk = Console(stderr=True)


def run_rebuild(system: System, resource: Declaration, rate: float) -> int:
    """Returns the exit code: 0, 1 where documents were refused, 130 where it was interrupted."""
    return _run(system, resource, "rebuild", lambda report: rebuild(system.parts(resource), report, rate))


def run_rollback(system: System, resource: Declaration) -> int:
    return _run(system, resource, "rollback", lambda report: rollback(system.parts(resource), report))


def run_abort(system: System, resource: Declaration) -> None:
    print(abort(system.parts(resource)))


def run_drop(system: System, resource: Declaration, generation: str) -> None:
    drop(system.parts(resource), generation)
    print(f"{generation} is dropped.")


def listed(system: System, resource: Declaration) -> list[dict[str, Any]]:
    """The generations, the oldest first. `state` is "complete", "filling", "returning", or "unknown" where nobody has noted anything."""
    return [
        {
            "name": each.name,
            "live": each.live,
            "documents": each.documents,
            "size": each.size,
            "state": Marks.of(each.marks).state or ("complete" if each.live else "unknown"),
            "fits": each.fits,
        }
        for each in system.index.generations(resource)
    ]


def lines(found: list[dict[str, Any]]) -> str:
    """For people: one line a generation."""
    return "\n".join(
        f"{each['name']:<24}{'live, ' if each['live'] else ''}documents {each['documents']}, {each['size'] / 1e6:.1f} MB, {each['state']}"
        f"{'' if each['fits'] else ', of another declaration'}"
        for each in found
    )


def _run(system: System, resource: Declaration, command: str, work: Callable[[Report], Done]) -> int:
    if missing := system.pending([WRITE, LOG]):
        raise Outdated(f"The engines are not as the app declares ({', '.join(missing)}). Run `twofold migrate` first.")
    begun = time.monotonic()
    interpreter.tune()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: it saves, and lifts the block
    try:
        with _reporting(command) as report:
            done = work(report)
    except KeyboardInterrupt:
        print(f"Interrupted. `twofold {command} {resource.name}` goes on from here, `twofold rebuild {resource.name} --abort` gives it up.")
        return INTERRUPTED
    print(_told(resource, command, done, time.monotonic() - begun))
    return 1 if done.refused else 0


def _told(resource: Declaration, command: str, done: Done, seconds: float) -> str:
    copied = f"{done.documents} documents, " if command == "rebuild" else ""
    told = f"{done.generation} is live: {copied}{done.messages} messages of the log, {seconds:.1f} s."
    if done.before != done.generation:
        name, before = resource.name, done.before
        told += f"\n{before} is kept: `twofold rollback {name}` goes back to it, `twofold drop {name} {before}` drops it."
    if done.refused:
        told += f"\n{done.refused} documents were refused; they are dead letters:"
        told += "".join(f"\n  {id_}  {reason}" for id_, reason in done.examples) + ("\n  …" if done.refused > len(done.examples) else "")
    return told


@contextmanager
def _reporting(command: str) -> Iterator[Report]:
    """A bar on a terminal, a line of the log now and then elsewhere."""
    if not talk.is_terminal:
        yield _Lines(command)
        return
    words, rate = TextColumn("{task.description}"), TextColumn("{task.fields[rate]}")
    with Bar(words, BarColumn(), MofNCompleteColumn(), rate, TimeRemainingColumn(), console=talk, transient=True) as bar:
        telemetry.configure()  # so that lines of the log go above the bar
        task = bar.add_task(command, total=None, rate="")
        speed = _Speed()
        try:
            yield lambda now: bar.update(
                task,
                description=f"{now.step} {now.generation}",
                completed=now.documents,
                total=now.total or None,
                rate=f"{speed.of(now):.0f}/s, {now.messages} messages",
            )
        finally:
            telemetry.configure(talk.file)


class _Speed:
    """Documents a second since the beginning: what is counted already then was done before an interruption."""

    def __init__(self) -> None:
        self._first: tuple[float, int] | None = None

    def of(self, now: Progress) -> float:
        self._first = self._first or (time.monotonic(), now.documents)
        seconds = time.monotonic() - self._first[0]
        return (now.documents - self._first[1]) / seconds if seconds > 0 else 0.0


class _Lines:
    """A line when a step begins, and every LOG_SECONDS."""

    def __init__(self, command: str) -> None:
        self._command, self._step, self._at, self._speed = command, "", 0.0, _Speed()

    def __call__(self, now: Progress) -> None:
        rate = self._speed.of(now)
        if now.step == self._step and time.monotonic() - self._at < LOG_SECONDS:
            return
        self._step, self._at = now.step, time.monotonic()
        left = round((now.total - now.documents) / rate) if rate and now.total > now.documents else 0
        told = {"documents": now.documents, "total": now.total, "messages": now.messages, "documents_per_second": round(rate)}
        log.info(self._command, step=now.step, generation=now.generation, **told, seconds_left=left)
