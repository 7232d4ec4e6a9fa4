"""The promises of `twofold.index.port.Holdings`, one test each, for every engine. Mixed into the read store's contract."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import orjson
from index_contract import OK, REJECTED, STALE, Declare, dead, fill, find, ids, live

from twofold.index.port import Held, Holdings, Operation, ReadStore
from twofold.resource import Declaration


def holdings(store: ReadStore) -> Holdings:
    return store.holdings  # type: ignore[attr-defined, no-any-return]


def scanned(store: ReadStore, resource: Declaration, limit: int) -> list[Held]:
    """All pages."""
    found: list[Held] = []
    while page := holdings(store).scan(resource, found[-1] if found else None, limit):
        assert len(page) <= limit
        found += page
        assert len(found) <= 1000, "pages repeat"
    return found


def content(operation: Operation) -> dict[str, Any]:
    document: dict[str, Any] = orjson.loads(operation.document)
    return document


def wanted(operations: Iterable[Operation]) -> dict[str, tuple[int, dict[str, Any]]]:
    return {each.id: (each.version, content(each)) for each in operations}


def stated(found: Iterable[Held]) -> dict[str, tuple[int, dict[str, Any]]]:
    return {each.id: (each.gate, each.document) for each in found}


class HoldingsContract:
    """Beside `IndexContract`, which has the fixtures. `plant` writes a document by hand, without a version."""

    plant: Callable[[ReadStore, Declaration, str, dict[str, Any]], None]

    def seen(self, store: ReadStore, resource: Declaration, *keys: str) -> dict[str, Held]:
        return holdings(store).held(resource, keys)

    def everything(self, store: ReadStore, resource: Declaration) -> dict[str, Held]:
        store.refresh(resource)
        return {each.id: each for each in scanned(store, resource, 100)}

    # scan

    def test_a_scan_has_live_documents_and_tombstones_in_the_order_of_ids_by_bytes(self, store: ReadStore, declare: Declare) -> None:
        resource = declare()
        keys = ["Z", "a", "é", "\uffee", "\U0001f389", "b", "0", "10", "2"]
        operations = [live(key, 3, title=key) for key in keys] + [dead("c", 4)]
        fill(store, resource, operations)

        for limit in (1, 3, 100):
            found = scanned(store, resource, limit)

            assert [each.id for each in found] == sorted([*keys, "c"], key=str.encode)
            assert stated(found) == wanted(operations)

    def test_a_scan_of_nothing_is_empty(self, store: ReadStore, declare: Declare) -> None:
        assert holdings(store).scan(declare(), None, 10) == []

    def test_a_scan_continues_where_it_was_while_others_write(self, store: ReadStore, declare: Declare) -> None:
        resource = declare()
        fill(store, resource, [live(key) for key in "bdfh"])
        first = holdings(store).scan(resource, None, 2)
        fill(store, resource, [live("a"), live("e"), live("b", 2), live("d", 2), dead("f", 2), live("i")])

        found = [each.id for each in scanned_from(store, resource, first[-1])]

        assert [each.id for each in first] == ["b", "d"]
        assert [key for key in found if key != "d"] == ["e", "f", "h", "i"]

    def test_what_was_made_by_hand_is_scanned_once_as_what_it_is(self, store: ReadStore, declare: Declare) -> None:
        resource = declare()
        fill(store, resource, [live("b", 2), live("d", 2)])
        strange: dict[str, dict[str, Any]] = {
            "a": {"id": "b", "title": "another's id"},
            "c": {"id": "b", "version": 7},
            "e": {"title": "no id, no version"},
            "f": {"id": None},
            "g": {"id": "d", "version": 1},
            "h": {},
        }
        for key, document in strange.items():
            self.plant(store, resource, key, document)
        store.refresh(resource)

        for limit in (1, 2, 3, 100):
            found = scanned(store, resource, limit)

            assert sorted(each.id for each in found) == list("abcdefgh")
            assert {each.id: each.document for each in found if each.id in strange} == strange
            assert [each.id for each in found if each.document.get("id") == each.id] == ["b", "d"]

    # held

    def test_held_is_what_stands_there_now(self, store: ReadStore, declare: Declare) -> None:
        resource = declare()
        fill(store, resource, [live("a")])
        store.apply(resource, [live("a", 5, title="new"), dead("b", 2)])

        found = self.seen(store, resource, "a", "b", "unknown", "")

        assert stated(found.values()) == wanted([live("a", 5, title="new"), dead("b", 2)])
        assert all(key == each.id for key, each in found.items())
        assert self.seen(store, resource) == {}

    def test_a_place_changes_with_every_write(self, store: ReadStore, declare: Declare) -> None:
        resource = declare()
        fill(store, resource, [live("a")])
        before = self.seen(store, resource, "a")["a"]
        assert self.seen(store, resource, "a")["a"].place == before.place
        store.apply(resource, [live("a", 2)])
        after = self.seen(store, resource, "a")["a"]
        self.plant(store, resource, "a", {"id": "a", "version": 2, "title": "by hand"})

        assert len({before.place, after.place, self.seen(store, resource, "a")["a"].place}) == 3

    # restore

    def test_what_is_restored_is_found_with_its_version_as_gate(self, store: ReadStore, declare: Declare) -> None:
        resource = declare()
        fill(store, resource, [live("lower", 1), live("equal", 3, title="wrong"), live("above", 9), live("live", 4), dead("dead", 1)])
        right = [live(key, 3, title="right") for key in ("lower", "equal", "above", "missing", "dead")] + [dead("live", 5)]
        keys = [each.id for each in right]

        outcomes = holdings(store).restore(resource, right, self.seen(store, resource, *keys))
        store.refresh(resource)

        assert [outcome.verdict for outcome in outcomes] == [OK] * 6
        assert stated(self.seen(store, resource, *keys).values()) == wanted(right)
        assert ids(find(store, resource, "right")) == ["above", "dead", "equal", "lower", "missing"]
        assert ids(find(store, resource, "wrong")) == []

    def test_later_versions_are_taken_after_a_restore_and_older_ones_are_not(self, store: ReadStore, declare: Declare) -> None:
        resource = declare()
        fill(store, resource, [live("a", 9), live("b", 1)])
        holdings(store).restore(resource, [live("a", 3), live("b", 3)], self.seen(store, resource, "a", "b"))

        assert [outcome.verdict for outcome in store.apply(resource, [live("a", 3), live("b", 2)])] == [STALE, STALE]
        assert [outcome.verdict for outcome in store.apply(resource, [live("a", 4), live("b", 4)])] == [OK, OK]

    def test_a_write_that_comes_between_wins(self, store: ReadStore, declare: Declare) -> None:
        resource = declare()
        fill(store, resource, [live("raised", 9), live("older", 1)])
        seen = self.seen(store, resource, "raised", "older", "missing")
        later = [live("raised", 10, title="live"), live("older", 4, title="live"), live("missing", 4, title="live")]
        store.apply(resource, later)

        outcomes = holdings(store).restore(resource, [live("raised", 3), live("older", 3), live("missing", 3)], seen)

        assert [outcome.verdict for outcome in outcomes] == [STALE, STALE, STALE]
        assert stated(self.seen(store, resource, "raised", "older", "missing").values()) == wanted(later)

    def test_a_gate_that_a_hand_edit_raised_is_lowered(self, store: ReadStore, declare: Declare) -> None:
        resource = declare()
        fill(store, resource, [live("a", 3, title="right")])
        for _ in range(3):
            self.plant(store, resource, "a", {"id": "a", "version": 3, "title": "wrong"})

        [outcome] = holdings(store).restore(resource, [live("a", 3, title="right")], self.seen(store, resource, "a"))

        assert outcome.verdict is OK
        assert [(each.gate, each.document["title"]) for each in self.seen(store, resource, "a").values()] == [(3, "right")]

    def test_what_the_index_refuses_is_rejected_and_the_rest_is_restored(self, store: ReadStore, declare: Declare) -> None:
        resource = declare()
        fill(store, resource, [live("a", 1), live("b", 1)])

        outcomes = holdings(store).restore(resource, [live("a", 2, amount="much"), live("b", 2)], self.seen(store, resource, "a", "b"))

        assert [outcome.verdict for outcome in outcomes] == [REJECTED, OK]
        assert "field amount" in outcomes[0].reason
        assert self.seen(store, resource, "a")["a"].document == content(live("a", 1))
        assert self.seen(store, resource, "a")["a"].gate == 1

    def test_nothing_else_is_touched(self, store: ReadStore, declare: Declare) -> None:
        resource = declare()
        fill(store, resource, [live(key, 2) for key in "abcd"] + [live("e", 9), dead("f", 1)])
        before = self.everything(store, resource)

        holdings(store).restore(resource, [live("a", 3), live("e", 3), live("g", 1)], before)
        holdings(store).remove(resource, [before["b"]])

        after = self.everything(store, resource)
        assert after.keys() == before.keys() - {"b"} | {"g"}
        assert all(after[key] == before[key] for key in "cdf")

    # remove

    def test_what_is_removed_is_gone_and_its_words_too(self, store: ReadStore, declare: Declare) -> None:
        resource = declare()
        fill(store, resource, [live("a", title="orphan"), live("b", title="other"), dead("c", 1)])

        outcomes = holdings(store).remove(resource, list(self.seen(store, resource, "a", "c").values()))
        store.refresh(resource)

        assert [outcome.verdict for outcome in outcomes] == [OK, OK]
        assert list(self.everything(store, resource)) == ["b"]
        assert find(store, resource, "orphan").hits == []

    def test_a_removed_id_can_be_taken_again(self, store: ReadStore, declare: Declare) -> None:
        resource = declare()
        fill(store, resource, [live("a", 9, title="orphan")])
        holdings(store).remove(resource, list(self.seen(store, resource, "a").values()))

        [outcome] = holdings(store).restore(resource, [live("a", 1, title="anew")], {})
        store.refresh(resource)

        assert outcome.verdict is OK
        assert ids(find(store, resource, "anew")) == ["a"]

    def test_what_was_written_since_is_not_removed(self, store: ReadStore, declare: Declare) -> None:
        resource = declare()
        fill(store, resource, [live("a", 1), live("b", 1)])
        seen = self.seen(store, resource, "a", "b")
        store.apply(resource, [live("a", 2)])
        gone = replace(seen["b"], id="unknown")

        outcomes = holdings(store).remove(resource, [seen["a"], gone])

        assert [outcome.verdict for outcome in outcomes] == [STALE, STALE]
        assert sorted(self.everything(store, resource)) == ["a", "b"]

    def test_nothing_to_do_is_nothing_done(self, store: ReadStore, declare: Declare) -> None:
        resource = declare()

        assert holdings(store).restore(resource, [], {}) == []
        assert holdings(store).remove(resource, []) == []


def scanned_from(store: ReadStore, resource: Declaration, after: Held) -> list[Held]:
    found: list[Held] = []
    while page := holdings(store).scan(resource, found[-1] if found else after, 2):
        found += page
        assert len(found) <= 1000, "pages repeat"
    return found
