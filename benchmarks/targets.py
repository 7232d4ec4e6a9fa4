"""What each figure must be, and what it should reach, on two cores with all engines and the generator on the same machine."""

from __future__ import annotations

from collections.abc import Sequence

from twofold.bench.table import ROLES, Engines, Row, Target, ordered

OVERALL = "all suites"
EMBEDDED = "up"
TARGETS: dict[tuple[str, str, Engines], Target] = {
    ("peer", "POST, 64 connections", "real"): Target(6, 10, ratio=True),
    ("peer", "POST, 1 connection", "real"): Target(1.2, 1.6, ratio=True),
    ("peer", "sustained end to end", "real"): Target(15, 30, ratio=True),
    ("end to end", "500/s offered: searchable after, p50", "real"): Target(0.35, 0.1, at_most=True),
    ("end to end", "500/s offered: searchable after, p99", "real"): Target(0.8, 0.3, at_most=True),
    ("end to end", "3,000/s offered: accepted", "real"): Target(2_900, 2_970),
    ("end to end", "3,000/s offered: searchable after, p50", "real"): Target(0.64, 0.3, at_most=True),
    ("end to end", "3,000/s offered: searchable after, p99", "real"): Target(1.2, 0.7, at_most=True),
    ("end to end", "1,000/s offered: accepted", "embedded"): Target(970, 990),
    ("end to end", "1,000/s offered: searchable after, p99", "embedded"): Target(0.15, 0.05, at_most=True),
    ("end to end", "catch-up of 50,000 committed rows, warm", "real"): Target(15_000, 20_000),
    ("end to end", "relay and projector at 3,000/s: CPU seconds per 30 s", "real"): Target(9, 4, at_most=True),
    ("end to end", "relay and projector at 3,000/s: peak memory together", "real"): Target(250, 160, at_most=True),
    ("end to end", "lost or doubled events", "real"): Target(0, 0, at_most=True),
    ("drain", "relay alone, 100,000 records", "real"): Target(15_000, 30_000),
    ("drain", "projector alone, 100,000 documents", "real"): Target(0.7, 0.9, ratio=True),
    ("queries", "get by id, 64 connections, 100,000 documents, against batching off", "real"): Target(4, 6, ratio=True),
    ("queries", "search, a full word, 64 connections, 100,000 documents, against batching off", "real"): Target(3, 4, ratio=True),
    ("queries", "get by id, 64 connections, 100,000 documents", "real"): Target(0.3, 0.5, ratio=True),
    ("queries", "search, a full word, 64 connections, 100,000 documents", "real"): Target(0.3, 0.5, ratio=True),
    ("queries", "search, a full word, 64 connections, 100,000 documents", "embedded"): Target(1_000, 2_500),
    ("queries", "search, a prefix of 4 letters, 64 connections, 100,000 documents", "embedded"): Target(400, 1_000),
    ("queries", "search, a prefix of 2 letters, 64 connections, 100,000 documents", "embedded"): Target(100, 400),
    # "Must not grow": what is left is what two runs a minute apart differ by.
    ("growth", "POST: 1,000,000 stored against 10,000", "real"): Target(0.8, 0.95, ratio=True),
    ("growth", "get: 1,000,000 stored against 10,000", "real"): Target(0.8, 0.95, ratio=True),
    **{
        ("reading", f"three facets of {what}, 1 connection, 1,000,000 documents", "real"): Target(1 / 1.3, 0.9, ratio=True)
        for what in ("a word", "a country", "everyone")
    },
    ("rebuild", "rebuild of 1,000,000 rows", "real"): Target(0.6, 0.85, ratio=True),
    ("rebuild", "rebuild of 1,000,000 rows: peak memory", "real"): Target(300, 150, at_most=True),
    ("neighbours", "searches beside a heavy aggregation", "real"): Target(2, 1.5, at_most=True),
    ("neighbours", "commands beside a locked row", "real"): Target(2, 1.1, at_most=True),
    ("neighbours", "relay polls beside an open snapshot", "real"): Target(2, 1.1, at_most=True),
    ("commands", "POST /people, 64 connections", "embedded"): Target(3_000, 6_000),
    (OVERALL, "errors", "real"): Target(0, 0, at_most=True),
    (OVERALL, "errors", "embedded"): Target(0, 0, at_most=True),
    **{(OVERALL, f"peak memory: {role}", "real"): Target(200, 120, at_most=True) for role in ROLES},
    (OVERALL, f"peak memory: {EMBEDDED}", "embedded"): Target(200, 120, at_most=True),
}
ENGINES: tuple[Engines, ...] = ("real", "embedded")


def judged(rows: Sequence[Row]) -> list[Row]:
    """The rows with their targets, and what holds for all."""
    found = [*ordered(rows), *_overall(rows)]
    for row in found:
        row.target = TARGETS.get((row.suite, row.figure, row.engines))
    return found


def _overall(rows: Sequence[Row]) -> list[Row]:
    """Errors of twofold's own rows, and each role's memory at its highest."""
    found = []
    for engines in ENGINES:
        ours = [row for row in rows if row.engines == engines and not row.figure.startswith("its ")]
        for role in (*ROLES, EMBEDDED):
            peaks = [row.rss[role] for row in ours if role in row.rss]
            found += [Row(OVERALL, f"peak memory: {role}", "MiB", [max(peaks)], engines)] if peaks else []
        if ours:
            found.append(Row(OVERALL, "errors", "requests", [sum(sum(row.errors.values()) for row in ours)], engines))
    return found
