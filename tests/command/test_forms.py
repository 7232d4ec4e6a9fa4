"""What a body may say is what OpenAPI promises, whichever command it is for and however deep it says it."""

# ruff: noqa: B006, RUF012 - Pydantic copies defaults
# ruff: noqa: RUF001 - digits that look alike are the point

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Self

import pytest
from pydantic import AfterValidator, BaseModel, BeforeValidator, field_validator
from tests.stack import Stack

from twofold import App, Keyword, Places, Resource, command


class Line(BaseModel):
    """A model of the app's own inside of arguments."""

    at: datetime | None = None
    price: Decimal = Decimal(0)
    ratio: float = 0.0


class Order(Resource, name="orders"):
    """Every kind of which text has more forms than one."""

    at: datetime | None = None
    day: date | None = None
    price: Annotated[Decimal, Places(2)] = Decimal(0)
    ratio: float = 0.0
    moments: list[datetime] = []
    ratios: list[float] = []
    label: Annotated[str, Keyword()] = ""
    exact: Annotated[Decimal, Places(2), AfterValidator(lambda value: value.quantize(Decimal("0.01")))] = Decimal(0)
    local: Annotated[Decimal, Places(2)] = Decimal(0)

    @field_validator("local", mode="before")
    @classmethod
    def _commas(cls, value: Any) -> Any:
        return value.replace(",", ".") if isinstance(value, str) else value

    @command()
    def change(
        self,
        at: datetime | None = None,
        day: date | None = None,
        price: Decimal = Decimal(0),
        ratio: float = 0.0,
        moments: list[datetime] = [],
        ratios: list[float] = [],
        label: str = "",
        exact: Annotated[Decimal, AfterValidator(lambda value: value.quantize(Decimal("0.01")))] = Decimal(0),
        local: Annotated[Decimal, Places(2), BeforeValidator(lambda text: text.replace(",", "."))] = Decimal(0),
    ) -> Self:
        return self.model_copy(update={"at": at, "price": self.price + price * 100, "label": label, "local": local})

    @command()
    def fill(self, lines: list[Line] = [], rates: dict[int, Decimal] = {}, days: dict[date, float] = {}) -> Self:
        return self.model_copy(update={"price": sum((line.price for line in lines), Decimal(0)) + sum(rates.values(), Decimal(0))})


WRONG = [
    *(("at", text) for text in ("20240131", "2024", "0", "-1", "1706700000000", "45322.5", "2024-01-31", "2024-01-31T12:00:00")),
    *(("at", number) for number in (0, 20240131, 1.5, True)),
    *(("day", text) for text in ("0", "-86400", "20240131", "2026-W01-1", "2024-01-31T00:00:00Z")),
    *(("price", text) for text in ("1_0", "1__0", "１２", "٣", " 1 ", "1e1", "1e1000000", "Infinity", "9" * 19, True, 1e300)),
    *(("exact", text) for text in ("9" * 40, "9" * 19, 1e300)),
    *(("ratio", number) for number in (9007199254740993, 123456789012345678, "1")),
    ("moments", ["2024-01-31T12:00:00Z", "2024"]),
    ("ratios", [1.5, 9007199254740993]),
    ("label", "a\x00b"),
    ("local", "1_0"),
    ("local", "1,005"),
]


@pytest.fixture
def shop(open_stack: Callable[[App], Stack]) -> Stack:
    return open_stack(App(Order))


@pytest.fixture
def order(shop: Stack) -> str:
    return shop.command.post("/orders", {}).headers["location"]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_no_command_takes_another_form(shop: Stack, order: str, name: str, value: Any) -> None:
    sent = {name: value}
    answers = [
        shop.command.post("/orders", sent),
        shop.command.put(order, sent, if_match="*"),
        shop.command.patch(order, sent),
        shop.command.post(f"{order}/change", sent),
    ]
    assert [answer.status_code for answer in answers] == [422] * 4
    for answer in answers:
        assert [error["pointer"].startswith(f"/{name}") for error in answer.json()["errors"]] == [True]


RIGHT = [
    ("at", "2024-01-31T12:00:00+01:00", "2024-01-31T11:00:00.000Z"),
    ("day", "2024-01-31", "2024-01-31"),
    ("price", "0012.5", "12.50"),
    ("price", 12.5, "12.50"),
    ("ratio", 9007199254740992, 9007199254740992.0),
    ("local", "12,50", "12.50"),
]


@pytest.mark.parametrize(("name", "sent", "held"), RIGHT)
def test_what_is_promised_is_taken_by_all(shop: Stack, order: str, name: str, sent: Any, held: Any) -> None:
    assert shop.command.post("/orders", {name: sent}).json()[name] == held
    assert shop.command.put(order, {name: sent}, if_match="*").json()[name] == held
    assert shop.command.patch(order, {name: sent}).json()[name] == held
    assert shop.command.post(f"{order}/change", {name: sent}).status_code == 200


@pytest.mark.parametrize(
    ("sent", "pointer"),
    [
        ({"lines": [{}, {"at": "2024"}]}, "/lines/1/at"),
        ({"lines": [{"price": "1_0"}]}, "/lines/0/price"),
        ({"lines": [{"ratio": 9007199254740993}]}, "/lines/0/ratio"),
        ({"rates": {"1_0": "1"}}, "/rates/1_0/[key]"),
        ({"rates": {"1": "٣"}}, "/rates/1"),
        ({"days": {"0": 1.5}}, "/days/0/[key]"),
    ],
)
def test_nor_does_a_model_inside_of_arguments(shop: Stack, order: str, sent: Any, pointer: str) -> None:
    answer = shop.command.post(f"{order}/fill", sent)
    assert (answer.status_code, [error["pointer"] for error in answer.json()["errors"]]) == (422, [pointer])


def test_models_inside_of_arguments_are_the_apps_own(shop: Stack, order: str) -> None:
    sent = {"lines": [{"at": "2024-01-31T12:00:00Z", "price": "1.50"}, {"price": 2}], "rates": {"1": "0.25"}, "days": {"2024-01-31": 1}}
    assert shop.command.post(f"{order}/fill", sent).json()["price"] == "3.75"
