"""`twofold import` and `twofold demo`: from a file to commands, with progress, rejects, and on the embedded default the whole pipeline."""

from __future__ import annotations

import gzip
import re
import signal
import sys
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from twofold.bootstrap import WRITE, System, load_app, resource_of
from twofold.command.passwords import PHC, HashPool
from twofold.command.writer import Writer
from twofold.errors import EngineError, SettingsError
from twofold.imports.creator import Creator
from twofold.imports.lines import Damaged, Line, Notes
from twofold.imports.loader import Interrupted, Loader, Tally
from twofold.imports.objects import Objects
from twofold.imports.options import Options, check
from twofold.imports.rejects import Rejects
from twofold.imports.source import Source, open_source, stem_of
from twofold.imports.table import Table
from twofold.imports.updater import Updater
from twofold.resource import Declaration
from twofold.runtime.service import Service
from twofold.settings import Settings
from twofold.tools import demo as demo_users
from twofold.tools.progress import Progress
from twofold.tools.running import INTERRUPTED, drain, handled, interruptible, stop
from twofold.tools.serving import wait_for
from twofold.users import User

HASHES_PER_SECOND = 35  # on one core; for the estimate that is told beforehand
talk = Console(stderr=True)


@dataclass(slots=True)
class Outcome:
    """What became of an import: what is told at the end, and the exit code."""

    tally: Tally
    seconds: float = 0.0
    interrupted: bool = False
    notes: Notes = field(default_factory=Notes)


def run(settings: Settings, name: str, file: str, rejects: Path | None, options: Options) -> int:
    """Imports a file. Returns the exit code: 0; 1 where lines were rejected, or the file is a part only; 130 where it was interrupted."""
    resource = resource_of(load_app(settings.app), name)
    check(resource, options)
    if not file:
        raise SettingsError("FILE is empty: name a file, or - for standard input.")
    path = None if file == "-" else Path(file)
    with ExitStack() as stack:
        try:
            with handled(signal.default_int_handler, signal.SIGTERM):
                begin = _begun(stack, settings, resource, path, rejects, options)
        except KeyboardInterrupt:
            print("interrupted before the first line: nothing was imported; run the same command again", file=sys.stderr)
            return INTERRUPTED
        return begin()


def _begun(
    stack: ExitStack, settings: Settings, resource: Declaration, path: Path | None, rejects: Path | None, options: Options
) -> Callable[[], int]:
    """What loads the lines, once all before the first one is done. A file is looked at before engines are waited for, so that a mistake is
    told at once; standard input behind that, since it may take its time too.
    """
    notes = Notes()
    if path is None:
        system = _opened(stack, settings)
    source = stack.enter_context(open_source(path, options))
    table = Table(source, resource, options, notes) if source.format in ("csv", "tsv") else None
    lines = _whole(table or Objects(source, resource, options, notes))
    if notes.lacking:
        print(notes.lacking, file=sys.stderr)
    _estimate(resource, source, table, options)
    place = _place(path, rejects, source, table)
    if path is not None:
        system = _opened(stack, settings)
    refused = _rejects(place, resource, options, table)
    return lambda: _load(system, resource, lines, refused, options, notes, Progress(talk, source.taken, source.size))


def _opened(stack: ExitStack, settings: Settings) -> System:
    """The system, closed with the stack, once its write store answers."""
    system = System(load_app(settings.app), settings)
    stack.callback(system.close)
    wait_for(system, {WRITE})
    return system


def demo(settings: Settings, count: int) -> int:
    """Sees to it that the built-in app has these users."""
    app = load_app(settings.app)
    resource = app.resources.get("users")
    if resource is None or not issubclass(resource.cls, User):
        raise SettingsError(
            f"`twofold demo` fills the built-in users, which {settings.app} has not. `twofold import` fills a resource from a file."
        )
    pool = HashPool()
    [password] = pool.many(["a demo password"])
    pool.close()
    system = System(app, settings)
    try:
        wait_for(system, {WRITE})
        rejects = Rejects(Path("demo.rejects.ndjson"), frozenset({"password"}))
        options = Options(by="email")
        made = 0

        def lines() -> Iterator[Line]:
            nonlocal made
            for number, body in demo_users.users(count, password):
                made = number
                yield Line(number, "", body, members=body)

        return _load(system, resource, lines(), rejects, options, Notes(), Progress(talk, lambda: made, count))
    finally:
        system.close()


def _place(path: Path | None, rejects: Path | None, source: Source, table: Table | None) -> Path:
    """Where rejects go: beside the file, in its format."""
    ending = source.format if table else "ndjson"
    place = rejects or (path.parent if path else Path()) / f"{stem_of(path)}.rejects.{ending}"
    if path is not None and place.exists() and place.samefile(path):
        raise SettingsError(f"{place} is the file that is read. Name another with --rejects.")
    return place


def _rejects(place: Path, resource: Declaration, options: Options, table: Table | None) -> Rejects:
    secret = {each.name for each in resource.secrets}
    if table is None:
        return Rejects(place, frozenset(secret | {name for name, member in options.columns.items() if member in secret}))
    hidden = frozenset(name for name in table.header if options.member(name) in secret)
    return Rejects(place, hidden, table.header, table.delimiter, options.encoding)


def _whole(lines: Iterable[Line]) -> Iterator[Line]:
    """The lines; Damaged where the file cannot be read to its end."""
    number = 0
    try:
        for line in lines:
            number = line.number
            yield line
    except (UnicodeError, EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise Damaged(f"Behind line {number} the file cannot be read: {error}. What stands there was not imported.") from None


def _load(
    system: System, resource: Declaration, lines: Iterable[Line], rejects: Rejects, options: Options, notes: Notes, progress: Progress
) -> int:
    services: list[Service] = [system.relay(), *system.projectors()] if system.settings.embedded else []
    for service in services:
        service.start()
    writer = Writer(system.store, services[0].wake if services else lambda: None)
    begun = time.monotonic()
    try:
        with interruptible() as interrupted:
            loader = (Updater if options.by else Creator)(resource, system.store, writer, rejects, options, interrupted)
            outcome = Outcome(loader.tally, notes=notes)
            _run(loader, interrupted.reading(lines), outcome, progress, lambda: _close(loader, rejects, writer), interrupted)
            outcome.seconds = time.monotonic() - begun
            if services:
                drain(system, services, interrupted)
    finally:
        stop(services)
    return _told(outcome, options, rejects, embedded=system.settings.embedded)


def _close(loader: Loader, rejects: Rejects, writer: Writer) -> None:
    loader.close()
    writer.stop()
    rejects.close()


def _run(
    loader: Loader, lines: Iterable[Line], outcome: Outcome, progress: Progress, close: Callable[[], None], interrupted: Callable[[], bool]
) -> None:
    """Loads all lines. Whatever ends that early is noted, so that what was done is told all the same."""
    try:
        with ExitStack() as stack:
            stack.callback(close)
            stack.enter_context(progress)
            for tally in loader.load(lines):
                progress.show(tally.lines)
                if interrupted():
                    raise Interrupted
    except (Interrupted, KeyboardInterrupt):
        outcome.interrupted = True
    except (Damaged, EngineError) as error:
        outcome.notes.damage = str(error)


def _told(outcome: Outcome, options: Options, rejects: Rejects, *, embedded: bool) -> int:
    tally, notes = outcome.tally, outcome.notes
    rate = tally.lines / outcome.seconds if outcome.seconds else 0
    middle = f"changed {tally.changed}, unchanged {tally.unchanged}" if options.by else f"already there {tally.already}"
    print(f"created {tally.created}, {middle}, rejected {tally.rejected}; {outcome.seconds:.1f} s, {rate:.0f} lines/s")
    for line in _remarks(outcome, options, rejects, embedded=embedded):
        print(line, file=sys.stderr)
    if outcome.interrupted:
        return INTERRUPTED
    return 1 if tally.rejected or notes.damage else 0


def _remarks(outcome: Outcome, options: Options, rejects: Rejects, *, embedded: bool) -> Iterator[str]:
    tally, notes = outcome.tally, outcome.notes
    if tally.rejected:
        yield f"rejected lines and reasons: {rejects.path}"
    if rejects.blanked:
        yield "secrets are not among them: fill them in before you import that file"
    if notes.left_out:
        how = "" if options.with_ids else "; --with-ids keeps id and created_at"
        yield f"left out, since the store gives them: {', '.join(sorted(notes.left_out))}{how}"
    if tally.kept:
        yield f"secrets of {tally.kept} rows that were there are as they were: a secret is changed by PUT"
    if notes.damage and not outcome.interrupted:
        yield notes.damage
    if outcome.interrupted:
        yield f"interrupted after {tally.lines} lines: run the same command again to go on"
    elif not embedded:
        yield "the relay and the projectors carry it to the index: see `twofold status`"


def _estimate(resource: Declaration, source: Source, table: Table | None, options: Options) -> None:
    """Hashing plain passwords is meant to be slow; who imports many is told before it begins."""
    given = _given(source, table, options)
    count = sum(each.hashed and each.name in given for each in resource.secrets)
    if not source.size or not count or PHC.search(source.head):
        return
    lines = source.size * source.head.count("\n") / max(len(source.head.encode("utf-8", "replace")), 1) - (table is not None)
    hashes = max(count * lines, count)
    seconds = hashes / HASHES_PER_SECOND / HashPool.workers()
    talk.print(f"about {hashes:,.0f} passwords will be hashed: about {seconds:,.0f} s. Hashes (argon2id, PHC) are stored as they are.")


def _given(source: Source, table: Table | None, options: Options) -> set[str]:
    """The members that the lines give, as far as their beginning shows."""
    names = table.header if table else re.findall(r'"([^"\\]+)"\s*:', source.head)
    return {options.member(name) for name in names}
