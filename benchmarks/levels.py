"""Queries and growth: the same requests with more and more rows and documents stored, beside the same at the engine itself.

Both suites are one pass, since what takes the time is the storing.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import replace

from benchmarks import direct, stock
from benchmarks.run import Run
from twofold.bench import queries
from twofold.bench.commands import Work, counted
from twofold.bench.measure import Sample, Subject, alternate, row
from twofold.bench.processes import Roles, free_port
from twofold.bench.queries import GET, WORD, Known, Question
from twofold.bench.table import Row
from twofold.bench.workspace import Workspace, search_client

GROWTH = "growth"
BUSY = 64
JUDGED = (GET, WORD)  # the kinds with a target, at the first level and BUSY connections
MERGE_SECONDS = 30.0


def measure(run: Run) -> None:
    with run.system() as (workspace, roles, work):
        roles.start("command", "query")
        store = Store(run, workspace, work)
        unbatched = _unbatched(roles)
        grown: dict[str, list[Row]] = {}
        for level in run.sizes.levels:
            store.fill(level)
            asked = {each.kind: each for each in queries.questions(work.resource, store.known)}
            if "growth" in run.chosen:
                for each in _growth(run, workspace, roles, work, asked, level):
                    grown.setdefault(each.figure.partition(",")[0], []).append(each)
            if "queries" in run.chosen and level > run.sizes.levels[0]:
                _queries(run, workspace, roles, work, asked, level, unbatched)
        for figure, rows in grown.items():
            name = f"{figure}: {run.sizes.levels[-1]:,} stored against {run.sizes.levels[0]:,}"
            run.report.add(Row(GROWTH, name, "requests/s", rows[-1].values, peer=rows[0].values))


class Store:
    """What is stored, in the table and in the index alike."""

    def __init__(self, run: Run, workspace: Workspace, work: Work) -> None:
        self._run, self._system, self._resource = run, workspace.system, work.resource
        self._url = workspace.settings.read_url
        self._people: list[stock.Person] = []
        self._count = 0

    def fill(self, count: int) -> None:
        """Up to so many. Ends when the engine has merged what it wants to merge at once."""
        self._run.report.say(f"storing {count:,} rows and documents")
        for people in stock.batches(self._resource, count - self._count, self._count):
            stock.commit(self._system, self._resource, people, published=False)
            stock.index(self._system, self._resource, people)
            self._people += stock.sample(people, count)
        self._count = count
        self._system.index.refresh(self._resource)
        self._settle()

    @property
    def known(self) -> Known:
        return stock.known(self._people)

    def _settle(self) -> None:
        client, until = search_client(self._url), time.monotonic() + MERGE_SECONDS
        while time.monotonic() < until:
            _, found = client.send("GET", f"/{self._resource.index}/_stats/merge")
            if not found["_all"]["total"]["merges"]["current"]:
                break
            time.sleep(0.5)
        client.close()


def _unbatched(roles: Roles) -> int:
    """The query process whose batches hold one item."""
    port = free_port()
    roles.launch("unbatched", [sys.executable, "-m", "benchmarks.unbatched", "query"], {"TWOFOLD_QUERY_PORT": str(port)}).wait()
    return port


def _growth(run: Run, workspace: Workspace, roles: Roles, work: Work, asked: dict[str, Question], level: int) -> Sequence[Row]:
    run.report.say(f"{GROWTH}: POST, get, search with {level:,} stored")
    sizes, port = run.sizes, workspace.settings.command_port
    short = replace(sizes.judged, seconds=1)  # so that no more than a few seconds' creations come to what is stored
    post = alternate({"": Subject(port, work.posts(), roles, ("command",))}, BUSY, short)[""]
    rows = [row(GROWTH, f"POST, {level:,} stored", post)]
    for kind, name, plan in ((GET, "get", sizes.judged), (WORD, "search", sizes.glance)):
        samples = alternate(_pair(workspace, roles, work, asked[kind]), BUSY, plan)
        rows.append(row(GROWTH, f"{name}, {level:,} stored", samples["twofold"], samples["engine"]))
    return [run.report.add(each) for each in rows]


def _queries(
    run: Run, workspace: Workspace, roles: Roles, work: Work, asked: dict[str, Question], level: int, unbatched: int
) -> None:
    """At the first level at all numbers of connections, at others at one."""
    first = level == run.sizes.levels[1]
    for kind, question in asked.items():
        for connections in run.sizes.glance.connections if first else (BUSY,):
            subjects = _pair(workspace, roles, work, question)
            plan = run.sizes.glance
            if kind in JUDGED and connections == BUSY and first:
                subjects["unbatched"], plan = Subject(unbatched, question.templates(), roles, ("unbatched",)), run.sizes.judged
            run.report.say(f"{queries.SUITE}: {kind}, {counted(connections)}, {level:,} documents")
            _tell(run, f"{kind}, {counted(connections)}, {level:,} documents", alternate(subjects, connections, plan))


def _tell(run: Run, figure: str, samples: dict[str, list[Sample]]) -> None:
    run.report.add(row(queries.SUITE, figure, samples["twofold"], samples["engine"]))
    if "unbatched" in samples:
        run.report.add(row(queries.SUITE, f"{figure}, against batching off", samples["twofold"], samples["unbatched"]))


def _pair(workspace: Workspace, roles: Roles, work: Work, question: Question) -> dict[str, Subject]:
    return {
        "twofold": Subject(workspace.settings.query_port, question.templates(), roles, ("query",)),
        "engine": direct.subject(workspace, work.resource, question),
    }
