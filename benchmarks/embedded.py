"""The embedded default: everything in one process on SQLite files, each commit durable (`synchronous=FULL`)."""

from __future__ import annotations

from dataclasses import replace

from benchmarks import stock
from benchmarks.commands import conflicts
from benchmarks.run import USERS, Run
from twofold.bench import commands, endtoend, queries
from twofold.bench.commands import BUSY, counted
from twofold.bench.endtoend import Pipeline
from twofold.bench.measure import Subject, alternate, row
from twofold.bench.queries import WORD, prefix

LETTERS = (4, 2)
JUDGED = (WORD, *map(prefix, LETTERS))  # the kinds of queries with a target


def measure(run: Run) -> None:
    """Figures bear the names that they have on real engines."""
    _commands(run)
    _queries(run)


def _commands(run: Run) -> None:
    sizes = run.sizes
    with run.system(settings=run.embedded) as (workspace, roles, work):
        workspace.release()
        roles.start("up")
        commands.measure(run.report, workspace, roles, work, replace(sizes.plan, connections=(1, BUSY)))
        conflicts(run, workspace, roles, work)
        pipeline = Pipeline(run.report, workspace, roles, work)
        pipeline.drain()
        endtoend.measure(pipeline, sizes.embedded_flow)
        roles.stop()
        commands.imported(run.report, workspace, work, sizes.imported, repeats=1)


def _queries(run: Run) -> None:
    count = run.sizes.levels[1]
    with run.system(USERS, run.embedded) as (workspace, roles, work):
        run.report.say(f"storing {count:,} users in the embedded index")
        known = stock.indexed(workspace.system, work.resource, count)
        workspace.release()
        roles.start("up")
        for question in queries.questions(work.resource, known, LETTERS):
            run.report.say(f"{queries.SUITE}: {question.kind}, {count:,} users, embedded")
            subject = Subject(workspace.settings.query_port, question.templates(), roles)
            samples = alternate({"": subject}, BUSY, run.sizes.judged if question.kind in JUDGED else run.sizes.glance)[""]
            figure = f"{question.kind}, {counted(BUSY)}, {count:,} documents"
            run.report.add(row(queries.SUITE, figure, samples, engines="embedded"))
