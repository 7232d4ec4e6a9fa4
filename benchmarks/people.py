"""The app that is measured: `users` without the password, whose hash is slow on purpose."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from twofold import App, Email, Keyword, Resource, Text, Unique


class Person(Resource, name="people"):
    """A name, and an e-mail address that nobody else has."""

    name: Annotated[str, Text(), Keyword(), Field(min_length=1, max_length=200)]
    email: Annotated[Email, Keyword(), Text(), Unique(), Field(max_length=254)]


app = App(Person)
