"""`twofold verify`: once, with what it found; or again and again, with metrics."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import orjson
import structlog
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn

from twofold.bootstrap import LOG, READ, WRITE, System
from twofold.errors import EngineError, Outdated, SettingsError
from twofold.resource import Declaration
from twofold.runtime import interpreter
from twofold.tools.running import INTERRUPTED, interruptible, pipeline
from twofold.tools.serving import wait_for
from twofold.verify.result import Result, Tell
from twofold.verify.verifier import Verifier

log: Any = structlog.get_logger()
talk = Console(stderr=True)
NAP = 0.2  # seconds between looks for Ctrl-C


@dataclass(frozen=True, slots=True)
class How:
    """What is compared and done: contents too where `deep`; drift is mended where `repair`."""

    deep: bool
    repair: bool


def once(system: System, resource: Declaration, how: How, *, as_json: bool, ids: Path | None) -> int:
    """Returns the exit code: 0 where both sides agree, at the end; 130 where it was interrupted; else 1."""
    interpreter.tune()
    wait_for(system, {WRITE, LOG, READ})
    with pipeline(system), interruptible() as interrupted, _noting(ids) as tell:
        verifier = Verifier(system.sides(), resource, deep=how.deep, repair=how.repair, stopped=interrupted, tell=tell)
        result = _shown(system, resource, verifier)
    document = {"resource": resource.name, **result.json()}
    print(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode() if as_json else lines(resource, result, how))
    return INTERRUPTED if result.interrupted else 0 if result.agrees else 1


def watch(system: System, resource: Declaration, how: How, *, every: float, port: int) -> int:
    """Verifies every so many seconds, until Ctrl-C. Waits for engines that are away. Outdated for an index of another declaration."""
    from twofold.tools.drift_metrics import Metrics  # noqa: PLC0415 - an import of 30 ms that nobody else needs

    interpreter.tune()
    wait_for(system, {WRITE, LOG, READ})
    with Metrics(port) as metrics, pipeline(system), interruptible() as interrupted:
        print(f"watching {resource.name} every {every:g} s; metrics at http://127.0.0.1:{metrics.port}/metrics", flush=True)
        while not interrupted():
            begun = time.monotonic()
            try:
                [*_, result] = Verifier(system.sides(), resource, deep=how.deep, repair=how.repair, stopped=interrupted).run()
            except Outdated:  # which no waiting mends: this program is the older one, most likely
                raise
            except EngineError as error:
                log.warning("not verified", resource=resource.name, reason=str(error))
            else:
                _noted(metrics.note, resource, result)
            while not interrupted() and time.monotonic() - begun < every:
                time.sleep(min(NAP, every))
    return 0


def lines(resource: Declaration, result: Result, how: How) -> str:
    """For people: how much was compared, what differs, and whether they agree."""
    what = "with their contents" if result.deep else "by version, not by content"
    told = [f"{result.rows} rows and {result.documents} documents compared, {what}; {result.seconds:.1f} s, {result.rate:.0f} ids/s"]
    for kind, tally in result.drift.items():
        if tally.count:
            notes = [f"{tally.mended} mended"] * bool(tally.mended) + [f"{tally.refused} in the dead letters"] * bool(tally.refused)
            noted = f" ({', '.join(notes)})" if notes else ""
            told.append(f"{kind:<10} {tally.count}{noted}: {_some(tally.ids, tally.count)}")
    if result.undecided.count:
        told.append(f"undecided  {result.undecided.count}: {_some(result.undecided.ids, result.undecided.count)}")
    told += [f"           {reason}" for reason in sorted(result.reasons)]
    return "\n".join([*told, _verdict(resource, result, how)])


def _verdict(resource: Declaration, result: Result, how: How) -> str:
    if result.interrupted:
        return "Interrupted: this is not all."
    if result.agrees:
        return f"Table and index of {resource.name} agree{' now' if any(tally.mended for tally in result.drift.values()) else ''}."
    command = f"twofold verify {resource.name}{' --deep' if result.deep else ''} --repair"
    mends = "What is left was not mended, for the reasons above." if how.repair else f"`{command}` mends what differs."
    differs = any(result.left[kind] for kind in result.drift)
    return f"Table and index of {resource.name} do not agree.{f' {mends}' if differs else ''}"


def _some(ids: list[str], count: int) -> str:
    return ", ".join(ids) + (", …" if count > len(ids) else "")


def _noted(note: Callable[[str, Result], None], resource: Declaration, result: Result) -> None:
    if result.interrupted:
        return
    note(resource.name, result)
    figures: dict[str, Any] = {"rows": result.rows, "documents": result.documents, "seconds": round(result.seconds, 1)}
    figures |= {str(kind): tally.count for kind, tally in result.drift.items()}
    figures |= {"undecided": result.undecided.count, "mended": sum(tally.mended for tally in result.drift.values())}
    tell = log.info if result.agrees else log.warning
    tell("verified", resource=resource.name, **figures, **({"reasons": sorted(result.reasons)} if result.reasons else {}))


def _shown(system: System, resource: Declaration, verifier: Verifier) -> Result:
    """The whole result; meanwhile a bar with rate and time left, on a terminal."""
    result = verifier.result
    columns = (SpinnerColumn(), TextColumn("{task.completed:,}"), BarColumn(), TaskProgressColumn(show_speed=True), TimeRemainingColumn())
    with Progress(*columns, console=talk, transient=True, disable=not talk.is_terminal) as progress:
        task = progress.add_task("verify", total=system.store.count(resource) if talk.is_terminal else None)
        for result in verifier.run():
            progress.update(task, completed=result.compared)
    return result


@contextmanager
def _noting(path: Path | None) -> Iterator[Tell]:
    """Writes what is found to a file, a line each: kind and id."""
    try:
        with path.open("w") if path else nullcontext() as file:
            yield lambda kind, id_: _write(file, kind, id_)
    except OSError as error:
        raise SettingsError(f"--ids {path}: {error.strerror}") from None


def _write(file: IO[str] | None, kind: str, id_: str) -> None:
    if file is not None:
        file.write(f"{kind} {id_}\n")
