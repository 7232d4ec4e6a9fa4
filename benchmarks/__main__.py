"""`python -m benchmarks`, or `make bench`: runs the suites on the engines of TWOFOLD_WRITE_URL, TWOFOLD_LOG_URL and TWOFOLD_READ_URL,
or on those of `make engines`, prints the table on standard output and writes the same as JSON.

Everything is written to databases, topics and indices of the run's own, which are removed at the end, also after Ctrl-C.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console

from benchmarks import commands, drain, embedded, end_to_end, levels, neighbours, peer, reading, rebuilding
from benchmarks.run import FULL, QUICK, Run
from benchmarks.targets import judged
from twofold import telemetry
from twofold.bench import table, wrk
from twofold.bench.processes import require_linux
from twofold.bench.workspace import interruptible, unhurried
from twofold.errors import EngineError, SettingsError
from twofold.settings import Settings, load
from twofold.urls import scheme

SUITES: dict[str, Callable[[Run], None]] = {
    "commands": commands.measure,
    "end-to-end": end_to_end.measure,
    "peer": peer.measure,  # compares with end-to-end, and leaves behind what can only be removed half a minute later
    "drain": drain.measure,
    "queries": levels.measure,
    "growth": levels.measure,
    "reading": reading.measure,
    "rebuild": rebuilding.measure,
    "neighbours": neighbours.measure,
    "embedded": embedded.measure,
}
ENGINES = {"write_url": "mysql://root:root@127.0.0.1:3306/user?tls=off", "log_url": "kafka://127.0.0.1:9092", "read_url": "elasticsearch://127.0.0.1:9200"}
WIDTH = 200  # of the table where standard output is no terminal


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code: 0 also where figures miss what they should be, 1 where something could not be measured, 2 for a mistake."""
    options = _options(arguments)
    telemetry.configure()
    interruptible()
    chosen = options.suites or [name for name in SUITES if name != "peer" or options.seed]
    run = Run(QUICK if options.quick else FULL, _real(), _embedded(options.data), chosen, options.seed)
    try:
        table.check(options.json)
        wrk.program()
        require_linux()
        return max([_measured(run, suite) for suite in dict.fromkeys(SUITES[name] for name in run.chosen)])  # two of them are one pass
    except SettingsError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("bench: interrupted; what was measured so far:", file=sys.stderr)
        return 130
    finally:
        with unhurried():
            run.later.close()
        _tell(run, options)


def _measured(run: Run, suite: Callable[[Run], None]) -> int:
    """1 where an engine failed: the other suites are measured all the same."""
    try:
        suite(run)
    except EngineError as error:
        print(f"bench: {suite.__module__}: {error}", file=sys.stderr)
        return 1
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="short runs on little data: shows that everything works")
    parser.add_argument("--suites", nargs="*", choices=list(SUITES), metavar="SUITE", help=f"some of: {' '.join(SUITES)}")
    parser.add_argument("--seed", type=Path, help="folder of the peer: command.mjs, consumer.mjs, package.json")
    parser.add_argument("--json", type=Path, default=Path("bench.json"), help="where the rows are written [default: bench.json]")
    parser.add_argument("--data", type=Path, default=Path("data"), help="folder below which embedded files are made [default: data]")
    return parser.parse_args(arguments)


def _real() -> Settings:
    """The engines that the environment names; those that it leaves to the embedded default are the ones of `make engines`."""
    found = load()
    return load(**{name: url for name, url in ENGINES.items() if scheme(getattr(found, name)) == "sqlite"})


def _embedded(data: Path) -> Settings:
    """SQLite files, whatever the environment names."""
    return load(data=data, write_url="", log_url="", read_url="")


def _tell(run: Run, options: argparse.Namespace) -> None:
    if not run.report.rows:
        return
    rows = judged(run.report.rows)
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    table.show(rows, console)
    table.write(options.json, rows, {"quick": options.quick})
    console.print(f"{options.json}{' (quick: too short to judge by)' if options.quick else ''}", highlight=False)


if __name__ == "__main__":
    sys.exit(main())
