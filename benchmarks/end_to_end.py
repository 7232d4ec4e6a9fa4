"""End to end on MySQL, Kafka and Elasticsearch; what relay and projector use meanwhile; and a catch-up of rows committed before."""

from __future__ import annotations

import time

from benchmarks import stock
from benchmarks.run import Run
from twofold.bench import endtoend
from twofold.bench.endtoend import SUITE, Paced, Pipeline
from twofold.bench.table import ROLES, Row

BEHIND = ("relay", "project")
USE_RATE, USE_SECONDS = 3000, 30  # commands a second, and the time that their use is told for
WARM = 2000


def measure(run: Run) -> None:
    with run.system() as (workspace, roles, work):
        roles.start(*ROLES)
        pipeline = Pipeline(run.report, workspace, roles, work)
        pipeline.burst(WARM, run.sizes.flow.burst_seconds)
        paced, run.sustained = endtoend.measure(pipeline, run.sizes.flow)
        _use(pipeline, paced[USE_RATE])
        _catch_up(pipeline, run.sizes.catch_up)
        pipeline.report.add(_astray(pipeline))


def _use(pipeline: Pipeline, run: Paced) -> None:
    """CPU seconds and memory of the two roles between table and index."""
    spent = sum(run.used.cpu[name] for name in BEHIND) * USE_SECONDS / run.load.seconds
    what = f"relay and projector at {USE_RATE:,}/s"
    pipeline.report.add(Row(SUITE, f"{what}: CPU seconds per {USE_SECONDS} s", "s", [spent]))
    pipeline.report.add(Row(SUITE, f"{what}: peak memory together", "MiB", [sum(run.used.rss[name] for name in BEHIND)]))


def _catch_up(pipeline: Pipeline, count: int) -> None:
    """The relay is stopped for less than its lease, rows are committed meanwhile, and it goes on: the roles are warm."""
    pipeline.report.say(f"{SUITE}: catch-up of {count:,} rows")
    system, resource, relay = pipeline.workspace.system, pipeline.work.resource, pipeline.roles.running["relay"]
    batches = list(stock.batches(resource, count))
    pipeline.drain()
    before = pipeline.hops.documents()
    relay.pause()
    try:
        for people in batches:
            stock.commit(system, resource, people, published=True)
    finally:
        relay.resume()
    begun = time.monotonic()
    with pipeline.roles.used() as used:
        pipeline.searchable(before + count)
    rate = count / (time.monotonic() - begun)
    pipeline.report.add(Row(SUITE, f"catch-up of {count:,} committed rows, warm", "documents/s", [rate], cpu=used.cpu, rss=used.rss))


def _astray(pipeline: Pipeline) -> Row:
    """Every row was created once and never changed: as many messages and as many documents are there."""
    system, resource = pipeline.workspace.system, pipeline.work.resource
    pipeline.drain()
    system.index.refresh(resource)
    rows, documents = system.store.count(resource), system.index.status(resource).documents
    messages = sum(each.end - each.begin for each in system.log.positions(resource.topic, resource.group))
    return Row(SUITE, "lost or doubled events", "events", [abs(messages - rows) + abs(documents - rows)])
