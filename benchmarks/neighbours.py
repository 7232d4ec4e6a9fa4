"""Heavy neighbours: a heavy aggregation, a row that somebody keeps locked, an open snapshot. What has nothing to do with them goes on.

Each figure is how many times slower it goes on.
"""

from __future__ import annotations

import contextlib
import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pymysql
from sqlalchemy import make_url

from benchmarks import stock
from benchmarks.run import Run
from twofold.bench import client, queries
from twofold.bench.client import Client, Digits
from twofold.bench.commands import PATCH_TYPE, Work
from twofold.bench.lag import beside
from twofold.bench.measure import Sample, Subject
from twofold.bench.queries import LETTERS, prefix
from twofold.bench.table import Row
from twofold.bench.workspace import Workspace, search_client
from twofold.errors import EngineError

SUITE = "neighbours"
LIGHT = 8  # connections of light searches
BUSY = 64  # of commands
SLOWER = "times slower"
ALONE = 40  # records whose way into the log is timed, one after the other
LONGEST_SECONDS = 30.0
# Every address is a bucket: as much work as one request can make of so many documents.
HEAVY = {"size": 0, "aggs": {"all": {"terms": {"field": "email", "size": 10_000}, "aggs": {"names": {"terms": {"field": "name"}}}}}}


def measure(run: Run) -> None:
    _searches(run)
    _commands(run)
    _polls(run)


def _searches(run: Run) -> None:
    level = run.sizes.levels[1]
    with run.system() as (workspace, roles, work):
        run.report.say(f"{SUITE}: light searches beside a heavy aggregation, {level:,} documents")
        known = stock.indexed(workspace.system, work.resource, level)
        roles.start("query")
        [question] = [each for each in queries.questions(work.resource, known) if each.kind == prefix(LETTERS)]
        subject = Subject(workspace.settings.query_port, question.templates(), roles)
        _compared(run, "searches beside a heavy aggregation", subject, LIGHT, lambda: _heavy(workspace, work))


def _commands(run: Run) -> None:
    with run.system() as (workspace, roles, work):
        run.report.say(f"{SUITE}: commands beside a locked row")
        roles.start("command")
        ids = client.create(workspace.settings.command_port, work.path, work.encoded(), 500)
        templates = [each for pair in zip(work.posts(), work.patches(ids[1:]), strict=False) for each in pair]
        subject = Subject(workspace.settings.command_port, templates, roles)
        _compared(run, "commands beside a locked row", subject, BUSY, lambda: _locked(workspace, work, ids[0]))


def _compared(run: Run, figure: str, subject: Subject, connections: int, neighbour: Callable[[], AbstractContextManager[None]]) -> None:
    """By turns without and with the neighbour."""
    plan = run.sizes.judged
    subject.sample(connections, max(1, plan.warm))
    without: list[Sample] = []
    beside: list[Sample] = []
    for _ in range(plan.repeats):
        without.append(subject.sample(connections, plan.seconds))
        with neighbour():
            beside.append(subject.sample(connections, plan.seconds))
    slower = [one.load.rate / max(other.load.rate, 0.001) for one, other in zip(without, beside, strict=True)]
    failures = sum((Counter(sample.load.failures) for sample in (*without, *beside)), Counter[str]())
    p50, p99 = (statistics.median(getattr(sample.load, name) for sample in beside) for name in ("p50", "p99"))
    run.report.add(Row(SUITE, figure, SLOWER, slower, p50=p50, p99=p99, errors=dict(failures)))


@contextmanager
def _heavy(workspace: Workspace, work: Work) -> Iterator[None]:
    """One aggregation after the other, straight to the engine."""
    engine, stop = search_client(workspace.settings.read_url), threading.Event()

    def ask() -> None:
        while not stop.is_set():
            engine.send("POST", f"/{work.resource.index}/_search?request_cache=false", HEAVY)

    with beside(ask, stop):
        yield
    engine.close()


@contextmanager
def _locked(workspace: Workspace, work: Work, id_: str) -> Iterator[None]:
    """The row is locked by a connection that is not twofold's, and somebody goes on asking to change it."""
    patcher, digits, stop = Client(workspace.settings.command_port), Digits(), threading.Event()
    [patch] = work.patches([id_])[:1]
    body = patch.partition(b"\r\n\r\n")[2]

    def ask() -> None:
        while not stop.is_set():
            status, answer = patcher.send("PATCH", f"{work.path}/{id_}", digits.unique(body), PATCH_TYPE)
            if status != 503:
                raise EngineError(f"A command on a locked row was answered {status} {answer[:200]!r}")

    with _transaction(workspace, f"SELECT id FROM `{work.resource.table}` WHERE id = '{id_}' FOR UPDATE"), beside(ask, stop):  # noqa: S608 - an id of ours
        yield
    patcher.close()


@contextmanager
def _transaction(workspace: Workspace, *statements: str) -> Iterator[None]:
    url = make_url(workspace.settings.write_url)
    connection = pymysql.connect(
        host=url.host, port=url.port or 3306, user=url.username, password=url.password or "", database=url.database, autocommit=False
    )
    with contextlib.closing(connection), connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        yield


def _polls(run: Run) -> None:
    """How long one record takes into the log, behind many that were published and deleted: a snapshot keeps these from being purged."""
    with run.system() as (workspace, roles, work):
        run.report.say(f"{SUITE}: relay polls beside an open snapshot")
        roles.start("relay")
        way = _Way(workspace, work)
        without = way.timed(run.sizes.beside)
        with _transaction(workspace, "START TRANSACTION WITH CONSISTENT SNAPSHOT", "SELECT COUNT(*) FROM unit"):
            beside = way.timed(run.sizes.beside)
    slower = statistics.median(beside) / statistics.median(without)
    p50, p99 = (1000 * sorted(beside)[int(share * len(beside))] for share in (0.5, 0.99))
    run.report.add(Row(SUITE, "relay polls beside an open snapshot", SLOWER, [slower], p50=p50, p99=p99))


class _Way:
    """From the outbox into the log."""

    def __init__(self, workspace: Workspace, work: Work) -> None:
        self._system, self._resource = workspace.system, work.resource
        self._count = 0

    def timed(self, before: int) -> list[float]:
        """Seconds from commit until a record is in the log, one by one, after `before` others."""
        for people in stock.batches(self._resource, before, self._count):
            self._publish(people)
        self._arrived()
        return [self._alone() for _ in range(ALONE)]

    def _alone(self) -> float:
        [people] = stock.batches(self._resource, 1, self._count)
        self._publish(people)
        begun = time.monotonic()
        self._arrived()
        return time.monotonic() - begun

    def _publish(self, people: list[stock.Person]) -> None:
        stock.commit(self._system, self._resource, people, published=True)
        self._count += len(people)

    def _arrived(self) -> None:
        until = time.monotonic() + LONGEST_SECONDS
        while sum(each.end for each in self._system.log.positions(self._resource.topic, self._resource.group)) < self._count:
            if time.monotonic() > until:
                raise EngineError(f"The relay did not publish {self._count:,} records within {LONGEST_SECONDS:.0f} s")
            time.sleep(0.001)
