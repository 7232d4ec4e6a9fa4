"""`twofold bench`: says what it will do and where, measures each resource of an app, removes what it made."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from twofold.bench import bodies, commands, documents, endtoend, processes, queries, table, wrk
from twofold.bench.commands import Work, counted
from twofold.bench.endtoend import Flow, Pipeline
from twofold.bench.measure import Plan, Report, Subject, alternate, row
from twofold.bench.processes import Roles
from twofold.bench.queries import Known
from twofold.bench.table import ROLES
from twofold.bench.workspace import Workspace, interruptible
from twofold.bootstrap import resource_of
from twofold.errors import SettingsError
from twofold.settings import Settings

WIDTH = 200  # of the table where standard output is no terminal


@dataclass(frozen=True, slots=True)
class Sizes:
    """How long and how much."""

    plan: Plan
    flow: Flow
    documents: int
    imported: int


FULL = Sizes(
    Plan(warm=1, seconds=4, repeats=3, connections=(1, 64, 256)),
    Flow(rates=(), seconds=10, steps=3, step_seconds=8, confirm_seconds=30, burst=10_000, burst_seconds=15),
    documents=100_000,
    imported=10_000,
)
QUICK = Sizes(
    Plan(warm=0, seconds=1, repeats=1, connections=(1, 64)),
    Flow(rates=(), seconds=2, steps=0, step_seconds=0, confirm_seconds=3, burst=1_000, burst_seconds=5),
    documents=2_000,
    imported=200,
)


def run(settings: Settings, name: str | None, file: Path | None, output: Path, *, quick: bool) -> int:
    """Measures one resource, or all. Returns the exit code: 0, or 130 after Ctrl-C."""
    sizes, report = QUICK if quick else FULL, Report()
    table.check(output)
    wrk.program()
    processes.require_linux()
    interruptible()
    try:
        with Workspace(settings.app, settings) as workspace:
            works = _works(workspace, name, file)
            print("\n".join(_told(workspace, works, sizes)), file=sys.stderr)
            _measure(report, workspace, works, sizes)
    except KeyboardInterrupt:
        print("bench: interrupted; what was measured so far:", file=sys.stderr)
        return 130
    finally:
        _show(report, output, quick)
    return 0


def _works(workspace: Workspace, name: str | None, file: Path | None) -> list[Work]:
    """The resources to measure, each with bodies of its own."""
    chosen = list(workspace.app) if name is None else [resource_of(workspace.app, name)]
    if file is not None and len(chosen) > 1:
        raise SettingsError(f"Name the resource whose bodies {file} holds: twofold bench {chosen[0].name} --bodies {file}")
    able = [each for each in chosen if "create" in each.free]
    if not able:
        raise SettingsError("Nothing to measure: no resource of the app is created by POST.")
    return [Work(each, bodies.read(each, file) if file else bodies.made(each)) for each in able]


def _told(workspace: Workspace, works: list[Work], sizes: Sizes) -> list[str]:
    """What is going to be done, and where."""
    seconds = sizes.plan.repeats * sizes.plan.seconds
    return [
        f"Measures {', '.join(work.resource.name for work in works)}: {sizes.documents:,} documents each are put into the index;",
        f"queries and commands for {seconds} s per figure; a burst of {sizes.flow.burst:,}; the rate that search keeps up with.",
        "Writes to these, which are made for it and removed at the end, and to nothing else:",
        *(f"  {line}" for line in workspace.told()),
        "",
    ]


def _measure(report: Report, workspace: Workspace, works: list[Work], sizes: Sizes) -> None:
    """Documents first: embedded files can only be written to before their process runs."""
    known = {}
    for work in works:
        report.say(f"storing {sizes.documents:,} {work.resource.name} in the index")
        known[work.resource.name] = documents.store(workspace.system, work, sizes.documents)
    roles = workspace.roles()
    if workspace.engines == "embedded":
        workspace.release()
    roles.start(*(["up"] if workspace.engines == "embedded" else ROLES))
    for work in works:
        _queries(report, workspace, roles, work, known[work.resource.name], sizes)
        commands.measure(report, workspace, roles, work, sizes.plan)
        _end_to_end(Pipeline(report, workspace, roles, work, f"{work.resource.name}, "), sizes.flow)
    roles.stop()
    for work in works:
        commands.imported(report, workspace, work, work.connections(sizes.imported), sizes.plan.repeats)


def _queries(report: Report, workspace: Workspace, roles: Roles, work: Work, known: Known, sizes: Sizes) -> None:
    name = work.resource.name
    for question in queries.questions(work.resource, known):
        for connections in sizes.plan.connections:
            figure = f"{name}, {question.kind}, {counted(connections)}"
            report.say(f"{queries.SUITE}: {figure}")
            subject = Subject(workspace.settings.query_port, question.templates(), roles)
            samples = alternate({"": subject}, connections, sizes.plan)[""]
            report.add(row(queries.SUITE, figure, samples, engines=workspace.engines))


def _end_to_end(pipeline: Pipeline, flow: Flow) -> None:
    """The rate that search keeps up with, and how far search is behind at half of it."""
    pipeline.drain()
    _, rate = endtoend.measure(pipeline, flow)
    if rate == rate:  # noqa: PLR0124 - not a number: search kept up with none
        pipeline.report.say(f"{endtoend.SUITE}: half of that")
        endtoend.told(pipeline, pipeline.paced(rate / 2, flow.seconds), "half of that")


def _show(report: Report, output: Path, quick: bool) -> None:
    if report.rows:
        console = Console(width=None if sys.stdout.isatty() else WIDTH)
        rows = table.ordered(report.rows)
        table.show(rows, console)
        table.write(output, rows, {"quick": quick})
        console.print(f"{output}{' (quick: too short to judge by)' if quick else ''}", highlight=False)
