"""The app under chaos: accounts whose money must add up. Its name comes from the environment."""

from __future__ import annotations

import os
from typing import Annotated, Self

from pydantic import Field

from twofold import App, Guarded, Keyword, Password, Refused, Resource, Text, Unique, command

Amount = Annotated[int, Field(gt=0)]
Mark = Annotated[str, Field(min_length=1, max_length=64)]


class Account(Resource, name=os.environ["CHAOS"], table="account"):
    """`note` and `memo` hold the mark of the operation that set them, so that each record tells whose it is."""

    handle: Annotated[str, Keyword(), Text(), Unique(), Field(max_length=64)]
    note: Annotated[str, Keyword(), Text(), Field(max_length=64)]
    password: Annotated[Password, Field(min_length=8, max_length=256)]
    balance: Annotated[int, Guarded(), Field(ge=0)] = 0

    @command()
    def deposit(self, amount: Amount, memo: Mark) -> Self:
        return self.model_copy(update={"balance": self.balance + amount})

    @command()
    def withdraw(self, amount: Amount, memo: Mark) -> Self:
        if amount > self.balance:
            raise Refused("insufficient-funds", "The account does not hold that much.")
        return self.model_copy(update={"balance": self.balance - amount})


app = App(Account)
