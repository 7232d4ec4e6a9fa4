"""A reader that gets on no more is opened anew, and given up in the end; one that has nothing to read is left alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import SimpleNamespace

import pytest

from twofold.errors import Outdated, Stalled, Unavailable
from twofold.log import kafka_watch
from twofold.log.kafka_watch import ABSENT_SECONDS, AGAIN_SECONDS, REOPENINGS, STALL_SECONDS, Ends, Watch
from twofold.log.port import Message

MESSAGE = Message(b"a", b"1")


class Clock:
    now = 1000.0


class Reader:
    """Gives what the test has put there; a poll in vain takes its whole time. `refusing` fails instead."""

    def __init__(self, clock: Clock) -> None:
        self.messages: list[Message] = []
        self.refusing = self.gone = self.closed = False
        self._clock = clock

    def poll(self, limit: int, timeout: float) -> list[Message]:
        if limit and self.messages:
            return [self.messages.pop(0)]
        self._clock.now += timeout
        if self.gone:
            raise Outdated("Topic t is not there.")
        if self.refusing:
            raise Unavailable("no answer")
        return []

    def standstill(self, ends: Ends) -> str | None:
        return "Nothing comes." if ends()[0] else None

    def close(self) -> None:
        self.closed = True


class World:
    """Kafka: where the topic ends, whether it answers, and the readers that were opened."""

    def __init__(self, clock: Clock) -> None:
        self.clock, self.end = clock, 0
        self.away = self.gone = False
        self.opened: list[Reader] = []
        self.looks = 0
        self.watch = Watch(self._open, self._ends)

    def _open(self) -> Reader:
        self.opened.append(Reader(self.clock))
        return self.opened[-1]

    def _ends(self) -> Mapping[int, int]:
        self.looks += 1
        if self.gone:
            raise Outdated("really")
        if self.away:
            raise Unavailable("Kafka is away")
        return {0: self.end}

    def polled(self, seconds: float, limit: int = 1) -> list[str]:
        """The errors of polls, of a second each, for so long."""
        told, until = [], self.clock.now + seconds
        while self.clock.now < until:
            try:
                self.watch.poll(limit, 1.0)
            except Unavailable as error:
                told.append(str(error))
        return told


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(kafka_watch, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


@pytest.fixture
def world(clock: Clock) -> World:
    return World(clock)


def test_nothing_read_of_a_log_that_holds_more_opens_the_reader_anew(world: World) -> None:
    world.end = 5
    assert world.polled(STALL_SECONDS + 1) == ["Nothing comes. The connection is opened anew."]
    assert [reader.closed for reader in world.opened] == [True, False]
    world.opened[-1].messages.append(MESSAGE)
    assert world.watch.poll(1, 1.0) == [MESSAGE]


def test_a_log_that_holds_no_more_is_no_standstill(world: World) -> None:
    assert world.polled(10 * STALL_SECONDS) == []
    assert (len(world.opened), world.looks) == (1, 10)


def test_a_call_that_fails_again_and_again_is_a_standstill(world: World) -> None:
    world.end, world.opened[0].refusing = 5, True
    told = world.polled(STALL_SECONDS + 1)
    assert told[-1] == "Nothing comes. The connection is opened anew."
    assert set(told[:-1]) == {"no answer"}


def test_readers_that_are_opened_in_vain_are_given_up(world: World) -> None:
    world.end = 5
    with pytest.raises(Stalled, match=rf"Nothing comes\. The connection was opened anew {REOPENINGS} times in vain\."):
        world.polled(10 * STALL_SECONDS)
    assert len(world.opened) == 1 + REOPENINGS


def test_readers_that_read_in_between_are_not(world: World) -> None:
    world.end = 5
    for _ in range(3 * REOPENINGS):
        world.polled(STALL_SECONDS + 1)
        world.opened[-1].messages.append(MESSAGE)
        world.polled(1)
    assert len(world.opened) == 1 + 3 * REOPENINGS


def test_a_kafka_that_is_away_is_waited_for_however_long_it_takes(world: World) -> None:
    world.end, world.away = 5, True
    told = world.polled(20 * STALL_SECONDS)
    assert set(told) == {"Kafka is away"}
    assert len(told) <= 20 * STALL_SECONDS / AGAIN_SECONDS
    assert len(world.opened) == 1
    world.away = False
    assert world.polled(STALL_SECONDS) == []
    assert world.polled(AGAIN_SECONDS + 1) == ["Nothing comes. The connection is opened anew."]


def test_a_topic_that_is_said_to_be_gone_is_asked_for(world: World) -> None:
    """A moment without brokers must not end a projector with the advice to run migrate."""
    world.opened[0].gone = True
    with pytest.raises(Unavailable, match=r"Topic t is not there\. It is there, though\."):
        world.watch.poll(1, 1.0)
    world.gone = True
    with pytest.raises(Outdated, match="really"):
        world.watch.poll(1, 1.0)


def test_who_asks_for_nothing_gets_nothing_and_that_is_no_standstill(world: World) -> None:
    world.end = 5
    assert world.polled(3 * STALL_SECONDS, limit=0) == []
    assert world.looks == 0


def test_who_was_busy_elsewhere_is_no_witness(world: World, clock: Clock) -> None:
    world.end = 5
    for _ in range(10):
        clock.now += ABSENT_SECONDS + 1
        assert world.polled(STALL_SECONDS / 2) == []


def test_a_reader_that_is_closed_is_not_opened_again(world: World, clock: Clock) -> None:
    world.end = 5
    world.watch.close()
    clock.now += 1
    assert world.polled(3 * STALL_SECONDS) == []
    assert [reader.closed for reader in world.opened] == [True]


def test_what_a_close_meets_half_way_through_opening_anew_is_closed(world: World) -> None:
    """Whoever closes waits for the new reader, and closes that one."""
    world.end = 5
    opened: Callable[[], Reader] = world.watch._open

    def opening() -> Reader:
        assert not world.watch._changing.acquire(blocking=False)
        return opened()

    world.watch._open = opening
    world.polled(STALL_SECONDS + 1)
    world.watch.close()
    assert [reader.closed for reader in world.opened] == [True, True]
