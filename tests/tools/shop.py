"""What the tests of imports fill: products as shops export them, orders with days and moments, two lists of people, accounts."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Self

from pydantic import Field

from twofold import App, Document, Guarded, Keyword, Places, Resource, Secret, Text, Unique, command


class Product(Resource, name="products"):
    sku: Annotated[str, Keyword(), Unique(), Field(min_length=1, max_length=60)]
    name: Annotated[str, Text(), Keyword()]
    description: Annotated[str | None, Text()] = None
    price: Annotated[Decimal | None, Places(2)] = None
    stock: int = 0
    weight: float | None = None
    active: bool = True
    tags: Annotated[list[str], Keyword()] = Field(default_factory=list)
    shelf: Annotated[str | None, Keyword()] = "A"


class Order(Resource, name="orders"):
    number: Annotated[str, Keyword()]
    day: date | None = None
    at: datetime | None = None


class Lead(Resource, name="leads"):
    name: Annotated[str, Text(), Keyword()]
    city: Annotated[str, Keyword()] = ""


class Contact(Resource, name="contacts"):
    name: Annotated[str, Text(), Keyword()]
    city: Annotated[str, Keyword()] = ""


class Account(Resource, name="accounts"):
    owner: Annotated[str, Keyword(), Unique()]
    code: Secret
    balance: Annotated[int, Guarded()] = 0

    @command()
    def deposit(self, amount: int) -> Self:
        return self.model_copy(update={"balance": self.balance + amount})


class Slot(Resource, name="slots"):
    """Its creation makes another value of the unique field."""

    code: Annotated[str, Keyword(), Unique()]

    @command()
    def create(self) -> Self:
        return self.model_copy(update={"code": self.code[:1]})


class FilmDocument(Document):
    title: Annotated[str, Text(), Keyword()]
    year: int


class Film(Resource, name="films"):
    """Readers do not see all of it."""

    title: Annotated[str, Keyword(), Unique()]
    year: int = 0
    plot: str = ""
    rating: int = 3

    def document(self) -> FilmDocument:
        return FilmDocument(title=self.title, year=self.year)


class GuestDocument(Document):
    name: Annotated[str, Text(), Keyword()]


class Guest(Resource, name="guests"):
    """Readers see something else."""

    first: str
    last: str

    def document(self) -> GuestDocument:
        return GuestDocument(name=f"{self.first} {self.last}")


app = App(Product, Order, Lead, Contact, Account, Slot, Film, Guest)
