"""Accounts of a bank: another app on the same runtime. Try it: `twofold up --app examples.accounts:app`."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import Field

from twofold import App, Context, Guarded, Keyword, Places, Refused, Resource, Text, command

Amount = Annotated[Decimal, Field(gt=0, decimal_places=2)]


class Account(Resource, name="accounts"):
    """Money changes by deposits and withdrawals only, and a closed account stays closed."""

    owner: Annotated[str, Text(), Keyword(), Field(min_length=1, max_length=200)]
    balance: Annotated[Decimal, Places(2), Guarded(), Field(ge=0)] = Decimal(0)
    status: Annotated[Literal["open", "closed"], Guarded()] = "open"
    note: Annotated[str | None, Text()] = None
    tags: Annotated[list[str], Keyword()] = Field(default_factory=list)
    opened_on: date
    closed_on: Annotated[date | None, Guarded()] = None

    @command(event="deposited")
    def deposit(self, amount: Amount) -> Self:
        self._refuse_closed()
        return self.model_copy(update={"balance": self.balance + amount})

    @command(event="withdrawn")
    def withdraw(self, amount: Amount) -> Self:
        self._refuse_closed()
        if amount > self.balance:
            raise Refused("insufficient-funds", "The account does not hold that much.")
        return self.model_copy(update={"balance": self.balance - amount})

    @command(event="closed")
    def close(self, reason: Annotated[str, Field(min_length=1, max_length=200)], ctx: Context) -> Self:
        """The reason is not part of the state; it travels with the event."""
        self._refuse_closed()
        return self.model_copy(update={"status": "closed", "closed_on": ctx.now.date()})

    def _refuse_closed(self) -> None:
        if self.status == "closed":
            raise Refused("already-closed", "The account is closed.")


app = App(Account)
