"""The app of the acceptance tests: a resource without a password, so that the load is real. Its name comes from the environment."""

from __future__ import annotations

import os
from typing import Annotated

from twofold import App, Keyword, Resource, Text, Unique


class Person(Resource, name=os.environ["PEOPLE"], table="person"):
    name: Annotated[str, Text(), Keyword()]
    email: Annotated[str, Keyword(), Text(), Unique()]


app = App(Person)
