"""The promises of `twofold.log.port`, one test each, for every engine; `test_log.py` binds the engines."""

from __future__ import annotations

import gc
import sys
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Thread

import pytest

from twofold.errors import NeedsRebuild, Outdated, Unavailable
from twofold.log.port import LOST, EventLog, Message, Replay, Subscription

PATIENCE = 20.0  # seconds until a test gives up waiting for what should happen
EVERY_BYTE = bytes(range(256))


def note(key: str | None, value: object) -> Message:
    return Message(None if key is None else key.encode(), str(value).encode())


def read(subscription: Subscription | Replay, count: int, limit: int = 100) -> list[Message]:
    """The next `count` messages, or fewer if they do not come."""
    found: list[Message] = []
    deadline = time.monotonic() + PATIENCE
    while len(found) < count and time.monotonic() < deadline:
        found += subscription.poll(min(limit, count - len(found)), 1.0)
    return found


def until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.005)


def inside(thread: Thread, function: str) -> bool:
    """Whether a thread is in a function of this name."""
    gc.disable()  # a collection in the middle of it deadlocks: github.com/python/cpython/issues/106883
    try:
        frame = sys._current_frames().get(thread.ident or 0)
    finally:
        gc.enable()
    while frame and frame.f_code.co_name != function:
        frame = frame.f_back
    return frame is not None


def values(messages: Iterable[Message]) -> list[bytes | None]:
    return [message.value for message in messages]


def per_key(messages: Iterable[Message]) -> dict[bytes | None, list[bytes | None]]:
    lines = defaultdict(list)
    for message in messages:
        lines[message.key].append(message.value)
    return dict(lines)


def published(log: EventLog, topic: str, messages: Sequence[Message]) -> None:
    assert log.publish(topic, messages) == [None] * len(messages)


class LogContract:
    """Bound by two fixtures, `reopened`, which opens the same log again, and `trim`, which deletes the front of a topic."""

    @pytest.fixture
    def log(self, reopened: Callable[[], EventLog]) -> EventLog:
        return reopened()

    @pytest.fixture
    def fresh_topic(self, log: EventLog) -> str:
        """A topic of two partitions that no other test has."""
        topic = f"contract-{uuid.uuid4()}"
        log.create(topic, 2)
        return topic

    @pytest.fixture
    def group(self) -> str:
        return f"group-{uuid.uuid4()}"

    @pytest.fixture
    def join(self, group: str) -> Iterator[Callable[..., Subscription]]:
        """Members that leave at the end."""
        members = []

        def join(log: EventLog, topic: str, name: str = group) -> Subscription:
            members.append(log.subscribe(topic, name))
            return members[-1]

        yield join
        for member in members:
            member.close()

    @pytest.fixture
    def replay(self) -> Iterator[Callable[..., Replay]]:
        """Replays that are closed at the end."""
        opened = []

        def replay(log: EventLog, topic: str, offsets: dict[int, int]) -> Replay:
            opened.append(log.replay(topic, offsets))
            return opened[-1]

        yield replay
        for each in opened:
            each.close()

    # create

    def test_create_twice_is_fine(self, log: EventLog, fresh_topic: str) -> None:
        published(log, fresh_topic, [note("a", 1)])

        log.create(fresh_topic, 2)

        assert sum(position.end for position in log.positions(fresh_topic, "any")) == 1

    def test_another_number_of_partitions_is_outdated(self, log: EventLog, fresh_topic: str) -> None:
        with pytest.raises(Outdated, match=rf"{fresh_topic} has 2 partitions, 3 are declared"):
            log.create(fresh_topic, 3)

        assert len(log.positions(fresh_topic, "any")) == 2

    # publish

    def test_what_is_published_is_polled_byte_for_byte(self, log: EventLog, fresh_topic: str, join: Callable[..., Subscription]) -> None:
        sent = [
            Message(EVERY_BYTE, EVERY_BYTE, (("h", EVERY_BYTE), ("h", b"again"), ("none", None), ("empty", b""), ("größe", b"\xff"))),
            Message(b"deleted", None, (("ce_type", b"users.deleted"),)),
            Message(b"empty", b""),
            Message(b"", b"empty key"),
            Message(None, b"no key"),
        ]
        published(log, fresh_topic, sent)

        got = read(join(log, fresh_topic), len(sent))

        assert {(m.key, m.value, m.headers) for m in got} == {(m.key, m.value, m.headers) for m in sent}
        assert all(message.partition in (0, 1) and message.offset >= 0 for message in got)

    def test_messages_of_one_key_are_stored_in_the_order_given(
        self, log: EventLog, fresh_topic: str, join: Callable[..., Subscription]
    ) -> None:
        sent = [note(f"key {number % 7}", number) for number in range(210)]
        for start in range(0, len(sent), 70):
            published(log, fresh_topic, sent[start : start + 70])

        got = read(join(log, fresh_topic), len(sent), limit=9)

        assert per_key(got) == per_key(sent)
        assert len({(message.key, message.partition) for message in got}) == 7

    def test_a_message_is_durable_when_publish_returns(
        self, log: EventLog, fresh_topic: str, join: Callable[..., Subscription], reopened: Callable[[], EventLog]
    ) -> None:
        published(log, fresh_topic, [note("a", 1), note("b", 2)])
        log.close()

        assert set(values(read(join(reopened(), fresh_topic), 2))) == {b"1", b"2"}

    def test_every_message_has_its_answer(self, log: EventLog, fresh_topic: str, join: Callable[..., Subscription]) -> None:
        large = "x" * 2_000_000

        answers = log.publish(fresh_topic, [note("good", 1), note("bad", large), note("good", 2), note(None, large), note(None, 3)])

        assert [answer is None for answer in answers] == [True, False, True, False, True]
        assert set(values(read(join(log, fresh_topic), 3))) == {b"1", b"2", b"3"}

    def test_behind_a_message_that_failed_none_of_its_key_is_stored(
        self, log: EventLog, fresh_topic: str, join: Callable[..., Subscription]
    ) -> None:
        answers = log.publish(fresh_topic, [note("k", 1), note("k", "x" * 2_000_000), note("k", 3), note("other", 4), note("k", 5)])
        published(log, fresh_topic, [note("k", 6)])

        assert [answer is None for answer in answers] == [True, False, False, True, False]
        assert per_key(read(join(log, fresh_topic), 3)) == {b"k": [b"1", b"6"], b"other": [b"4"]}

    def test_publishing_nothing_is_fine(self, log: EventLog, fresh_topic: str) -> None:
        assert log.publish(fresh_topic, []) == []

    def test_several_threads_may_publish(self, log: EventLog, fresh_topic: str, join: Callable[..., Subscription]) -> None:
        lines = [[note(f"thread {thread}", number) for number in range(100)] for thread in range(4)]
        with ThreadPoolExecutor(4) as threads:
            answers = list(threads.map(lambda line: [log.publish(fresh_topic, line[at : at + 10]) for at in range(0, 100, 10)], lines))

        assert answers == [[[None] * 10] * 10] * 4
        assert per_key(read(join(log, fresh_topic), 400)) == per_key(message for line in lines for message in line)

    def test_a_topic_that_is_not_there_is_outdated(self, log: EventLog, join: Callable[..., Subscription]) -> None:
        topic = f"missing-{uuid.uuid4()}"

        with pytest.raises(Outdated, match=f"{topic}.*twofold migrate"):
            log.publish(topic, [note("a", 1)])
        with pytest.raises(Outdated, match=f"{topic}.*twofold migrate"):
            log.positions(topic, "any")
        with pytest.raises(Outdated, match=f"{topic}.*twofold migrate"):
            join(log, topic).poll(1, PATIENCE)

    # poll

    def test_a_new_group_starts_at_the_beginning(self, log: EventLog, fresh_topic: str, join: Callable[..., Subscription]) -> None:
        published(log, fresh_topic, [note(f"key {number}", number) for number in range(20)])

        assert len(read(join(log, fresh_topic), 20)) == 20

    def test_a_poll_is_bounded_in_bytes_and_leaves_nothing_out(
        self, log: EventLog, fresh_topic: str, join: Callable[..., Subscription]
    ) -> None:
        large = "x" * 400_000
        for number in range(0, 60, 3):
            published(log, fresh_topic, [note(f"key {each}", f"{large}{each}") for each in range(number, number + 3)])
        member, found = join(log, fresh_topic), []
        while len(found) < 60:
            messages = member.poll(2000, PATIENCE)
            assert sum(len(message.value or b"") for message in messages) < 12 << 20
            found += messages
        assert {message.value[400_000:] for message in found if message.value} == {f"{number}".encode() for number in range(60)}

    def test_poll_returns_no_more_than_limit_and_leaves_nothing_out(
        self, log: EventLog, fresh_topic: str, join: Callable[..., Subscription]
    ) -> None:
        published(log, fresh_topic, [note(f"key {number}", number) for number in range(50)])
        member = join(log, fresh_topic)
        polls = [read(member, 7, limit=7) for _ in range(7)]

        assert all(len(poll) == 7 for poll in polls)
        assert len({(message.partition, message.offset) for poll in [*polls, read(member, 1)] for message in poll}) == 50

    def test_poll_waits_for_the_first_message_only(self, log: EventLog, fresh_topic: str, join: Callable[..., Subscription]) -> None:
        member = join(log, fresh_topic)
        published(log, fresh_topic, [note("a", 0)])
        read(member, 1)
        with ThreadPoolExecutor(1) as threads:
            waiting = threads.submit(member.poll, 100, PATIENCE)
            began = time.monotonic()
            published(log, fresh_topic, [note("a", 1)])
            got = waiting.result()

        assert values(got) == [b"1"]
        assert time.monotonic() - began < 2

    def test_poll_returns_nothing_after_its_timeout(self, log: EventLog, fresh_topic: str, join: Callable[..., Subscription]) -> None:
        member = join(log, fresh_topic)
        began = time.monotonic()

        assert member.poll(10, 0.3) == []
        assert 0.3 <= time.monotonic() - began < 5

    def test_a_poll_for_nothing_returns_nothing_and_skips_nothing(
        self, log: EventLog, fresh_topic: str, join: Callable[..., Subscription]
    ) -> None:
        sent = [note("a", number) for number in range(200)]
        published(log, fresh_topic, sent)
        member = join(log, fresh_topic)
        got = []
        while len(got) < 200:
            assert member.poll(0, 0.01) == []
            got += read(member, 20, limit=20)

        assert values(got) == values(sent)

    # commit

    def test_what_is_not_committed_comes_again(
        self, log: EventLog, fresh_topic: str, join: Callable[..., Subscription], reopened: Callable[[], EventLog]
    ) -> None:
        published(log, fresh_topic, [note(f"key {number}", number) for number in range(10)])
        first = read(join(log, fresh_topic), 10)
        log.close()

        again = read(join(reopened(), fresh_topic), 10)

        assert len(first) == 10
        assert sorted(again, key=str) == sorted(first, key=str)

    def test_what_is_committed_does_not_come_again(
        self, log: EventLog, fresh_topic: str, join: Callable[..., Subscription], reopened: Callable[[], EventLog]
    ) -> None:
        published(log, fresh_topic, [note("a", number) for number in range(10)])
        member = join(log, fresh_topic)
        member.commit(read(member, 4, limit=4))
        log.close()

        assert values(read(join(reopened(), fresh_topic), 6)) == [b"4", b"5", b"6", b"7", b"8", b"9"]

    def test_a_commit_does_not_take_back_a_later_one(self, log: EventLog, fresh_topic: str, join: Callable[..., Subscription]) -> None:
        published(log, fresh_topic, [note("a", number) for number in range(10)])
        member = join(log, fresh_topic)
        got = read(member, 10)
        member.commit(got)
        member.commit(got[:3])
        member.commit([])
        member.close()

        published(log, fresh_topic, [note("a", "new")])

        assert values(read(join(log, fresh_topic), 1)) == [b"new"]

    def test_groups_are_independent(self, log: EventLog, fresh_topic: str, join: Callable[..., Subscription], group: str) -> None:
        published(log, fresh_topic, [note("a", 1), note("a", 2)])
        one, other = join(log, fresh_topic), join(log, fresh_topic, f"{group}-other")
        one.commit(read(one, 2))

        assert values(read(other, 2)) == [b"1", b"2"]

    def test_two_members_share_the_work(self, log: EventLog, fresh_topic: str, join: Callable[..., Subscription]) -> None:
        one, other = join(log, fresh_topic), join(log, fresh_topic)
        owners: dict[int, set[int]] = {}

        def shared() -> bool:
            """Each has exactly one of the partitions, by what it was last given."""
            published(log, fresh_topic, [note(f"key {number}", number) for number in range(8)])
            for number, member in enumerate((one, other)):
                owners[number] = {message.partition for message in member.poll(1000, 0.2)} or owners.get(number, set())
            return sorted(map(sorted, owners.values())) == [[0], [1]]

        until(shared)

    def test_messages_of_a_partition_that_was_taken_away_are_not_committed(
        self, log: EventLog, fresh_topic: str, join: Callable[..., Subscription], group: str
    ) -> None:
        published(log, fresh_topic, [note(f"key {number}", number) for number in range(20)])
        one = join(log, fresh_topic)
        before = read(one, 20)
        other = join(log, fresh_topic)
        taken: list[Message] = []
        until(lambda: not one.poll(0, 0.05) and bool(taken.extend(other.poll(100, 0.05)) or taken))
        lost = {message.partition for message in taken}

        one.commit(before)

        assert len(before) == 20
        assert [position.committed for position in log.positions(fresh_topic, group) if position.partition in lost] == [None]
        other.commit(taken)
        assert [position.committed for position in log.positions(fresh_topic, group) if position.partition in lost] == [len(taken)]

    def test_a_commit_of_what_was_read_before_a_rebalance_takes_nothing_back(
        self, log: EventLog, fresh_topic: str, join: Callable[..., Subscription], group: str
    ) -> None:
        """The partition went to another member, which committed, and came back."""
        published(log, fresh_topic, [note(f"key {number}", number) for number in range(20)])
        one = join(log, fresh_topic)
        before = read(one, 20)
        other = join(log, fresh_topic)
        taken: list[Message] = []
        until(lambda: not one.poll(0, 0.05) and len(taken.extend(other.poll(100, 0.05)) or taken) > 1)
        other.commit(taken)
        other.close()
        lost = taken[0].partition
        published(log, fresh_topic, [note(f"key {number}", "new") for number in range(20)])
        until(lambda: any(message.partition == lost for message in one.poll(100, 0.2)))

        one.commit([message for message in before if message.partition == lost][:1])

        assert [position.committed for position in log.positions(fresh_topic, group) if position.partition == lost] == [len(taken)]

    # close

    def test_close_ends_a_poll_that_waits(self, log: EventLog, fresh_topic: str, join: Callable[..., Subscription]) -> None:
        member = join(log, fresh_topic)
        result: list[list[Message]] = []
        thread = Thread(target=lambda: result.append(member.poll(1, 60)))
        thread.start()
        until(lambda: inside(thread, "poll"))

        began = time.monotonic()
        member.close()
        thread.join(10)

        assert result == [[]]
        assert time.monotonic() - began < 3

    def test_closing_the_log_ends_a_poll_that_waits(self, log: EventLog, fresh_topic: str, join: Callable[..., Subscription]) -> None:
        member = join(log, fresh_topic)
        result: list[list[Message]] = []
        thread = Thread(target=lambda: result.append(member.poll(1, 60)))
        thread.start()
        until(lambda: inside(thread, "poll"))

        log.close()
        thread.join(10)

        assert result == [[]]

    def test_close_leaves_the_group(self, log: EventLog, fresh_topic: str, join: Callable[..., Subscription]) -> None:
        published(log, fresh_topic, [note("a", 1)])
        member = join(log, fresh_topic)
        read(member, 1)
        member.close()
        began = time.monotonic()

        assert values(read(join(log, fresh_topic), 1)) == [b"1"]
        assert time.monotonic() - began < 5

    def test_close_twice_is_fine(self, log: EventLog, fresh_topic: str, join: Callable[..., Subscription]) -> None:
        member = join(log, fresh_topic)
        for _ in range(2):
            member.close()
        for _ in range(2):
            log.close()
        member.close()

    def test_use_after_close_is_unavailable(self, log: EventLog, fresh_topic: str, join: Callable[..., Subscription]) -> None:
        left, forgotten = join(log, fresh_topic), join(log, fresh_topic)
        left.close()
        uses: list[Callable[[], object]] = [lambda: left.poll(1, 0), lambda: left.commit([])]
        for use in uses:
            with pytest.raises(Unavailable, match="closed"):
                use()

        log.close()

        uses = [
            lambda: log.create("any", 1),
            lambda: log.publish(fresh_topic, [note("a", 1)]),
            lambda: log.subscribe(fresh_topic, "any"),
            lambda: log.positions(fresh_topic, "any"),
            log.check,
            lambda: forgotten.poll(1, 0),
        ]
        for use in uses:
            with pytest.raises(Unavailable, match="closed"):
                use()

    # positions, strangers and check

    def test_positions_tell_begin_committed_end_and_lag(
        self,
        log: EventLog,
        fresh_topic: str,
        join: Callable[..., Subscription],
        group: str,
        trim: Callable[[str, int, int], None],
    ) -> None:
        published(log, fresh_topic, [note("a", number) for number in range(10)])
        member = join(log, fresh_topic)
        got = read(member, 10)
        member.commit(got[:6])
        here = got[0].partition
        trim(fresh_topic, here, 2)

        positions = log.positions(fresh_topic, group)

        assert [position.partition for position in positions] == [0, 1]
        assert [(p.begin, p.committed, p.end, p.lag) for p in positions if p.partition == here] == [(2, 6, 10, 4)]
        assert [(p.begin, p.committed, p.end, p.lag) for p in positions if p.partition != here] == [(0, None, 0, 0)]
        assert [(p.committed, p.lag) for p in log.positions(fresh_topic, f"{group}-new") if p.partition == here] == [(None, 8)]

    def test_our_own_members_are_no_strangers(self, log: EventLog, fresh_topic: str, join: Callable[..., Subscription], group: str) -> None:
        published(log, fresh_topic, [note("a", 1)])
        read(join(log, fresh_topic), 1)

        assert log.strangers(group) == []
        assert log.strangers(f"{group}-that-nobody-has") == []

    def test_check_is_one_line(self, log: EventLog) -> None:
        assert log.check().strip()
        assert "\n" not in log.check()

    def test_a_group_that_is_moved_goes_on_there(self, log: EventLog, fresh_topic: str, join: Callable[..., Subscription]) -> None:
        published(log, fresh_topic, [note("a", number) for number in range(5)])
        here = next(position.partition for position in log.positions(fresh_topic, "any") if position.end)
        for offset in (3, 1):
            log.move(fresh_topic, "moved", {here: offset})
            assert [position.committed for position in log.positions(fresh_topic, "moved")][here] == offset

        member = join(log, fresh_topic, "moved")
        assert values(read(member, 4)) == [b"1", b"2", b"3", b"4"]
        with pytest.raises(Unavailable, match="has members"):
            log.move(fresh_topic, "moved", {here: 0})

    # replay

    def test_a_replay_reads_from_its_offsets_on(self, log: EventLog, fresh_topic: str, replay: Callable[..., Replay]) -> None:
        published(log, fresh_topic, [note(f"key {number}", number) for number in range(40)])
        positions = log.positions(fresh_topic, "any")
        starts = {position.partition: position.end // 2 for position in positions}
        ends = {position.partition: position.end for position in positions}
        reader = replay(log, fresh_topic, starts)
        assert reader.offsets() == starts

        got = read(reader, sum(ends.values()) - sum(starts.values()), limit=7)

        assert reader.offsets() == ends
        places = {(message.partition, message.offset) for message in got}
        assert places == {(number, offset) for number in ends for offset in range(starts[number], ends[number])}
        published(log, fresh_topic, [note("a", "more")])
        assert values(read(reader, 1)) == [b"more"]

    def test_a_replay_begins_at_the_beginning_of_a_partition_that_is_not_named(
        self, log: EventLog, fresh_topic: str, replay: Callable[..., Replay], trim: Callable[[str, int, int], None]
    ) -> None:
        published(log, fresh_topic, [note(f"key {number}", number) for number in range(40)])
        trim(fresh_topic, 0, 3)
        ends = {position.partition: position.end for position in log.positions(fresh_topic, "any")}
        reader = replay(log, fresh_topic, {1: ends[1]})
        assert reader.offsets() == {0: 3, 1: ends[1]}

        assert [message.offset for message in read(reader, ends[0] - 3)] == list(range(3, ends[0]))
        assert reader.poll(0, 0.1) == reader.poll(1, 0.1) == []

    def test_groups_do_not_notice_a_replay(
        self, log: EventLog, fresh_topic: str, replay: Callable[..., Replay], join: Callable[..., Subscription], group: str
    ) -> None:
        published(log, fresh_topic, [note(f"key {number}", number) for number in range(10)])
        member = join(log, fresh_topic)
        got = read(member, 10)
        assert len(read(replay(log, fresh_topic, {}), 10)) == 10
        member.commit(got)

        assert [position.lag for position in log.positions(fresh_topic, group)] == [0, 0]

    def test_a_replay_whose_next_message_is_gone_needs_a_rebuild(
        self, log: EventLog, fresh_topic: str, replay: Callable[..., Replay], trim: Callable[[str, int, int], None]
    ) -> None:
        published(log, fresh_topic, [note("a", number) for number in range(5)])
        here = next(position.partition for position in log.positions(fresh_topic, "any") if position.end)
        trim(fresh_topic, here, 3)
        reader = replay(log, fresh_topic, {here: 2})

        for _ in range(2):
            with pytest.raises(NeedsRebuild, match=rf"{fresh_topic}.*partition {here}\b"):
                read(reader, 1)

    def test_a_replay_of_a_topic_that_is_not_there_is_outdated(self, log: EventLog) -> None:
        with pytest.raises(Outdated, match="twofold migrate"):
            log.replay(f"missing-{uuid.uuid4()}", {})

    def test_a_replay_is_closed_twice_and_then_not_used(self, log: EventLog, fresh_topic: str, replay: Callable[..., Replay]) -> None:
        reader = replay(log, fresh_topic, {})
        reader.close()
        reader.close()

        with pytest.raises(Unavailable, match="closed"):
            reader.poll(1, 0)

    # a log that no longer reaches back

    def test_a_group_that_is_forgotten_begins_anew(self, log: EventLog, fresh_topic: str, join: Callable[..., Subscription]) -> None:
        published(log, fresh_topic, [note("a", 1)])
        member = join(log, fresh_topic, "forgetful")
        member.commit(read(member, 1))
        member.close()
        log.forget(fresh_topic, "forgetful")
        log.forget(fresh_topic, "never-was")

        assert [position.lag for position in log.positions(fresh_topic, "forgetful") if position.end] == [1]
        assert len(read(join(log, fresh_topic, "forgetful"), 1)) == 1

    def test_a_new_group_on_a_log_without_its_beginning_needs_a_rebuild(
        self, log: EventLog, fresh_topic: str, join: Callable[..., Subscription], trim: Callable[[str, int, int], None]
    ) -> None:
        published(log, fresh_topic, [note("a", number) for number in range(5)])
        number = next(position.partition for position in log.positions(fresh_topic, "any") if position.end)
        trim(fresh_topic, number, 3)
        member = join(log, fresh_topic)

        for _ in range(2):  # it does not pass
            with pytest.raises(NeedsRebuild, match=rf"{fresh_topic}.*partition {number}\b.*must be rebuilt"):
                read(member, 1)

    def test_a_group_whose_next_message_is_gone_needs_a_rebuild(
        self, log: EventLog, fresh_topic: str, join: Callable[..., Subscription], trim: Callable[[str, int, int], None]
    ) -> None:
        published(log, fresh_topic, [note("a", number) for number in range(10)])
        member = join(log, fresh_topic)
        got = read(member, 2, limit=2)
        member.commit(got)
        member.close()
        trim(fresh_topic, got[0].partition, 5)

        member = join(log, fresh_topic)

        for _ in range(2):
            with pytest.raises(NeedsRebuild, match=rf"{fresh_topic}.*partition {got[0].partition}\b.*must be rebuilt"):
                read(member, 1)

    def test_a_group_that_has_lost_its_place_needs_a_rebuild_whatever_is_published(
        self, log: EventLog, fresh_topic: str, join: Callable[..., Subscription]
    ) -> None:
        log.move(fresh_topic, "lost", {0: LOST, 1: LOST})
        published(log, fresh_topic, [note(f"key {number}", number) for number in range(20)])
        member = join(log, fresh_topic, "lost")

        for _ in range(2):  # it does not pass
            with pytest.raises(NeedsRebuild, match="twofold rebuild") as error:
                read(member, 1)

            assert str(LOST) not in str(error.value), "it stands for no place"

        positions = log.positions(fresh_topic, "lost")
        assert all(position.lost for position in positions)
        assert sum(position.lag for position in positions) == 20

    def test_a_group_with_members_is_not_forgotten(self, log: EventLog, fresh_topic: str, join: Callable[..., Subscription]) -> None:
        published(log, fresh_topic, [note("a", 1)])
        member = join(log, fresh_topic, "busy")
        read(member, 1)

        with pytest.raises(Unavailable, match="stop the projectors first"):
            log.forget(fresh_topic, "busy")

    def test_a_group_whose_next_message_is_there_goes_on(
        self, log: EventLog, fresh_topic: str, join: Callable[..., Subscription], trim: Callable[[str, int, int], None]
    ) -> None:
        published(log, fresh_topic, [note("a", number) for number in range(10)])
        member = join(log, fresh_topic)
        got = read(member, 5, limit=5)
        member.commit(got)
        member.close()
        trim(fresh_topic, got[0].partition, 5)

        assert values(read(join(log, fresh_topic), 5)) == [b"5", b"6", b"7", b"8", b"9"]

    def test_a_group_that_has_read_all_goes_on_when_all_is_gone(
        self, log: EventLog, fresh_topic: str, join: Callable[..., Subscription], trim: Callable[[str, int, int], None]
    ) -> None:
        published(log, fresh_topic, [note("a", number) for number in range(3)])
        member = join(log, fresh_topic)
        got = read(member, 3)
        member.commit(got)
        trim(fresh_topic, got[0].partition, 3)
        published(log, fresh_topic, [note("a", "new")])

        assert values(read(member, 1)) == [b"new"]
