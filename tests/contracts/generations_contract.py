"""The promises of `twofold.index.port.Generations`, and what follows from there being several. Mixed into the read store's contract."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Protocol

import pytest
from index_contract import OK, REJECTED, STALE, UNAVAILABLE, Changed, Declare, Grown, Shrunk, Small, dead, fill, find, ids, live

from twofold.errors import Outdated, Rejected, Unavailable
from twofold.index.port import Generation, Generations, ReadStore
from twofold.index.search import Search
from twofold.resource import Declaration


class Store(ReadStore, Generations, Protocol):
    pass


WRITERS = 4


class GenerationsContract:
    """Beside `IndexContract`, which has the fixtures."""

    def reopened(self, store: Store) -> Store:
        """The same read store, as another process sees it."""
        raise NotImplementedError

    def stranger(self, store: Store, name: str) -> Callable[[], bool]:
        """Makes what is not twofold's under the name of a generation; returns whether it is still there."""
        raise NotImplementedError

    def age(self, store: Store, resource: Declaration) -> None:
        """Has the live generation say that it was built by another analysis."""
        raise NotImplementedError

    # create, generations

    def test_the_first_generation_is_listed(self, store: Store, declare: Declare) -> None:
        resource = declare(Small)
        fill(store, resource, [live("a", name="anna"), live("b", name="bo"), dead("c", 1)])

        [found] = store.generations(resource)

        assert replace(found, size=0) == Generation(f"{resource.index}-000001", True, True, False, 2, 0, {})
        assert found.size > 0

    def test_nothing_is_listed_before_migrate(self, store: Store, declare: Declare) -> None:
        assert store.generations(declare(Small, migrate=False)) == []

    def test_a_new_generation_is_empty_and_no_reader_sees_it(self, store: Store, declare: Declare) -> None:
        resource = declare(Small)
        fill(store, resource, [live("a", name="anna")])

        name = store.create(resource, {"progress": "x"})
        fill_in(store, resource, name, [live("b", name="bo")])

        assert name == f"{resource.index}-000002"
        assert ids(find(store, resource)) == ["a"]
        assert store.get(resource, ["a", "b"]).keys() == {"a"}
        assert store.live(resource) == store.status(resource).generation == f"{resource.index}-000001"
        told = store.generations(resource)[1]
        assert (told.live, told.fits, told.blocked, told.documents, told.marks) == (False, True, False, 1, {"progress": "x"})

    def test_what_is_written_to_one_generation_is_in_no_other(self, store: Store, declare: Declare) -> None:
        resource = declare(Small)
        name = store.create(resource, {})
        fill(store, resource, [live("a", 3, name="old")])
        fill_in(store, resource, name, [live("a", 2, name="new")])

        assert store.get(resource, ["a"], generation=name)["a"]["version"] == 2
        assert ids(store.search(resource, [Search()], generation=name)[0]) == ["a"]
        assert store.get(resource, ["a"])["a"]["version"] == 3

    def test_the_next_generation_is_behind_the_highest(self, store: Store, declare: Declare) -> None:
        resource = declare(Small)
        names = [store.create(resource, {}) for _ in range(3)]
        store.drop(resource, names[1])

        assert store.create(resource, {}) == f"{resource.index}-000005"
        assert [each.name[-6:] for each in store.generations(resource)] == ["000001", "000002", "000004", "000005"]

    def test_a_generation_has_the_declarations_shape(self, store: Store, declare: Declare) -> None:
        small = declare(Small)
        grown = replace(Grown.declaration, index=small.index)

        name = store.create(grown, {})

        assert {outcome.verdict for outcome in store.apply(grown, [live("c", name="carl", city="Rome")], generation=name)} == {OK}
        assert [each.fits for each in store.generations(grown)] == [False, True]
        assert [each.fits for each in store.generations(small)] == [True, False]

    def test_a_write_to_a_generation_that_is_gone_is_unavailable(self, store: Store, declare: Declare) -> None:
        resource = declare(Small)

        with pytest.raises(Unavailable):
            store.apply(resource, [live("a", name="anna")], generation=f"{resource.index}-000009")

    # anew

    def test_anew_an_equal_version_is_written_again(self, store: Store, declare: Declare) -> None:
        resource = declare(Small)
        fill(store, resource, [live("a", 2, name="old"), live("b", 3, name="old"), live("c", 1, name="old"), dead("d", 2)])
        again = [live("a", 2, name="new"), live("b", 2, name="new"), live("c", 2, name="new"), live("d", 2, name="new")]

        assert [outcome.verdict for outcome in store.apply(resource, again)] == [STALE, STALE, OK, STALE]
        assert [outcome.verdict for outcome in store.apply(resource, again, anew=True)] == [OK, STALE, OK, OK]
        found = store.get(resource, ["a", "b", "c", "d"])
        assert {key: document["name"] for key, document in found.items()} == {"a": "new", "b": "old", "c": "new", "d": "new"}

    # note

    def test_marks_are_durable_and_replace_those_before(self, store: Store, declare: Declare) -> None:
        resource = declare(Small)
        name = store.create(resource, {"progress": "x", "positions": [1, 2]})
        store.note(resource, name, {"positions": {"0": 2**53}, "at": None})
        store.note(resource, f"{resource.index}-000001", {"end": "Łódź"})

        after = self.reopened(store)

        assert [each.marks for each in after.generations(resource)] == [{"end": "Łódź"}, {"positions": {"0": 2**53}, "at": None}]
        after.close()

    def test_marks_stay_whatever_else_is_done(self, store: Store, declare: Declare) -> None:
        resource = declare(Small)
        name = store.create(resource, {"kept": 1})
        store.block(resource, name, blocked=True)
        store.note(resource, name, {"kept": 2})
        store.promote(resource, name)
        store.migrate(replace(Grown.declaration, index=resource.index))

        assert [each.marks for each in store.generations(resource)] == [{}, {"kept": 2}]

    # block

    def test_a_blocked_generation_is_unavailable_to_writers_and_read_as_before(self, store: Store, declare: Declare) -> None:
        resource = declare(Small)
        name = f"{resource.index}-000001"
        fill(store, resource, [live("a", name="anna")])

        store.block(resource, name, blocked=True)
        store.block(resource, name, blocked=True)

        assert [each.blocked for each in store.generations(resource)] == [True]
        outcomes = store.apply(resource, [live("a", 2, name="new"), live("b", name="bo")])
        assert [outcome.verdict for outcome in outcomes] == [UNAVAILABLE, UNAVAILABLE]
        assert ids(find(store, resource)) == ["a"]
        store.block(resource, name, blocked=False)
        assert [each.blocked for each in store.generations(resource)] == [False]
        assert {outcome.verdict for outcome in store.apply(resource, [live("a", 2, name="new"), live("b", name="bo")])} == {OK}

    def test_nothing_is_written_once_block_has_returned(self, store: Store, declare: Declare) -> None:
        resource = declare(Small)

        with writing(store, resource) as writers:
            wait(lambda: len(writers.acknowledged) > 20)
            store.block(resource, f"{resource.index}-000001", blocked=True)
            writers.assert_ended()

    # promote

    def test_the_alias_names_the_promoted_generation_and_no_other(self, store: Store, declare: Declare) -> None:
        resource = declare(Small)
        name = store.create(resource, {})
        fill_in(store, resource, name, [live("b", name="bo"), dead("a", 4)])
        fill(store, resource, [live("a", name="anna")])

        store.promote(resource, name)
        store.promote(resource, name)

        assert store.live(resource) == store.status(resource).generation == name
        assert [each.live for each in store.generations(resource)] == [False, True]
        assert ids(find(store, resource)) == ["b"]
        assert store.get(resource, ["a"])["a"]["deleted"] is True
        store.promote(resource, f"{resource.index}-000001")
        assert ids(find(store, resource)) == ["a"]

    def test_readers_always_have_an_answer_of_one_generation_or_the_other(self, store: Store, declare: Declare) -> None:
        resource = declare(Small)
        name = store.create(resource, {})
        fill(store, resource, [live(key, name="old") for key in "abc"])
        fill_in(store, resource, name, [live(key, name="new") for key in "abc"])
        seen: dict[str, list[set[str]]] = {"get": [], "search": []}
        reads: dict[str, Callable[[], list[str]]] = {
            "get": lambda: [document["name"] for document in store.get(resource, ["a", "b", "c"]).values()],
            "search": lambda: [hit.document["name"] for hit in find(store, resource).hits],
        }

        def read(kind: str) -> None:
            names = reads[kind]()
            assert len(names) == 3
            seen[kind].append(set(names))

        with repeating(*(lambda kind=kind: read(kind) for kind in reads)):
            wait(lambda: all(len(found) > 5 for found in seen.values()))
            store.promote(resource, name)
            promoted = max(map(len, seen.values()))
            wait(lambda: all(len(found) > promoted + 5 for found in seen.values()))

        for found in seen.values():
            first = found.index({"new"})
            assert found[:first] == [{"old"}] * first
            assert found[first:] == [{"new"}] * (len(found) - first)

    def test_the_stream_follows_the_alias_and_loses_nothing(self, store: Store, declare: Declare) -> None:
        """As a rebuild does it: the old generation is blocked, the new one brought level, the alias moved."""
        resource = declare(Small)
        name = store.create(resource, {})
        with writing(store, resource) as writers:
            wait(lambda: len(writers.acknowledged) > 20)
            store.block(resource, f"{resource.index}-000001", blocked=True)
            held = store.get(resource, writers.sent)
            fill_in(store, resource, name, [live(key, name="n") for key in held])
            before = len(writers.acknowledged)
            store.promote(resource, name)
            wait(lambda: len(writers.acknowledged) > before + 20)

        acknowledged = writers.acknowledged
        assert store.get(resource, acknowledged).keys() == set(acknowledged)

    # drop

    def test_a_dropped_generation_is_gone_and_the_live_one_is_not_dropped(self, store: Store, declare: Declare) -> None:
        resource = declare(Small)
        first, name = f"{resource.index}-000001", store.create(resource, {})
        fill(store, resource, [live("a", name="anna")])

        with pytest.raises(Rejected, match="live"):
            store.drop(resource, first)
        store.promote(resource, name)
        store.block(resource, first, blocked=True)
        store.drop(resource, first)
        with pytest.raises(Rejected, match="live"):
            store.drop(resource, name)

        assert [each.name for each in store.generations(resource)] == [name]
        with pytest.raises(Unavailable):
            store.get(resource, ["a"], generation=first)

    def test_what_is_not_a_generation_of_the_resource_is_not_touched(self, store: Store, declare: Declare) -> None:
        resource, other = declare(Small), declare(Small)
        there = self.stranger(store, f"{resource.index}-000007")
        names = [f"{resource.index}-000007", f"{resource.index}-000009", f"{other.index}-000001", resource.index, "", "*"]
        calls: list[Callable[[str], None]] = [
            lambda name: store.drop(resource, name),
            lambda name: store.promote(resource, name),
            lambda name: store.note(resource, name, {}),
            lambda name: store.block(resource, name, blocked=True),
            lambda name: store.block(resource, name, blocked=False),
        ]

        for name in names:
            for call in calls:
                with pytest.raises(Rejected, match="There is no generation"):
                    call(name)
        assert [each.name for each in store.generations(resource)] == [f"{resource.index}-000001"]
        assert store.create(resource, {}) == f"{resource.index}-000008"
        assert there()
        assert store.live(resource) == f"{resource.index}-000001"

    def test_there_is_room(self, store: Store) -> None:
        assert (store.room() or 0) > 1 << 20

    # what follows for the declaration

    @pytest.mark.parametrize("cls", [Changed, Shrunk, Grown])
    def test_old_code_stops_and_says_so(self, store: Store, declare: Declare, cls: type[Small]) -> None:
        small = declare(Small)
        other = replace(cls.declaration, index=small.index)
        fill(store, small, [live("a", name="anna")])
        assert ids(find(store, small)) == ["a"]
        name = store.create(other, {})
        store.block(small, f"{small.index}-000001", blocked=True)
        store.promote(small, name)
        sentence = f"The index {small.index} is now {name}, which was built for another declaration: this program is the older one. "

        store.apply(other, [live("b", name="bo") if cls is not Shrunk else live("b", other="bo")])

        for call in (
            lambda: store.apply(small, [live("b", 2, name="bo")]),
            lambda: store.get(small, ["a"]),
            lambda: store.search(small, [Search()]),
            lambda: store.holdings.scan(small, None, 10),
            lambda: store.holdings.held(small, ["b"]),
            lambda: store.holdings.restore(small, [live("b", 2, name="bo")], {}),
            lambda: store.holdings.remove(small, list(store.holdings.held(other, ["b"]).values())),
        ):
            assert until_outdated(call) == f"{sentence}Start the new version."
        assert store.get(other, ["b"])["b"]["version"] == 1

    def test_new_code_stops_where_the_old_generation_was_promoted_again(self, store: Store, declare: Declare) -> None:
        small = declare(Small)
        other = replace(Changed.declaration, index=small.index)
        store.promote(small, store.create(other, {}))
        assert store.pending(other) == []
        assert store.get(other, ["a"]) == {}

        store.promote(small, f"{small.index}-000001")

        assert until_outdated(lambda: store.get(other, ["a"])).endswith("this program is the newer one. Start the version before.")
        with pytest.raises(Outdated, match="run `twofold rebuild small`"):
            store.pending(other)

    def test_old_code_goes_on_where_fields_were_added(self, store: Store, declare: Declare) -> None:
        small = declare(Small)
        grown = replace(Grown.declaration, index=small.index)
        fill(store, small, [live("a", name="anna")])

        store.migrate(grown)
        time.sleep(1.1)  # until the generation is looked at again

        fill(store, small, [live("b", name="bo")])
        fill(store, grown, [live("c", name="carl", city="Rome")])
        assert ids(find(store, small)) == ["a", "b", "c"]

    def test_migrate_adds_fields_to_the_live_generation_only(self, store: Store, declare: Declare) -> None:
        small = declare(Small)
        grown = replace(Grown.declaration, index=small.index)
        name = store.create(small, {})
        store.promote(small, name)

        steps = store.pending(grown)

        wanted = [f"add the field {field} to the index {name}" for field in ("city", "about", "sizes")]
        assert [step.split(" (")[0] for step in steps] == wanted
        assert steps == store.migrate(grown)
        assert [each.fits for each in store.generations(grown)] == [False, True]
        assert [each.fits for each in store.generations(small)] == [True, False]

    def test_another_analysis_asks_for_a_rebuild(self, store: Store, declare: Declare) -> None:
        small = declare(Small)
        self.age(store, small)

        [sentence] = store.migrate(small)

        assert "texts and settings" in sentence
        assert "run `twofold rebuild small`" in sentence
        with pytest.raises(Outdated, match="texts and settings"):
            store.pending(small)
        assert [each.fits for each in store.generations(small)] == [False]
        store.promote(small, store.create(small, {}))
        assert store.pending(small) == []


def fill_in(store: Store, resource: Declaration, generation: str, operations: list[object]) -> None:
    outcomes = store.apply(resource, operations, generation=generation)
    assert {outcome.verdict for outcome in outcomes} <= {OK, STALE}
    store.refresh(resource, generation=generation)


def until_outdated(call: Callable[[], object]) -> str:
    """What it says once it refuses, which the engine may take a second to be asked about."""
    found: list[str] = []

    def refused() -> bool:
        try:
            call()
        except Outdated as error:
            found.append(str(error))
        return bool(found)

    wait(refused)
    return found[0]


def wait(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.002)


@contextmanager
def repeating(*calls: Callable[[], None]) -> Iterator[None]:
    """Each call again and again in a thread of its own; what one raises ends the test."""
    stopping, raised = threading.Event(), list[BaseException]()

    def run(call: Callable[[], None]) -> None:
        try:
            while not stopping.is_set():
                call()
        except BaseException as error:  # noqa: BLE001 - raised below
            raised.append(error)

    threads = [threading.Thread(target=run, args=(call,), daemon=True) for call in calls]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stopping.set()
        for thread in threads:
            thread.join(30)
    assert raised == []


class Writers:
    """Documents with ids of their own, written one after the other by several threads; a refused one is tried again."""

    def __init__(self, store: Store, resource: Declaration) -> None:
        self._store, self._resource = store, resource
        self.sent: list[str] = []
        self.acknowledged: list[str] = []
        self.attempts = 0
        self._lock = threading.Lock()
        self._left: list[str] = []

    def write(self) -> None:
        with self._lock:
            key = self._left.pop(0) if self._left else f"d{len(self.sent)}"
            if key not in self.sent[-2 * WRITERS :]:
                self.sent.append(key)
        try:
            [outcome] = self._store.apply(self._resource, [live(key, name="n")])
            taken = outcome.verdict in (OK, STALE)
            assert outcome.verdict is not REJECTED
        except Unavailable:
            taken = False
        with self._lock:
            self.attempts += 1
            if taken:
                self.acknowledged.append(key)
            else:
                self._left.append(key)

    def assert_ended(self) -> None:
        """Nothing has come since what is held now, however often it is tried."""
        held = self._store.get(self._resource, self.sent).keys()
        attempts = self.attempts
        wait(lambda: self.attempts > attempts + 10 * WRITERS)
        assert set(self.acknowledged) <= held
        assert self._store.get(self._resource, self.sent).keys() == held


@contextmanager
def writing(store: Store, resource: Declaration) -> Iterator[Writers]:
    writers = Writers(store, resource)
    with repeating(*[writers.write] * WRITERS):
        yield writers
