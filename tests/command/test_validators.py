"""Members are judged one by one, the whole state once, when the change is applied to it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Annotated, Any, Literal, Self

import pytest
from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator
from tests.stack import Stack

from twofold import App, Guarded, Keyword, Resource, Text, command


def _before(closed_on: date | None, opened_on: date | None) -> date | None:
    if closed_on is not None and (opened_on is None or closed_on < opened_on):
        raise ValueError("closed_on needs an earlier opened_on")
    return closed_on


class ByModel(Resource, name="by-model"):
    owner: Annotated[str, Text(), Field(min_length=1)] = "x"
    opened_on: date | None = None
    closed_on: date | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        _before(self.closed_on, self.opened_on)
        return self


class ByModelBefore(Resource, name="by-model-before"):
    owner: Annotated[str, Text(), Field(min_length=1)] = "x"
    opened_on: date | None = None
    closed_on: date | None = None

    @model_validator(mode="before")
    @classmethod
    def _ordered(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("closed_on") and not values.get("opened_on"):
            raise ValueError("closed_on needs an earlier opened_on")
        return values


class ByField(Resource, name="by-field"):
    owner: Annotated[str, Text(), Field(min_length=1)] = "x"
    opened_on: date | None = None
    closed_on: date | None = None

    @field_validator("closed_on")
    @classmethod
    def _ordered(cls, value: date | None, info: ValidationInfo) -> date | None:
        return _before(value, info.data["opened_on"])


class ByWrap(Resource, name="by-wrap"):
    owner: Annotated[str, Text(), Field(min_length=1)] = "x"
    opened_on: date | None = None
    closed_on: date | None = None

    @field_validator("closed_on", mode="wrap")
    @classmethod
    def _ordered(cls, value: Any, handler: Callable[[Any], Any], info: ValidationInfo) -> Any:
        return _before(handler(value), info.data["opened_on"])


class ByHint(Resource, name="by-hint"):
    owner: Annotated[str, Text(), Field(min_length=1)] = "x"
    opened_on: date | None = None
    closed_on: Annotated[date | None, AfterValidator(lambda value, info: _before(value, info.data["opened_on"]))] = None


class ByInit(Resource, name="by-init"):
    owner: Annotated[str, Text(), Field(min_length=1)] = "x"
    opened_on: date | None = None
    closed_on: date | None = None

    def model_post_init(self, _context: Any) -> None:
        _before(self.closed_on, self.opened_on)


class Task(Resource, name="tasks"):
    title: Annotated[str, Text()]
    note: str | None = None
    status: Annotated[Literal["open", "closed"], Keyword(), Guarded()] = "open"

    @model_validator(mode="after")
    def _ok(self) -> Self:
        if self.note is not None and self.status != "closed":
            raise ValueError("a note belongs to a closed task")
        return self

    @field_validator("title")
    @classmethod
    def _capital(cls, title: str) -> str:
        if title == "raise":
            raise ValueError("A title, please.")
        if title in ("assert", "bare"):  # as `assert` does, whose words pytest changes
            raise AssertionError(*["no such title"][: title == "assert"])
        if title == "nothing":
            raise ValueError
        if title != title.capitalize():
            raise ValueError("a title begins with a capital")
        return title

    @command()
    def close(self) -> Self:
        return self.model_copy(update={"status": "closed"})

    @command()
    def entitle(self, title: Annotated[str, AfterValidator(lambda title: Task._capital(title))]) -> Self:  # noqa: PLW0108 - a name of later
        return self.model_copy(update={"title": title})

    @command()
    def annotate(self, note: str) -> Self:
        return self.model_copy(update={"note": note})


ALL = (ByModel, ByModelBefore, ByField, ByWrap, ByHint, ByInit)


@pytest.fixture
def office(open_stack: Callable[[App], Stack]) -> Stack:
    return open_stack(App(*ALL, Task))


def wrong(answer: Any) -> list[tuple[str, str]]:
    assert answer.status_code == 422, answer.text
    return [(error["pointer"], error["detail"]) for error in answer.json()["errors"]]


LATE = "closed_on needs an earlier opened_on."


@pytest.mark.parametrize("cls", ALL)
def test_a_member_is_not_judged_by_the_defaults_of_others(office: Stack, cls: type[Resource]) -> None:
    path = office.command.post(f"/{cls.declaration.name}", {"owner": "Ana", "opened_on": "2026-01-01"}).headers["location"]
    answer = office.command.patch(path, {"closed_on": "2026-02-01"})
    assert (answer.status_code, answer.json()["closed_on"]) == (200, "2026-02-01")
    answer = office.command.put(path, {"opened_on": "2026-03-01", "closed_on": "2026-04-01"}, if_match="*")
    assert (answer.status_code, answer.json()["owner"]) == (200, "x")


@pytest.mark.parametrize("cls", ALL)
def test_the_whole_is_judged_as_it_would_be(office: Stack, cls: type[Resource]) -> None:
    path = office.command.post(f"/{cls.declaration.name}", {"owner": "Ana"}).headers["location"]
    assert wrong(office.command.patch(path, {"closed_on": "2026-02-01"})) == [("/closed_on", LATE)]
    whole = wrong(office.command.patch(path, {"owner": "Bea", "closed_on": "2026-02-01"}))
    assert whole == [("/closed_on" if cls in (ByField, ByWrap, ByHint) else "", LATE)]
    assert office.command.post(f"/{cls.declaration.name}", {"closed_on": "2026-02-01"}).status_code == 422
    office.command.patch(path, {"opened_on": "2026-01-01", "closed_on": "2026-02-01"})
    if cls is not ByModelBefore:  # which looks for a day at all
        assert wrong(office.command.patch(path, {"opened_on": "2026-03-01"})) in (
            [("/opened_on", LATE)],
            [("/opened_on", f"closed_on: {LATE}")],
        )


@pytest.mark.parametrize("cls", ALL)
def test_everything_that_is_wrong_by_itself_is_told_at_once(office: Stack, cls: type[Resource]) -> None:
    path = office.command.post(f"/{cls.declaration.name}", {}).headers["location"]
    sent = {"owner": "", "opened_on": "2024", "closed_on": "2026-02-01", "other": 1}
    created = office.command.post(f"/{cls.declaration.name}", sent)  # where a validator looks for a day that is none
    answers = (created, office.command.patch(path, sent), office.command.put(path, sent, if_match="*"))
    for answer in answers:
        assert [pointer for pointer, _ in wrong(answer)] == ["/owner", "/opened_on", "/other"]


def test_a_replacement_is_judged_with_the_guarded_fields_that_it_keeps(office: Stack) -> None:
    path = office.command.post("/tasks", {"title": "T"}).headers["location"]
    note = ("/note", "a note belongs to a closed task.")
    assert wrong(office.command.patch(path, {"note": "n"})) == [note]
    assert wrong(office.command.put(path, {"title": "T", "note": "n"}, if_match="*")) == [("", note[1])]
    assert wrong(office.command.post(f"{path}/annotate", {"note": "n"})) == [("", note[1])]
    office.command.post(f"{path}/close", {})
    assert office.command.put(path, {"title": "T", "note": "n"}, if_match="*").json()["note"] == "n"
    assert office.command.patch(path, {"title": "T2", "note": "m"}).json()["note"] == "m"


@pytest.mark.parametrize(
    ("title", "told"),
    [
        ("raise", "A title, please."),
        ("assert", "no such title."),
        ("nothing", "A rule of the app refuses this value."),
        ("bare", "A rule of the app refuses this value."),
    ],
)
def test_what_a_validator_says_is_told_in_its_own_words(office: Stack, title: str, told: str) -> None:
    path = office.command.post("/tasks", {"title": "T"}).headers["location"]
    answers = [office.command.post("/tasks", {"title": title}), office.command.patch(path, {"title": title})]
    assert [wrong(answer) for answer in answers] == [[("/title", told)]] * 2
    assert wrong(office.command.post(f"{path}/entitle", {"title": title})) == [("/title", told)]


def test_a_validator_of_one_field_judges_at_once(office: Stack) -> None:
    path = office.command.post("/tasks", {"title": "T"}).headers["location"]
    for answer in (office.command.patch(path, {"title": "t", "x": 1}), office.command.put(path, {"title": "t", "x": 1}, if_match="*")):
        assert wrong(answer) == [("/title", "a title begins with a capital."), ("/x", "Extra inputs are not permitted.")]
    assert ("/title", "Field required.") in wrong(office.command.put(path, {}, if_match="*"))
