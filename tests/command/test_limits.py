"""What the declaration allows, the edge takes, however it is written; and what is answered can be sent back."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Annotated, Any, Self

import pytest
from pydantic import Field, field_validator
from tests.stack import JSON, PATCH, Stack

from twofold import App, Keyword, Resource, Text, command
from twofold.command.limits import of_command, of_resource
from twofold.kinds.strings import TEXT_LENGTH
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


NOTED: list[str] = []  # threads in which baskets were validated


class Basket(Resource, name="baskets"):
    tags: Annotated[list[str], Keyword()] = []  # noqa: RUF012

    @field_validator("tags")
    @classmethod
    def _noted(cls, value: list[str]) -> list[str]:
        NOTED.append(threading.current_thread().name)
        return value

    @command
    def weigh(self, weights: dict[str, int], parts: list[list[int]]) -> Self:
        return self


class TestErrors:
    """However much is wrong with a body, the answer is short."""

    @pytest.fixture
    def shop(self, open_stack: Callable[[App], Stack]) -> Stack:
        return open_stack(App(Basket))

    def test_of_a_list_the_first_item_that_does_not_fit_is_told(self, shop: Stack) -> None:
        answer = shop.command.post("/baskets", {"tags": ["a", *[0] * 100_000]})
        assert (answer.status_code, [error["pointer"] for error in answer.json()["errors"]]) == (422, ["/tags/1"])

    def test_of_too_many_members_one_error_is_told(self, shop: Stack) -> None:
        answer = shop.command.post("/baskets", {f"k{number}": 0 for number in range(5000)})
        assert (answer.status_code, [error["code"] for error in answer.json()["errors"]]) == (422, ["too_long"])

    def test_the_first_errors_are_told_and_how_many_there_are(self, shop: Stack) -> None:
        answer = shop.command.post("/baskets", {f"k{number}": 0 for number in range(900)})
        assert (answer.status_code, len(answer.json()["errors"])) == (422, 100)
        assert answer.json()["detail"].endswith("It tells 100 errors of 900.")

    @pytest.mark.parametrize(("count", "told"), [(1000, 100), (5000, 1)])
    def test_arguments_have_few_errors_too(self, shop: Stack, count: int, told: int) -> None:
        weights = {f"k{number}": "x" for number in range(count)}
        answer = shop.command.post(shop.command.post("/baskets", {}).headers["location"] + "/weigh", {"weights": weights, "parts": [[1]]})
        assert (answer.status_code, len(answer.json()["errors"])) == (422, told)

    def test_a_long_body_is_read_beside_the_loop(self, shop: Stack) -> None:
        NOTED.clear()
        assert shop.command.post("/baskets", {"tags": ["a"]}).status_code == 201
        assert shop.command.post("/baskets", {"tags": ["a" * 100] * 900}).status_code == 201
        assert "reading-0" not in NOTED[0]
        assert "reading-0" in NOTED
