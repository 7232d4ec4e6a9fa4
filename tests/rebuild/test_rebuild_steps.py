"""A generation is filled from table and log, and takes the old one's place: the steps, on engines in memory."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from tests.rebuild.fakes import AWAY, NOW, Index, Leases, Log, Store, deletion, key, message, parts, row

from twofold.documents import of_row
from twofold.errors import Contended, NeedsRebuild, Outdated, Rejected, SettingsError, Unavailable
from twofold.index.port import Outcome, Verdict
from twofold.rebuild import backfill, catchup, filler, filling, lease
from twofold.rebuild.progress import Done, Progress
from twofold.rebuild.rebuild import abort, rebuild
from twofold.rebuild.rollback import drop, rollback
from twofold.rebuild.sources import from_rows
from twofold.store.port import Tombstone

OLD, NEW = "users-000001", "users-000002"


class Quick:
    def next(self) -> float:
        return 0.001

    def reset(self) -> None:
        pass


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (filler, filling):
        monkeypatch.setattr(module, "Backoff", Quick)
    monkeypatch.setattr(lease, "SECONDS", 0.5)
    monkeypatch.setattr(lease, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(backfill, "CHUNK", 2)
    monkeypatch.setattr(backfill, "FLIGHTS", 2)
    monkeypatch.setattr(catchup, "BATCH", 2)


def run(store: Store, log: Log, index: Index, **options: Any) -> Done:
    return rebuild(parts(store, log, index), lambda _: None, **options)


def marks(index: Index, generation: str) -> dict[str, Any]:
    return dict(index.made[generation].marks)


def test_the_documents_that_are_told_are_those_that_are_there_at_the_end() -> None:
    """Also what the log brought meanwhile, and without what was deleted or refused."""
    store, index = Store(*(row(n) for n in range(5)), row(5, name="refused")), Index()
    index.refusing["refused"] = "no"
    log = Log(message(8), deletion(0, 2), committed=0)
    done = run(store, log, index)
    assert (done.documents, done.refused) == (5, 1)


def test_rows_and_tombstones_get_into_the_next_generation_which_takes_the_place_of_the_old() -> None:
    store, log, index = Store(*(row(n) for n in range(5)), Tombstone(key(7), 4, NOW)), Log(committed=0), Index()
    done = run(store, log, index)
    assert (index.alias, done.before, done.generation, done.documents, done.refused) == (NEW, OLD, NEW, 5, 0)
    assert index.held() == {**{f"00{n}": (1, "Ana") for n in range(5)}, "007": (4, None)}
    assert (index.made[OLD].blocked, index.made[NEW].blocked) == (True, False)
    assert index.refreshed[-1] == NEW


def test_the_log_is_replayed_from_where_the_group_stands_and_wins_by_version() -> None:
    log = Log(message(0, 1, "before"), message(1, 2, "new"), message(2, 1, "old"), deletion(3, 3), committed=1)
    store, index = Store(row(0), row(1, 1), row(2, 5, "newer"), row(3, 2)), Index()
    run(store, log, index)
    assert log.replays == [1]
    assert index.held() == {"000": (1, "Ana"), "001": (2, "new"), "002": (5, "newer"), "003": (3, None)}


def test_of_one_version_the_table_has_the_last_word() -> None:
    """A row may have been changed by a migration, without a new version."""
    log, index = Log(message(0, 1, "log"), committed=0), Index()
    run(Store(row(0, 1, "table")), log, index)
    assert index.held() == {"000": (1, "table")}


def test_what_changes_meanwhile_is_not_lost_and_what_is_deleted_meanwhile_does_not_come_back() -> None:
    store, log, index = Store(*(row(n) for n in range(8))), Log(committed=0), Index()

    def change() -> None:
        if store.scans == 1:
            store.rows[key(0)], store.rows[key(5)] = row(0, 2, "changed"), Tombstone(key(5), 2, NOW)
            store.rows[key(9)] = row(9)
            log.put(message(0, 2, "changed"), deletion(5, 2), message(9), message(1, 3, "of another process"))

    store.scanned = change
    run(store, log, index)
    assert index.held() == {
        "000": (2, "changed"),
        "001": (3, "of another process"),
        **{f"00{n}": (1, "Ana") for n in (2, 3, 4, 6, 7, 9)},
        "005": (2, None),
    }


def test_the_old_generation_is_complete_up_to_what_is_noted_with_it() -> None:
    log, index = Log(*(message(n) for n in range(4)), committed=3), Index()
    run(Store(*(row(n) for n in range(4))), log, index)
    assert (marks(index, OLD)["state"], marks(index, OLD)["offsets"]) == ("complete", {"0": 3})
    assert (marks(index, NEW)["state"], marks(index, NEW)["offsets"]) == ("complete", {"0": 4})


def test_what_comes_behind_the_block_is_read_before_the_swap(monkeypatch: pytest.MonkeyPatch) -> None:
    store, log, index = Store(row(0)), Log(committed=0), Index()
    block, held = index.block, []

    def blocked(resource: Any, generation: str, *, blocked: bool) -> None:
        block(resource, generation, blocked=blocked)
        log.put(message(1), message(2), message(3))

    promote = index.promote
    monkeypatch.setattr(index, "block", blocked)
    monkeypatch.setattr(index, "promote", lambda *given: (held.append(index.held(NEW)), promote(*given)))
    run(store, log, index)
    assert held[0].keys() == {"000", "001", "002", "003"}


def test_a_group_that_the_log_no_longer_reaches_back_to_goes_on_where_the_rebuild_began() -> None:
    log, index = Log(*(message(n) for n in range(5)), begin=3, committed=1), Index()
    run(Store(*(row(n) for n in range(5))), log, index)
    assert (log.moved, log.replays, len(index.held())) == ([{0: 5}], [5], 5)


@pytest.mark.parametrize("committed", [None, 9])
def test_a_group_without_offsets_or_with_those_of_another_log_is_moved_too(committed: int | None) -> None:
    log = Log(*(message(n) for n in range(5)), begin=3 if committed is None else 0, committed=committed)
    run(Store(row(0)), log, Index())
    assert log.moved == [{0: 5}]


def test_a_new_group_on_a_whole_log_begins_at_its_beginning() -> None:
    log, index = Log(message(0)), Index()
    run(Store(), log, index)
    assert (log.moved, index.held()) == ([], {"000": (1, "Ana")})


def test_there_is_room_or_nothing_is_begun() -> None:
    index = Index()
    index.free = 1199
    with pytest.raises(Rejected, match="no room"):
        run(Store(), Log(), index)
    assert list(index.made) == [OLD]
    index.free = 1200
    run(Store(), Log(), index)


def test_what_the_new_index_refuses_is_counted_noted_and_put_aside() -> None:
    store, log, index = Store(row(0, 3, "bad"), row(1)), Log(message(2, 1, "bad"), committed=0), Index()
    index.refusing = {"bad": "too bad"}
    done = run(store, log, index)
    assert (done.refused, sorted(done.examples)) == (2, [(key(0), "too bad"), (key(2), "too bad")])
    assert index.noted == {key(0): 3, key(2): 1}
    letters = {(letter.key or b"").decode(): dict(letter.headers) for letter in log.letters}
    assert {id_: (headers["ce_sequence"], headers["dlq_reason"]) for id_, headers in letters.items()} == {
        key(0): (b"3", b"too bad"),
        key(2): (b"1", b"too bad"),
    }
    assert index.held() == {"001": (1, "Ana")}


def test_where_the_newest_version_of_a_poll_is_refused_the_next_older_one_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the highest that was refused is the one that is noted."""
    monkeypatch.setattr(catchup, "BATCH", 5)
    names = ("a", "b", "bad", "bad")
    store, log, index = Store(), Log(*(message(0, version, name) for version, name in enumerate(names, 1)), committed=0), Index()
    index.refusing = {"bad": "too bad"}
    done = run(store, log, index)
    assert (index.held(), done.refused, index.noted) == ({"000": (2, "b")}, 2, {key(0): 4})
    assert sorted(dict(letter.headers)["ce_sequence"] or b"" for letter in log.letters) == [b"3", b"4"]


def test_a_record_of_another_declaration_is_taken_from_the_table() -> None:
    store, log, index = Store(row(0, 1)), Log(committed=0), Index()

    def change() -> None:
        if store.scans == 2:
            store.rows[key(0)] = row(0, 2, "table")
            log.put(message(0, 2, "log", city="Rome"), message(1, 1, city="Rome"))

    store.scanned = change
    done = run(store, log, index)
    assert (index.held(), done.refused) == ({"000": (2, "table")}, 0)


def test_an_index_that_is_away_is_waited_for() -> None:
    store, index = Store(*(row(n) for n in range(6))), Index()
    index.answers = [AWAY, Outcome(Verdict.UNAVAILABLE, "busy"), AWAY]
    run(store, Log(committed=0), index)
    assert len(index.held()) == 6


def test_a_table_that_is_away_is_waited_for() -> None:
    store, index = Store(*(row(n) for n in range(6))), Index()
    store.failing = [AWAY, AWAY]
    run(store, Log(committed=0), index)
    assert len(index.held()) == 6


def test_no_more_than_so_many_documents_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr(backfill.time, "monotonic", lambda: clock[0])
    store, index = Store(*(row(n) for n in range(6))), Index()
    given = parts(store, Log(), index)
    index.create(given.resource, {})
    from twofold.rebuild.marks import Marks

    fill = backfill.Backfill(given, filler.Filler(given, NEW, lambda: None), Marks(), 4)
    waits = [fill.step(), fill.step()]
    clock[0] += 0.5
    waits += [fill.step(), fill.step()]
    fill.close()
    assert waits == [0.0, 0.5, 0.0, 0.5]


def test_progress_is_told() -> None:
    told: list[Progress] = []
    rebuild(parts(Store(*(row(n) for n in range(6))), Log(committed=0), Index()), told.append)
    assert {each.total for each in told} == {6}
    assert told[0].step == "backfill"
    assert (told[-1].step, told[-1].documents) == ("swap", 6)


# one at a time


def test_one_rebuild_at_a_time() -> None:
    leases, index = Leases(), Index()
    with lease.Lease(parts(Store(), Log(), index, leases, "other")), pytest.raises(Contended, match="Another process is at work on users"):
        rebuild(parts(Store(), Log(), index, leases), lambda _: None)
    rebuild(parts(Store(), Log(), index, leases), lambda _: None)
    assert leases.held == {}


def test_a_rebuild_that_lost_its_lease_swaps_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    leases, index = Leases(), Index()
    monkeypatch.setattr(index, "refresh", lambda *_, **__: leases.held.update(dict.fromkeys(leases.held, "other")))
    check = lease.Lease.check

    def late(self: lease.Lease) -> None:
        self._until = 0.0
        check(self)

    monkeypatch.setattr(lease.Lease, "check", late)
    with pytest.raises(Contended, match="was lost"):
        rebuild(parts(Store(), Log(), index, leases), lambda _: None)
    assert (index.alias, index.made[OLD].blocked) == (OLD, False)


def test_a_lease_that_ran_out_while_the_process_stood_still_is_not_taken_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another may have ended the work meanwhile, and have given the lease back."""
    leases, late = Leases(), [0.0]
    monkeypatch.setattr(lease, "time", SimpleNamespace(monotonic=lambda: time.monotonic() + late[0], sleep=time.sleep))
    with lease.Lease(parts(Store(), Log(), Index(), leases)) as mine:
        mine.check()
        late[0] = 10.0
        leases.held.clear()
        mine._thread.join(5)
        assert leases.held == {}
        with pytest.raises(Contended, match=r"this process stood still. Run the same command again"):
            mine.check()


def test_whoever_waits_for_a_generation_that_another_has_dropped_gives_up() -> None:
    index = Index()
    given = parts(Store(), Log(), index)
    index.answers = [Unavailable("the generation is not there any more")] * 100

    def lost() -> None:
        raise Contended("lost")

    with pytest.raises(Contended):
        filler.Filler(given, NEW, lost).fill(from_rows(given.resource, [row(0)]), anew=True)


# what was begun


class Stopped(BaseException):
    """The process is gone."""


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", ["create", "note", "apply", "refresh", "block", "promote"])
@pytest.mark.parametrize("nth", [0, 1, 2])
def test_a_rebuild_that_was_killed_is_gone_on_with(monkeypatch: pytest.MonkeyPatch, step: str, when: str, nth: int) -> None:
    monkeypatch.setattr(filling, "SAVE_SECONDS", 0.0)
    store, index = Store(*(row(n) for n in range(5))), Index()
    log = Log(message(0, 2, "new"), deletion(4, 2), message(9), committed=1)
    original, calls = getattr(index, step), []

    def killed(*given: Any, **options: Any) -> Any:
        calls.append(step)
        if len(calls) == nth + 1 and when == "before":
            raise Stopped
        answer = original(*given, **options)
        if len(calls) == nth + 1:
            raise Stopped
        return answer

    expected = {"000": (1, "Ana"), **{f"00{n}": (1, "Ana") for n in (1, 2, 3, 9)}, "004": (2, None)}
    with monkeypatch.context() as patch:
        patch.setattr(index, step, killed)
        try:
            run(store, log, index)
        except Stopped:
            assert index.held(OLD) == {}
    done = run(store, log, index)
    if len(calls) > nth:  # it was killed, and this was the same rebuild
        assert (index.alias, done.generation) == (NEW, NEW)
        assert index.held() == expected
        assert (index.made[OLD].blocked, index.made[NEW].blocked, marks(index, NEW)["state"]) == (True, False, "complete")


def test_a_rebuild_goes_on_behind_what_was_saved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filling, "SAVE_SECONDS", 0.0)
    store, log, index = Store(*(row(n) for n in range(9))), Log(*(message(n) for n in range(4)), committed=0), Index()

    def interrupt() -> None:
        if store.scans == 4:
            raise KeyboardInterrupt

    store.scanned = interrupt
    with pytest.raises(KeyboardInterrupt):
        run(store, log, index)
    saved = marks(index, NEW)
    assert (saved["state"], saved["backfilled_to"], saved["offsets"]) == ("filling", key(1), {"0": 4})
    store.scanned, store.scans = lambda: None, 0
    run(store, log, index)
    assert (store.scans, log.replays[-1]) == (5, 4)
    assert index.held() == {f"00{n}": (1, "Ana") for n in range(9)}


def test_an_interrupted_swap_lifts_the_block(monkeypatch: pytest.MonkeyPatch) -> None:
    index = Index()

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(index, "promote", interrupt)
        with pytest.raises(KeyboardInterrupt):
            run(Store(row(0)), Log(), index)
    assert (index.alias, index.made[OLD].blocked) == (OLD, False)
    run(Store(row(0)), Log(), index)
    assert index.alias == NEW


def test_interrupted_while_it_waits_for_an_engine_a_swap_lifts_the_block(monkeypatch: pytest.MonkeyPatch) -> None:
    index, log = Index(), Log()

    def interrupt(_: Any) -> float:
        assert index.made[OLD].blocked
        raise KeyboardInterrupt

    monkeypatch.setattr(Quick, "next", interrupt)
    monkeypatch.setattr(index, "promote", lambda *_: (_ for _ in ()).throw(AWAY))
    with pytest.raises(KeyboardInterrupt):
        run(Store(row(0)), log, index)
    assert (index.alias, index.made[OLD].blocked) == (OLD, False)


def test_the_block_stays_where_the_promotion_was_only_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """A projector that still knows the old generation would write to it what the new one lacks then."""
    index = Index()
    promote, block = index.promote, index.block

    def interrupt(*given: Any) -> None:
        monkeypatch.setattr(index, "block", lambda *those, **options: (promote(*given), block(*those, **options)))
        raise KeyboardInterrupt

    monkeypatch.setattr(index, "promote", interrupt)
    with pytest.raises(KeyboardInterrupt):
        run(Store(row(0)), Log(), index)
    assert (index.alias, index.made[OLD].blocked) == (NEW, True)


def test_a_late_promotion_does_not_make_the_old_generation_look_more_complete(monkeypatch: pytest.MonkeyPatch) -> None:
    index, log = Index(), Log(message(0), committed=1)
    promote, block = index.promote, index.block

    def late(*given: Any) -> None:
        def blocked(*those: Any, **options: Any) -> None:
            promote(*given)
            log.put(message(1))
            log.committed = 2
            block(*those, **options)

        monkeypatch.setattr(index, "block", blocked)
        raise AWAY

    monkeypatch.setattr(index, "promote", late)
    run(Store(row(0)), log, index)
    assert (index.alias, marks(index, OLD)["offsets"]) == (NEW, {"0": 1})


def test_a_promotion_whose_answer_was_lost_is_a_promotion(monkeypatch: pytest.MonkeyPatch) -> None:
    index, calls = Index(), []
    promote = index.promote

    def lost(*given: Any) -> None:
        promote(*given)
        calls.append(given)
        raise AWAY

    monkeypatch.setattr(index, "promote", lost)
    run(Store(row(0)), Log(), index)
    assert (index.alias, len(calls), index.made[OLD].blocked) == (NEW, 1, True)


def test_a_log_that_was_trimmed_meanwhile_ends_the_rebuild() -> None:
    store, log, index = Store(*(row(n) for n in range(4))), Log(*(message(n) for n in range(4)), committed=0), Index()
    store.scanned = lambda: setattr(log, "begin", 4)
    with pytest.raises(NeedsRebuild, match="Begin anew: `twofold rebuild users --abort`"):
        run(store, log, index)
    assert (index.alias, index.made[OLD].blocked) == (OLD, False)
    assert abort(parts(store, log, index)) == f"{NEW} is dropped. {OLD} is live."
    run(store, log, index)
    assert log.moved == [{0: 4}]


def test_what_another_declaration_began_is_not_gone_on_with() -> None:
    index = Index()
    index.create(parts(Store(), Log(), index).resource, {"state": "filling"})
    index.made[NEW].fits = False
    with pytest.raises(Outdated, match=r"begun with another declaration.*--abort"):
        run(Store(), Log(), index)


# abort


def test_abort_drops_what_was_begun_and_lifts_the_block(monkeypatch: pytest.MonkeyPatch) -> None:
    store, log, index = Store(row(0)), Log(), Index()
    with monkeypatch.context() as patch:
        patch.setattr(index, "promote", _stop)
        with pytest.raises(Stopped):
            run(store, log, index)
    assert index.made[OLD].blocked
    assert abort(parts(store, log, index)) == f"{NEW} is dropped. {OLD} is live."
    assert (list(index.made), index.made[OLD].blocked) == ([OLD], False)
    assert abort(parts(store, log, index)) == f"There was nothing to give up. {OLD} is live."


def test_what_is_live_already_is_not_aborted(monkeypatch: pytest.MonkeyPatch) -> None:
    store, log, index = Store(row(0)), Log(), Index()
    promote = index.promote
    with monkeypatch.context() as patch:
        patch.setattr(index, "promote", lambda *given: (promote(*given), _stop()))
        with pytest.raises(Stopped):
            run(store, log, index)
    with pytest.raises(Rejected, match=f"{NEW} is live already. Run `twofold rebuild users` to end it"):
        abort(parts(store, log, index))
    run(store, log, index)
    assert (index.alias, list(index.made), index.made[OLD].blocked) == (NEW, [OLD, NEW], True)


# rollback


@pytest.fixture
def rebuilt() -> tuple[Store, Log, Index]:
    """Rebuilt, and then changed: row 0 by a record that only the new generation has seen."""
    store, log = Store(row(0), row(1)), Log(message(0), message(1), committed=2)
    index = Index(*(of_row(parts(store, log, Index()).resource, each) for each in store.rows.values()))
    run(store, log, index)
    log.put(message(0, 2, "since"), deletion(1, 2))
    index.made[NEW].documents |= {key(0): (2, {"name": "since"}), key(1): (2, {})}
    log.committed = 4
    return store, log, index


def test_rollback_brings_the_old_generation_up_to_date(rebuilt: tuple[Store, Log, Index]) -> None:
    _store, log, index = rebuilt
    done = rollback(parts(*rebuilt), lambda _: None)
    assert (done.generation, done.before, index.alias) == (OLD, NEW, OLD)
    assert index.held() == {"000": (2, "since"), "001": (2, None)}
    assert (index.made[OLD].blocked, index.made[NEW].blocked) == (False, True)
    assert (log.replays[-1], marks(index, NEW)["offsets"]) == (2, {"0": 4})


def test_rollback_goes_to_the_generation_that_was_live_before(rebuilt: tuple[Store, Log, Index]) -> None:
    _store, _log, index = rebuilt
    rollback(parts(*rebuilt), lambda _: None)
    run(*rebuilt)
    assert index.alias == "users-000003"
    rollback(parts(*rebuilt), lambda _: None)
    assert index.alias == OLD


@pytest.mark.parametrize("step", ["note", "block", "refresh", "promote"])
@pytest.mark.parametrize("nth", [0, 1, 2])
def test_a_rollback_that_was_killed_is_gone_on_with(
    rebuilt: tuple[Store, Log, Index], monkeypatch: pytest.MonkeyPatch, step: str, nth: int
) -> None:
    _store, _log, index = rebuilt
    original, calls = getattr(index, step), []

    def killed(*given: Any, **options: Any) -> None:
        original(*given, **options)
        calls.append(step)
        if len(calls) == nth + 1:
            raise Stopped

    with monkeypatch.context() as patch:
        patch.setattr(index, step, killed)
        try:
            rollback(parts(*rebuilt), lambda _: None)
        except Stopped:
            with pytest.raises(Rejected, match="A rollback to users-000001 was begun"):
                run(*rebuilt)
            rollback(parts(*rebuilt), lambda _: None)
    assert (index.alias, index.held()) == (OLD, {"000": (2, "since"), "001": (2, None)})
    assert (index.made[OLD].blocked, index.made[NEW].blocked, marks(index, OLD)["state"]) == (False, True, "complete")


def test_a_rollback_is_aborted(rebuilt: tuple[Store, Log, Index], monkeypatch: pytest.MonkeyPatch) -> None:
    _store, _log, index = rebuilt
    with monkeypatch.context() as patch:
        patch.setattr(index, "promote", _stop)
        with pytest.raises(Stopped):
            rollback(parts(*rebuilt), lambda _: None)
    assert abort(parts(*rebuilt)) == f"{OLD} is left as it is. {NEW} is live."
    assert (index.alias, index.made[NEW].blocked, index.made[OLD].blocked) == (NEW, False, True)
    rollback(parts(*rebuilt), lambda _: None)
    assert index.alias == OLD


@pytest.mark.parametrize(
    ("spoil", "error", "words"),
    [
        (lambda log, index: setattr(log, "begin", 3), NeedsRebuild, "no longer holds what users-000001 lacks.*twofold rebuild users"),
        (lambda log, index: setattr(index.made[OLD], "fits", False), Outdated, "of another declaration than this code's"),
        (lambda log, index: index.made.pop(OLD), Rejected, "no generation of users to go back to"),
        (lambda log, index: index.create(None, {"state": "filling"}), Rejected, "A rebuild of users was begun"),
    ],
)
def test_rollback_is_refused(
    rebuilt: tuple[Store, Log, Index], spoil: Callable[[Log, Index], None], error: type[Exception], words: str
) -> None:
    spoil(*rebuilt[1:])
    with pytest.raises(error, match=words):
        rollback(parts(*rebuilt), lambda _: None)
    assert (rebuilt[2].alias, rebuilt[2].made[NEW].blocked) == (NEW, False)


# drop


def test_drop(rebuilt: tuple[Store, Log, Index]) -> None:
    index = rebuilt[2]
    third = index.create(None, {"state": "filling"})  # type: ignore[arg-type]
    for name, error, words in (
        (NEW, Rejected, "is live"),
        (third, Rejected, "being filled; `twofold rebuild users --abort`"),
        ("users-000009", SettingsError, "has no generation 'users-000009'; it has users-000001"),
    ):
        with pytest.raises(error, match=words):
            drop(parts(*rebuilt), name)
    drop(parts(*rebuilt), OLD)
    assert list(index.made) == [NEW, third]


def test_nothing_is_dropped_while_a_rollback_may_need_it(rebuilt: tuple[Store, Log, Index]) -> None:
    leases = Leases()
    with lease.Lease(parts(*rebuilt, leases, "other")), pytest.raises(Contended, match="Another process is at work on users"):
        drop(parts(*rebuilt, leases), OLD)
    assert list(rebuilt[2].made) == [OLD, NEW]


def _stop(*_: Any) -> None:
    raise Stopped


def test_a_bulk_that_waits_for_the_index_ends_with_the_rebuild() -> None:
    index, waits = Index(), threading.Event()
    store = Store(*(row(n) for n in range(4)))

    def interrupt() -> None:
        if store.scans == 2:
            waits.set()
            raise KeyboardInterrupt

    store.scanned = interrupt
    index.answers = [AWAY] * 1000
    with pytest.raises((KeyboardInterrupt, Unavailable)):
        run(store, Log(), index)
    assert waits.is_set()
