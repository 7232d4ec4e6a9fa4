"""An app with a field of every kind that twofold had when `folder.tar.gz` was made."""

from __future__ import annotations

import enum
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import Field

from twofold import App, Column, Email, Guarded, Keyword, Password, Places, Resource, Secret, Text, Unique, command


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Article(Resource, name="articles", partitions=2):
    """Every kind, alone, in a list, and as one that may be missing."""

    title: Annotated[str, Text(), Keyword(), Field(max_length=300)]
    body: Annotated[str, Text()] = ""
    code: Annotated[str, Keyword(), Unique(), Field(max_length=64), Column("article_code")]
    contact: Annotated[Email | None, Keyword()] = None
    amount: int = 7
    ratio: float | None = None
    active: bool = True
    born: date = date(2026, 1, 31)
    seen: datetime | None = None
    price: Annotated[Decimal, Places(2)] = Decimal("1.50")
    weight: Annotated[Decimal | None, Places(9), Unique()] = None
    colour: Colour = Colour.RED
    size: Literal["s", "m"] | None = None
    status: Annotated[Literal["new", "sold"], Guarded()] = "new"
    tags: Annotated[list[str], Keyword()] = Field(default_factory=list)
    amounts: list[int] = Field(default_factory=list)
    prices: Annotated[list[Decimal], Places(3)] = Field(default_factory=list)
    days: list[date] = Field(default_factory=list)
    moments: list[datetime] = Field(default_factory=list)
    password: Annotated[Password, Field(min_length=8)]
    pin: Secret

    @command(event="sold")
    def sell(self, at: Annotated[Decimal, Places(2)]) -> Self:
        return self.model_copy(update={"status": "sold", "price": at})


app = App(Article)
