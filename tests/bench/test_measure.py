"""How figures are measured: turns, what is added up, when a backlog grows, how far search is behind."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from benchmarks.commands import EVERY, astray, mixed
from benchmarks.peer import _changed
from benchmarks.people import Person

from twofold.bench import queries
from twofold.bench.endtoend import Paced, growth
from twofold.bench.lag import Lags
from twofold.bench.measure import Plan, Sample, Subject, alternate, row
from twofold.bench.processes import Role, Roles, Usage
from twofold.bench.queries import CURSOR, FILTER, GET, WORD, Known, prefix
from twofold.bench.wrk import Load
from twofold.errors import EngineError, SettingsError
from twofold.index.search import Search, Term

ID = "01a20964-3251-728a-b11a-80021852b308"


class Fake(Subject):
    def __init__(self, name: str, calls: list[tuple[str, int, int]]) -> None:
        super().__init__(0, [])
        self._name, self._calls = name, calls

    def sample(self, connections: int, seconds: int, **_: Any) -> Sample:
        self._calls.append((self._name, connections, seconds))
        return Sample(Load(1, 1, 1, 1, 1), Usage())


def test_what_is_compared_takes_turns_behind_its_warming_up() -> None:
    calls: list[tuple[str, int, int]] = []
    samples = alternate({name: Fake(name, calls) for name in "ab"}, 8, Plan(warm=2, seconds=3, repeats=2, connections=()))
    assert calls == [("a", 8, 2), ("b", 8, 2), ("a", 8, 3), ("b", 8, 3), ("a", 8, 3), ("b", 8, 3)]
    assert {name: len(found) for name, found in samples.items()} == {"a": 2, "b": 2}


def test_a_row_adds_up_its_repeats() -> None:
    first = Sample(Load(10, 1, 1, 4, 9, {201: 9, 503: 1}, {"read": 1}), Usage({"command": 0.5}, {"command": 80}))
    second = Sample(Load(20, 1, 3, 6, 9, {201: 20}, {"read": 0}), Usage({"command": 0.75}, {"command": 90}))
    found = row("s", "f", [first, second], [second])
    assert (found.values, found.peer, found.p50, found.p99) == ([9, 20], [20], 2, 5)
    assert (found.cpu, found.rss) == ({"command": 1.25}, {"command": 90})
    assert found.errors == {"503": 1, "read": 1}


def _line(counts: Sequence[int]) -> list[tuple[float, int]]:
    return [(0.25 * place, count) for place, count in enumerate(counts)]


def test_a_backlog_that_swings_does_not_grow() -> None:
    assert growth(_line([0, 0, 500, 900, 100, 900, 100, 900, 100, 900, 100, 900])) == 0
    assert growth([]) == 0


def test_a_backlog_that_rises_grows_and_its_beginning_does_not_count() -> None:
    assert growth(_line(range(0, 4000, 100))) == pytest.approx(2000, rel=0.1)
    assert growth(_line([0, *[3000] * 40])) == 0


@pytest.mark.parametrize(
    ("accepted", "backlog", "kept_up"),
    [(1000, [100] * 20, True), (960, [100] * 20, False), (1000, list(range(0, 20_000, 1000)), False)],
)
def test_search_keeps_up_where_all_is_accepted_and_the_backlog_stays(accepted: int, backlog: list[int], kept_up: bool) -> None:
    load = Load(accepted, 1, 1, 1, 1, {201: accepted})
    assert Paced(1000, load, Lags(), _line(backlog), Usage()).kept_up is kept_up


def test_lags_are_told_by_share_and_what_went_wrong_is_counted() -> None:
    lags = Lags([each / 100 for each in range(100)], refused=1, lost=2)
    assert (lags.percentile(0.5), lags.percentile(0.99)) == (0.5, 0.99)
    assert lags.errors == {"refused probes": 1, "lost probes": 2}
    assert str(Lags().percentile(0.5)) == "nan"


def test_questions_are_those_that_the_query_service_takes() -> None:
    known = Known([ID], ["Müller"], "name", ["Ana Müller"])
    asked = {each.kind: each for each in queries.questions(Person.declaration, known, (4, 2))}
    assert {kind: question.paths[0] for kind, question in asked.items()} == {
        GET: f"/people/{ID}",
        WORD: "/people?q=M%C3%BCller+",
        prefix(4): "/people?q=M%C3%BCll",
        prefix(2): "/people?q=M%C3%BC",
        FILTER: "/people?name=Ana+M%C3%BCller&sort=-created_at",
        CURSOR: asked[CURSOR].paths[0],
    }
    word, deep = asked[WORD].searches[0], asked[CURSOR].searches[0]
    assert isinstance(word, Search)
    assert word.text == ((Term("Müller"),),)
    assert isinstance(deep, Search)
    assert deep.after == (ID,)


def test_only_what_the_declaration_allows_is_asked() -> None:
    asked = queries.questions(Person.declaration, Known([ID], []))
    assert [each.kind for each in asked] == [GET, CURSOR]


def test_a_role_that_ends_is_told_with_the_end_of_its_log(tmp_path: Path) -> None:
    roles = Roles({}, tmp_path)
    role = roles.launch("broken", ["sh", "-c", "echo no engine >&2; exit 3"])
    with pytest.raises(EngineError, match=r"(?s)broken did not start.*no engine"):
        role.wait()
    with pytest.raises(EngineError, match=r"(?s)broken ended while it was measured.*no engine"):
        roles.check()
    roles.stop()
    assert roles.running == {}


def test_a_role_and_its_children_are_counted_and_stopped(tmp_path: Path) -> None:
    roles = Roles({"WORD": "ready"}, tmp_path)
    roles.launch("parent", ["sh", "-c", 'sleep 60 & echo "$WORD"; while :; do :; done']).wait()
    with roles.used() as used:
        _busy_until(roles.running["parent"], 0.1)
    assert used.cpu["parent"] >= 0.1
    assert used.rss["parent"] > 1
    roles.stop()


def _busy_until(role: Role, seconds: float) -> None:
    until = role.cpu() + seconds
    while role.cpu() < until:
        pass


def test_the_peers_programs_get_this_runs_names_or_are_refused() -> None:
    assert _changed("listen(3000)", "command.mjs", [(r"listen\(3000", r"listen(\d")]) == r"listen(\d)"
    with pytest.raises(SettingsError, match=r"command\.mjs holds nothing like"):
        _changed("", "command.mjs", [("listen", "x")])


def test_one_creation_in_a_hundred_holds_what_is_taken() -> None:
    found = mixed([b"free"] * 1000, b"taken")
    assert len(found) == 1000
    assert [place for place, request in enumerate(found) if request == b"taken"] == list(range(0, 1000, EVERY))


@pytest.mark.parametrize(("conflicts", "off"), [(100, 0), (102, 0), (98, 0), (0, 100), (150, 50)])
def test_conflicts_are_errors_where_they_are_not_as_many_as_were_sent(conflicts: int, off: int) -> None:
    good = Sample(Load(1, 1, 1, 1, 1, {201: 990, 409: 10}), Usage())
    load = Load(10_000, 1, 1, 1, 1, {201: 10_000 - conflicts, 409: conflicts})
    assert astray([good, Sample(load, Usage())]) == ({"conflicts astray": off} if off else {})
