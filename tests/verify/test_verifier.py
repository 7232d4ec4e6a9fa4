"""Every kind of drift is found and nothing else; what is mended is mended, and nothing else is touched; live writes are no drift."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from tests.verify.world import PEOPLE, World, row, tombstone

from twofold.documents import of_row
from twofold.index.port import Held
from twofold.store.port import Row, Tombstone
from twofold.verify import passing, verifier
from twofold.verify.compare import KINDS
from twofold.verify.result import Result
from twofold.verify.verifier import Verifier

Truth = Row | Tombstone
Damage = Callable[[World, str], None]


@pytest.fixture(autouse=True, scope="module")
def _small() -> Iterator[None]:
    """Pages and groups of a few, so that a few ids make many; and nobody waits."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(verifier, "PAGE", 3)
        patch.setattr(verifier, "GROUP", 2)
        patch.setattr(verifier, "GROUPS", 1)
        patch.setattr(verifier, "LOOK", 0)
        patch.setattr(passing, "AHEAD", 0)
        yield


def verified(world: World, **options: Any) -> tuple[Result, dict[str, str]]:
    """The result, and the kind that each id was found as."""
    found: dict[str, str] = {}

    def tell(kind: str, id_: str) -> None:
        assert id_ not in found, "told twice"
        found[id_] = kind

    verifier = Verifier(world.sides, PEOPLE, tell=tell, **options)
    results = list(verifier.run())
    assert all(each is results[-1] for each in results)
    counted = {kind: sum(told == kind for told in found.values()) for kind in KINDS}
    assert counted == {kind: tally.count for kind, tally in results[-1].drift.items()}
    return results[-1], found


@pytest.mark.parametrize(("size", "limit"), [(10, 1000), (20_000, 400), (524_288, 16)])
def test_a_page_of_large_documents_has_fewer(size: int, limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verifier, "PAGE", 1000)
    page = [Held(f"{number}", 1, {"note": "x" * size}, ()) for number in range(20)]
    assert limit * 0.9 <= verifier.fitting(page) <= limit * 1.1


def truth_document(world: World, id_: str) -> dict[str, Any]:
    document: dict[str, Any] = orjson.loads(of_row(PEOPLE, world.truths[id_]).document)
    return document


def changed(world: World, id_: str, **members: Any) -> None:
    world.plant(id_, truth_document(world, id_) | members, world.documents[id_].gate)


def removed(world: World, id_: str, *members: str) -> None:
    document = {name: value for name, value in truth_document(world, id_).items() if name not in members}
    world.plant(id_, document, world.documents[id_].gate)


def forced(world: World, id_: str, version: int) -> None:
    world.plant(id_, orjson.loads(of_row(PEOPLE, row(id_, version)).document), version)


def raised(world: World, id_: str) -> None:
    world.plant(id_, truth_document(world, id_), world.documents[id_].gate + 1)


def orphaned(world: World, id_: str, document: dict[str, Any] | None = None) -> None:
    if document is not None:
        world.plant(id_, document, 3)
    del world.truths[id_]


# kind and what is done to a row of version 3 with its document, or to a tombstone of version 3 with its
LIVE: dict[str, tuple[str, Damage]] = {
    "fine": ("", lambda _world, _id: None),
    "document gone": ("missing", lambda world, id_: world.documents.pop(id_) and None),
    "old version": ("stale", lambda world, id_: forced(world, id_, 2)),
    "old version under a new gate": ("stale", lambda world, id_: world.plant(id_, truth_document(world, id_) | {"version": 2}, 9)),
    "newer than its row": ("different", lambda world, id_: forced(world, id_, 4)),
    "raised gate": ("different", raised),
    "lowered gate": ("different", lambda world, id_: world.plant(id_, truth_document(world, id_), 1)),
    "no version": ("different", lambda world, id_: removed(world, id_, "version")),
    "a version in words": ("different", lambda world, id_: changed(world, id_, version="3")),
    "another id": ("different", lambda world, id_: changed(world, id_, id="zz")),
    "no id": ("different", lambda world, id_: removed(world, id_, "id")),
    "deleted": ("different", lambda world, id_: changed(world, id_, deleted=True)),
    "row gone": ("orphaned", orphaned),
    "row gone, another id": ("orphaned", lambda world, id_: orphaned(world, id_, {"id": "a"})),
    "row gone, nothing in it": ("orphaned", lambda world, id_: orphaned(world, id_, {})),
}
DEEP: dict[str, tuple[str, Damage]] = {
    "other content": ("different", lambda world, id_: changed(world, id_, name="Eve")),
    "a member more": ("different", lambda world, id_: changed(world, id_, extra=1)),
    "a member less": ("different", lambda world, id_: removed(world, id_, "name")),
}
DEAD: dict[str, tuple[str, Damage]] = {
    "fine": ("", lambda _world, _id: None),
    "tombstone gone": ("missing", lambda world, id_: world.documents.pop(id_) and None),
    "old tombstone": ("stale", lambda world, id_: changed(world, id_, version=1)),
    "live still": ("stale", lambda world, id_: forced(world, id_, 2)),
    "live again": ("stale", lambda world, id_: forced(world, id_, 4)),
    "raised gate": ("different", raised),
    "row gone": ("orphaned", orphaned),
}
DAMAGES = {(False, name): each for name, each in {**LIVE, **DEEP}.items()} | {(True, name): each for name, each in DEAD.items()}
CASES = st.lists(st.sampled_from(sorted(DAMAGES)), max_size=25)


def damaged(cases: list[tuple[bool, str]], *, deep: bool) -> tuple[World, dict[str, str]]:
    """A world with these damages done to one id each, and what is to be found."""
    world, expected = World(), {}
    for number, (dead, name) in enumerate(cases):
        id_ = f"{number:02d}"
        world.level(tombstone(id_, 3) if dead else row(id_, 3))
        kind, damage = DAMAGES[dead, name]
        damage(world, id_)
        if kind and (deep or dead or name not in DEEP):
            expected[id_] = kind
    return world, expected


@given(CASES, st.booleans())
def test_every_kind_of_drift_is_found_and_nothing_else(cases: list[tuple[bool, str]], deep: bool) -> None:
    world, expected = damaged(cases, deep=deep)
    before = dict(world.documents)

    result, found = verified(world, deep=deep)

    assert found == expected
    assert result.agrees is (not expected)
    assert world.documents == before
    assert result.rows == len(world.truths)
    assert result.documents == len(world.documents)


@given(CASES)
def test_what_is_mended_agrees_and_nothing_else_is_touched(cases: list[tuple[bool, str]]) -> None:
    world, expected = damaged(cases, deep=True)
    before = dict(world.documents)

    result, found = verified(world, deep=True, repair=True)

    assert found == expected
    assert result.agrees
    assert {kind: tally.mended for kind, tally in result.drift.items()} == {kind: tally.count for kind, tally in result.drift.items()}
    assert {id_: held for id_, held in world.documents.items() if id_ not in expected} == {
        id_: held for id_, held in before.items() if id_ not in expected
    }
    assert verified(world, deep=True)[1] == {}


@hypothesis_settings(max_examples=300)
@given(st.integers(0, 2**32), CASES, st.booleans())
def test_live_writes_are_no_drift_and_hide_none(seed: int, cases: list[tuple[bool, str]], repair: bool) -> None:
    """Commands, relay and projector run between any two calls. Rows that were damaged are left alone by them."""
    world, expected = damaged(cases, deep=True)
    world.level(*[row(f"live-{number}") for number in range(3)])
    chance = random.Random(seed)

    def between() -> None:
        for _ in range(chance.randrange(4)):
            id_ = f"live-{chance.randrange(6)}"
            old = world.truths.get(id_)
            if not isinstance(old, Tombstone):
                version = old.version + 1 if old else 1
                dies = old is not None and chance.random() < 0.1
                world.write(tombstone(id_, version) if dies else row(id_, version, str(version)))
        if chance.random() < 0.5:
            world.relay()
        if chance.random() < 0.5:
            world.project()

    world.between = between
    result, found = verified(world, deep=True, repair=repair)
    world.between = lambda: None
    world.relay()
    world.project()

    assert found == expected
    assert result.undecided.count == 0
    assert verified(world, deep=True)[1] == ({} if repair else expected)


def test_what_the_pipeline_has_not_passed_is_undecided(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    world.level(row("a"), row("b"))
    world.write(row("c"))

    result, found = verified(world, patience=0.01)
    assert (result.undecided.ids, found, result.agrees) == (["c"], {}, False)
    assert result.reasons == {"the relay did not pass within 0 s: does it run?"}

    world.relay()
    result, _ = verified(world, patience=0.01)
    assert result.undecided.ids == ["c"]
    assert result.reasons == {"the projector did not pass within 0 s: does it run?"}

    world.project()
    assert verified(world, patience=0.01)[0].agrees


def test_where_the_pipeline_stands_patience_ends_once(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    for number in range(20):
        world.write(row(f"{number:02d}"))
    looks: list[float] = []

    def sleep(seconds: float) -> None:
        looks.append(seconds)
        time.sleep(seconds)

    monkeypatch.setattr(verifier, "LOOK", 0.01)
    monkeypatch.setattr(verifier, "time", SimpleNamespace(monotonic=time.monotonic, sleep=sleep))

    result, found = verified(world, patience=0.05)

    assert (result.undecided.count, found) == (20, {})
    assert 0 < len(looks) <= 6


def test_a_row_that_changes_all_the_time_is_undecided() -> None:
    world = World()
    world.level(row("a"))
    world.documents.clear()

    def between() -> None:
        world.write(row("a", world.truths["a"].version + 1))
        world.relay()
        world.project()
        world.documents["a"] = replace(world.documents["a"], gate=0)

    world.between = between
    result, found = verified(world, patience=0.05)

    assert (result.undecided.ids, found) == (["a"], {})
    assert result.reasons == {"rows that change all the time"}


def test_a_row_whose_document_fell_behind_is_found_though_it_changes_all_the_time() -> None:
    """A gate that was raised far above keeps every event away."""
    world = World()
    world.level(row("a", 3))
    world.plant("a", truth_document(world, "a"), 1_000_000)

    def between() -> None:
        world.write(row("a", world.truths["a"].version + 1))
        world.relay()
        world.project()

    world.between = between

    assert verified(world)[1] == {"a": "stale"}


def test_versions_in_the_dead_letters_are_told_as_such() -> None:
    world = World()
    world.level(row("a", 1), row("b", 1), row("c", 1))
    world.truths |= {"a": row("a", 2), "b": row("b", 2), "d": row("d", 1)}
    world.refusals = {"a": 2, "b": 1, "c": 1, "d": 1}

    result, found = verified(world)

    assert found == {"a": "stale", "b": "stale", "d": "missing"}
    assert {kind: tally.refused for kind, tally in result.drift.items()} == {"missing": 1, "stale": 1, "orphaned": 0, "different": 0}


def test_what_cannot_be_mended_stays_drift_with_the_reason() -> None:
    world = World()
    world.truths = {"a": row("a"), "b": row("b")}
    world.refuses = lambda operation: "the field name" if operation.id == "a" else ""

    result, found = verified(world, repair=True)

    assert found == {"a": "missing", "b": "missing"}
    assert (result.drift["missing"].mended, result.agrees, result.reasons) == (1, False, {"the field name"})
    assert result.left == {"missing": 1, "stale": 0, "orphaned": 0, "different": 0, "undecided": 0}


def test_a_live_write_that_comes_while_mending_wins() -> None:
    world = World()
    world.level(row("a", 3))
    world.documents.clear()
    original = world.sides.holdings.restore

    def restore(resource: Any, operations: Any, seen: Any) -> Any:
        world.write(row("a", 4, "new"))
        world.relay()
        world.project()
        return original(resource, operations, seen)

    world.sides.holdings.restore = restore  # type: ignore[method-assign]
    result, found = verified(world, deep=True, repair=True)

    assert found == {"a": "missing"}
    assert result.agrees
    assert world.documents["a"].document["name"] == "new"


def test_it_ends_where_it_is_told_to() -> None:
    world = World()
    world.truths = {f"{number:02d}": row(f"{number:02d}") for number in range(20)}
    calls = iter(range(100))

    result, _ = verified(world, stopped=lambda: next(calls) > 4)

    assert result.interrupted
    assert not result.agrees
    assert 0 < result.compared < 20
