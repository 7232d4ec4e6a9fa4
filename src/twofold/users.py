"""The built-in app: the `users` of the article that twofold started from."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from twofold import App, Column, Email, Keyword, Password, Resource, Text, Unique


class User(Resource, name="users", table="user", topic="users-topic", group="user-group", index="users"):
    """A user: a name, an e-mail address that nobody else has, and a password that never leaves the write store."""

    name: Annotated[str, Text(), Keyword(), Column("username"), Field(min_length=1, max_length=200)]
    email: Annotated[Email, Keyword(), Text(), Unique(), Field(max_length=254)]
    password: Annotated[Password, Field(min_length=8, max_length=256)]


app = App(User)
