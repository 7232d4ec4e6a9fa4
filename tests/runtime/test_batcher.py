"""What arrives while a batch runs goes together into the next one, and everybody gets their own answer."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from typing import Any

import pytest

from twofold.errors import EngineError, Overloaded, Stopping
from twofold.runtime.batcher import LATER, Batcher, Begun

SECONDS = 10


class Gate:
    """A `run` that notes its batches and waits in each until it is let through."""

    def __init__(self, answer: Callable[[Any], Any] = lambda item: item) -> None:
        self.batches: list[list[Any]] = []
        self.entered = threading.Semaphore(0)
        self.open = threading.Event()
        self._answer = answer

    def __call__(self, items: list[Any]) -> Sequence[Any]:
        self.batches.append(items)
        self.entered.release()
        assert self.open.wait(SECONDS)
        return [self._answer(item) for item in items]

    def occupy(self, batcher: Batcher[Any, Any]) -> Future[Any]:
        """A first item that runs until the gate opens, so that whatever comes now has to wait."""
        first = batcher.submit("first")
        assert self.entered.acquire(timeout=SECONDS)
        return first


@pytest.fixture
def make() -> Iterator[Callable[..., Batcher[Any, Any]]]:
    made: list[Batcher[Any, Any]] = []

    def make_(run: Callable[[list[Any]], Sequence[Any]], **options: int) -> Batcher[Any, Any]:
        made.append(Batcher("test", run, **options))
        return made[-1]

    yield make_
    for batcher in made:
        batcher.stop()


def test_a_lone_item_does_not_wait(make) -> None:
    assert make(lambda items: [item * 2 for item in items]).submit(21).result(SECONDS) == 42


def test_what_waits_goes_together_in_its_order(make) -> None:
    gate = Gate()
    batcher = make(gate)
    gate.occupy(batcher)
    futures = [batcher.submit(number) for number in range(100)]
    gate.open.set()
    assert [future.result(SECONDS) for future in futures] == list(range(100))
    assert gate.batches == [["first"], list(range(100))]


def test_a_batch_has_at_most_so_many_items(make) -> None:
    gate = Gate()
    batcher = make(gate, max_items=3)
    gate.occupy(batcher)
    futures = [batcher.submit(number) for number in range(7)]
    gate.open.set()
    assert [future.result(SECONDS) for future in futures] == list(range(7))
    assert gate.batches[1:] == [[0, 1, 2], [3, 4, 5], [6]]


def test_a_batch_has_about_so_much_weight(make) -> None:
    gate = Gate()
    batcher = make(gate, max_weight=10)
    gate.occupy(batcher)
    futures = [batcher.submit(weight, weight) for weight in (4, 6, 1, 99, 9, 1)]
    gate.open.set()
    [future.result(SECONDS) for future in futures]
    assert gate.batches[1:] == [[4, 6], [1], [99], [9, 1]]


def test_later_goes_behind_what_waits(make) -> None:
    postponed = {"b", "d"}

    def answer(item: str) -> Any:
        if item in postponed:
            postponed.remove(item)
            return LATER
        return item

    gate = Gate(answer)
    batcher = make(gate, max_items=4)
    gate.occupy(batcher)
    futures = [batcher.submit(item) for item in "abcdef"]
    gate.open.set()
    assert [future.result(SECONDS) for future in futures] == list("abcdef")
    assert gate.batches[1:] == [list("abcd"), list("efbd")]


def test_what_is_nothing_but_later_is_tried_again(make) -> None:
    tries = []

    def run(items: list[str]) -> Sequence[Any]:
        tries.append(items)
        return [LATER] if len(tries) < 3 else items

    assert make(run).submit("patient").result(SECONDS) == "patient"
    assert len(tries) == 3


def test_too_many_that_wait_are_refused_at_once(make) -> None:
    gate = Gate()
    batcher = make(gate, max_waiting=2)
    first = gate.occupy(batcher)
    waiting = [batcher.submit(number) for number in range(2)]
    with pytest.raises(Overloaded, match="Too many requests are waiting"):
        batcher.submit("too much")
    gate.open.set()
    assert [future.result(SECONDS) for future in (first, *waiting)] == ["first", 0, 1]
    assert batcher.submit("again").result(SECONDS) == "again"


def test_an_error_is_the_answer_to_its_item_alone(make) -> None:
    gate = Gate(lambda item: ValueError(item) if item == "bad" else item)
    batcher = make(gate)
    gate.occupy(batcher)
    good, bad, other = (batcher.submit(item) for item in ("good", "bad", "other"))
    gate.open.set()
    assert (good.result(SECONDS), other.result(SECONDS)) == ("good", "other")
    with pytest.raises(ValueError, match="bad"):
        bad.result(SECONDS)


@pytest.mark.parametrize("failure", [ValueError("broken"), SystemExit(), KeyboardInterrupt()])
def test_a_batch_that_fails_is_told_to_all_and_the_lane_lives_on(make, failure: BaseException) -> None:
    failures = [failure]

    def run(items: list[str]) -> list[str]:
        if failures:
            raise failures.pop()
        return items

    batcher = make(run)
    with pytest.raises(type(failure)):
        batcher.submit("unlucky").result(SECONDS)
    assert batcher.submit("lucky").result(SECONDS) == "lucky"


@pytest.mark.parametrize("answers", [[], [1, 2]])
def test_a_wrong_number_of_answers_is_told_to_all_and_the_lane_lives_on(make, answers: list[int]) -> None:
    batcher = make(lambda items: answers if items == ["odd"] else items)
    with pytest.raises(RuntimeError, match=f"{len(answers)} results for 1 items"):
        batcher.submit("odd").result(SECONDS)
    assert batcher.submit("even").result(SECONDS) == "even"


def test_a_coroutine_gets_its_answer_and_its_error(make) -> None:
    batcher = make(lambda items: [ZeroDivisionError("no") if item == "bad" else item for item in items])

    async def ask() -> list[Any]:
        return await asyncio.gather(batcher.ask("good"), batcher.ask("bad"), return_exceptions=True)

    good, bad = asyncio.run(ask())
    assert good == "good"
    assert isinstance(bad, ZeroDivisionError)


def test_who_goes_away_before_it_was_begun_takes_it_back(make) -> None:
    gate = Gate()
    batcher = make(gate)

    async def leave() -> Any:
        gate.occupy(batcher)
        gone, stays = asyncio.create_task(batcher.ask("gone")), asyncio.create_task(batcher.ask("stays"))
        await asyncio.sleep(0)
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        gate.open.set()
        return await stays

    assert asyncio.run(leave()) == "stays"
    assert gate.batches[1] == ["stays"]


def test_who_goes_away_after_it_was_begun_is_told_so(make) -> None:
    gate = Gate()
    batcher = make(gate)

    async def leave() -> None:
        asked = asyncio.create_task(batcher.ask("begun"))
        await asyncio.to_thread(gate.entered.acquire, timeout=SECONDS)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError) as told:
            await asked
        gate.open.set()
        assert asked.cancelled()
        assert isinstance(told.value.__cause__, Begun)

    asyncio.run(leave())
    assert batcher.submit("next").result(SECONDS) == "next"


def test_who_goes_away_makes_room_at_once(make) -> None:
    """Else those who leave would keep others out until a lane is free."""
    gate = Gate()
    batcher = make(gate, max_waiting=2, max_waiting_weight=10)

    async def leave() -> Any:
        gate.occupy(batcher)
        for _ in range(50):
            gone = [asyncio.create_task(batcher.ask("gone", 6)) for _ in range(2)]
            await asyncio.sleep(0)
            with pytest.raises(Overloaded):
                await batcher.ask("no room")
            for task in gone:
                task.cancel()
            await asyncio.wait(gone)
        asked = asyncio.create_task(batcher.ask("stays", 6))
        await asyncio.sleep(0)
        gate.open.set()
        return await asked

    assert asyncio.run(leave()) == "stays"
    assert gate.batches[1:] == [["stays"]]


def test_what_waits_beyond_its_deadline_is_refused_and_never_begun(make) -> None:
    gate = Gate()
    batcher = make(gate)

    async def wait() -> None:
        gate.occupy(batcher)
        with pytest.raises(Overloaded) as told:
            await batcher.ask("late", deadline=0.01)
        assert type(told.value) is Overloaded
        asked = asyncio.create_task(batcher.ask("in time", deadline=SECONDS))
        await asyncio.sleep(0)
        gate.open.set()
        assert await asked == "in time"

    asyncio.run(wait())
    assert gate.batches == [["first"], ["in time"]]


def test_who_waits_beyond_the_deadline_for_what_was_begun_is_told_so(make) -> None:
    gate = Gate()
    batcher = make(gate)

    async def wait() -> None:
        with pytest.raises(Begun):
            await batcher.ask("begun", deadline=0.01)
        gate.open.set()

    asyncio.run(wait())
    assert batcher.submit("next").result(SECONDS) == "next"


def test_a_lane_passes_over_what_is_late_even_where_nobody_was_told_yet(make) -> None:
    gate = Gate()
    batcher = make(gate)

    async def wait() -> None:
        gate.occupy(batcher)
        late, other = asyncio.create_task(batcher.ask("late", deadline=0.01)), asyncio.create_task(batcher.ask("other"))
        await asyncio.sleep(0)
        time.sleep(0.02)  # noqa: ASYNC251 - the loop has no time to tell
        gate.open.set()
        assert await other == "other"
        with pytest.raises(Overloaded):
            await late

    asyncio.run(wait())
    assert gate.batches == [["first"], ["other"]]


def test_what_was_put_off_can_be_taken_back(make) -> None:
    """Nothing was done for it, so whoever gives up is not told that the outcome is unknown."""
    batches: list[Any] = []
    held = {name: (threading.Event(), threading.Event()) for name in ("first", "last")}

    def run(items: list[str]) -> Sequence[Any]:
        batches.append(*items)
        for inside, open_ in [held[item] for item in items if item in held]:
            inside.set()
            assert open_.wait(SECONDS)
        return [LATER] if items == ["locked"] else items

    batcher = make(run, max_items=1)

    async def leave() -> None:
        first = asyncio.create_task(batcher.ask("first"))
        await asyncio.to_thread(held["first"][0].wait, SECONDS)
        locked, last = asyncio.create_task(batcher.ask("locked")), asyncio.create_task(batcher.ask("last"))
        await asyncio.sleep(0)
        held["first"][1].set()
        await asyncio.to_thread(held["last"][0].wait, SECONDS)
        locked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await locked
        held["last"][1].set()
        assert await asyncio.gather(first, last) == ["first", "last"]

    asyncio.run(leave())
    assert batches == ["first", "locked", "last"]


def test_overload_is_no_failure_of_an_engine() -> None:
    assert not issubclass(Overloaded, EngineError)


def test_a_loop_that_is_gone_does_not_end_the_lane(make) -> None:
    gate = Gate()
    batcher = make(gate)

    async def leave() -> None:
        task = asyncio.create_task(batcher.ask("gone"))
        await asyncio.to_thread(gate.entered.acquire, timeout=SECONDS)
        task.cancel()

    asyncio.run(leave())
    gate.open.set()
    assert batcher.submit("next").result(SECONDS) == "next"


def test_too_much_weight_that_waits_is_refused_at_once(make) -> None:
    gate = Gate()
    batcher = make(gate, max_waiting_weight=10)
    gate.occupy(batcher)
    waiting = [batcher.submit("heavy", 11)]
    with pytest.raises(Overloaded, match="Too many"):
        batcher.submit("light")
    gate.open.set()
    assert [future.result(SECONDS) for future in waiting] == ["heavy"]
    assert batcher.submit("light").result(SECONDS) == "light"


def test_stop_finishes_what_waits_and_takes_nothing_more() -> None:
    gate = Gate()
    batcher: Batcher[Any, Any] = Batcher("test", gate)
    first = gate.occupy(batcher)
    waiting = [batcher.submit(number) for number in range(10)]
    stopper = threading.Thread(target=batcher.stop)
    stopper.start()
    while not batcher._stopping:
        pass
    with pytest.raises(Stopping):
        batcher.submit("late")
    gate.open.set()
    stopper.join(SECONDS)
    assert [future.result(0) for future in (first, *waiting)] == ["first", *range(10)]


def test_stop_may_be_called_twice() -> None:
    batcher: Batcher[Any, Any] = Batcher("test", lambda items: items)
    batcher.stop()
    batcher.stop()


def test_lanes_run_at_the_same_time(make) -> None:
    meeting = threading.Barrier(3)

    def run(items: list[int]) -> list[int]:
        meeting.wait(SECONDS)
        return items

    batcher = make(run, max_items=1, lanes=3)
    assert [future.result(SECONDS) for future in [batcher.submit(number) for number in range(3)]] == [0, 1, 2]


def test_everybody_gets_their_own_answer_whoever_asks(make) -> None:
    batcher = make(lambda items: [LATER if item % 7 == 0 and not seen(item) else -item for item in items], max_items=8, lanes=3)
    noted: set[int] = set()

    def seen(item: int) -> bool:
        return item in noted or bool(noted.add(item))

    wrong: list[int] = []

    def ask(first: int) -> None:
        wrong.extend(number for number in range(first, first + 50) if batcher.submit(number).result(SECONDS) != -number)

    threads = [threading.Thread(target=ask, args=(1000 * number + 1,)) for number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
