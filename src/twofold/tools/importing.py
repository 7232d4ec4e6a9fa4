"""`twofold import` and `twofold demo`: progress, rejects, and with the embedded default the whole pipeline."""

from __future__ import annotations

import hashlib
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import orjson
import uuid_utils
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn

from twofold.bootstrap import WRITE, System, load_app, resource_of
from twofold.command.passwords import PHC, HashPool
from twofold.command.writer import Writer
from twofold.errors import SettingsError
from twofold.resource import Declaration
from twofold.runtime.service import Service, stop_all
from twofold.settings import Settings
from twofold.tools import demo as demo_users
from twofold.tools.loading import Loader, Tally, comma_separated, ndjson
from twofold.tools.running import INTERRUPTED, drain, interruptible
from twofold.tools.serving import wait_for

HEAD = 1 << 20
HASHES_PER_SECOND = 35  # on one core; for the estimate that is told beforehand
talk = Console(stderr=True)


def run(settings: Settings, name: str, file: str, rejects: Path | None) -> int:
    """Imports a file. Returns the exit code: 0, 1 where lines were rejected, 130 where it was interrupted."""
    app = load_app(settings.app)
    resource = resource_of(app, name)
    path = None if file == "-" else Path(file)
    if path is not None and not path.is_file():
        raise SettingsError(f"There is no file {path}.")
    system = System(app, settings)
    rejects = rejects or Path(f"{path or 'stdin'}.rejects")
    with _source(path) as (stream, total, key):
        _estimate(resource, path, total)
        lines = comma_separated(stream, resource) if path and path.suffix == ".csv" else ndjson(stream)
        return _load(system, resource, lines, total, key, rejects)


def demo(settings: Settings, count: int) -> int:
    """Creates `count` users of the built-in app."""
    system = System(load_app("twofold.users:app"), settings)
    pool = HashPool()
    [password] = pool.many(["a demo password"])
    pool.close()
    resource = system.app.resources["users"]
    wait_for(system, settings, {WRITE})
    first = system.store.count(resource)
    return _load(system, resource, demo_users.users(count, password, first=first), count, f"demo-{first}", Path("demo.rejects"))


def _load(system: System, resource: Declaration, lines: Iterable[tuple[int, str, Any]], total: int | None, key: str, rejects: Path) -> int:
    wait_for(system, system.settings, {WRITE})
    embedded = system.settings.embedded
    services: list[Service] = [system.relay(), *system.projectors()] if embedded else []
    for service in services:
        service.start()
    writer = Writer(system.store, services[0].wake if services else lambda: None)
    begun = time.monotonic()
    try:
        with _rejecting(rejects) as reject, interruptible() as interrupted:
            loader = Loader(resource, system.store, writer, reject, key)
            _shown(loader, lines, total, interrupted)
            loader.hashes.close()
        writer.stop()
        if services:
            drain(system, services)
    finally:
        stop_all(services)
        system.close()
    return _told(loader.tally, time.monotonic() - begun, rejects, interrupted(), embedded)


def _shown(loader: Loader, lines: Iterable[tuple[int, str, Any]], total: int | None, interrupted: Callable[[], bool]) -> None:
    columns = (SpinnerColumn(), TextColumn("{task.completed:,}"), BarColumn(), TaskProgressColumn(show_speed=True), TimeRemainingColumn())
    with Progress(*columns, console=talk, transient=True, disable=not talk.is_terminal) as progress:
        task = progress.add_task("import", total=total)
        for tally in loader.load(lines):
            progress.update(task, completed=tally.lines)
            if interrupted():
                return


def _told(tally: Tally, seconds: float, rejects: Path, interrupted: bool, embedded: bool) -> int:
    rate = tally.lines / seconds if seconds else 0
    print(f"created {tally.created}, already there {tally.already}, rejected {tally.rejected}; {seconds:.1f} s, {rate:.0f} lines/s")
    if tally.rejected:
        print(f"rejected lines and reasons: {rejects}", file=sys.stderr)
    if interrupted:
        print("interrupted: run the same command again to go on", file=sys.stderr)
    elif not embedded:
        print("the relay and the projectors carry it to the index: see `twofold status`", file=sys.stderr)
    return INTERRUPTED if interrupted else 1 if tally.rejected else 0


@contextmanager
def _source(path: Path | None) -> Iterator[tuple[IO[str], int | None, str]]:
    """The stream, its number of lines if that can be known, and the name under which an import of it is resumed."""
    if path is None:
        sys.stdin.reconfigure(encoding="utf-8", errors="surrogateescape")  # type: ignore[union-attr]
        yield sys.stdin, None, str(uuid_utils.uuid7())
        return
    total, content = 0, hashlib.sha256()
    with path.open("rb") as raw:
        while part := raw.read(HEAD):
            total += part.count(b"\n")
            content.update(part)
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as stream:
        yield stream, total, content.hexdigest()


def _estimate(resource: Declaration, path: Path | None, total: int | None) -> None:
    """Hashing plain passwords is meant to be slow; who imports many is told before it begins."""
    if path is None or not total or not any(field.secret == "password" for field in resource.secrets):  # noqa: S105 - a kind
        return
    with path.open("rb") as raw:
        if PHC.search(raw.read(HEAD).decode("utf-8", "replace")):
            return
    seconds = total / HASHES_PER_SECOND / HashPool.workers()
    talk.print(f"{total:,} passwords will be hashed: about {seconds:,.0f} s. Hashes (argon2id, PHC) are stored as they are.")


@contextmanager
def _rejecting(path: Path) -> Iterator[Callable[[int, str, str], None]]:
    """Writes rejects as NDJSON, to a file that only exists if there are any, and that only its owner can read."""
    file: IO[bytes] | None = None

    def reject(number: int, text: str, reason: str) -> None:
        nonlocal file
        if file is None:
            file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")
            path.chmod(0o600)  # it may have been there
        text = text.encode("utf-8", "replace").decode()
        file.write(orjson.dumps({"line": number, "reason": reason, "text": text}) + b"\n")

    try:
        yield reject
    finally:
        if file is not None:
            file.close()
