"""How far search is behind: probes that are created beside the load and looked for until they are found, and what is on its way."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPException
from itertools import cycle
from typing import Any, Self

import orjson

from twofold.bench.bodies import Body
from twofold.bench.client import Client, Digits
from twofold.bench.commands import Work
from twofold.bench.finder import finder
from twofold.bench.workspace import Workspace
from twofold.errors import EngineError

PROBES = 50  # a second
LOOK_SECONDS = 0.01
LOST_SECONDS = 30.0  # after which a probe counts as lost
COUNT_SECONDS = 0.25


@dataclass(slots=True)
class Lags:
    """Seconds from the answer 201 until the document is found; probes refused, never found, and searches that failed."""

    seconds: list[float] = field(default_factory=list)
    refused: int = 0
    lost: int = 0
    failed: int = 0

    def percentile(self, share: float) -> float:
        """The nearest one that was measured."""
        ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else float("nan")

    @property
    def errors(self) -> dict[str, int]:
        found = {"refused probes": self.refused, "lost probes": self.lost, "failed searches": self.failed}
        return {name: count for name, count in found.items() if count}


@dataclass(frozen=True, slots=True)
class Probe:
    """What was created, as it was answered, and since when it is."""

    document: Body
    since: float


class Prober:
    """Creates probes in one thread and looks for all that are outstanding in another, one small request at a time.

    Used as a context: at its end it waits for what is outstanding, unless the block failed.
    """

    def __init__(self, workspace: Workspace, work: Work) -> None:
        self._port, self._work = workspace.settings.command_port, work
        self._found = finder(workspace, work)
        self._outstanding: dict[str, Probe] = {}
        self._stop, self._abandoned = threading.Event(), threading.Event()
        self._threads = [threading.Thread(target=each, daemon=True) for each in (self._create, self._look)]
        self.lags = Lags()

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, failure: object, *_: object) -> None:
        if failure:
            self._abandoned.set()
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _create(self) -> None:
        client, digits, bodies = Client(self._port), Digits(), cycle(self._work.encoded())
        due = time.monotonic()
        while not self._stop.is_set():
            self._probe(client, digits.unique(next(bodies)))
            due = max(due + 1 / PROBES, time.monotonic() - 1)
            self._stop.wait(max(0.0, due - time.monotonic()))
        client.close()

    def _probe(self, client: Client, body: bytes) -> None:
        try:
            status, answer = client.send("POST", self._work.path, body)
        except (OSError, HTTPException):
            client.close()  # the next request connects anew
            status, answer = 0, b""
        if status == 201:
            since, document = time.monotonic(), orjson.loads(answer)
            self._outstanding[document["id"]] = Probe(document, since)
        else:
            self.lags.refused += 1

    def _look(self) -> None:
        while not self._stop.is_set() or self._threads[0].is_alive() or (self._outstanding and not self._abandoned.is_set()):
            begun = time.monotonic()
            waiting = list(self._outstanding.values())[:100]
            self._note(self._seen(waiting) if waiting else (), waiting, begun)
            time.sleep(max(0.0, begun + LOOK_SECONDS - time.monotonic()))

    def _seen(self, waiting: Sequence[Probe]) -> Sequence[str]:
        try:
            return self._found([each.document for each in waiting])
        except (EngineError, OSError, HTTPException):
            self.lags.failed += 1
            return ()

    def _note(self, seen: Sequence[str], waiting: Sequence[Probe], begun: float) -> None:
        for id_ in seen:
            self.lags.seconds.append(max(0.0, time.monotonic() - self._outstanding.pop(id_).since))
        for probe in waiting:
            if begun - probe.since > LOST_SECONDS and probe.document["id"] in self._outstanding:
                del self._outstanding[probe.document["id"]]
                self.lags.lost += 1


class Hops:
    """What is where, asked of the engines, or of the process that has the embedded files."""

    def __init__(self, workspace: Workspace, work: Work) -> None:
        self._workspace, self._resource = workspace, work.resource
        self._embedded = workspace.engines == "embedded"

    def backlog(self) -> int:
        """Records pending in the outbox, and messages that the projector has not committed."""
        if self._embedded:
            found = self._status()
            pending: int = found["outbox"]["pending"] + found["resources"][self._resource.name]["topic"]["lag"]
            return pending
        system = self._workspace.system
        positions = system.log.positions(self._resource.topic, self._resource.group)
        return system.outbox.backlog()[0] + sum(each.lag for each in positions)

    def documents(self) -> int:
        """Those that a search may find now."""
        if self._embedded:
            count: int = self._status()["resources"][self._resource.name]["index"]["documents"]
            return count
        return self._workspace.system.index.status(self._resource).documents

    def _status(self) -> Any:
        client = Client(self._workspace.settings.command_port)
        try:
            return client.get("/status")
        finally:
            client.close()


@contextmanager
def watched(backlog: Callable[[], int]) -> Iterator[list[tuple[float, int]]]:
    """(seconds, backlog) while the block runs."""
    found: list[tuple[float, int]] = []
    stop, begun = threading.Event(), time.monotonic()

    def watch() -> None:
        while not stop.wait(COUNT_SECONDS):
            found.append((time.monotonic() - begun, backlog()))

    with beside(watch, stop):
        yield found


@contextmanager
def beside(work: Callable[[], None], stop: threading.Event) -> Iterator[None]:
    """Runs in a thread while the block does, until `stop` is set at its end; its error is the block's."""
    errors: list[Exception] = []

    def run() -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 - handed to the block
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
    if errors:
        raise errors[0]
