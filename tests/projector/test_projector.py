"""Poll, apply, bury, commit: nothing is committed that the index has not answered for, and nothing holds up the rest."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import orjson
import pytest
import structlog

from twofold.errors import Outdated, Rejected, Unavailable
from twofold.index.port import Operation, Outcome, Verdict
from twofold.log.port import Message
from twofold.projector import projector as module
from twofold.projector import refresher
from twofold.projector.projector import Projector
from twofold.record import Record
from twofold.users import User

USERS = User.declaration
NOW = "2026-01-31T12:00:00.000Z"
OK, STALE, REJECTED, UNAVAILABLE = (Outcome(verdict, "because") for verdict in Verdict)


class Log:
    """One topic's messages, and what was published to the dead letters."""

    def __init__(self, *messages: Message) -> None:
        self.messages = [replace(message, partition=0, offset=offset) for offset, message in enumerate(messages)]
        self.committed: list[int] = []
        self.letters: list[Message] = []
        self.failing: list[str | None] = []
        self.alive = 0
        self._next = 0

    def subscribe(self, topic: str, group: str) -> Log:
        assert (topic, group) == ("users-topic", "user-group")
        return self

    def poll(self, limit: int, timeout: float) -> list[Message]:
        self.alive += limit == 0
        found = self.messages[self._next : self._next + limit]
        self._next += len(found)
        return found

    def commit(self, messages: Sequence[Message]) -> None:
        self.committed += [message.offset for message in messages]

    def publish(self, topic: str, messages: Sequence[Message]) -> list[str | None]:
        assert topic == "users-topic.dlq"
        if self.failing:
            return [self.failing.pop(0)] * len(messages)
        self.letters += messages
        return [None] * len(messages)

    def close(self) -> None:
        pass


class Index:
    """Answers as it is told to; OK when it is told nothing."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.applied: list[list[tuple[str, int]]] = []
        self.refreshed = self.refusals = 0
        self.newer = False
        self.refused: list[dict[str, int]] = []
        self.unwilling: list[Exception] = []

    def apply(self, resource: Any, operations: Sequence[Operation]) -> list[Outcome]:
        self.applied.append([(each.id[-1], each.version) for each in operations])
        answer = self.answers.pop(0) if self.answers else OK
        if isinstance(answer, Exception):
            raise answer
        return [answer] * len(operations) if isinstance(answer, Outcome) else answer

    def refresh(self, resource: Any) -> None:
        if self.refusals:
            self.refusals -= 1
            raise Unavailable("no refresh")
        self.refreshed += 1

    def refuse(self, resource: Any, versions: dict[str, int]) -> None:
        if self.unwilling:
            raise self.unwilling.pop()
        self.refused.append({id_[-1]: version for id_, version in versions.items()})

    def pending(self, resource: Any) -> list[str]:
        if self.newer:
            raise Outdated("the index holds a field that is not declared any more")
        return []


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "Backoff", Quick)


@pytest.fixture(autouse=True)
def _closed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every projector that a test makes is closed."""
    made: list[Projector] = []
    init = Projector.__init__

    def noted(self: Projector, *given: Any, **more: Any) -> None:
        init(self, *given, **more)
        made.append(self)

    monkeypatch.setattr(Projector, "__init__", noted)
    yield
    for projector in made:
        projector.close()


class Quick:
    def next(self) -> float:
        return 0.001

    def reset(self) -> None:
        pass


def change(name: str, version: int = 1, **more: Any) -> Message:
    key = f"00000000-0000-7000-8000-00000000000{name}"
    value = {"id": key, "version": version, "name": name, "email": f"{name}@example.com", "created_at": NOW, "updated_at": NOW, **more}
    return Record(key, version, "users.updated", "event", NOW, orjson.dumps(value)).to_message()


def run(log: Log, index: Index) -> Projector:
    projector = Projector(USERS, log, index)  # type: ignore[arg-type]
    assert projector.step() == 0
    return projector


def headers(message: Message) -> dict[str, bytes | None]:
    return dict(message.headers)


def test_what_is_applied_is_committed() -> None:
    log, index = Log(change("a"), change("b")), Index()
    run(log, index)
    assert (index.applied, log.committed, log.letters) == ([[("a", 1), ("b", 1)]], [0, 1], [])


def test_of_a_key_the_newest_version_is_applied_in_whatever_order_it_comes() -> None:
    log, index = Log(change("a", 1), change("a", 3), change("b", 1), change("a", 2)), Index()
    run(log, index)
    assert (index.applied, log.committed) == ([[("a", 3), ("b", 1)]], [0, 1, 2, 3])


def test_where_the_index_refuses_the_newest_version_it_is_asked_for_the_next_older_one() -> None:
    log = Log(change("a", 1), change("a", 2), change("a", 4), change("a", 3), change("b", 1), change("b", 2), change("a", 4))
    index = Index([REJECTED, OK], REJECTED, [UNAVAILABLE], REJECTED, OK)
    run(log, index)
    assert index.applied == [[("a", 4), ("b", 2)], [("a", 4)], [("a", 3)], [("a", 3)], [("a", 2)]]
    assert [headers(letter)["dlq_offset"] for letter in log.letters] == [b"2", b"3", b"6"]
    assert (index.refused, log.committed) == ([{"a": 4}], list(range(7)))


def test_older_versions_are_not_applied_again_where_the_letters_could_not_be_written() -> None:
    log, index = Log(change("a", 1), change("a", 2)), Index(REJECTED, OK)
    log.failing = ["no disk"]
    projector = Projector(USERS, log, index)  # type: ignore[arg-type]
    with pytest.raises(Unavailable, match="no disk"):
        projector.step()
    projector.step()
    assert (index.applied, len(log.letters), log.committed) == ([[("a", 2)], [("a", 1)]], 1, [0, 1])


def test_an_old_version_is_a_success() -> None:
    log = Log(change("a"))
    run(log, Index(STALE))
    assert (log.committed, log.letters) == ([0], [])


def test_what_the_index_refuses_goes_to_the_dead_letters_and_the_rest_goes_on() -> None:
    log = Log(change("a"), change("b"), change("c"))
    run(log, Index([OK, REJECTED, OK]))
    (letter,) = log.letters
    assert (letter.key, letter.value) == (log.messages[1].key, log.messages[1].value)
    place = {"dlq_topic": b"users-topic", "dlq_partition": b"0", "dlq_offset": b"1", "dlq_reason": b"because"}
    assert headers(letter) == {**headers(log.messages[1]), **place}
    assert log.committed == [0, 1, 2]


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (Message(b"ana", b'{"name":"Ana"}'), b"header ce_specversion is missing"),
        (change("a", password="$hash"), b"the field 'password' is not declared"),
        (
            replace(change("a"), headers=tuple((n, b"others.updated" if n == "ce_type" else v) for n, v in change("a").headers)),
            b"'others.updated' is not of users",
        ),
        (Message(None, None), b"header ce_specversion is missing"),
    ],
)
def test_what_is_no_record_of_ours_goes_to_the_dead_letters(message: Message, reason: bytes) -> None:
    log, index = Log(message, change("b")), Index()
    run(log, index)
    assert (index.applied, log.committed) == ([[("b", 1)]], [0, 1])
    assert reason in (headers(log.letters[0])["dlq_reason"] or b"")


def test_a_projector_that_is_older_than_the_index_stops_and_buries_nothing() -> None:
    log, index = Log(change("a", city="Rome")), Index()
    index.newer = True
    projector = Projector(USERS, log, index)  # type: ignore[arg-type]
    with pytest.raises(Outdated):
        projector.step()
    assert (log.committed, log.letters) == ([], [])


def test_an_index_that_is_away_is_waited_for_with_smaller_bulks() -> None:
    log, index = Log(*(change(name) for name in "abcd")), Index(Unavailable("away"), UNAVAILABLE, OK)
    run(log, index)
    assert [len(bulk) for bulk in index.applied] == [4, 2, 1, 2, 1]
    assert (log.committed, log.letters) == ([0, 1, 2, 3], [])
    assert log.alive


def test_only_what_was_not_taken_is_tried_again() -> None:
    log, index = Log(change("a"), change("b"), change("c")), Index([OK, UNAVAILABLE, REJECTED])
    run(log, index)
    assert index.applied == [[("a", 1), ("b", 1), ("c", 1)], [("b", 1)]]
    assert ([letter.key for letter in log.letters], log.committed) == ([log.messages[2].key], [0, 1, 2])


def test_nothing_is_committed_before_its_dead_letters_are_safe() -> None:
    log = Log(Message(b"ana", b"{}"), change("b"))
    log.failing = ["no disk"]
    projector = Projector(USERS, log, Index())  # type: ignore[arg-type]
    with pytest.raises(Unavailable, match="dead letters were not published: no disk"):
        projector.step()
    assert log.committed == []
    projector.step()
    assert (log.committed, len(log.letters)) == ([0, 1], 1)


def test_which_versions_are_put_aside_is_noted_where_the_message_tells() -> None:
    unreadable = [replace(change("a", version), value=value) for version, value in ((3, b"{"), (7, None), (5, b"[]"))]
    versionless = replace(change("d"), headers=(("ce_sequence", b"0"),))
    log, index = Log(*unreadable, change("b", 2), versionless, Message(b"ana", b"{}")), Index([REJECTED])
    run(log, index)
    assert (index.refused, len(log.letters), log.committed) == ([{"a": 7, "b": 2}], 6, [0, 1, 2, 3, 4, 5])


def test_nothing_is_noted_where_no_message_tells() -> None:
    log, index = Log(Message(b"ana", b"{}")), Index()
    run(log, index)
    assert (index.refused, len(log.letters)) == ([], 1)


def test_nothing_is_buried_or_committed_before_it_is_noted() -> None:
    """Else every try that fails at the note would leave another letter."""
    log, index = Log(change("a")), Index(REJECTED)
    index.unwilling = [Unavailable("full")] * 2
    projector = Projector(USERS, log, index)  # type: ignore[arg-type]
    for _ in range(2):
        with pytest.raises(Unavailable, match="full"):
            projector.step()
    assert (log.letters, log.committed) == ([], [])
    projector.step()
    assert (index.refused, len(log.letters), log.committed) == ([{"a": 1}], 1, [0])


def test_a_stop_while_the_index_is_away_leaves_the_batch_for_the_next_start() -> None:
    log = Log(change("a"))
    projector = Projector(USERS, log, Index(*[Unavailable("away")] * 100))  # type: ignore[arg-type]
    projector.stopping.set()
    with pytest.raises(Unavailable, match="stopped while waiting"):
        projector.step()
    assert log.committed == []


@pytest.mark.parametrize("asked", [0, 1])
def test_a_stop_does_not_wait_for_an_index_that_does_not_answer(monkeypatch: pytest.MonkeyPatch, asked: int) -> None:
    """Neither to the first bulk, nor to one that is tried again."""
    monkeypatch.setattr(module, "LAST_SECONDS", 0.2)
    log, index = Log(change("a")), Index(*[Unavailable("away")] * asked)
    inside, released, apply = threading.Event(), threading.Event(), index.apply

    def hanging(resource: Any, operations: Sequence[Operation]) -> list[Outcome]:
        if len(index.applied) < asked:
            return apply(resource, operations)
        inside.set()
        released.wait()
        return apply(resource, operations)

    index.apply = hanging  # type: ignore[method-assign]
    projector = Projector(USERS, log, index)  # type: ignore[arg-type]
    projector.start()
    assert inside.wait(10)
    assert projector.stop(5)
    assert (log.committed, projector.failure) == ([], None)
    released.set()


def test_a_bulk_that_takes_long_keeps_the_membership(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SLICE_SECONDS", 0.01)
    monkeypatch.setattr(module, "LONG_SECONDS", 0.0)
    log, index = Log(change("a")), Index()
    apply = index.apply

    def slow(resource: Any, operations: Sequence[Operation]) -> list[Outcome]:
        while log.alive < 3:
            time.sleep(0.001)
        return apply(resource, operations)

    index.apply = slow  # type: ignore[method-assign]
    run(log, index)
    assert log.committed == [0]


def test_what_was_applied_is_soon_refreshed() -> None:
    log, index = Log(change("a")), Index()
    projector = run(log, index)
    while not index.refreshed:
        projector.step()
    projector.close()


def test_the_index_refreshes_itself_where_that_is_wanted() -> None:
    index = Index()
    projector = Projector(USERS, Log(change("a")), index, refresh=False)  # type: ignore[arg-type]
    for _ in range(3):
        projector.step()
        time.sleep(refresher.SOONEST)
    projector.close()
    assert index.refreshed == 0


def test_a_refresh_that_fails_is_told_once_and_tried_again_and_holds_up_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refresher, "Backoff", lambda *_: Quick())
    index = Index()
    index.refusals = 3
    with structlog.testing.capture_logs() as logs:
        projector = run(Log(change("a")), index)
        while not index.refreshed:
            assert projector.step() == 0
    projector.close()
    assert [entry["reason"] for entry in logs] == ["no refresh"]


def test_while_a_refresh_runs_it_is_not_looked_for_all_the_time() -> None:
    begun, go = threading.Event(), threading.Event()

    def refresh() -> None:
        begun.set()
        assert go.wait(10)

    one = refresher.Refresher(refresh)
    one.applied()
    while not begun.is_set():
        one.step()
    one.applied()
    time.sleep(refresher.SOONEST)
    assert one.seconds(60) == refresher.LOOK_SECONDS
    go.set()
    one.stop()


def test_an_answer_that_was_an_error_is_asked_for_again() -> None:
    log = Log(change("a"))
    projector = Projector(USERS, log, Index(Rejected("no"), OK))  # type: ignore[arg-type]
    with pytest.raises(Rejected):
        projector.step()
    assert log.committed == []
    projector.step()
    assert log.committed == [0]
    projector.close()


def test_an_index_that_times_out_by_itself_is_not_taken_for_one_that_is_still_at_it() -> None:
    log = Log(change("a"))
    projector = Projector(USERS, log, Index(TimeoutError("its own"), OK))  # type: ignore[arg-type]
    with pytest.raises(TimeoutError, match="its own"):
        projector.step()
    projector.step()
    assert log.committed == [0]


def test_a_poll_that_fails_while_a_bulk_runs_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BUSY", 1)
    log, index = Log(change("a"), change("b")), Index()
    polls = [log.poll, lambda *_: (_ for _ in ()).throw(Unavailable("away")), log.poll]
    monkeypatch.setattr(module, "BATCH", 1)
    log.poll = lambda *given: polls.pop(0)(*given) if polls else []  # type: ignore[method-assign]
    projector = Projector(USERS, log, index)  # type: ignore[arg-type]
    with pytest.raises(Unavailable, match="away"):
        projector.step()
    for _ in range(2):
        projector.step()
    assert (index.applied, log.committed) == ([[("a", 1)], [("b", 1)]], [0, 1])
    projector.close()


def test_dear_refreshes_are_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(refresher.time, "monotonic", lambda: now)

    def refresh() -> None:
        nonlocal now
        now += 0.2

    one = refresher.Refresher(refresh)
    one.applied()
    now += refresher.SOONEST
    one.step()
    one.stop()
    one.applied()
    assert one.seconds(60) == pytest.approx(refresher.PAUSES * 0.2)


def test_under_load_the_next_batch_is_made_ready_while_the_bulk_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH", 2)
    monkeypatch.setattr(module, "BUSY", 2)
    log, polled = Log(*(change(name) for name in "abc")), threading.Event()
    index = Index()
    read_at_first_bulk: list[bool] = []
    apply, poll = index.apply, log.poll
    index.apply = lambda *given: (read_at_first_bulk.append(polled.wait(10)), apply(*given))[1]  # type: ignore[method-assign]
    log.poll = lambda *given: (found := poll(*given), polled.set() if found and found[0].offset == 2 else None)[0]  # type: ignore[method-assign]
    projector = run(log, index)
    assert read_at_first_bulk[0]
    assert log.committed == [0, 1]
    projector.step()
    assert (index.applied, log.committed) == ([[("a", 1), ("b", 1)], [("c", 1)]], [0, 1, 2])
    projector.close()


def test_a_message_too_large_for_the_dead_letters_leaves_its_place_there() -> None:
    large = Message(b"x", b"{" * (1 << 20), ())
    log = Log(large, change("b"))
    log.failing = ["too large"]
    run(log, Index())
    [letter] = log.letters
    assert (letter.key, letter.value) == (None, None)
    assert int(headers(letter)["dlq_size"] or 0) > 1 << 20
    assert log.committed == [0, 1]
