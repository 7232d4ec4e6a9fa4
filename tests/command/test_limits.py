"""What the declaration allows, the edge takes, however it is written; and what is answered can be sent back."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Annotated, Any, Self

import pytest
from pydantic import Field
from tests.stack import JSON, PATCH, Stack

from twofold import App, Keyword, Resource, Text, command
from twofold.command.limits import of_command, of_resource
from twofold.fields import TEXT_LENGTH
from twofold.record import MAX_VALUE
from twofold.runtime.web import MAX_BODY
from twofold.users import User


class Note(Resource, name="notes"):
    title: Annotated[str, Keyword()] = ""
    body: Annotated[str, Text()] = ""

    @command
    def write(self, body: str) -> Self:
        return self.model_copy(update={"body": body})

    @command
    def fill(self, parts: list[str]) -> Self:
        return self.model_copy(update={"body": "".join(parts)[:10]})


class Card(Resource, name="cards"):
    code: Annotated[str, Keyword(), Field(max_length=100)]


@pytest.fixture
def desk(open_stack: Callable[[App], Stack]) -> Stack:
    return open_stack(App(Note, Card))


def encoded(body: Any, *, escaped: bool) -> bytes:
    return json.dumps(body, ensure_ascii=escaped).encode()


@pytest.mark.parametrize("escaped", [False, True])
@pytest.mark.parametrize("character", ["a", "é", "漢", "😀"])
def test_the_longest_text_is_taken_by_every_command(desk: Stack, character: str, escaped: bool) -> None:
    text = character * TEXT_LENGTH
    whole = encoded({"title": "t", "body": text}, escaped=escaped)
    created = desk.command("POST", "/notes", content=whole, headers=JSON)
    note = created.headers["location"]
    assert (created.status_code, created.json()["body"]) == (201, text)
    assert desk.command("PATCH", note, content=encoded({"body": text}, escaped=escaped), headers=PATCH).status_code == 200
    assert desk.command("POST", f"{note}/write", content=encoded({"body": text}, escaped=escaped), headers=JSON).status_code == 200
    desk.settle()
    shown = desk.query.get(note).json()
    body = encoded({"title": "new", "body": shown["body"]}, escaped=escaped)
    assert desk.command("PUT", note, content=body, headers={**JSON, "If-Match": "*"}).json()["body"] == text


def test_one_character_more_is_told_with_its_field(desk: Stack) -> None:
    answer = desk.command("POST", "/notes", content=encoded({"body": "😀" * (TEXT_LENGTH + 1)}, escaped=False), headers=JSON)
    assert (answer.status_code, [error["pointer"] for error in answer.json()["errors"]]) == (422, ["/body"])


def test_every_limit_has_a_bound(desk: Stack) -> None:
    assert of_resource(User.declaration) == of_resource(Card.declaration) == MAX_BODY
    assert MAX_BODY < of_resource(Note.declaration) <= 3 * MAX_VALUE
    spec = Note.declaration.commands["fill"]
    body = b'{"parts":["%s"]}' % (b"x" * (of_command(spec) + 1))
    note = desk.command.post("/notes", {}).headers["location"]
    assert desk.command("POST", f"{note}/fill", content=body, headers=JSON).status_code == 413
    parts = desk.command.post(f"{note}/fill", {"parts": ["x" * 60_000] * 5})
    assert (parts.status_code, parts.json()["code"]) == (422, "too-large")
