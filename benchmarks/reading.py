"""The kinds of query beside plain words, each beside the same at the engine itself; and how long readers wait for their own writes."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import orjson
import uuid_utils

from benchmarks import direct
from benchmarks.customers import PLANS
from benchmarks.run import Run
from benchmarks.stock import WORDS
from twofold.bench import documents, queries
from twofold.bench.client import Client
from twofold.bench.commands import Work, counted
from twofold.bench.measure import Subject, alternate, row
from twofold.bench.processes import Roles
from twofold.bench.queries import Parameters, Question
from twofold.bench.table import Row
from twofold.bench.workspace import Workspace
from twofold.documents import of_row
from twofold.errors import EngineError
from twofold.kinds.datetimes import timestamp
from twofold.resource import Declaration
from twofold.store import port as store

SUITE = "reading"
APP = "benchmarks.customers:app"
COUNTRIES = [f"country {number}" for number in range(40)]
BATCH = 2000
FACETS = ("facets", "country,plan,joined:month")
KINDS: dict[str, list[tuple[str, str]]] = {
    "a phrase": [("q", '"{0} {1}" ')],
    "a filter expression": [("filter", 'age >= 30 AND (country = "{2}" OR plan IN [team, company])'), ("sort", "-spent")],
    "typos": [("q", "{0} "), ("fuzzy", "auto")],
    "highlights": [("q", "{0} "), ("highlight", "name,note")],
    "an exact count": [("q", "{0} "), ("count", "exact")],
    "three facets of a word": [("q", "{0} "), FACETS],
    "three facets of a word, refined": [("q", "{0} "), FACETS, ("plan", "team"), ("country", "{2}")],
    "three facets of a country": [("filter", 'country = "{2}"'), FACETS],
    "three facets of everyone": [FACETS],
}
FACETED = [kind for kind in KINDS if FACETS in KINDS[kind]]
CONNECTIONS = (1, 16)


def measure(run: Run) -> None:
    with run.system(APP) as (workspace, roles, work):
        roles.start("query")
        stored = 0
        for level in run.sizes.levels[1:]:
            _store(run, workspace, work, stored, level)
            for kind in KINDS if not stored else FACETED:
                _kind(run, workspace, roles, work, questions(work.resource, kind, KINDS[kind]), level)
            stored = level
        roles.stop()
    with run.system(APP) as (workspace, roles, work):
        roles.start("command", "relay", "project", "query")
        _waits(run, workspace, work)


def _store(run: Run, workspace: Workspace, work: Work, first: int, count: int) -> None:
    run.report.say(f"{SUITE}: storing {count:,} customers in the index")
    for rows in batches(count, first):
        documents.apply(workspace.system, work.resource, [of_row(work.resource, each) for each in rows])
    workspace.system.index.refresh(work.resource)


def batches(count: int, first: int = 0) -> Iterator[list[store.Row]]:
    """Customers up to so many as rows, in the order of their ids."""
    now = timestamp(datetime.now(UTC))
    for start in range(first, count, BATCH):
        yield [store.Row(str(uuid_utils.uuid7()), 1, _state(number), now, now) for number in range(start, min(count, start + BATCH))]


def _state(number: int) -> dict[str, Any]:
    draw = random.Random(number)  # noqa: S311 - customers, not secrets
    return {
        "name": f"{draw.choice(WORDS)} {draw.choice(WORDS)}",
        "note": " ".join(draw.choices(WORDS, k=12)),
        "country": COUNTRIES[min(39, int(draw.expovariate(0.15)))],
        "plan": draw.choice(PLANS),
        "age": draw.randrange(18, 90),
        "joined": (date(2015, 1, 1) + timedelta(days=draw.randrange(4000))).isoformat(),
        "spent": f"{draw.randrange(10_000_000) / 100:.2f}",
    }


def questions(resource: Declaration, kind: str, parameters: Parameters) -> Question:
    draw = random.Random(0)  # noqa: S311 - the same questions in every run
    asked: list[Parameters] = []
    for _ in range(queries.ASKED):
        values = (draw.choice(WORDS), draw.choice(WORDS), draw.choice(COUNTRIES[:10]))
        asked.append([(name, text.format(*values)) for name, text in parameters])
    return queries.searches(resource, kind, asked)


def _kind(run: Run, workspace: Workspace, roles: Roles, work: Work, question: Question, level: int) -> None:
    subjects = {
        "twofold": Subject(workspace.settings.query_port, question.templates(), roles, ("query",)),
        "engine": direct.subject(workspace, work.resource, question),
    }
    for connections in CONNECTIONS:
        figure = f"{question.kind}, {counted(connections)}, {level:,} documents"
        run.report.say(f"{SUITE}: {figure}")
        plan = run.sizes.judged if question.kind in FACETED and connections == 1 else run.sizes.glance
        samples = alternate(subjects, connections, plan)
        run.report.add(row(SUITE, figure, samples["twofold"], samples["engine"]))


def _waits(run: Run, workspace: Workspace, work: Work) -> None:
    """From the answer to a command until its own reader has it, one after the other, nothing else going on."""
    run.report.say(f"{SUITE}: readers that wait for their own write")
    commands, reads = Client(workspace.settings.command_port), Client(workspace.settings.query_port)
    for kind in ("get", "search"):
        waits = []
        for number in range(run.sizes.waits):
            status, answer = commands.send("POST", work.path, orjson.dumps(_state(number)))
            if status != 201:
                raise EngineError(f"POST {work.path}: {status} {answer!r}")
            id_ = orjson.loads(answer)["id"]
            waits.append(_waited(reads, f"{work.path}/{id_}" if kind == "get" else f"{work.path}?filter=id%20%3D%20{id_}", id_, work))
        told = sorted(waits)
        p50, p99 = 1000 * statistics.median(told), 1000 * told[int(0.99 * len(told))]
        run.report.add(Row(SUITE, f"a {kind} with the token of its own write", "ms", [p50], p50=p50, p99=p99))
    commands.close()
    reads.close()


def _waited(reads: Client, path: str, id_: str, work: Work) -> float:
    begun = time.monotonic()
    status, answer = reads.send("GET", path, consistency_token=f"{work.resource.name}/{id_}@1")
    if status != 200 or id_.encode() not in answer:
        raise EngineError(f"GET {path}: {status} {answer[:300]!r}")
    return time.monotonic() - begun
