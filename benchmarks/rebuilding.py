"""A rebuild beside a bare bulk loader, and how fast table and index are held against each other; with what both need of memory."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence

from benchmarks import drain, loader, stock
from benchmarks.run import Run
from twofold.bench import processes
from twofold.bench.table import Row
from twofold.bench.workspace import Workspace
from twofold.errors import EngineError
from twofold.resource import Declaration

SUITE = "rebuild"
LOOK_SECONDS = 0.02


def measure(run: Run) -> None:
    count = run.sizes.rebuilt
    with run.system() as (workspace, _, work):
        run.report.say(f"{SUITE}: storing {count:,} rows")
        for people in stock.batches(work.resource, count):
            stock.commit(workspace.system, work.resource, people, published=False)
        run.report.say(f"{SUITE}: bare bulk loader")
        bare = drain.bare(run, workspace, [loader.body(people) for people in stock.batches(work.resource, count)], count)
        rebuild = _command(run, workspace, work.resource, f"rebuild of {count:,} rows", ["rebuild"], count, "documents/s")
        rebuild.peer = bare
        _command(run, workspace, work.resource, f"verify of {count:,} rows", ["verify"], count, "rows/s")
        _command(run, workspace, work.resource, f"verify --deep of {count:,} rows", ["verify", "--deep"], count, "rows/s")


def _command(run: Run, workspace: Workspace, resource: Declaration, figure: str, command: Sequence[str], count: int, unit: str) -> Row:
    """Rows by second of the whole command, its start included; its peak memory in a row of its own."""
    run.report.say(f"{SUITE}: {figure}")
    begun, peak = time.monotonic(), 0.0
    with (workspace.folder / f"{command[0]}.log").open("w+b") as told:
        process = subprocess.Popen(  # noqa: S603 - twofold itself
            [sys.executable, "-m", "twofold", command[0], resource.name, *command[1:]],
            env={**os.environ, **workspace.environment},
            stdout=told,
            stderr=told,
        )
        while process.poll() is None:
            peak = max(peak, processes.peak(process.pid))
            time.sleep(LOOK_SECONDS)
        seconds = time.monotonic() - begun
        if process.returncode != 0:
            told.seek(0)
            raise EngineError(f"twofold {' '.join(command)} failed:\n{told.read()[-2000:].decode(errors='replace')}")
    run.report.add(Row(SUITE, f"{figure}: peak memory", "MiB", [peak]))
    return run.report.add(Row(SUITE, figure, unit, [count / seconds]))
