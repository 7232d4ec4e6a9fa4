"""Who waits for a version, on an index that changes when a test says so: what is looked at, refreshed and shared, and when it ends."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import Any

import pytest
from starlette.requests import Request

from twofold import Resource
from twofold.errors import Overloaded, Problem, Unavailable
from twofold.query import freshness as module
from twofold.query import refreshes
from twofold.query.freshness import LOOKS, Freshness, Seen
from twofold.query.reader import Reader
from twofold.resource import Declaration
from twofold.users import User


class Other(Resource, name="others"):
    name: str


USERS, OTHERS = User.declaration, Other.declaration
A, B = "01890000-0000-7000-8000-00000000000a", "01890000-0000-7000-8000-00000000000b"
Documents = dict[str, dict[str, Any]]


class Index:
    """One document per id, `found` by searches with the version that it had when a refresh began. Notes what is asked, with the time."""

    def __init__(self) -> None:
        self.documents: Documents = {}
        self.found: dict[str, int] = {}
        self.refusals: dict[str, int] = {}
        self.generation, self.away = "users-000001", ""
        self.calls: list[tuple[str, Any]] = []
        self.starts: list[float] = []
        self.refresh_seconds = self.look_seconds = 0.0
        self.running = self.most = 0
        self.held = threading.Event()
        self.held.set()

    def apply(self, id_: str, version: int, **members: Any) -> None:
        self.documents[id_] = {"id": id_, "version": version, **members}

    def asked(self, kind: str) -> list[Any]:
        return [what for name, what in self.calls if name == kind]

    def live(self, resource: Declaration) -> str:
        self._meet("live", resource.name)
        if resource.name == self.away:
            raise Unavailable("away")
        return self.generation

    def get(self, resource: Declaration, ids: Sequence[str], *, generation: str = "") -> Documents:
        self._meet("get", (generation, sorted(ids)))
        time.sleep(self.look_seconds)
        return {id_: self.documents[id_] for id_ in ids if id_ in self.documents}

    def refused(self, resource: Declaration, ids: Sequence[str]) -> dict[str, int]:
        self._meet("refused", sorted(ids))
        return {id_: self.refusals[id_] for id_ in ids if id_ in self.refusals}

    def refresh(self, resource: Declaration, *, generation: str) -> None:
        self._meet("refresh", generation)
        self.starts.append(time.monotonic())
        seen = {id_: document["version"] for id_, document in self.documents.items()}
        self.running += 1
        self.most = max(self.most, self.running)
        time.sleep(self.refresh_seconds)
        self.running -= 1
        self.found.update(seen)

    def _meet(self, name: str, what: Any) -> None:
        self.calls.append((name, what))
        self.held.wait(10)


@pytest.fixture
def index() -> Iterator[Index]:
    index = Index()
    yield index
    index.held.set()


@pytest.fixture
def freshness(index: Index) -> Iterator[Freshness]:
    reader = Reader(index)  # type: ignore[arg-type]
    freshness = Freshness({"users": USERS, "others": OTHERS}, index, reader)  # type: ignore[arg-type]
    yield freshness
    index.held.set()
    freshness.stop()
    reader.stop()


def request(*tokens: str, prefer: str = "") -> Request:
    headers = [(b"consistency-token", token.encode()) for token in tokens] + ([(b"prefer", prefer.encode())] if prefer else [])
    return Request({"type": "http", "method": "GET", "path": "/", "headers": headers})


def token(id_: str, version: int, resource: str = "users") -> str:
    return f"{resource}/{id_}@{version}"


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(coroutine)


def refusal(coroutine: Coroutine[Any, Any, Any]) -> Problem:
    with pytest.raises(Problem) as raised:
        run(coroutine)
    return raised.value


async def meanwhile(seconds: float, do: Callable[[], None], *reads: Coroutine[Any, Any, Any]) -> list[Any]:
    """The answers of reads during which something happens."""
    asyncio.get_running_loop().call_later(seconds, do)
    return await asyncio.gather(*reads)


class TestWithoutToken:
    def test_nothing_is_paid(self, index: Index, freshness: Freshness) -> None:
        index.apply(A, 1)
        threads = threading.active_count()
        assert run(freshness.seen(request(prefer="wait=5, handling=lenient"), USERS)) == Seen("", {})
        assert (index.calls, threading.active_count()) == ([], threads)
        assert run(freshness.get(request(prefer="wait=99"), USERS, A)) == ({"id": A, "version": 1}, {})
        assert index.calls == [("get", ("", [A]))]


class TestGet:
    def test_it_answers_with_the_document_that_was_looked_at(self, index: Index, freshness: Freshness) -> None:
        index.apply(A, 3)
        assert run(freshness.get(request(token(A, 2)), USERS, A)) == ({"id": A, "version": 3}, {})
        assert index.calls == [("live", "users"), ("get", ("users-000001", [A]))]

    def test_it_waits_until_the_version_is_there(self, index: Index, freshness: Freshness) -> None:
        [(document, _)] = run(meanwhile(0.1, lambda: index.apply(A, 2), freshness.get(request(token(A, 2)), USERS, A)))
        assert document == {"id": A, "version": 2}
        assert index.asked("refresh") == []

    def test_a_delete_is_waited_for_and_then_nothing_is_there(self, index: Index, freshness: Freshness) -> None:
        index.apply(A, 1)
        read = freshness.get(request(token(A, 2)), USERS, A)
        assert run(meanwhile(0.05, lambda: index.apply(A, 2, deleted=True), read)) == [(None, {})]

    def test_an_id_without_a_token_is_looked_at_together_with_the_tokens(self, index: Index, freshness: Freshness) -> None:
        index.apply(A, 1)
        index.apply(B, 1)
        assert run(freshness.get(request(token(B, 1)), USERS, A)) == ({"id": A, "version": 1}, {})
        assert index.asked("get") == [("users-000001", [A, B])]

    def test_all_tokens_have_to_hold_whatever_resource_they_are_of(self, index: Index, freshness: Freshness) -> None:
        index.apply(A, 1)
        error = refusal(freshness.get(request(token(A, 1), token(B, 1, "others"), prefer="wait=0"), USERS, A))
        assert (error.code, error.members["missing"]) == ("projection-lagging", [token(B, 1, "others")])

    @pytest.mark.parametrize("lenient", ["", ", handling=lenient"])
    def test_what_is_not_there_yet_is_never_said_to_be_nowhere(self, freshness: Freshness, lenient: str) -> None:
        error = refusal(freshness.get(request(token(A, 1), prefer=f"wait=0{lenient}"), USERS, A))
        assert (error.status, error.code) == (503, "projection-lagging")
        assert ("handling=lenient" in error.detail) is (not lenient)  # no hint to do what was done

    @pytest.mark.parametrize("lenient", ["", ", handling=lenient"])
    def test_a_version_behind_a_tombstone_is_not_said_to_be_nowhere(self, index: Index, freshness: Freshness, lenient: str) -> None:
        index.apply(A, 1, deleted=True)
        assert refusal(freshness.get(request(token(A, 2), prefer=f"wait=0{lenient}"), USERS, A)).code == "projection-lagging"

    def test_where_another_is_missing_the_lenient_are_told_what_is_known(self, freshness: Freshness) -> None:
        told = {"Preference-Applied": "wait=0, handling=lenient", "Consistency-Status": "stale"}
        assert run(freshness.get(request(token(B, 1), prefer="handling=lenient, wait=0"), USERS, A)) == (None, told)

    @pytest.mark.parametrize("version", [None, "2", 1.5, {}])
    def test_a_version_that_is_none_is_not_taken_for_one(self, index: Index, freshness: Freshness, version: Any) -> None:
        index.documents[A] = {"id": A, "version": version}
        assert refusal(freshness.get(request(token(A, 1), prefer="wait=0"), USERS, A)).code == "projection-lagging"


class TestNotInTime:
    @pytest.mark.parametrize("read", ["get", "seen"])
    def test_the_problem_tells_what_is_missing_and_how_long_it_was_waited(self, freshness: Freshness, read: str) -> None:
        begun = time.monotonic()
        reading = request(token(A, 7), prefer="wait=1")
        error = refusal(freshness.get(reading, USERS, A) if read == "get" else freshness.seen(reading, USERS))
        assert (error.status, error.code, error.members["missing"]) == (503, "projection-lagging", [token(A, 7)])
        assert error.headers == {"Retry-After": "1", "Preference-Applied": "wait=1"}
        assert 1000 <= error.members["waited_ms"] <= 1000 * (time.monotonic() - begun) + 1
        assert time.monotonic() - begun < 1.5

    def test_who_does_not_want_to_wait_looks_once(self, index: Index, freshness: Freshness) -> None:
        assert refusal(freshness.seen(request(token(A, 1), prefer="wait=0"), USERS)).members["waited_ms"] < 500
        assert (len(index.asked("get")), index.asked("refresh")) == (1, [])

    def test_the_lenient_are_answered_with_what_is_there(self, index: Index, freshness: Freshness) -> None:
        index.apply(A, 1)
        told = {"Preference-Applied": "wait=0, handling=lenient", "Consistency-Status": "stale"}
        reading = request(token(A, 2), prefer="wait=0, handling=lenient")
        assert run(freshness.get(reading, USERS, A)) == ({"id": A, "version": 1}, told)
        assert run(freshness.seen(reading, USERS)) == Seen("users-000001", told)

    def test_an_index_that_hangs_is_not_waited_for_any_longer(self, index: Index, freshness: Freshness) -> None:
        index.held.clear()
        begun = time.monotonic()
        assert refusal(freshness.seen(request(token(A, 1), prefer="wait=1"), USERS)).code == "projection-lagging"
        lenient = request(token(A, 1), prefer="wait=1, handling=lenient")
        assert run(freshness.seen(lenient, USERS)).generation == ""
        assert time.monotonic() - begun < 3

    def test_who_finds_no_room_to_wait_is_told_at_once(
        self, index: Index, freshness: Freshness, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Tokens that nobody was given cost others nothing; who is lenient takes what is there."""
        monkeypatch.setattr(module, "MAX_WAITING", 3)
        index.apply(A, 1)
        index.apply(B, 1)

        async def ask() -> list[Any]:
            waiting = [asyncio.create_task(freshness.seen(request(token(A, 2), token(B, 2), prefer="wait=10"), USERS))]
            while not freshness._tokens:  # noqa: ASYNC110 - it has no event for this
                await asyncio.sleep(0)
            refused = await asyncio.gather(
                freshness.seen(request(token(A, 3), token(B, 3)), USERS),
                freshness.seen(request(token(A, 3), token(B, 3), prefer="handling=lenient"), USERS),
                freshness.seen(request(token(A, 1), token(B, 1)), USERS),
                return_exceptions=True,
            )
            assert not waiting[0].done()
            index.apply(A, 2)
            index.apply(B, 2)
            return [*refused, await waiting[0], await freshness.seen(request(token(A, 2), token(B, 2)), USERS)]

        strict, lenient, there, waited, after = run(ask())
        assert type(strict) is Overloaded
        assert lenient.headers["Consistency-Status"] == "stale"
        assert [each.generation for each in (there, waited, after)] == ["users-000001"] * 3
        assert freshness._tokens == 0

    def test_between_two_looks_lies_a_tenth_of_what_was_waited_or_50_ms(self) -> None:
        for number, pause in enumerate(LOOKS):
            assert pause <= max(0.05, sum(LOOKS[:number]) / 10)
        assert (LOOKS[-1], sum(LOOKS) < 6) == (0.5, True)

    def test_looks_become_rarer(self, index: Index, freshness: Freshness) -> None:
        refusal(freshness.get(request(token(A, 1), prefer="wait=1"), USERS, A))
        assert 15 <= len(index.asked("get")) <= 30

    def test_an_index_that_is_away_is_told_to_those_of_its_resource(self, index: Index, freshness: Freshness) -> None:
        index.away = "others"
        index.apply(A, 1)

        async def together() -> list[Any]:
            reads = [freshness.get(request(token(A, 1, name)), USERS, A) for name in ("users", "others", "users", "others")]
            return await asyncio.gather(*reads, return_exceptions=True)

        assert [type(answer) for answer in run(together())] == [tuple, Unavailable, tuple, Unavailable]


class TestRefused:
    @pytest.mark.parametrize("version", [2, 3])
    def test_a_version_among_the_dead_letters_is_not_waited_for(self, index: Index, freshness: Freshness, version: int) -> None:
        index.apply(A, 1)
        index.refusals[A] = version
        for read in (freshness.get(request(token(A, 2)), USERS, A), freshness.seen(request(token(A, 2)), USERS)):
            error = refusal(read)
            assert (error.status, error.code, error.members["missing"]) == (503, "projection-refused", [token(A, 2)])
            assert "Retry-After" not in error.headers
            assert error.members["waited_ms"] < 500

    def test_a_dead_letter_of_an_older_version_says_nothing(self, index: Index, freshness: Freshness) -> None:
        index.refusals[A] = 1
        [(document, _)] = run(meanwhile(0.05, lambda: index.apply(A, 2), freshness.get(request(token(A, 2)), USERS, A)))
        assert document is not None

    def test_a_newer_version_that_was_taken_makes_up_for_it(self, index: Index, freshness: Freshness) -> None:
        index.apply(A, 3)
        index.refusals[A] = 2
        assert run(freshness.get(request(token(A, 2)), USERS, A))[0] == {"id": A, "version": 3}
        assert index.asked("refused") == []

    def test_the_lenient_are_answered_at_once(self, index: Index, freshness: Freshness) -> None:
        index.apply(A, 1)
        index.refusals[A] = 2
        begun = time.monotonic()
        document, told = run(freshness.get(request(token(A, 2), prefer="handling=lenient"), USERS, A))
        assert (document["version"], told["Consistency-Status"]) == (1, "stale")
        assert time.monotonic() - begun < 0.5

    def test_one_that_never_was_taken_is_refused_to_the_lenient_too(self, index: Index, freshness: Freshness) -> None:
        index.refusals[A] = 1
        assert refusal(freshness.get(request(token(A, 1), prefer="handling=lenient"), USERS, A)).code == "projection-refused"


class TestSearch:
    def test_it_goes_on_with_the_generation_that_was_looked_at_and_refreshed(self, index: Index, freshness: Freshness) -> None:
        index.apply(A, 1)
        assert run(freshness.seen(request(token(A, 1)), USERS)) == Seen("users-000001", {})
        assert [name for name, _ in index.calls] == ["live", "get", "refresh"]
        assert index.asked("refresh") == ["users-000001"]

    def test_a_refresh_that_began_before_the_version_was_seen_does_not_count(self, index: Index, freshness: Freshness) -> None:
        """The version comes while the refresh of another one runs."""
        index.apply(A, 1)
        index.refresh_seconds = 0.3

        async def together() -> None:
            first = asyncio.create_task(freshness.seen(request(token(A, 1)), USERS))
            while not index.running:  # noqa: ASYNC110 - a thread sets it
                await asyncio.sleep(0.001)
            index.apply(B, 1)
            await freshness.seen(request(token(B, 1)), USERS)
            assert index.found == {A: 1, B: 1}
            await first

        run(together())
        assert (len(index.starts), index.most) == (2, 1)

    def test_refreshes_are_shared_and_begin_so_often_at_most(self, index: Index, freshness: Freshness) -> None:
        """A new version every 4 ms, each with a reader."""
        ids = [f"01890000-0000-7000-8000-{number:012}" for number in range(100)]

        async def read(number: int) -> None:
            await asyncio.sleep(number * 0.004)
            index.apply(ids[number], 1)
            await freshness.seen(request(token(ids[number], 1)), USERS)
            assert index.found[ids[number]] == 1

        async def together() -> None:
            await asyncio.gather(*map(read, range(len(ids))))

        run(together())
        pauses = [later - before for before, later in zip(index.starts, index.starts[1:], strict=False)]
        assert 2 <= len(index.starts) <= 8
        assert min(pauses) >= refreshes.SECONDS
        assert index.most == 1

    def test_what_is_known_to_be_found_is_not_refreshed_again(self, index: Index, freshness: Freshness) -> None:
        index.apply(A, 2)
        for version in (2, 1, 2):
            run(freshness.seen(request(token(A, version)), USERS))
        assert len(index.starts) == 1
        index.generation = "users-000002"
        run(freshness.seen(request(token(A, 2)), USERS))
        assert index.asked("refresh") == ["users-000001", "users-000002"]

    def test_what_is_remembered_is_bounded(self, index: Index, freshness: Freshness, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(refreshes, "REMEMBERED", 2)
        ids = [f"01890000-0000-7000-8000-{number:012}" for number in range(4)]
        for id_ in ids:
            index.apply(id_, 1)
            run(freshness.seen(request(token(id_, 1)), USERS))
        run(freshness.seen(request(token(ids[3], 1)), USERS))
        assert len(index.starts) == 4
        run(freshness.seen(request(token(ids[1], 1)), USERS))
        assert len(index.starts) == 5

    def test_what_searches_do_not_look_in_is_not_refreshed(self, index: Index, freshness: Freshness) -> None:
        index.apply(A, 1)
        assert run(freshness.seen(request(token(A, 1, "others")), USERS)) == Seen("", {})
        assert index.asked("refresh") == []

    def test_a_swap_between_two_looks_leads_to_the_new_generation(self, index: Index, freshness: Freshness) -> None:
        def swap() -> None:
            index.generation = "users-000002"
            index.apply(A, 1)

        [seen] = run(meanwhile(0.1, swap, freshness.seen(request(token(A, 1)), USERS)))
        assert (seen.generation, index.asked("refresh")) == ("users-000002", ["users-000002"])

    def test_a_swap_behind_the_look_does_not_lead_to_another_generation(self, index: Index, freshness: Freshness) -> None:
        """Those who saw the version in the old one search there, beside those who saw it in the new one."""
        index.apply(A, 1)
        index.apply(B, 1)
        index.refresh_seconds = 0.2

        async def together() -> list[Seen]:
            first = asyncio.create_task(freshness.seen(request(token(A, 1)), USERS))
            while not index.running:  # noqa: ASYNC110 - a thread sets it
                await asyncio.sleep(0.001)
            old = asyncio.create_task(freshness.seen(request(token(B, 1)), USERS))
            while len(index.asked("get")) < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
            index.generation = "users-000002"
            return list(await asyncio.gather(first, old, freshness.seen(request(token(B, 1)), USERS)))

        assert [seen.generation[-1] for seen in run(together())] == ["1", "1", "2"]
        assert [name[-1] for name in index.asked("refresh")] == ["1", "1", "2"]


class TestMany:
    def test_they_wait_without_a_thread_each_and_look_together(self, index: Index, freshness: Freshness) -> None:
        run(freshness.get(request(token(A, 1), prefer="wait=0, handling=lenient"), USERS, B))  # the lanes are there
        threads, before = threading.active_count(), len(index.calls)
        ids = [f"01890000-0000-7000-8000-{number:012}" for number in range(200)]
        most = 0

        def arrive() -> None:
            nonlocal most
            most = threading.active_count()
            for id_ in ids:
                index.apply(id_, 1)

        answers = run(meanwhile(0.5, arrive, *(freshness.get(request(token(id_, 1)), USERS, id_) for id_ in ids)))

        assert [document["id"] for document, _ in answers] == ids
        assert most == threads
        assert len(index.calls) - before < 3 * 60

    def test_one_look_asks_for_a_bounded_number(self, index: Index, freshness: Freshness) -> None:
        async def together() -> list[Any]:
            index.held.clear()
            numbers = iter(range(10_000))
            reads = []
            for _ in range(60):
                tokens = [token(f"01890000-0000-7000-8000-{next(numbers):012}", 1) for _ in range(16)]
                reads.append(freshness.seen(request(", ".join(tokens), prefer="wait=0, handling=lenient"), USERS))
            asyncio.get_running_loop().call_later(0.1, index.held.set)
            return await asyncio.gather(*reads)

        assert len(run(together())) == 60
        assert max(len(ids) for _, ids in index.asked("get")) == 256
        assert len(index.asked("get")) <= 6

    def test_several_tokens_hold_at_the_same_look(self, index: Index, freshness: Freshness) -> None:
        """In the old generation the one is there, in the new one only the other."""
        index.apply(A, 1)

        def swap() -> None:
            index.generation = "users-000002"
            index.documents = {B: {"id": B, "version": 1}}

        read = freshness.seen(request(token(A, 1), token(B, 1), prefer="wait=1"), USERS)
        with pytest.raises(Problem) as raised:
            run(meanwhile(0.1, swap, read))
        assert raised.value.members["missing"] == [token(A, 1)]


class TestStop:
    @pytest.mark.parametrize("hangs", [False, True])
    def test_who_waits_is_told_at_once(self, index: Index, freshness: Freshness, hangs: bool) -> None:
        reads = [request(token(A, 1), prefer=prefer) for prefer in ("wait=10", "wait=10, handling=lenient")]

        async def together() -> list[Any]:
            tasks = [asyncio.create_task(freshness.seen(read, USERS)) for read in reads]
            tasks += [asyncio.create_task(freshness.get(read, USERS, A)) for read in reads]
            await asyncio.sleep(0.1)
            if hangs:
                index.held.clear()
                await asyncio.sleep(0.1)
            freshness.release()
            freshness.release()
            return await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 0.5)

        for answer in run(together()):
            assert (answer.status, answer.code, answer.headers["Retry-After"]) == (503, "projection-lagging", "1")
            assert answer.detail == "The service stops."

    def test_who_waits_for_a_refresh_is_told_at_once(self, index: Index, freshness: Freshness) -> None:
        index.apply(A, 1)
        index.refresh_seconds = 1.0

        async def together() -> None:
            task = asyncio.create_task(freshness.seen(request(token(A, 1), prefer="wait=10"), USERS))
            while not index.running:  # noqa: ASYNC110 - a thread sets it
                await asyncio.sleep(0.001)
            freshness.release()
            await asyncio.wait_for(task, 0.5)

        assert refusal(together()).members["missing"] == [token(A, 1)]

    def test_who_comes_later_does_not_wait(self, index: Index, freshness: Freshness) -> None:
        index.apply(A, 1)
        freshness.stop()
        assert refusal(freshness.get(request(token(A, 1)), USERS, A)).code == "projection-lagging"
        assert index.calls == []

    def test_it_ends_from_another_thread_and_with_a_loop_that_is_closed(self, freshness: Freshness) -> None:
        loop = asyncio.new_event_loop()
        task = loop.create_task(freshness.seen(request(token(A, 1)), USERS))
        loop.run_until_complete(asyncio.sleep(0.05))

        async def other() -> None:
            threading.Timer(0.1, freshness.release).start()
            await freshness.seen(request(token(A, 1), prefer="wait=10"), USERS)

        try:
            assert refusal(other()).detail == "The service stops."
            with pytest.raises(Problem):
                loop.run_until_complete(task)
        finally:
            loop.close()
        freshness.stop()

    def test_nobody_is_kept_in_mind_who_has_gone(self, freshness: Freshness) -> None:
        async def gone() -> None:
            task = asyncio.create_task(freshness.seen(request(token(A, 1), prefer="wait=10"), USERS))
            await asyncio.sleep(0.05)
            task.cancel()
            with pytest.raises((asyncio.CancelledError, Problem)):
                await task
            assert freshness._waiting == set()

        run(gone())
