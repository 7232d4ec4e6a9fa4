"""Bodies that are made from a declaration, and those that the user gives."""

from __future__ import annotations

import enum
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

import orjson
import pytest
from benchmarks import people
from pydantic import EmailStr, Field, field_validator

from examples import accounts
from twofold import App, Guarded, Keyword, Places, Resource, Text, Unique, users
from twofold.bench import bodies
from twofold.bench.bodies import varied
from twofold.bench.client import Digits
from twofold.bench.commands import HASHING, Work
from twofold.bench.derived import derive
from twofold.bench.wrk import MARK
from twofold.command.body import creation, members
from twofold.errors import SettingsError
from twofold.resource import Declaration


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Thing(Resource, name="things"):
    """A field of every kind."""

    title: Annotated[str, Text(), Field(min_length=30, max_length=120)]
    code: Annotated[str, Keyword(), Unique(), Field(max_length=40)]
    address: Annotated[EmailStr, Keyword()]
    number: Annotated[int, Unique()]
    size: Annotated[int, Field(ge=18, le=99)]
    weight: float
    price: Annotated[Decimal, Places(2), Field(gt=0)]
    serial: Annotated[Decimal, Places(1), Unique()]
    born: date
    seen: datetime
    good: bool
    colour: Colour
    kind: Annotated[Literal["a", "b"], Keyword()]
    tags: Annotated[list[str], Keyword()]
    note: str | None = None
    state: Annotated[str, Keyword(), Guarded()] = "new"


class Odd(Resource, name="odds"):
    code: str

    @field_validator("code")
    @classmethod
    def _odd(cls, value: str) -> str:
        if value != "only I know":
            raise ValueError("not that")
        return value


DECLARED = [users.User.declaration, people.Person.declaration, accounts.Account.declaration, Thing.declaration]


@pytest.mark.parametrize("resource", DECLARED, ids=lambda each: each.name)
def test_bodies_fit_their_declaration_with_any_digits(resource: Declaration) -> None:
    digits = Digits()
    for body in bodies.made(resource, 20):
        creation(resource, body)
        creation(resource, orjson.loads(digits.unique(orjson.dumps(body))))


@pytest.mark.parametrize("resource", DECLARED, ids=lambda each: each.name)
def test_unique_values_hold_the_mark(resource: Declaration) -> None:
    [body] = bodies.made(resource, 1)
    for field in resource.uniques:
        assert MARK in str(body[field.name])


def test_bodies_differ_and_are_the_same_in_every_run() -> None:
    first, second = bodies.made(people.Person.declaration), bodies.made(people.Person.declaration)
    assert first == second
    assert len({body["name"] for body in first}) > 100


@pytest.mark.parametrize("resource", DECLARED, ids=lambda each: each.name)
def test_a_change_is_a_patch_that_fits_and_changes_each_time(resource: Declaration) -> None:
    [body] = bodies.made(resource, 1)
    patch = bodies.change(resource, body)
    assert patch is not None
    assert MARK in orjson.dumps(patch).decode()
    members(resource, patch, patch=True)


def test_a_validator_that_nothing_satisfies_is_the_users_to_satisfy() -> None:
    with pytest.raises(SettingsError, match=r"odds\.code \(/code: .*not that.*twofold bench odds --bodies FILE"):
        bodies.made(Odd.declaration)


def test_given_bodies_are_held_against_the_declaration(tmp_path: Path) -> None:
    file = tmp_path / "odds.ndjson"
    file.write_text('{"code": "only I know"}\n\n{"code": "another"}\n')
    with pytest.raises(SettingsError, match=r"line 2: /code: .*not that"):
        bodies.read(Odd.declaration, file)
    file.write_text('{"code": "only I know"}\n')
    assert bodies.read(Odd.declaration, file) == [{"code": "only I know"}]


@pytest.mark.parametrize("content", ["", "\n", "[1]", "{", "7"])
def test_a_file_without_bodies_is_refused(content: str, tmp_path: Path) -> None:
    file = tmp_path / "bodies.ndjson"
    file.write_text(content)
    with pytest.raises(SettingsError, match=r"bodies\.ndjson"):
        bodies.read(people.Person.declaration, file)
    with pytest.raises(SettingsError, match="No such file"):
        bodies.read(people.Person.declaration, tmp_path / "none")


def test_what_is_unique_in_given_bodies_is_made_so() -> None:
    body = {"title": "t", "code": "A7", "number": 5, "serial": "1.5", "address": "a@example.com"}
    found = varied(Thing.declaration, body)
    assert found == {**body, "code": f"A7{MARK}", "number": int(MARK), "serial": MARK}
    assert varied(people.Person.declaration, {"name": "Ana", "email": "ana@example.com"})["email"] == f"ana.{MARK}@example.com"


def test_words_and_values_to_ask_for() -> None:
    resource = people.Person.declaration
    found = [{"name": "Ana Müller", "email": f"bench-{MARK}@example.com"}, {"name": "Bo Müller", "email": "b@example.com"}]
    assert bodies.texts(resource, found) == ["Ana", "Müller", "Bo", "b@example.com"]
    assert bodies.filtered(resource, found) == ("name", ["Ana Müller", "Bo Müller"])


def test_a_derived_app_differs_in_its_names_alone() -> None:
    [own] = derive(accounts.app, "bench_1")
    [given] = accounts.app
    assert (own.topic, own.group, own.index) == ("bench_1-accounts-topic", "bench_1-accounts-group", "bench_1-accounts")
    assert (own.name, own.table, own.partitions, own.free) == (given.name, given.table, given.partitions, given.free)
    assert own.fields == given.fields
    assert own.digest == given.digest
    assert own.commands.keys() == given.commands.keys()
    assert own.dead_letters.startswith("bench_1-")


def test_where_each_creation_hashes_few_connections_are_enough() -> None:
    [user], [person] = derive(users.app, "bench_1"), derive(App(people.Person), "bench_1")
    assert Work(user, []).connections(256) == HASHING
    assert Work(person, []).connections(256) == 256
