"""The app whose reading is measured: fields of every kind that facets and filters are asked about."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated, Literal

from twofold import App, Keyword, Places, Resource, Text

PLANS = ("free", "team", "company")


class Customer(Resource, name="customers"):
    """A customer of a shop."""

    name: Annotated[str, Text(), Keyword()]
    note: Annotated[str, Text()] = ""
    country: Annotated[str, Keyword()]
    plan: Literal["free", "team", "company"]
    age: int
    joined: date
    spent: Annotated[Decimal, Places(2)]


app = App(Customer)
