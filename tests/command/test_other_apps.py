"""What follows from a declaration where it differs from the built-in app's."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Self

import pytest
from pydantic import EmailStr, Field
from tests.stack import Stack

from twofold import App, Context, Guarded, Keyword, Password, Places, Refused, Resource, Secret, Text, Unique, command


class Member(Resource, name="members"):
    """Two secrets, a command that takes one, a free command that refuses."""

    name: Annotated[str, Text(), Field(max_length=50)]
    email: Annotated[EmailStr | None, Unique(), Keyword()] = None
    joined: datetime | None = None
    dues: Annotated[Decimal, Places(2)] = Decimal(0)
    visits: Annotated[int, Guarded()] = 0
    pin: Annotated[Password, Field(min_length=4)]
    token: Secret = Secret("none")

    @command(event="visited")
    def visit(self, guests: int = 0, ctx: Context | None = None) -> Self:
        return self.model_copy(update={"visits": self.visits + 1 + guests})

    @command()
    def invite(self, email: EmailStr, code: Annotated[Password, Field(min_length=4)]) -> Self:
        if code.get_secret_value() == "wrong":
            raise Refused("wrong-code", "The code is wrong.")
        return self

    @command()
    def enter(self, code: Password | None = None) -> Self:
        return self

    @command()
    def break_down(self, how: str) -> Self:
        if how == "raise":
            raise ValueError("the reason is told to nobody")
        return self.model_copy(update={"visits": how})

    @command()
    def delete(self) -> None:
        if self.visits:
            raise Refused("regular", "A regular is not forgotten.")


class Note(Resource, name="notes", commands=("replace", "delete")):
    """Nothing creates one."""

    text: str


class Leaf(Resource, name="leaves", commands=("create",)):
    """Nothing changes one."""

    text: str = "green"


ANA = {"name": "Ana", "pin": "2468-x"}
SOMEBODY = "00000000-0000-7000-8000-000000000000"


@pytest.fixture
def club(open_stack: Callable[[App], Stack]) -> Stack:
    return open_stack(App(Member, Note, Leaf))


@pytest.fixture
def ana(club: Stack) -> str:
    return club.command.post("/members", ANA).headers["location"]


def test_each_secret_has_its_own_address(club: Stack, ana: str) -> None:
    assert club.command.put(f"{ana}/pin", {"pin": "1357-x"}).status_code == 204
    assert club.command.put(f"{ana}/token", {"token": "t"}, if_match='"2"').status_code == 204
    assert club.command.put(f"{ana}/token", {"pin": "1357-x"}).status_code == 422


def test_a_plain_secret_is_kept_as_it_is_and_a_password_as_a_hash(club: Stack, ana: str) -> None:
    club.command.put(f"{ana}/token", {"token": "plain as day"})
    with club.system.store._database.read() as connection:
        pin, token = connection.exec_driver_sql("SELECT pin, token FROM members").one()
    assert (pin.startswith("$argon2id$"), token) == (True, "plain as day")


def test_a_secret_that_is_set_is_a_version_and_an_update_also_where_it_is_the_same(club: Stack, ana: str) -> None:
    """Whether it is the same is not to be told; readers see the version and the time, consumers an update."""
    for version, member in ((2, "pin"), (3, "pin"), (4, "token"), (5, "token")):
        answer = club.command.put(f"{ana}/{member}", {member: "2468-x"})
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (204, b"", f'"{version}"')
    assert club.command.patch(ana, {"name": "Ana"}).headers["etag"] == '"5"'  # and this is none
    records = [record for _, _, record in club.system.outbox.pending(10)]
    assert [(each.type, each.version) for each in records] == [("members.created", 1), *(("members.updated", n) for n in (2, 3, 4, 5))]
    values = [{**json.loads(each.value or b""), "version": 0, "updated_at": ""} for each in records]
    assert all(value == values[0] for value in values)


def test_a_command_without_arguments_needs_no_body(club: Stack, ana: str) -> None:
    assert club.command("POST", f"{ana}/visit", headers={"Content-Type": "application/json"}).json()["visits"] == 1
    assert club.command("POST", f"{ana}/visit").status_code == 415  # a browser sends this for any site, without asking
    assert club.command.post(f"{ana}/visit", {"guests": 2}).json()["visits"] == 4


@pytest.mark.parametrize("body", [{"guests": "2"}, {"guests": True}, {"guests": 2.5}, {"guests": None}, {"ctx": {}}, {"other": 1}, [], "x"])
def test_arguments_are_as_strict_as_fields(club: Stack, ana: str, body: Any) -> None:
    answer = club.command.post(f"{ana}/visit", body)
    assert (answer.status_code, answer.json()["code"]) == (422, "validation-failed")


def test_a_command_honours_a_version_and_an_idempotency_key(club: Stack, ana: str) -> None:
    assert club.command.post(f"{ana}/visit", {}, if_match='"9"').status_code == 412
    first, again = (club.command.post(f"{ana}/visit", {}, if_match='"1"', idempotency_key="k") for _ in range(2))
    assert (again.json(), again.headers["idempotent-replayed"]) == (first.json(), "true")
    assert club.command.post(f"{ana}/visit", {"guests": 1}, if_match='"1"', idempotency_key="k").json()["code"] == "idempotency-key-reused"


def test_a_secret_argument_is_in_no_event(club: Stack, ana: str) -> None:
    assert club.command.post(f"{ana}/invite", {"email": "bea@example.com", "code": "hush-hush"}).status_code == 200
    *_, (_, _, record) = club.system.outbox.pending(10)
    assert (record.type, record.args) == ("members.invite", '{"email":"bea@example.com"}')


def test_another_secret_argument_under_the_same_key_is_another_request(club: Stack, ana: str) -> None:
    bodies = [{"email": "bea@example.com", "code": code} for code in ("hush-hush", "something else", "hush-hush")]
    first, other, again = (club.command.post(f"{ana}/invite", body, idempotency_key="k") for body in bodies)
    assert (first.status_code, other.status_code, other.json()["code"]) == (200, 422, "idempotency-key-reused")
    assert (again.status_code, again.headers["idempotent-replayed"], again.json()) == (200, "true", first.json())


@pytest.mark.parametrize("bodies", [({}, {"code": "hush-hush"}), ({"code": "hush-hush"}, {}), ({}, {"code": None})])
def test_a_secret_argument_that_was_not_given_before_is_another_request(club: Stack, ana: str, bodies: tuple[Any, Any]) -> None:
    first, other, again = (club.command.post(f"{ana}/enter", body, idempotency_key="k") for body in (*bodies, bodies[0]))
    assert (first.status_code, other.status_code, other.json()["code"]) == (200, 422, "idempotency-key-reused")
    assert (again.status_code, again.headers["idempotent-replayed"], again.json()) == (200, "true", first.json())


def test_of_two_at_the_same_time_of_which_one_gives_a_secret_one_is_another_request(club: Stack, ana: str) -> None:
    asked = [("POST", f"{ana}/enter", {"json": body, "headers": {"Idempotency-Key": "k"}}) for body in ({}, {"code": "hush-hush"})]
    assert sorted(answer.status_code for answer in club.command.together(asked)) == [200, 422]


def test_another_plain_secret_under_the_same_key_is_another_request(club: Stack, ana: str) -> None:
    for method, url, more in (("PUT", f"{ana}/token", {}), ("POST", "/members", {"name": "Bea", "pin": "2468 and more"})):
        asked = [{"json": {**more, "token": token}, "headers": {"Idempotency-Key": url}} for token in ("one", "two", "one")]
        first, other, again = (club.command(method, url, **each) for each in asked)
        assert (first.is_success, other.status_code, other.json()["code"]) == (True, 422, "idempotency-key-reused")
        assert (again.status_code, again.headers["idempotent-replayed"]) == (first.status_code, "true")


def test_no_receipt_holds_a_secret(club: Stack, ana: str) -> None:
    club.command.put(f"{ana}/token", {"token": "marker-token"}, idempotency_key="a")
    club.command.post(f"{ana}/invite", {"email": "bea@example.com", "code": "marker-code"}, idempotency_key="b")
    with club.system.store._database.read() as connection:
        rows = connection.exec_driver_sql("SELECT * FROM receipt").all()
    assert len(rows) == 2
    assert "marker" not in str(rows)
    assert all("$argon2id$" in str(row) for row in rows)


def test_a_wrong_argument_is_not_repeated(club: Stack, ana: str) -> None:
    for email in ("marker@", "marker@marker", "mar ker@example.com", "@marker.com", "marker@-marker-.com"):
        answer = club.command.post(f"{ana}/invite", {"email": email, "code": "hush-hush"})
        assert (answer.status_code, [error["pointer"] for error in answer.json()["errors"]]) == (422, ["/email"])
        assert "mar" not in answer.text


def test_a_free_command_may_refuse(club: Stack, ana: str) -> None:
    club.command.post(f"{ana}/visit", {})
    refusal = club.command.delete(ana)
    assert (refusal.status_code, refusal.json()["code"]) == (409, "regular")


def test_a_broken_command_is_ours_and_says_nothing(club: Stack, ana: str) -> None:
    answer = club.command.post(f"{ana}/break_down", {"how": "raise"})
    assert (answer.status_code, answer.json()["code"]) == (500, "command-broken")
    assert "reason is told" not in answer.text


def test_a_result_that_is_no_state_is_refused(club: Stack, ana: str) -> None:
    answer = club.command.post(f"{ana}/break_down", {"how": "MARKER"})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/visits")
    assert "MARKER" not in answer.text


def test_no_address_is_ever_taken(club: Stack) -> None:
    for _ in range(2):
        assert club.command.post("/members", {**ANA, "email": None}).status_code == 201


def test_null_brings_back_a_default_or_nothing(club: Stack, ana: str) -> None:
    changed = club.command.patch(ana, {"email": "ana@example.com", "dues": "12.5", "joined": "2026-01-31T12:00:00+01:00"}).json()
    assert (changed["dues"], changed["joined"]) == ("12.50", "2026-01-31T11:00:00.000Z")
    cleared = club.command.patch(ana, {"email": None, "dues": None, "joined": None}).json()
    assert (cleared["email"], cleared["dues"], cleared["joined"]) == (None, "0.00", None)


@pytest.mark.parametrize(
    ("method", "url"),
    [("POST", "/notes"), ("PATCH", f"/notes/{SOMEBODY}"), ("PUT", f"/leaves/{SOMEBODY}"), ("DELETE", f"/leaves/{SOMEBODY}")],
)
def test_what_is_switched_off_is_not_there(club: Stack, method: str, url: str) -> None:
    assert club.command(method, url, json={"text": "x"}).status_code in (404, 405)


def test_put_creates_nothing_where_nothing_is_created(club: Stack) -> None:
    assert club.command.put(f"/notes/{SOMEBODY}", {"text": "x"}, if_none_match="*").json()["code"] == "precondition-required"
    assert "201" not in club.command.get("/openapi.json").json()["paths"]["/notes/{id}"]["put"]["responses"]


def test_resources_do_not_see_each_other(club: Stack, ana: str) -> None:
    assert club.command.delete(ana.replace("members", "notes")).status_code == 404
    created = club.command.post("/leaves", {})
    club.settle()
    assert club.query.get("/members").json()["total"]["value"] == 1
    assert club.query.get(created.headers["location"]).json()["text"] == "green"
