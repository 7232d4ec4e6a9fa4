"""The suite `end to end`: from a command's answer to a search hit, under paced load; the rate that search keeps up with; a burst.

All roles run. What is on its way is the *backlog*: records in the outbox and messages before the projector.
"""

from __future__ import annotations

import statistics
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from twofold.bench import wrk
from twofold.bench.commands import Work
from twofold.bench.finder import searches
from twofold.bench.lag import Hops, Lags, Prober, watched
from twofold.bench.measure import Report
from twofold.bench.processes import Roles, Usage
from twofold.bench.table import Row
from twofold.bench.workspace import Workspace
from twofold.bench.wrk import Load
from twofold.errors import EngineError

SUITE = "end to end"
PACED_CONNECTIONS = 256  # so many that the rate is what bounds the load
BURST_CONNECTIONS = 256
DRAIN_SECONDS = 120.0
SETTLED = 0.25  # share of a window in which a run settles, before its backlog counts
SLACK_SECONDS = 0.25  # of load by which a backlog may be larger at the end than at the beginning
SLACK = 500
RETRIES = 2


@dataclass(frozen=True, slots=True)
class Flow:
    """Rates that are offered and for how many seconds each; steps of the search for the highest rate, and its confirmation; the burst
    and the longest that it is sent for.
    """

    rates: tuple[int, ...]
    seconds: int
    steps: int
    step_seconds: int
    confirm_seconds: int
    burst: int
    burst_seconds: int = 60


@dataclass(frozen=True, slots=True)
class Paced:
    """A paced run: what was accepted, how far search was behind, how the backlog went, what the roles used."""

    offered: float
    load: Load
    lags: Lags
    backlog: list[tuple[float, int]]
    used: Usage

    @property
    def errors(self) -> dict[str, int]:
        return dict(Counter(self.load.failures) + Counter(self.lags.errors))

    @property
    def kept_up(self) -> bool:
        """Whether all that was offered was accepted, and the backlog was no larger at the end than at the beginning."""
        return self.load.rate > 0.97 * self.offered and growth(self.backlog) < SLACK_SECONDS * self.offered + SLACK


class Pipeline:
    """A system with all its roles running. `label` stands before its figures."""

    def __init__(self, report: Report, workspace: Workspace, roles: Roles, work: Work, label: str = "") -> None:
        self.report, self.workspace, self.roles, self.work, self.label = report, workspace, roles, work, label
        self.hops = Hops(workspace, work)

    def paced(self, rate: float, seconds: int) -> Paced:
        """Offers so many commands a second, then waits until all are searchable."""
        port, connections = self.workspace.settings.command_port, self.work.connections(PACED_CONNECTIONS)
        with Prober(self.workspace, self.work) as prober, self.roles.used() as used, watched(self.hops.backlog) as backlog:
            load = wrk.run(port, self.work.posts(), connections=connections, seconds=seconds, rate=rate)
        self.drain()
        return Paced(rate, load, prober.lags, backlog, used)

    def drain(self) -> None:
        """Waits until nothing is on its way."""
        self._until(lambda: self.hops.backlog() == 0)

    def searchable(self, count: int) -> None:
        """Waits until a search may find so many documents."""
        self._until(lambda: self.hops.documents() >= count)

    def _until(self, reached: Callable[[], bool]) -> None:
        until = time.monotonic() + DRAIN_SECONDS
        while not reached():
            self.roles.check()
            if time.monotonic() > until:
                raise EngineError(f"The pipeline did not drain within {DRAIN_SECONDS:.0f} s: a backlog of {self.hops.backlog():,} is left")
            time.sleep(0.05)

    def burst(self, count: int, seconds: int) -> tuple[Load, float, Usage]:
        """As many commands as fast as they are accepted; the seconds from the first request until a search counts them all."""
        before, port, begun = self.hops.documents(), self.workspace.settings.command_port, time.monotonic()
        with self.roles.used() as used:
            connections = self.work.connections(BURST_CONNECTIONS)
            load = wrk.run(port, self.work.posts(), connections=connections, seconds=seconds, count=count)
            self.searchable(before + load.done)
        return load, time.monotonic() - begun, used


def measure(pipeline: Pipeline, flow: Flow) -> tuple[dict[float, Paced], float]:
    """All rows of the suite. Returns the paced runs by their rate, and the rate that search keeps up with."""
    runs: dict[float, Paced] = {}
    for rate in flow.rates:
        pipeline.report.say(f"{SUITE}: {rate:,} commands/s offered for {flow.seconds} s")
        runs[rate] = pipeline.paced(rate, flow.seconds)
        told(pipeline, runs[rate], f"{rate:,}/s offered")
    accepted, drained = _burst(pipeline, flow)
    return runs, sustained(pipeline, flow, 0.5 * drained, accepted)


def told(pipeline: Pipeline, run: Paced, when: str) -> None:
    """The rows of a paced run."""
    engines, when = pipeline.workspace.engines, f"{pipeline.label}{when}"
    row = Row(SUITE, f"{when}: accepted", "commands/s", [run.load.rate], engines, run.load.p50, run.load.p99, run.used.cpu, run.used.rss)
    pipeline.report.add(row).errors = run.errors
    found = "searchable" if searches(pipeline.workspace, pipeline.work) else "readable"
    for share in (0.5, 0.99):
        pipeline.report.add(Row(SUITE, f"{when}: {found} after, p{share * 100:.0f}", "s", [run.lags.percentile(share)], engines))


def _burst(pipeline: Pipeline, flow: Flow) -> tuple[float, float]:
    """How many a second are accepted, and how many are searchable a second."""
    pipeline.report.say(f"{SUITE}: burst of {flow.burst:,}")
    load, seconds, used = pipeline.burst(flow.burst, flow.burst_seconds)
    engines, what = pipeline.workspace.engines, f"{pipeline.label}burst of {min(load.requests, flow.burst):,}"
    row = Row(SUITE, f"{what}: accepted", "commands/s", [load.rate], engines, load.p50, load.p99, used.cpu, used.rss, load.failures)
    pipeline.report.add(row)
    pipeline.report.add(Row(SUITE, f"{what}: all searchable after", "s", [seconds], engines))
    return load.rate, load.done / seconds


def sustained(pipeline: Pipeline, flow: Flow, low: float, high: float) -> float:
    """The highest rate at which search keeps up: halved in between `low` and `high`, then confirmed over a longer time."""
    for _ in range(flow.steps):
        rate = (low + high) / 2
        pipeline.report.say(f"{SUITE}: does search keep up with {rate:,.0f}/s?")
        low, high = (rate, high) if pipeline.paced(rate, flow.step_seconds).kept_up else (low, rate)
    for _ in range(RETRIES):
        pipeline.report.say(f"{SUITE}: confirming {low:,.0f}/s for {flow.confirm_seconds} s")
        run = pipeline.paced(low, flow.confirm_seconds)
        if run.kept_up:
            break
        low *= 0.85
    else:
        pipeline.report.say(f"{SUITE}: search kept up with none of the rates that were tried")
    told(pipeline, run, f"sustained for {flow.confirm_seconds} s" if run.kept_up else "not sustained")
    return run.load.rate if run.kept_up else float("nan")


def growth(backlog: Sequence[tuple[float, int]]) -> float:
    """By how much the last third of a run's backlog is larger than the first, in the middle of each; its beginning does not count."""
    end = backlog[-1][0] if backlog else 0.0
    counted = [count for seconds, count in backlog if seconds >= SETTLED * end]
    third = len(counted) // 3
    return statistics.median(counted[-third:]) - statistics.median(counted[:third]) if third else 0.0
