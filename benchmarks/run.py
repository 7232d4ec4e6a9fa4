"""What all suites share: how long and how much, the engines, and the rows so far."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from twofold.bench import bodies
from twofold.bench.commands import Work
from twofold.bench.endtoend import Flow
from twofold.bench.measure import Plan, Report
from twofold.bench.processes import Roles
from twofold.bench.workspace import Workspace
from twofold.settings import Settings

PEOPLE, USERS = "benchmarks.people:app", "twofold.users:app"


@dataclass(frozen=True, slots=True)
class Sizes:
    """How long and how much: `FULL` is for figures, `QUICK` shows that everything works.

    Of the many queries, those with a target are measured by `judged`, others by `glance`.
    """

    plan: Plan
    imported: int
    flow: Flow
    catch_up: int
    backlog: int
    consumer_seconds: int
    levels: tuple[int, ...]
    glance: Plan
    judged: Plan
    beside: int
    waits: int
    rebuilt: int
    embedded_flow: Flow


FULL = Sizes(
    plan=Plan(warm=1, seconds=3, repeats=3, connections=(1, 64, 256)),
    imported=20_000,
    flow=Flow(rates=(500, 1500, 3000), seconds=12, steps=3, step_seconds=8, confirm_seconds=60, burst=50_000),
    catch_up=50_000,
    backlog=100_000,
    consumer_seconds=15,
    levels=(10_000, 100_000, 1_000_000),
    glance=Plan(warm=1, seconds=1, repeats=1, connections=(1, 64, 256)),
    judged=Plan(warm=1, seconds=2, repeats=3, connections=(64,)),
    beside=30_000,
    waits=300,
    rebuilt=1_000_000,
    embedded_flow=Flow(rates=(1000,), seconds=10, steps=2, step_seconds=5, confirm_seconds=15, burst=10_000),
)
QUICK = Sizes(
    plan=Plan(warm=0, seconds=1, repeats=1, connections=(1, 64)),
    imported=1_000,
    flow=Flow(rates=(500, 3000), seconds=2, steps=1, step_seconds=2, confirm_seconds=3, burst=3_000),
    catch_up=5_000,
    backlog=10_000,
    consumer_seconds=4,
    levels=(1_000, 10_000),
    glance=Plan(warm=0, seconds=1, repeats=1, connections=(64,)),
    judged=Plan(warm=0, seconds=1, repeats=1, connections=(64,)),
    beside=3_000,
    waits=20,
    rebuilt=10_000,
    embedded_flow=Flow(rates=(1000,), seconds=2, steps=0, step_seconds=0, confirm_seconds=2, burst=1_000),
)


@dataclass(slots=True)
class Run:
    """One call of the benchmark, for the suites `chosen`.

    `real` are the settings of real engines, `embedded` those of the default. `seed` is the folder of the peer. `sustained` is what
    `end-to-end` found, for whoever compares with it. What can only be removed some time later is, at the end.
    """

    sizes: Sizes
    real: Settings
    embedded: Settings
    chosen: Sequence[str]
    seed: Path | None = None
    sustained: float | None = None
    later: ExitStack = field(default_factory=ExitStack)
    report: Report = field(default_factory=Report)

    @contextmanager
    def system(self, app: str = PEOPLE, settings: Settings | None = None) -> Iterator[tuple[Workspace, Roles, Work]]:
        """A system of its own for a suite, without running roles."""
        with Workspace(app, settings or self.real) as workspace:
            [resource] = workspace.app
            yield workspace, workspace.roles(), Work(resource, bodies.made(resource))
