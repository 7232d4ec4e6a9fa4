"""`twofold.open`: services mounted in an app of one's own, relay and projectors in a program of one's own."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, closing, nullcontext
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from tests.pipeline.systems import database, make_app, real_settings, remove

import twofold
from twofold import users
from twofold.bootstrap import System
from twofold.command.http import CommandService
from twofold.command.writer import Writer
from twofold.errors import FolderInUse, NeedsRebuild, Outdated, Unavailable
from twofold.opening import Opened, OpenSystem
from twofold.projector.projector import Projector
from twofold.query.reader import Reader
from twofold.runtime.service import Service, stop_all
from twofold.runtime.web import root
from twofold.settings import Settings, load

NEW = {"name": "Ana", "email": "ana@example.com", "password": "correct horse"}
Http = httpx.AsyncClient


@pytest.fixture
def system(folder: Path, quick_hashes: None) -> OpenSystem:
    return twofold.open(users.app, Settings(data=folder / "data"))


def site(system: OpenSystem) -> Starlette:
    """As in docs/python.md."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        with system:
            threading.Thread(target=system.run, name="roles").start()
            yield

    async def hello(_: Request) -> PlainTextResponse:
        return PlainTextResponse("hello")

    routes = [
        Route("/hello", hello),
        Mount("/commands", system.command_app),
        Mount("/api", routes=[Mount("/käse", system.query_app)]),
        Mount("/{tenant}/commands", system.command_app),
    ]
    return Starlette(routes=routes, lifespan=lifespan)


async def _talk(app: Starlette, talk: Callable[[Http], Awaitable[None]]) -> None:
    async with Http(transport=httpx.ASGITransport(app), base_url="http://example.org") as http:
        await talk(http)


def visit(app: Starlette, talk: Callable[[Http], Awaitable[None]]) -> None:
    async def run() -> None:
        async with app.router.lifespan_context(app):
            await _talk(app, talk)

    asyncio.run(run())


def test_addresses_follow_the_prefix(system: OpenSystem) -> None:
    async def talk(http: Http) -> None:
        assert (await http.get("/hello")).text == "hello"
        made = await http.post("/commands/users", json=NEW)
        assert made.headers["location"] == f"/commands/users/{made.json()['id']}"
        assert (await http.delete(made.headers["location"])).status_code == 204
        other = await http.post("/acme/commands/users", json=NEW)
        assert other.headers["location"] == f"/acme/commands/users/{other.json()['id']}"

    visit(site(system), talk)


def test_links_are_followed_to_the_last_page(system: OpenSystem) -> None:
    async def talk(http: Http) -> None:
        tokens = []
        for number in range(3):
            made = await http.post("/commands/users", json={**NEW, "email": f"ana{number}@example.com"})
            tokens.append(made.headers["consistency-token"])
        url, found = "/api/käse/users?limit=1", list[str]()
        while url:
            page = await http.get(url, headers={"Consistency-Token": ",".join(tokens)})
            found += [each["email"] for each in page.json()["items"]]
            url = page.links.get("next", {}).get("url", "")
            assert not url or url.startswith("/api/k%C3%A4se/users?")
        assert sorted(found) == [f"ana{number}@example.com" for number in range(3)]

    visit(site(system), talk)


def test_the_documentation_is_under_the_prefix(system: OpenSystem) -> None:
    async def talk(http: Http) -> None:
        prefix = "/api/k%C3%A4se"
        greeting = (await http.get("/api/käse/")).json()
        assert (greeting["documentation"], greeting["openapi"]) == (f"{prefix}/docs", f"{prefix}/openapi.json")
        described = (await http.get(greeting["openapi"])).json()
        assert described["servers"] == [{"url": prefix}]
        assert (await http.get(f"{described['servers'][0]['url']}/users")).status_code == 200
        page = await http.get(greeting["documentation"])
        for file in ("docs/static/swagger-ui.css", "docs/static/swagger-ui-bundle.js", "docs/start.js"):
            assert f'"{file}"' in page.text
            assert (await http.get(page.url.join(file))).status_code == 200
        assert 'url: "openapi.json"' in (await http.get(page.url.join("docs/start.js"))).text

    visit(site(system), talk)


def test_problems_are_what_they_are_elsewhere_and_explained_under_the_prefix(system: OpenSystem, monkeypatch: pytest.MonkeyPatch) -> None:
    async def talk(http: Http) -> None:
        for path, status, code in [("/commands/users", 422, "validation-failed"), ("/commands/no/such/thing", 404, "not-found")]:
            answer = await http.post(path, json={})
            assert (answer.status_code, answer.json()["code"]) == (status, code)
            assert answer.json()["type"] == f"/commands/problems/{code}"
            assert (await http.get(answer.json()["type"])).json()["code"] == code
        monkeypatch.setattr("twofold.query.language.read", lambda *_: 1 / 0)
        failed = await http.get("/api/käse/users")
        assert (failed.status_code, failed.json()["code"]) == (500, "internal-error")

    visit(site(system), talk)


def test_a_key_means_the_same_under_every_prefix(system: OpenSystem) -> None:
    async def talk(http: Http) -> None:
        urls = ("/commands/users", "/acme/commands/users")
        answers = [await http.post(url, json=NEW, headers={"Idempotency-Key": "k"}) for url in urls]
        assert [answer.status_code for answer in answers] == [201, 201]
        assert [answer.headers["location"] for answer in answers] == [f"{url}/{answers[0].json()['id']}" for url in urls]

    visit(site(system), talk)


def test_a_site_can_be_started_again(system: OpenSystem) -> None:
    app, seen = site(system), list[int]()

    async def talk(http: Http) -> None:
        seen.append((await http.post("/commands/users", json=NEW)).status_code)

    visit(app, talk)
    visit(app, talk)
    assert seen == [201, 409]


def test_threads_and_the_folder_are_free_behind_it(system: OpenSystem, folder: Path) -> None:
    threads = set(threading.enumerate())

    async def talk(http: Http) -> None:
        with pytest.raises(FolderInUse), twofold.open(users.app, Settings(data=folder / "data")):
            pass
        await http.post("/commands/users", json=NEW)
        for url in ("/api/käse/users", "/commands/readyz", "/api/käse/readyz"):
            assert (await http.get(url)).status_code == 200

    visit(site(system), talk)
    for thread in set(threading.enumerate()) - threads:
        thread.join(60)  # what ran `run` may be returning from it
    assert set(threading.enumerate()) == threads
    with twofold.open(users.app, Settings(data=folder / "data")):
        pass


@pytest.mark.parametrize(
    ("given", "told"), [("//evil.example/all", "/evil.example/all"), ("/\ud800", "/%3F"), ("//", ""), ("/käse/", "/k%C3%A4se"), ("", "")]
)
def test_a_prefix_is_an_address_of_this_host(given: str, told: str) -> None:
    assert root({"root_path": given}) == told


def test_the_site_keeps_its_own_scope(system: OpenSystem) -> None:
    scopes = list[Any]()

    async def noted(scope: Any, receive: Any, send: Any) -> None:
        scopes.append(scope)
        await system.query_app(scope, receive, send)

    async def get() -> None:
        async with Http(transport=httpx.ASGITransport(noted), base_url="http://localhost") as http:
            assert (await http.get("/livez")).status_code == 200

    with system:
        _ = system.query_app
        asyncio.run(get())
    assert "app" not in scopes[0]


def test_what_is_no_app_and_no_settings_is_refused_before_a_folder_is_made(folder: Path) -> None:
    with pytest.raises(TypeError, match=r"should be an App, as App\(Book\) makes one, not <module 'twofold.users'"):
        twofold.open(users)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"as twofold\.settings\.load gives them, not of type dict"):
        twofold.open(users.app, {"data": folder / "data"}).__enter__()  # type: ignore[arg-type]
    assert not (folder / "data").exists()


def test_a_star_takes_no_builtin_away() -> None:
    names: dict[str, Any] = {}
    exec("from twofold import *", names)  # noqa: S102
    assert "open" not in names


@pytest.mark.parametrize(
    ("method", "url", "kind", "name"),
    [
        ("POST", "/commands/users", CommandService, "_look"),
        ("POST", "/commands/users", Writer, "run"),
        ("GET", "/api/käse/users", Reader, "_search"),
    ],
)
def test_a_request_that_the_site_cancels_is_cancelled(
    system: OpenSystem, monkeypatch: pytest.MonkeyPatch, method: str, url: str, kind: type, name: str
) -> None:
    """So that its timeouts are its own, and nothing is answered that nobody knows."""
    begun, hold = threading.Event(), threading.Event()
    work = getattr(kind, name)

    def held(*given: object) -> object:
        begun.set()
        assert hold.wait(60)
        return work(*given)

    async def talk(http: Http) -> None:
        asked = asyncio.create_task(http.request(method, url, json=NEW if method == "POST" else None))
        assert await asyncio.to_thread(begun.wait, 60)
        asked.cancel()
        await asyncio.wait([asked])
        hold.set()
        assert asked.cancelled()

    monkeypatch.setattr(kind, name, held)
    visit(site(system), talk)


def test_outside_a_with_it_says_what_to_write(system: OpenSystem) -> None:
    async def get() -> None:
        async with Http(transport=httpx.ASGITransport(system.query_app), base_url="http://localhost") as http:
            await http.get("/users")

    with system, pytest.raises(RuntimeError, match="open already"), system:
        pass
    for call in (lambda: asyncio.run(get()), system.run):
        with pytest.raises(RuntimeError, match=r"with twofold.open\(app\) as system:"):
            call()
    system.stop()


def test_what_is_not_migrated_is_refused_where_it_is_used(system: OpenSystem, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(System, "pending", lambda *_: ["create table user"])
    with system:
        for use in (lambda: system.command_app, system.run):
            with pytest.raises(Outdated, match=r"create table user.*Run `twofold migrate` first"):
                use()
    with pytest.raises(Outdated), system:  # the command service is to be mounted
        pass
    monkeypatch.undo()
    with system:  # the folder is free
        pass


@pytest.fixture
def running(system: OpenSystem) -> Iterator[Callable[[], threading.Thread]]:
    """Runs relay and projectors in a thread, which is over when the test ends."""
    threads: list[threading.Thread] = []

    def start() -> threading.Thread:
        threads.append(threading.Thread(target=system.run))
        threads[-1].start()
        _until_running(system)
        return threads[-1]

    yield start
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()


def _until_running(system: OpenSystem) -> None:
    while not system.opened.services:
        os.sched_yield()


def test_run_ends_by_stop_and_by_the_end_of_the_with(system: OpenSystem, running: Callable[[], threading.Thread]) -> None:
    with system:
        thread = running()
        with pytest.raises(RuntimeError, match="run already"):
            system.run()
        system.stop()
        thread.join(60)
        assert not thread.is_alive()
        system.run()  # returns at once
    with system:
        running()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_run_in_the_main_thread_ends_by_a_signal(system: OpenSystem, number: signal.Signals) -> None:
    assert threading.current_thread() is threading.main_thread()
    before = signal.getsignal(number)

    def end() -> None:
        _until_running(system)
        os.kill(os.getpid(), number)

    with system:
        thread = threading.Thread(target=end)
        thread.start()
        system.run()
        thread.join()
    assert signal.getsignal(number) is before


@pytest.fixture
def stuck(system: OpenSystem, monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Projectors whose step lasts until this is set. Whatever is left open then is closed behind the test."""
    hold, opened = threading.Event(), list[Opened]()
    step, enter = Projector.step, OpenSystem.__enter__

    def stuck_step(projector: Projector) -> float:
        assert hold.wait(60)
        return step(projector)

    def noted(entered: OpenSystem) -> OpenSystem:
        enter(entered)
        opened.append(entered.opened)
        return entered

    monkeypatch.setattr(Projector, "step", stuck_step)
    monkeypatch.setattr(OpenSystem, "__enter__", noted)
    yield hold
    hold.set()
    for service in [service for each in opened for service in each._begun]:
        assert service.stop(60)
    for each in opened:
        each.system.close()


def test_the_services_end_and_the_engines_stay_open_where_a_projector_does_not_stop(
    system: OpenSystem, folder: Path, stuck: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = set(threading.enumerate())
    def impatient(services: list[Service], _: float = 0) -> list[str]:
        for service in services:
            service.stop(60 if service.name == "relay" else 0)
        return stop_all(services, 0)

    monkeypatch.setattr("twofold.opening.stop_all", impatient)
    thread = threading.Thread(target=system.run)
    app = site(system)

    async def talk(http: Http) -> None:
        await http.post("/commands/users", json=NEW)

    with structlog.testing.capture_logs() as logs, system:
        thread.start()
        _until_running(system)
        asyncio.run(_talk(app, talk))
    assert [entry["services"] for entry in logs if entry["event"].startswith("the engines stay open")] == [["projector users"]]
    with pytest.raises(FolderInUse), twofold.open(users.app, Settings(data=folder / "data")):
        pass
    thread.join(60)
    for each in set(threading.enumerate()) - threads:
        if each.name == "purger":  # it was told to stop, and is on its way
            each.join(10)
    assert {each.name for each in set(threading.enumerate()) - threads} == {"projector users"}


def test_a_second_interrupt_closes_no_engine_under_a_projector(
    system: OpenSystem, folder: Path, stuck: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(services: list[Service], timeout: float = 1) -> list[str]:
        if timeout:
            raise KeyboardInterrupt
        return stop_all(services, timeout)

    monkeypatch.setattr("twofold.opening.stop_all", interrupted)
    thread = threading.Thread(target=lambda: (_until_running(system), system.stop()))
    with system:
        thread.start()
        with pytest.raises(KeyboardInterrupt):
            system.run()
    thread.join(60)
    with pytest.raises(FolderInUse), twofold.open(users.app, Settings(data=folder / "data")):
        pass


def test_a_run_that_comes_while_the_system_closes_returns(
    system: OpenSystem, running: Callable[[], threading.Thread], monkeypatch: pytest.MonkeyPatch
) -> None:
    close, met = Opened.close, list[bool]()

    def closed(opened: Opened) -> None:
        opened.ending.set()
        with opened._running if not opened.services else nullcontext():
            system.run()
        met.append(True)
        close(opened)

    monkeypatch.setattr(Opened, "close", closed)
    with system:
        running()
    assert met == [True]


def test_a_service_is_opened_once_whoever_asks(system: OpenSystem, monkeypatch: pytest.MonkeyPatch) -> None:
    made, barrier = list[str](), threading.Barrier(8)
    query_service = System.query_service

    def noted(opened: System) -> Any:
        made.append("query")
        os.sched_yield()
        return query_service(opened)

    def ask() -> None:
        barrier.wait(60)
        assert system.query_app is not None

    monkeypatch.setattr(System, "query_service", noted)
    with system:
        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert made == ["query"]


def test_run_raises_what_no_waiting_mends(system: OpenSystem, monkeypatch: pytest.MonkeyPatch) -> None:
    def step(_: Projector) -> float:
        raise NeedsRebuild("run a rebuild")

    monkeypatch.setattr(Projector, "step", step)
    with system, pytest.raises(NeedsRebuild, match="run a rebuild"):
        system.run()


def test_only_the_engine_that_is_used_is_asked(folder: Path) -> None:
    """A program that mounts the query service alone needs no write store."""
    settings = Settings(data=folder, write_url="mysql://nobody@127.0.0.1:1/none", log_url="kafka://127.0.0.1:1")
    with twofold.open(users.app, Settings(data=folder)):
        pass
    with twofold.open(users.app, settings) as system:
        assert system.query_app is not None
        with pytest.raises(Unavailable):
            _ = system.command_app


@pytest.mark.engine
def test_on_real_engines_it_wants_a_migration_and_may_be_open_twice() -> None:
    name = f"t{uuid.uuid4().hex[:12]}"
    app, settings = make_app(name), load(**real_settings(name, "elasticsearch"))

    async def talk(http: Http) -> None:
        made = await http.post(f"/commands/{name}", json={"name": "Ana", "email": "ana@example.com"})
        headers = {"Consistency-Token": made.headers["consistency-token"], "Prefer": "wait=10"}
        while (found := await http.get(f"/api/käse/{name}?q=ana", headers=headers)).status_code == 503:
            assert found.json()["code"] == "projection-lagging"  # the group takes its time to gather
        assert [each["id"] for each in found.json()["items"]] == [made.json()["id"]]

    with ExitStack() as stack:
        stack.callback(remove, name, "elasticsearch")
        stack.enter_context(database(name))
        with twofold.open(app, settings) as system, pytest.raises(Outdated, match="Run `twofold migrate` first"):
            _ = system.command_app
        with closing(System(app, settings)) as migrated:
            migrated.migrate()
        with twofold.open(app, settings) as other:
            assert other.command_app is not None
            visit(site(twofold.open(app, settings)), talk)
