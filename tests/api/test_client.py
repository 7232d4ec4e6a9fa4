"""`twofold.testing.Client`, as a user's tests meet it."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError
from contextlib import closing, suppress
from importlib import import_module
from pathlib import Path
from typing import Annotated

import httpx
import pytest

import twofold
from examples import accounts
from twofold import App, Document, Resource, Text, users
from twofold.errors import NeedsRebuild, NotSettled, Problem, Unavailable
from twofold.projector.projector import Projector
from twofold.query.http import QueryService
from twofold.relay.relay import Relay
from twofold.settings import Settings
from twofold.testing import Client

NEW = {"name": "Ana", "email": "ana@example.com", "password": "correct horse"}


class NoteDocument(Document):
    title: Annotated[str, Text()]


class Note(Resource, name="notes"):
    title: str

    def document(self) -> NoteDocument:
        if self.title == "bad":
            raise ValueError(self.title)
        return NoteDocument(title=self.title)


def folder(client: Client) -> Path:
    return client._roles.opened.system.settings.data


def test_a_test_of_ten_lines_writes_waits_and_searches() -> None:
    with Client(accounts.app) as client:
        made = client.post("/accounts", json={"owner": "Ana García", "opened_on": "2026-01-31"})
        assert made.status_code == 201
        assert client.post(f"{made.headers['location']}/deposit", json={"amount": "10"}).json()["balance"] == "10.00"
        refused = client.post(f"{made.headers['location']}/withdraw", json={"amount": "20"})
        assert (refused.status_code, refused.json()["code"]) == (409, "insufficient-funds")
        client.settle()
        [found] = client.get("/accounts", params={"q": "garcia"}).json()["items"]
        assert found["balance"] == "10.00"


def test_reads_wait_for_tokens_without_settling() -> None:
    with Client(users.app) as client:
        token = client.post("/users", json=NEW).headers["consistency-token"]
        assert client.get("/users", params={"q": "ana"}, headers={"Consistency-Token": token}).json()["total"]["value"] == 1


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        ("GET", "/users", 200, None),
        ("POST", "/users/search", 200, None),  # a path of both: of the one that has the method
        ("GET", "/users/suggest?text=a", 400, None),
        ("GET", "/users/00000000-0000-0000-0000-000000000000", 404, None),
        ("PATCH", "/users/search", 415, None),
        ("DELETE", "/users", 405, "POST"),  # a path of both, a method of neither
        ("GET", "/users/00000000-0000-0000-0000-000000000000/password", 405, "PUT"),  # a path of one
        ("GET", "/users/a/b/c", 404, None),
    ],
)
def test_a_request_goes_to_the_service_that_has_its_route(method: str, path: str, status: int, allow: str | None) -> None:
    with Client(users.app) as client:
        answer = client.request(method, path, json={} if method == "POST" else None)
    assert (answer.status_code, answer.headers.get("allow")) == (status, allow)


def test_what_both_services_have_is_the_query_services() -> None:
    with Client(users.app) as client:
        assert client.get("/").json()["service"] == "twofold query service"
        assert client.get("/readyz").json() == {"status": "ready", "engines": {"read store": "ok"}}


def test_settle_tells_of_a_dead_letter_until_a_later_version_is_there() -> None:
    with Client(App(Note)) as client:
        made = client.post("/notes", json={"title": "bad"})
        for _ in range(2):
            with pytest.raises(NotSettled, match=rf"^notes/{made.json()['id']}@1 is a dead letter: .*ValueError"):
                client.settle()
        client.patch(made.headers["location"], json={"title": "good"}, headers={"Content-Type": "application/merge-patch+json"})
        client.settle()
        assert client.get("/notes", params={"q": "good"}).json()["total"]["value"] == 1


def test_settle_says_what_is_under_way_and_why(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = threading.Event()

    def step(relay: Relay) -> float:
        if relay.trouble:
            tried.set()
        raise Unavailable("the disk is full")

    monkeypatch.setattr(Relay, "step", step)
    with Client(users.app) as client:
        client.post("/users", json=NEW)
        assert tried.wait(60)
        with pytest.raises(NotSettled, match=r"^not searchable after 0 s; 1 in the outbox \(the disk is full\)$"):
            client.settle(0)


def test_settle_does_not_wait_for_roles_that_have_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    def step(_: Projector) -> float:
        raise NeedsRebuild("run a rebuild")

    monkeypatch.setattr(Projector, "step", step)
    with Client(users.app) as client:
        client.post("/users", json=NEW)
        with pytest.raises(NotSettled, match=r"^relay and projectors have ended: run a rebuild; 1 in ") as raised:
            client.settle(3600)
        assert isinstance(raised.value.__cause__, NeedsRebuild)


def test_nothing_is_left_behind() -> None:
    threads, before = set(threading.enumerate()), _open_files()
    with Client(users.app) as client:
        client.post("/users", json=NEW)
        client.get("/users")
        client.get("/readyz")
        client.get("/docs/static/swagger-ui.css")
        place = folder(client)
        assert (place / "write.db").exists()
        assert _open_files() > before
    assert not place.exists()
    assert set(threading.enumerate()) == threads
    assert [each for each in _open_files() - before if str(place) in each] == []


def test_a_request_of_another_thread_is_answered_when_the_with_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    inside, closing_, answers = threading.Event(), threading.Event(), list[int]()
    close = QueryService.close

    def slow(*_: object) -> None:
        inside.set()
        assert closing_.wait(60)
        raise Problem(400, "invalid-parameter", "Seen.")

    def closed(service: QueryService) -> None:
        closing_.set()
        close(service)

    monkeypatch.setattr("twofold.query.language.read", slow)
    monkeypatch.setattr(QueryService, "close", closed)
    with Client(users.app) as client:
        other = threading.Thread(target=lambda: answers.append(client.get("/users").status_code), daemon=True)
        other.start()
        assert inside.wait(60)
    other.join(20)
    assert answers == [400]


def test_a_request_that_was_given_up_leaves_no_task(monkeypatch: pytest.MonkeyPatch) -> None:
    """As Ctrl-C gives one up: the caller has gone on, the service has not."""
    asked, ended = threading.Event(), list[BaseException]()

    async def endless(*_: object) -> None:
        asked.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError as error:
            ended.append(error)
            raise

    def quietly(client: Client) -> None:
        with suppress(CancelledError):
            client.get("/users")

    monkeypatch.setattr("twofold.testing.FINISH_SECONDS", 0)
    monkeypatch.setattr("twofold.testing._Both.__call__", endless)
    with Client(users.app) as client:
        other = threading.Thread(target=quietly, args=(client,), daemon=True)
        other.start()
        assert asked.wait(60)
    other.join(20)
    assert not other.is_alive()
    assert len(ended) == 1


def test_a_timeout_is_httpxs(monkeypatch: pytest.MonkeyPatch) -> None:
    async def endless(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr("twofold.testing._Both.__call__", endless)
    with Client(users.app) as client, pytest.raises(httpx.ReadTimeout):
        client.get("/users", timeout=0.01)


def test_what_is_no_app_is_refused() -> None:
    with pytest.raises(TypeError, match="should be an App"):
        Client(Note)  # type: ignore[arg-type]


def test_its_folder_is_where_temporary_folders_are_wanted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)  # it remembers
    with Client(users.app) as client:
        assert folder(client).parent == tmp_path


def _open_files() -> set[str]:
    links = Path("/proc/self/fd")
    return {str(link.readlink()) for link in links.iterdir() if link.is_symlink()}


def test_two_clients_know_nothing_of_each_other() -> None:
    with Client(users.app) as one, Client(users.app) as other, Client(accounts.app) as third:
        assert one.post("/users", json=NEW).status_code == other.post("/users", json=NEW).status_code == 201
        one.post("/users", json={**NEW, "email": "ben@example.com"})
        for client in (one, other, third):
            client.settle()
        assert [client.get("/users").json()["total"]["value"] for client in (one, other)] == [2, 1]
        assert third.get("/users").status_code == 404


def test_a_client_that_is_closed_leaves_others_open() -> None:
    with Client(users.app) as one:
        with Client(users.app) as other:
            other.post("/users", json=NEW)
        assert one.post("/users", json=NEW).status_code == 201
        one.settle()


def test_passwords_are_cheap_for_its_own_services_only(real_costs: Callable[[], str]) -> None:
    with Client(users.app) as client:
        client.post("/users", json=NEW)
        with closing(sqlite3.connect(folder(client) / "write.db")) as db:
            [(hashed,)] = db.execute("SELECT password FROM user").fetchall()
        assert hashed.startswith("$argon2id$v=19$m=8,t=1,p=1$")
        assert real_costs() == "$argon2id$v=19$m=19456,t=2,p=1$"


@pytest.fixture
def real_costs(tmp_path: Path) -> Callable[[], str]:
    """The costs of a hash that a service of `twofold.open` makes."""
    async def post(app: object) -> None:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:  # type: ignore[arg-type]
            assert (await client.post("/users", json=NEW)).status_code == 201

    def costs() -> str:
        with twofold.open(users.app, Settings(data=tmp_path)) as system:
            asyncio.run(post(system.command_app))
        with closing(sqlite3.connect(tmp_path / "write.db")) as db:
            [(hashed,)] = db.execute("SELECT password FROM user").fetchall()
        return str(hashed).rpartition("$")[0].rpartition("$")[0] + "$"

    return costs


def test_no_setting_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TWOFOLD_WRITE_URL", "mysql://root:root@127.0.0.1:1/none")
    monkeypatch.setenv("TWOFOLD_DATA", str(tmp_path / "data"))
    with Client(users.app) as client:
        assert client.post("/users", json=NEW).status_code == 201
    assert not (tmp_path / "data").exists()


def test_outside_a_with_it_says_what_to_write() -> None:
    client = Client(users.app)
    for call in (lambda: client.get("/users"), client.settle):
        with pytest.raises(RuntimeError, match=r"with Client\(app\) as client:"):
            call()
    with Client(users.app) as client:
        pass
    with pytest.raises(RuntimeError, match=r"with Client\(app\) as client:"):
        client.settle()


def test_without_httpx_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "twofold.testing")
    monkeypatch.setitem(sys.modules, "httpx", None)
    with pytest.raises(ImportError, match=r"pip install 'twofold\[testing\]'"):
        import_module("twofold.testing")
