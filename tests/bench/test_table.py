"""Rows, their verdicts, and both forms of the table."""

from __future__ import annotations

import io

import orjson
import pytest
from benchmarks import embedded, levels
from benchmarks.targets import OVERALL, TARGETS, judged
from rich.console import Console

from twofold.bench.table import Row, Target, document, number, ordered, show


@pytest.mark.parametrize(
    ("target", "found", "verdict"),
    [
        (Target(3, 6), 2.9, "missed"),
        (Target(3, 6), 3, "met"),
        (Target(3, 6), 6, "reached"),
        (Target(0.8, 0.3, at_most=True), 0.81, "missed"),
        (Target(0.8, 0.3, at_most=True), 0.5, "met"),
        (Target(0.8, 0.3, at_most=True), 0.3, "reached"),
        (Target(3, 6), float("nan"), "missed"),
        (Target(0.8, 0.3, at_most=True), float("nan"), "missed"),
    ],
)
def test_verdicts(target: Target, found: float, verdict: str) -> None:
    assert target.verdict(found) == verdict


def test_a_row_tells_its_median_and_spread() -> None:
    row = Row("s", "f", "u", [90, 100, 120])
    assert (row.value, row.spread, row.ratio, row.verdict) == (100, 0.3, None, "")
    assert Row("s", "f", "u", [90]).spread is None


def test_a_ratio_is_judged_against_the_peer_of_the_same_run() -> None:
    row = Row("s", "f", "u", [600, 700, 800], peer=[100, 90, 110], target=Target(6, 10, ratio=True))
    assert (row.ratio, row.verdict) == (7, "met")
    assert Row("s", "f", "u", [600], target=Target(6, 10, ratio=True)).verdict == "unknown"
    assert Row("s", "f", "u", [600], peer=[0], target=Target(6, 10, ratio=True)).verdict == "unknown"


def test_figures_stand_together_in_the_order_of_their_measuring() -> None:
    rows = [Row("a", "x", "u", [1]), Row("b", "y", "u", [1]), Row("a", "z", "u", [1]), Row("a", "x", "u", [2], "embedded")]
    assert [(row.suite, row.figure, row.engines) for row in ordered(rows)] == [
        ("a", "x", "real"),
        ("a", "x", "embedded"),
        ("a", "z", "real"),
        ("b", "y", "real"),
    ]


def test_the_document_holds_every_row_with_what_follows_from_it() -> None:
    row = Row("s", "f", "u", [2, 4], cpu={"query": 1.5}, errors={"503": 2}, peer=[1], target=Target(2, 4, ratio=True))
    found = orjson.loads(document([row], {"quick": True}))
    assert found["quick"] is True
    assert found["machine"]["cores"] > 0
    [told] = found["rows"]
    assert told["value"] == 3
    assert told["ratio"] == 3
    assert told["verdict"] == "met"
    assert told["errors"] == {"503": 2}
    assert told["target"] == {"must": 2, "reach": 4, "at_most": False, "ratio": True}


def test_a_figure_that_could_not_be_had_is_null() -> None:
    assert orjson.loads(document([Row("s", "f", "u", [float("nan")])], {}))["rows"][0]["value"] is None


def _shown(*rows: Row) -> str:
    console = Console(file=io.StringIO(), width=250)
    show(rows, console)
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_errors_stand_in_the_table_by_kind() -> None:
    assert "409 1, timeout 1,200" in _shown(Row("s", "f", "u", [1], errors={"409": 1, "timeout": 1200}))


def test_real_and_embedded_engines_are_two_columns() -> None:
    shown = _shown(Row("s", "f", "u", [111]), Row("s", "f", "u", [222], "embedded"))
    header, first, second = (next(line for line in shown.splitlines() if word in line) for word in ("real engines", "111", "222"))
    assert first.index("111") < header.index("embedded") <= second.index("222") + 8
    assert first.index("111") < second.index("222")


def test_columns_without_content_are_left_out() -> None:
    assert "verdict" not in _shown(Row("s", "f", "u", [1]))
    assert "verdict" in _shown(Row("s", "f", "u", [1], target=Target(1, 2)))


def test_roles_stand_in_one_order() -> None:
    row = Row("s", "f", "u", [1], cpu={"query": 1.25, "command": 2.0, "its service": 0.5}, rss={"up": 100.4})
    assert "2.0/-/-/1.2 its service 0.5" in _shown(row)
    assert "up 100" in _shown(row)


@pytest.mark.parametrize(("value", "told"), [(0.1234, "0.123"), (12.345, "12.3"), (123.4, "123"), (50_000, "50,000"), (0, "0")])
def test_numbers_have_three_digits_that_count(value: float, told: str) -> None:
    assert number(value) == told


def test_what_holds_for_all_suites_is_judged_too() -> None:
    rows = [
        Row("a", "x", "u", [1], rss={"query": 90, "relay": 50}, errors={"503": 1}),
        Row("a", "y", "u", [1], rss={"query": 210}),
        Row("a", "its z", "u", [1], errors={"503": 7}),
        Row("a", "x", "u", [1], "embedded", rss={"up": 100}),
    ]
    found = {(row.figure, row.engines): (row.value, row.verdict) for row in judged(rows) if row.suite == OVERALL}
    assert found == {
        ("peak memory: query", "real"): (210, "missed"),
        ("peak memory: relay", "real"): (50, "reached"),
        ("errors", "real"): (1, "missed"),
        ("peak memory: up", "embedded"): (100, "reached"),
        ("errors", "embedded"): (0, "reached"),
    }


def test_to_reach_is_no_less_than_what_must_be() -> None:
    for target in TARGETS.values():
        assert target.reach <= target.must if target.at_most else target.reach >= target.must


def test_queries_with_a_target_are_those_that_are_repeated() -> None:
    for engines, kinds in (("real", levels.JUDGED), ("embedded", embedded.JUDGED)):
        figures = [figure for suite, figure, engines_ in TARGETS if suite == "queries" and engines_ == engines]
        assert {figure.partition(", 64 connections")[0] for figure in figures} == set(kinds)
