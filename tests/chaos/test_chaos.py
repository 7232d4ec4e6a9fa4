"""Command services, relays and projectors, two of each, on real engines: all are killed, stopped and paused while clients move money.
Nothing may come of it.

`make chaos SECONDS=3600 SEED=7`: so long, with this plan of faults and operations. A failed run says how to repeat it, and where its
history and the logs of all processes are.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from dev.engines.settings import EngineError

from tests.chaos.checker import check
from tests.chaos.clients import Client, Limits, Reader
from tests.chaos.cluster import NAME, Cluster
from tests.chaos.faults import Supervisor
from tests.chaos.history import History
from tests.chaos.operations import opening, operations
from tests.chaos.plan import Round, plan
from tests.chaos.world import behind, gather

SECONDS = float(os.environ.get("TWOFOLD_CHAOS_SECONDS") or 45)
SEED = int(os.environ.get("TWOFOLD_CHAOS_SEED") or random.SystemRandom().randrange(1_000_000))
CLIENTS, READERS = 8, 2
LEVEL_SECONDS = 60.0  # after everything is up
BESIDES = 240.0  # seconds that a run may take beside its faults, and each of its rounds: engines and roles start, all is looked at


class Run:
    """The clients of all rounds; between two rounds they rest."""

    def __init__(self, cluster: Cluster, history: History) -> None:
        self.cluster, self.history = cluster, history
        commands, queries = ([port for role, port in cluster.ports.items() if role.startswith(each)] for each in ("command", "query"))
        self._clients = [Client(NAME, commands, history, operations(SEED, number)) for number in range(CLIENTS)]
        self._readers = [Reader(NAME, queries, history, number) for number in range(READERS)]
        self.supervisor = Supervisor(cluster, history)
        self._faults, self._levels = 0, [0.0]

    def open(self) -> None:
        self.supervisor.heal()
        for operation in opening():
            assert self._clients[0].perform(operation, Limits())

    def round(self, planned: Round) -> list[str]:
        """What was wrong at its end."""
        limits = Limits()
        self._faults += len(planned.faults)
        with ThreadPoolExecutor(CLIENTS + READERS) as pool:
            running = [pool.submit(each.run, limits) for each in (*self._clients, *self._readers)]
            try:
                self.supervisor.carry_out(planned.faults, planned.seconds)
                self.supervisor.heal()
            finally:
                limits.give_up_at = time.monotonic() + LEVEL_SECONDS
                limits.stopping.set()
            self._level(time.monotonic())
            for each in running:
                each.result()
        return self._looked()

    def _level(self, begun: float) -> None:
        """Waits for every loop to be at zero lag."""
        while left := behind(self.cluster):
            self.supervisor.tend(time.monotonic() + 0.2)
            if time.monotonic() > begun + LEVEL_SECONDS:
                return self.history.complain(f"{left} {LEVEL_SECONDS:.0f} s after everything was up")
        self._levels.append(time.monotonic() - begun)
        return self.history.event("level")

    def _looked(self) -> list[str]:
        if not self.history.complaints:
            verified = self.cluster.twofold("verify", NAME, "--deep")
            if verified.returncode:
                self.history.complain(f"twofold verify: {verified.returncode} {verified.stdout[-1000:]}{verified.stderr[-1000:]}")
        return [*self.history.complaints, *check(self.history.sent, gather(self.cluster))]

    def summary(self) -> str:
        sent, reads = self.history.sent, self.history.reads
        parts = [
            f"chaos: seed {SEED}",
            f"{self._faults} faults",
            f"level {max(self._levels):.1f} s after everything was up",
            f"{len(sent)} operations",
            f"{sum(1 for each in sent if each.done)} done",
            f"{sum(1 for each in sent if each.operation.twin is not None)} with a twin",
            *(f"{count} reads {outcome}" for outcome, count in sorted(reads.items())),
            f"{len(self.supervisor.gave_up)} roles gave up",
        ]
        return ", ".join(parts)

    def close(self) -> None:
        self.supervisor.stop()
        for client in self._clients:
            client.close()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    cluster = Cluster(tmp_path)
    try:
        cluster.prepare()
    except EngineError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"no engines: {error}")
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.close()


@pytest.mark.engine
@pytest.mark.alone
@pytest.mark.timeout(SECONDS + BESIDES * (1 + len(plan(SEED, SECONDS))))
def test_nothing_comes_of_it(cluster: Cluster, told: list[str]) -> None:
    history = History(cluster.folder / "history.ndjson")
    run, wrong = Run(cluster, history), []
    run.open()
    for planned in plan(SEED, SECONDS):
        wrong = run.round(planned)
        if wrong:
            break
    run.close()
    history.close()
    wrong = wrong or history.complaints
    told.append(run.summary())
    if wrong:
        lines = "\n".join(wrong)
        again = f"make chaos SECONDS={SECONDS:g} SEED={SEED}"
        pytest.fail(f"{lines}\n\n{told[-1]}\nhistory, logs: {cluster.folder}\nagain: {again}", pytrace=False)
