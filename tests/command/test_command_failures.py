"""What clients are told when an engine, the pool or the service itself fails: the truth, whether to come back, and nothing else."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import structlog
from starlette.routing import Mount
from tests.stack import JSON, PATCH, Stack, chunks

from twofold.command import passwords
from twofold.command.http import OVERHEAD
from twofold.command.writer import Writer
from twofold.errors import Contended, OutcomeUnknown, Overloaded, Rejected, Unavailable
from twofold.runtime.batcher import Batcher
from twofold.runtime.web import CLIENT, Client, Web

ANA = {"name": "Ana", "email": "ana@example.com", "password": "correct horse"}
NOBODY = "/users/00000000-0000-7000-8000-000000000000"


@pytest.fixture
def down(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Stack:
    """The write store does not answer."""

    def fail(*_: Any, **__: Any) -> None:
        raise Unavailable("tcp://10.0.0.7: connection refused")

    for name in ("unit", "look", "check"):
        monkeypatch.setattr(stack.system.store, name, fail)
    return stack


def test_a_store_that_is_away_is_told_with_when_to_come_back(down: Stack) -> None:
    asked = [
        ("POST", "/users", {"json": ANA}),
        ("PUT", NOBODY, {"json": ANA, "headers": {"If-None-Match": "*"}}),
        ("PATCH", NOBODY, {"json": {"name": "A"}, "headers": PATCH}),
        ("DELETE", NOBODY, {}),
        ("PUT", f"{NOBODY}/password", {"json": {"password": "correct horse"}}),
    ]
    for method, url, options in asked:
        answer = down.command(method, url, **options)
        assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, "write-store-unavailable", "1")
        assert "10.0.0.7" not in answer.text


def test_why_a_store_is_away_is_logged_once_under_the_instance_of_the_answers(down: Stack) -> None:
    with structlog.testing.capture_logs() as logs:
        answers = down.command.together([("POST", "/users", {"json": ANA}), *[("DELETE", NOBODY, {})] * 50])
    assert {answer.json()["code"] for answer in answers} == {"write-store-unavailable"}
    assert [entry["reason"] for entry in logs] == ["tcp://10.0.0.7: connection refused"]
    assert {answer.json()["instance"] for answer in answers} == {logs[0]["instance"]}


def test_too_many_looks_at_a_store_that_is_there_are_no_outage(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    look = stack.system.store.look
    entered, done = threading.Semaphore(0), threading.Event()

    def slow(*given: Any) -> Any:
        entered.release()
        assert done.wait(10)
        return look(*given)

    monkeypatch.setattr(stack.system.store, "look", slow)
    monkeypatch.setattr(stack.commands._looks, "_max_waiting", 2)
    threading.Timer(0.3, done.set).start()
    answers = stack.command.together([("POST", "/users", {"json": ANA})] * 40)
    told = [(answer.status_code, answer.json()["code"]) for answer in answers if answer.status_code == 503]
    assert told
    assert set(told) == {(503, "overloaded")}
    assert {answer.headers["retry-after"] for answer in answers if answer.status_code == 503} == {"1"}


def test_what_is_wrong_with_a_request_is_told_all_the_same(down: Stack) -> None:
    assert down.command.post("/users", {**ANA, "name": ""}).status_code == 422


def test_what_is_committed_is_never_answered_with_a_failure_to_look(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(*_: Any) -> bool:
        raise Unavailable("still away")

    def commit(_: Any) -> None:
        raise OutcomeUnknown("the connection was lost")

    monkeypatch.setattr(stack.system.store, "settle", lost)
    monkeypatch.setattr(stack.system.store._database, "commit", commit)
    answer = stack.command.post("/users", ANA)
    assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, "outcome-unknown", "1")


def test_a_lock_that_is_not_given_up_is_told(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    def contended(*_: Any, **__: Any) -> None:
        raise Contended("deadlock")

    monkeypatch.setattr(Writer._run, "__defaults__", (0.05,))  # seconds of patience
    monkeypatch.setattr(stack.system.store, "unit", contended)
    answer = stack.command.delete(NOBODY)
    assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, "row-locked", "1")


def test_values_that_the_store_refuses_are_the_requests_fault(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    def rejected(*_: Any, **__: Any) -> None:
        raise Rejected("data too long for column 'name' at row 1")

    monkeypatch.setattr(stack.system.store, "unit", rejected)
    answer = stack.command.delete(NOBODY)
    assert (answer.status_code, answer.json()["code"]) == (422, "refused-by-store")
    assert "column" not in answer.text


class TestPool:
    @pytest.fixture
    def full(self, stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
        """Every core hashes, and more wait than would be done in time."""
        done = threading.Event()

        class Slow:
            def hash(self, password: str) -> str:
                done.wait(10)
                return "$argon2id$"

        monkeypatch.setattr(passwords, "_HASHER", Slow())
        with pytest.raises(Overloaded):
            while True:
                stack.commands._hashes.submit("filler")
        yield stack
        done.set()

    def test_a_full_pool_is_told_with_when_to_come_back(self, full: Stack) -> None:
        answer = full.command.post("/users", ANA)
        assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, "overloaded", "2")

    def test_what_needs_no_hash_goes_on(self, full: Stack) -> None:
        assert full.command.delete(NOBODY).status_code == 404
        assert full.command.get("/livez").status_code == 200

    def test_a_replay_needs_no_hash(self, stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
        first = stack.command.post("/users", ANA, idempotency_key="k")
        monkeypatch.setattr(stack.commands._hashes, "submit", lambda _: pytest.fail("a hash was made"))
        assert stack.command.post("/users", ANA, idempotency_key="k").json() == first.json()

    def test_a_taken_address_needs_no_hash(self, stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
        stack.command.post("/users", ANA)
        monkeypatch.setattr(stack.commands._hashes, "submit", lambda _: pytest.fail("a hash was made"))
        assert stack.command.post("/users", ANA).json()["code"] == "email-taken"


def test_too_many_that_wait_are_told_with_when_to_come_back(stack: Stack) -> None:
    stack.commands._writer._batcher._max_waiting = 0
    answer = stack.command.delete(NOBODY)
    assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, "overloaded", "1")


def test_what_a_client_says_of_its_length_weighs_nothing(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    weights: list[int] = []
    ask = Batcher.ask

    async def noted(self: Any, item: Any, weight: int = 1) -> Any:
        weights.append(weight)
        return await ask(self, item, weight)

    monkeypatch.setattr(Batcher, "ask", noted)
    stack.command("DELETE", NOBODY, headers={"Content-Length": "99999999"})
    assert weights == [OVERHEAD]
    stack.command("PATCH", NOBODY, content=chunks(10, 3, []), headers=PATCH)  # of no told length, and no JSON
    stack.command("PATCH", NOBODY, content=b'{"name": "Ana"}', headers=PATCH)
    assert weights == [OVERHEAD, OVERHEAD + 15]


def test_an_answer_that_was_begun_is_not_followed_by_another() -> None:
    async def broken(_: Any, __: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise ZeroDivisionError

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    app = Web([Mount("/", broken)])
    asyncio.run(app({"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b""}, None, send))  # type: ignore[arg-type]
    assert [message["type"] for message in sent] == ["http.response.start"]


def test_a_service_that_stops_takes_nothing_more(stack: Stack) -> None:
    stack.commands.close()
    answer = stack.command.delete(NOBODY)
    assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, "shutting-down", "1")
    assert stack.command.post("/users", ANA).json()["code"] == "shutting-down"


def test_what_is_begun_when_the_server_stops_may_be_done(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server cancels what is not done in time, and its clients are told what is known."""
    begun, hold = threading.Event(), threading.Event()
    commit = stack.commands._writer._batcher._run

    def held(commands: Any) -> Any:
        begun.set()
        assert hold.wait(60)
        return commit(commands)

    async def served(scope: Any, receive: Any, send: Any) -> None:
        await stack.commands.http({**scope, CLIENT: Client()}, receive, send)

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(served), base_url="http://localhost") as http:
            asked = asyncio.create_task(http.delete(NOBODY))
            assert await asyncio.to_thread(begun.wait, 60)
            asked.cancel()
            await asyncio.wait([asked])
            hold.set()
            return await asked

    monkeypatch.setattr(stack.commands._writer._batcher, "_run", held)
    answer = asyncio.run(ask())
    assert (answer.status_code, answer.json()["code"]) == (503, "outcome-unknown")


def test_a_pool_that_is_closed_takes_no_password(stack: Stack) -> None:
    stack.commands._hashes.close()
    assert stack.command.post("/users", ANA).json()["code"] == "shutting-down"


def test_a_mistake_of_ours_says_nothing_about_itself(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    def mistake(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("/etc/secret in line 7")

    monkeypatch.setattr(Batcher, "ask", mistake)
    with structlog.testing.capture_logs() as logs:
        answer = stack.command.delete(NOBODY)
    body = answer.json()
    assert (answer.status_code, body["code"], answer.headers["content-type"]) == (500, "internal-error", "application/problem+json")
    assert "secret" not in answer.text
    assert [entry["instance"] for entry in logs if "instance" in entry] == [body["instance"]]


def test_a_client_that_goes_away_is_no_mistake_of_ours(stack: Stack) -> None:
    messages = [{"type": "http.request", "body": b'{"name":', "more_body": True}, {"type": "http.disconnect"}]
    scope = {"type": "http", "method": "POST", "path": "/users", "query_string": b"", "headers": [(b"content-type", b"application/json")]}

    async def receive() -> dict[str, Any]:
        return messages.pop(0)

    async def send(_: Any) -> None:
        pass

    with structlog.testing.capture_logs() as logs:
        asyncio.run(stack.commands.http(scope, receive, send))
    assert logs == []


class TestReadiness:
    @pytest.mark.parametrize("engine", ["log", "index"])
    def test_a_service_is_ready_while_its_own_store_is(self, stack: Stack, monkeypatch: pytest.MonkeyPatch, engine: str) -> None:
        def away() -> None:
            raise Unavailable("secret reason")

        monkeypatch.setattr(getattr(stack.system, engine), "check", away)
        answer = stack.command.get("/readyz")
        assert (answer.status_code, answer.json()["status"]) == (200, "ready")
        assert sorted(answer.json()["engines"].values()) == ["ok", "ok", "unavailable"]
        assert "secret" not in answer.text

    def test_it_is_not_ready_without_it(self, down: Stack) -> None:
        answer = down.command.get("/readyz")
        assert (answer.status_code, answer.json()["status"], answer.json()["engines"]["write store"]) == (503, "not ready", "unavailable")

    def test_it_lives_without_any(self, down: Stack) -> None:
        assert down.command.get("/livez").status_code == 200

    def test_everything_is_well(self, stack: Stack) -> None:
        assert stack.command.get("/readyz").json() == {
            "status": "ready",
            "engines": {"write store": "ok", "event log": "ok", "read store": "ok"},
        }
        assert stack.query.get("/readyz").json() == {"status": "ready", "engines": {"read store": "ok"}}


def test_no_answer_is_kept_by_caches_or_guessed_at_by_browsers(shared_stack: Stack) -> None:
    for answer in (
        shared_stack.command.get("/"),
        shared_stack.command.delete(NOBODY),
        shared_stack.command("POST", "/users", content=b"", headers=JSON),
    ):
        assert (answer.headers["cache-control"], answer.headers["x-content-type-options"]) == ("no-store", "nosniff")
