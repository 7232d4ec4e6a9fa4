"""A rebuild beside a bare bulk loader, and how fast table and index are held against each other; with what both need of memory."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import time
from collections.abc import Sequence

from benchmarks import drain, stock
from benchmarks.run import Run
from twofold.bench.table import Row
from twofold.bench.workspace import Workspace
from twofold.errors import EngineError
from twofold.resource import Declaration

SUITE = "rebuild"
MIB = 1024  # of what wait4 counts in, KiB


def measure(run: Run) -> None:
    count = run.sizes.rebuilt
    with run.system() as (workspace, _, work):
        run.report.say(f"{SUITE}: storing {count:,} rows")
        for people in stock.batches(work.resource, count):
            stock.commit(workspace.system, work.resource, people, published=False)
        run.report.say(f"{SUITE}: bare bulk loader")
        few = list(itertools.islice(stock.batches(work.resource, run.sizes.backlog), run.sizes.backlog // stock.BATCH))
        bare = drain.bare(run, workspace, few)
        rebuild = _command(run, workspace, work.resource, f"rebuild of {count:,} rows", ["rebuild"], count, "documents/s")
        rebuild.peer = bare
        _command(run, workspace, work.resource, f"verify of {count:,} rows", ["verify"], count, "rows/s")
        _command(run, workspace, work.resource, f"verify --deep of {count:,} rows", ["verify", "--deep"], count, "rows/s")


def _command(run: Run, workspace: Workspace, resource: Declaration, figure: str, command: Sequence[str], count: int, unit: str) -> Row:
    """Rows by second of the whole command, its start included; its peak memory in a row of its own."""
    run.report.say(f"{SUITE}: {figure}")
    log = workspace.folder / f"{command[0]}.log"
    begun = time.monotonic()
    with log.open("ab") as told:
        process = subprocess.Popen(  # noqa: S603 - twofold itself
            [sys.executable, "-m", "twofold", command[0], resource.name, *command[1:]],
            env={**os.environ, **workspace.environment},
            stdout=told,
            stderr=told,
        )
        _, status, used = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status) != 0:
        raise EngineError(f"twofold {' '.join(command)} failed:\n{log.read_text(errors='replace')[-2000:]}")
    seconds = time.monotonic() - begun
    run.report.add(Row(SUITE, f"{figure}: peak memory", "MiB", [used.ru_maxrss / MIB]))
    return run.report.add(Row(SUITE, figure, unit, [count / seconds], cpu={command[0]: used.ru_utime + used.ru_stime}))
