"""The relay alone and the projector alone on a backlog, without their start; and a bare bulk loader with the same documents."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from benchmarks import loader, stock
from benchmarks.run import Run
from twofold.bench.derived import derive
from twofold.bench.processes import Roles
from twofold.bench.table import Row
from twofold.bench.workspace import Workspace, search_client
from twofold.bootstrap import load_app
from twofold.errors import EngineError
from twofold.index.elastic_client import path
from twofold.resource import Declaration

SUITE = "drain"
LOOK_SECONDS = 0.02
LONGEST_SECONDS = 120.0


def measure(run: Run) -> None:
    count = run.sizes.backlog
    with run.system() as (workspace, roles, work):
        run.report.say(f"{SUITE}: {count:,} records into the outbox")
        batches = list(stock.batches(work.resource, count))
        for people in batches:
            stock.commit(workspace.system, work.resource, people, published=True)
        run.report.say(f"{SUITE}: relay")
        run.report.add(_relay(workspace, roles, work.resource, count))
        run.report.say(f"{SUITE}: projector")
        projector = run.report.add(_projector(workspace, roles, work.resource, count))
        run.report.say(f"{SUITE}: bare bulk loader")
        rates = bare(run, workspace, [loader.body(people) for people in batches], count)
        projector.peer = rates
        run.report.add(Row(SUITE, f"bare bulk loader, {count:,} documents", "documents/s", rates))


def _relay(workspace: Workspace, roles: Roles, resource: Declaration, count: int) -> Row:
    """Until the outbox is empty; by the topic's end."""
    system = workspace.system

    def done() -> int:
        published = sum(each.end for each in system.log.positions(resource.topic, resource.group))
        return published if published < count else published - system.outbox.backlog()[0]

    return _drained(roles, "relay", f"relay alone, {count:,} records", "records/s", done, count)


def _projector(workspace: Workspace, roles: Roles, resource: Declaration, count: int) -> Row:
    """Until all is committed; by the group's offsets."""
    log = workspace.system.log

    def done() -> int:
        return sum(each.committed or 0 for each in log.positions(resource.topic, resource.group))

    return _drained(roles, "project", f"projector alone, {count:,} documents", "documents/s", done, count)


def _drained(roles: Roles, name: str, figure: str, unit: str, done: Callable[[], int], count: int) -> Row:
    """From the first batch that shows to the last."""
    role = roles.begin(name)
    until = time.monotonic() + LONGEST_SECONDS
    while not (first := done()):
        _wait(roles, until)
    begun, spent = time.monotonic(), role.cpu()
    while done() < count:
        _wait(roles, until)
    rate = (count - first) / (time.monotonic() - begun) if first < count else float("nan")
    row = Row(SUITE, figure, unit, [rate], cpu={name: role.cpu() - spent}, rss={name: role.rss()})
    roles.stop(name)
    return row


def _wait(roles: Roles, until: float) -> None:
    roles.check()
    if time.monotonic() > until:
        raise EngineError(f"The backlog was not drained within {LONGEST_SECONDS:.0f} s")
    time.sleep(LOOK_SECONDS)


def bare(run: Run, workspace: Workspace, bodies: Sequence[bytes], count: int) -> list[float]:
    """The better one of one and two requests in flight, each into an index of its own with the same mapping."""
    rates = {}
    for flight in (1, 2):
        with _index(workspace, f"{workspace.name}-bare{flight}") as name:
            seconds = loader.load(workspace.settings.read_url, name, bodies, flight)
        rates[flight] = count / seconds
        run.report.say(f"{SUITE}: bare bulk loader, {flight} in flight: {rates[flight]:,.0f} documents/s")
    return [max(rates.values())]


@contextmanager
def _index(workspace: Workspace, name: str) -> Iterator[str]:
    """An empty index with the mapping of people."""
    [resource] = derive(load_app(workspace.of), name)
    client, generation = search_client(workspace.settings.read_url), f"{resource.index}-000001"
    try:
        workspace.system.index.migrate(resource)
        yield generation
    finally:
        client.send("DELETE", path(generation), expect=(404,))
        client.close()
