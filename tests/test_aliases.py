"""A field with an alias has one name on the wire, everywhere; in Python and in its table it keeps its own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Self

import orjson
import pytest
from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel
from structlog.testing import capture_logs

from tests.stack import Stack
from twofold import App, Document, Guarded, Keyword, Password, Places, Resource, Text, Unique, command


class Customer(Resource, name="customers"):
    customer_id: Annotated[str, Keyword(), Unique(), Field(alias="customerID")]
    city: Annotated[str | None, Keyword(), Text(), Field(alias="homeCity")] = None
    owed: Annotated[Decimal, Places(2), Field(alias="amountOwed")] = Decimal(0)
    since: Annotated[datetime | None, Field(alias="customerSince")] = None
    state: Annotated[str, Keyword(), Guarded(), Field(alias="currentState")] = "new"
    pass_word: Annotated[Password, Field(alias="passWord", min_length=4)]
    plain: str = ""

    @command()
    def move(self, to_city: Annotated[str, Field(alias="toCity")], door_code: Annotated[Password, Field(alias="doorCode")]) -> Self:
        return self.model_copy(update={"city": to_city, "state": "moved"})

    @command
    def spill(self, door_code: Annotated[Password, Field(alias="doorCode")]) -> Self:
        raise ValueError(f"no door opens to {door_code.get_secret_value()}")


class Shop(Resource, name="shops"):
    model_config = ConfigDict(alias_generator=to_camel)
    home_city: Annotated[str, Keyword()]
    open_days: list[int] = Field(default_factory=list)

    @command()
    def move(self, to_city: str) -> Self:
        return self.model_copy(update={"home_city": to_city})


class StallDocument(Document):
    model_config = ConfigDict(alias_generator=to_camel)
    home_city: Annotated[str, Keyword()]
    full_price: Annotated[Decimal, Places(2)]


class Stall(Resource, name="stalls"):
    home_city: Annotated[str, Keyword()]

    def document(self) -> StallDocument:
        return StallDocument(home_city=self.home_city, fullPrice=Decimal("1.5"))  # by either name


ANA = {"customerID": "a-1", "homeCity": "Rome", "amountOwed": "1.50", "customerSince": "2026-01-31T12:00:00Z", "passWord": "2468-x"}


@pytest.fixture
def market(open_stack: Callable[[App], Stack]) -> Stack:
    return open_stack(App(Customer, Shop, Stall))


@pytest.fixture
def ana(market: Stack) -> str:
    return market.command.post("/customers", ANA).headers["location"]


def test_every_command_takes_and_answers_that_name(market: Stack, ana: str) -> None:
    own = ["customerID", "homeCity", "amountOwed", "customerSince", "currentState", "plain"]
    members = ["id", "version", *own, "created_at", "updated_at"]
    changed = market.command.patch(ana, {"plain": "x"})
    assert (changed.status_code, list(changed.json()), changed.json()["homeCity"]) == (200, members, "Rome")
    assert market.command.patch(ana, {"homeCity": "Oslo"}).json()["homeCity"] == "Oslo"
    assert market.command.patch(ana, {"homeCity": None}).json()["homeCity"] is None
    assert market.command.put(f"{ana}/passWord", {"passWord": "1357-x"}).status_code == 204
    moved = market.command.post(f"{ana}/move", {"toCity": "Lima", "doorCode": "hush"}).json()
    assert (moved["homeCity"], moved["currentState"]) == ("Lima", "moved")
    taken = market.command.post("/customers", ANA).json()
    assert (taken["code"], taken["errors"][0]["pointer"]) == ("customerID-taken", "/customerID")


def test_what_was_answered_can_be_put(market: Stack, ana: str) -> None:
    market.settle()
    shown = market.query.get(ana).json()
    body = {name: value for name, value in shown.items() if name not in ("id", "version", "created_at", "updated_at", "currentState")}
    assert market.command.put(ana, {**body, "homeCity": "Bonn"}, if_match="*").json() == {
        **shown, "homeCity": "Bonn", "version": 2, "updated_at": market.command.patch(ana, {}).json()["updated_at"]
    }  # fmt: skip


@pytest.mark.parametrize(
    ("method", "path", "body", "pointers"),
    [
        ("POST", "/customers", {"customer_id": "b", "pass_word": "2468-x"}, {"/customerID", "/passWord", "/customer_id", "/pass_word"}),
        ("PATCH", "", {"city": "Oslo", "homeCity": 1}, {"/city", "/homeCity"}),
        ("PUT", "", {"customer_id": "b"}, {"/customer_id", "/customerID"}),
        ("PATCH", "", {"currentState": "x", "passWord": "x"}, {"/currentState", "/passWord"}),
        ("PATCH", "", {"customerSince": "2024"}, {"/customerSince"}),
        ("POST", "/move", {"to_city": "x", "doorCode": "hush"}, {"/toCity", "/to_city"}),
        ("PUT", "/passWord", {"pass_word": "2468-x"}, {"/passWord", "/pass_word"}),
    ],
)
def test_the_name_in_python_is_not_taken(market: Stack, ana: str, method: str, path: str, body: Any, pointers: set[str]) -> None:
    kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
    url = path if path == "/customers" else f"{ana}{path}"
    match = {"If-Match": "*"} if method == "PUT" else {}
    answer = market.command(method, url, json=body, headers={"Content-Type": kind, **match})
    assert (answer.status_code, {error["pointer"] for error in answer.json()["errors"]}) == (422, pointers)


def test_queries_know_that_name_alone(market: Stack, ana: str) -> None:
    market.settle()
    asked = [
        {"customerID": "a-1"},
        {"filter": 'homeCity = "Rome" AND amountOwed >= 1.5 AND customerSince < 2026-02-01T00:00:00Z'},
        {"q": "rome", "highlight": "homeCity"},
        {"sort": "-amountOwed,homeCity"},
        {"facets": "homeCity,amountOwed:stats,customerSince:month"},
        {"fields": "homeCity"},
    ]
    for each in asked:
        answer = market.query.get("/customers", each)
        assert (answer.status_code, [item["homeCity"] for item in answer.json()["items"]]) == (200, ["Rome"]), each
    for each in ({"customer_id": "a-1"}, {"filter": "city = Rome"}, {"sort": "city"}, {"facets": "city"}, {"fields": "city"}):
        assert market.query.get("/customers", each).status_code == 400, each
    assert market.query.get("/customers/suggest", {"q": "ro"}).json()["items"][0]["field"] == "homeCity"
    assert market.query.get("/customers/export", {"format": "csv", "fields": "homeCity"}).text.startswith("id,version,homeCity\r\n")
    assert market.query.get("/capabilities").json()["resources"]["customers"]["searchable"] == ["homeCity"]


def test_records_and_columns(market: Stack, ana: str) -> None:
    market.command.post(f"{ana}/move", {"toCity": "Lima", "doorCode": "hush"})
    *_, (_, _, record) = market.system.outbox.pending(10)
    assert (orjson.loads(record.value or b"")["homeCity"], record.args) == ("Lima", '{"toCity":"Lima"}')
    with market.system.store._database.read() as connection:
        names = [row[1] for row in connection.exec_driver_sql("PRAGMA table_info(customers)")]
    assert {"customer_id", "customer_id_key", "city", "owed", "since", "state", "pass_word", "plain"} <= set(names)


def test_a_secret_argument_is_in_no_log(market: Stack, ana: str) -> None:
    with capture_logs() as logs:
        answer = market.command.post(f"{ana}/spill", {"doorCode": "HUSH-HUSH"})
    assert (answer.status_code, "no door opens" in str(logs), "HUSH-HUSH" in str(logs)) == (500, True, False)


def test_a_generator_names_fields_and_arguments(market: Stack) -> None:
    shop = market.command.post("/shops", {"homeCity": "Rome", "openDays": [1]}).headers["location"]
    assert market.command.post(f"{shop}/move", {"toCity": "Oslo"}).json()["homeCity"] == "Oslo"
    assert market.command.patch(shop, {"openDays": [2]}).json()["openDays"] == [2]
    market.settle()
    assert market.query.get("/shops", {"filter": "openDays = 2"}).json()["items"][0]["homeCity"] == "Oslo"


def test_a_document_has_its_names(market: Stack) -> None:
    stall = market.command.post("/stalls", {"home_city": "Rome"}).headers["location"]
    market.settle()
    assert market.query.get(stall).json() | {"homeCity": "Rome", "fullPrice": "1.50"} == market.query.get(stall).json()
    assert len(market.query.get("/stalls", {"homeCity": "Rome", "sort": "fullPrice"}).json()["items"]) == 1


def test_openapi_has_that_name(market: Stack) -> None:
    schemas = market.command.get("/openapi.json").json()["components"]["schemas"]
    assert {"customerID", "homeCity", "passWord"} <= schemas["NewCustomer"]["properties"].keys()
    assert schemas["NewCustomer"]["required"] == ["customerID", "passWord"]
    assert "homeCity" in schemas["CustomerMembers"]["properties"]
    assert "currentState" not in schemas["CustomerMembers"]["properties"]
    assert "homeCity" in schemas["Customer"]["properties"]
    assert set(schemas["Customer_move"]["properties"]) == {"toCity", "doorCode"}
    assert set(schemas["Customer_passWord"]["properties"]) == {"passWord"}
    queries = market.query.get("/openapi.json").json()
    assert "homeCity" in queries["components"]["schemas"]["Customer"]["properties"]
    assert "customerID" in [each["name"] for each in queries["paths"]["/customers"]["get"]["parameters"]]


def test_in_python_it_has_its_own() -> None:
    ana = Customer(customer_id="a-1", city="Rome", pass_word=Password("2468-x"), since=datetime(2026, 1, 31, tzinfo=UTC))
    moved = ana.move("Lima", Password("hush"))
    assert (moved.city, moved.state) == ("Lima", "moved")
    assert Customer.declaration.encode(moved)["homeCity"] == "Lima"
