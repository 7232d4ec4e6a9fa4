"""Figures as rows: for people as one table, for programs as JSON. What a figure should be stands in its row, and whether it is."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import orjson
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from twofold import __version__
from twofold.errors import SettingsError

ROLES = ("command", "relay", "project", "query")
NUMBERS = ("real engines", "embedded", "p50/p99 ms", "CPU s c/r/p/q", "peak MiB c/r/p/q", "errors", "x peer", "peer", "must", "reach")
COLUMNS = ("suite", "figure", "unit", *NUMBERS, "verdict")
Engines = Literal["real", "embedded"]


@dataclass(frozen=True, slots=True)
class Target:
    """What a figure must be, and what it should reach: its value, or its ratio to the peer's in the same run."""

    must: float
    reach: float
    at_most: bool = False
    ratio: bool = False

    def verdict(self, found: float) -> str:
        """`reached`, `met` or `missed`."""
        good: Callable[[float], bool] = (lambda bound: found <= bound) if self.at_most else (lambda bound: found >= bound)
        return "reached" if good(self.reach) else "met" if good(self.must) else "missed"


@dataclass(slots=True)
class Row:
    """One figure. `values` are those of each repeat, `peer` what it is compared with in the same run. p50 and p99 are milliseconds."""

    suite: str
    figure: str
    unit: str
    values: list[float]
    engines: Engines = "real"
    p50: float | None = None
    p99: float | None = None
    cpu: dict[str, float] = field(default_factory=dict)
    rss: dict[str, float] = field(default_factory=dict)
    errors: dict[str, int] = field(default_factory=dict)
    peer: list[float] = field(default_factory=list)
    target: Target | None = None

    @property
    def value(self) -> float:
        return statistics.median(self.values)

    @property
    def spread(self) -> float | None:
        """From the lowest to the highest, as a share of the median."""
        return (max(self.values) - min(self.values)) / self.value if len(self.values) > 1 and self.value else None

    @property
    def ratio(self) -> float | None:
        peer = statistics.median(self.peer) if self.peer else 0
        return self.value / peer if peer else None

    @property
    def verdict(self) -> str:
        """"" without a target; `unknown` where the peer gave nothing to compare with."""
        if self.target is None:
            return ""
        found = self.ratio if self.target.ratio else self.value
        return "unknown" if found is None else self.target.verdict(found)


def ordered(rows: Sequence[Row]) -> list[Row]:
    """Suites together, and a figure's rows one below the other, each where it was measured first."""
    places = {(row.suite, row.figure): place for place, row in reversed(list(enumerate(rows)))}
    suites = list(dict.fromkeys(row.suite for row in rows))
    return sorted(rows, key=lambda row: (suites.index(row.suite), places[row.suite, row.figure]))


def document(rows: Sequence[Row], about: dict[str, Any]) -> bytes:
    """All rows as JSON, with what was derived from them."""
    machine = {"cores": os.cpu_count(), "system": platform.platform(), "python": platform.python_version(), "twofold": __version__}
    derived = ("value", "spread", "ratio", "verdict")
    told = [{name: getattr(row, name) for name in (*Row.__slots__, *derived)} for row in rows]
    return orjson.dumps({**about, "machine": machine, "rows": told}, option=orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_DATACLASS)


def check(path: Path) -> None:
    """Raises SettingsError where `write` could not write: that is told before anything is measured."""
    if not path.parent.is_dir():
        raise SettingsError(f"{path}: there is no folder {path.parent} to write the figures to.")
    if path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK):
        raise SettingsError(f"{path}: the figures cannot be written there.")


def write(path: Path, rows: Sequence[Row], about: dict[str, Any]) -> None:
    path.write_bytes(document(rows, about) + b"\n")


def show(rows: Sequence[Row], console: Console) -> None:
    """One table: real engines and the embedded default are two columns, each with the median and the spread over the repeats.

    Columns that would be empty are left out.
    """
    caption = "CPU seconds and peak memory of command / relay / project / query; of the embedded default's one process: up"
    table = Table(box=SIMPLE, header_style="bold", pad_edge=False, caption=caption, caption_justify="left")
    suites = ["", *(row.suite for row in rows)]
    lines = [_cells(row, before) for row, before in zip(rows, suites, strict=False)]
    filled = [place for place in range(len(COLUMNS)) if any(line[place] for line in lines)]
    for place in filled:
        table.add_column(COLUMNS[place], justify="right" if COLUMNS[place] in NUMBERS else "left")
    for line in lines:
        table.add_row(*(line[place] for place in filled))
    console.print(table)


def _cells(row: Row, suite: str) -> list[str]:
    spread = f" ±{row.spread / 2:.0%}" if row.spread is not None else ""
    value = f"{number(row.value)}{spread}"
    target = row.target
    times = "x" if target and target.ratio else ""
    bound = "≤" if target and target.at_most else ""
    return [
        "" if row.suite == suite else row.suite,
        row.figure,
        row.unit,
        value if row.engines == "real" else "",
        value if row.engines == "embedded" else "",
        "" if row.p50 is None or row.p99 is None else f"{number(row.p50)}/{number(row.p99)}",
        by_role(row.cpu, 1),
        by_role(row.rss, 0),
        ", ".join(f"{kind} {count:,}" for kind, count in row.errors.items()) or "0",
        "" if row.ratio is None else number(row.ratio),
        "" if not row.peer else number(statistics.median(row.peer)),
        "" if target is None else f"{bound}{number(target.must)}{times}",
        "" if target is None else f"{bound}{number(target.reach)}{times}",
        row.verdict,
    ]


def by_role(found: Mapping[str, float], digits: int) -> str:
    """The four roles in their order, then others by name."""
    known = "/".join(f"{found[name]:.{digits}f}" if name in found else "-" for name in ROLES)
    others = [f"{name} {value:.{digits}f}" for name, value in found.items() if name not in ROLES]
    return " ".join([*([known] if found.keys() & set(ROLES) else []), *others])


def number(value: float) -> str:
    """Three digits that count, and thousands apart."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
