"""How a figure is measured: warm up, repeat, alternate between what is compared, note what the roles used meanwhile."""

from __future__ import annotations

import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

from twofold.bench import wrk
from twofold.bench.processes import Roles, Usage
from twofold.bench.table import Engines, Row
from twofold.bench.wrk import Load


@dataclass(frozen=True, slots=True)
class Plan:
    """How long and how often. Seconds are whole ones, as wrk counts them."""

    warm: int
    seconds: int
    repeats: int
    connections: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Sample:
    """One repeat."""

    load: Load
    used: Usage


@dataclass(slots=True)
class Report:
    """The rows so far; `say` tells people on standard error what is being done."""

    rows: list[Row] = field(default_factory=list)
    begun: float = field(default_factory=time.monotonic)

    def say(self, text: str) -> None:
        print(f"{time.monotonic() - self.begun:6.1f} s  {text}", file=sys.stderr, flush=True)

    def add(self, row: Row) -> Row:
        self.rows.append(row)
        return row


class Subject:
    """A service under one kind of request, with the roles whose use is noted: all, or those of `names`."""

    def __init__(
        self, port: int, templates: Sequence[bytes], roles: Roles | None = None, names: Sequence[str] = (), host: str = wrk.HOST
    ) -> None:
        self._port, self._templates, self._roles, self._names, self._host = port, templates, roles, names, host

    def sample(self, connections: int, seconds: int, **options: Any) -> Sample:
        """`options` are wrk.run's."""
        with self._roles.used(*self._names) if self._roles else nullcontext(Usage()) as used:
            load = wrk.run(self._port, self._templates, host=self._host, connections=connections, seconds=seconds, **options)
        return Sample(load, used)


def alternate(subjects: Mapping[str, Subject], connections: int, plan: Plan) -> dict[str, list[Sample]]:
    """Each is warmed up; then they take turns, so that what changes on the machine meanwhile changes it for all."""
    for subject in subjects.values() if plan.warm else ():
        subject.sample(connections, plan.warm)
    samples: dict[str, list[Sample]] = {name: [] for name in subjects}
    for _ in range(plan.repeats):
        for name, subject in subjects.items():
            samples[name].append(subject.sample(connections, plan.seconds))
    return samples


def row(suite: str, figure: str, samples: Sequence[Sample], peer: Sequence[Sample] = (), engines: Engines = "real") -> Row:
    """Successful requests per second; what went wrong stands beside it."""
    loads = [sample.load for sample in samples]
    return Row(
        suite,
        figure,
        "requests/s",
        [load.rate for load in loads],
        engines,
        statistics.median(load.p50 for load in loads),
        statistics.median(load.p99 for load in loads),
        summed([sample.used.cpu for sample in samples]),
        highest([sample.used.rss for sample in samples]),
        dict(sum((Counter(load.failures) for load in loads), Counter())),
        [sample.load.rate for sample in peer],
    )


def summed(found: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return _by_role(found, sum)


def highest(found: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return _by_role(found, max)


def _by_role(found: Sequence[Mapping[str, float]], together: Callable[[list[float]], float]) -> dict[str, float]:
    names = dict.fromkeys(name for each in found for name in each)
    return {name: together([each[name] for each in found if name in each]) for name in names}
