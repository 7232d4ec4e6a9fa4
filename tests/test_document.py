"""`Resource.document` shapes what readers see: declared by what it returns, applied by the projector, and never half applied."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import orjson
import pytest

from tests.stack import Stack
from twofold import App, Column, Document, Guarded, Keyword, Password, Places, Resource, Secret, Text, Unique
from twofold.documents import operation
from twofold.errors import DeclarationError
from twofold.record import Record, Unreadable

KEY = "01890a5d-ac96-774b-bcce-b302099a8057"
NOW = "2026-01-31T12:00:00.000Z"


class PersonDocument(Document):
    full_name: Annotated[str, Text(), Keyword()]
    initial: Annotated[str, Keyword()]
    wealth: Annotated[Decimal, Places(2)]


class Person(Resource, name="people"):
    first: str
    last: str = ""
    cents: int = 0
    pin: Password

    def document(self) -> PersonDocument:
        return PersonDocument(full_name=f"{self.first} {self.last}".strip(), initial=self.first[0], wealth=Decimal(self.cents) / 100)


class PeekDocument(Document):
    pin: str | None


class Peek(Resource, name="peeks"):
    pin: Password
    name: str = ""

    def document(self) -> PeekDocument:
        return PeekDocument(pin=self.pin)  # type: ignore[arg-type]


PEOPLE = Person.declaration


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    stack = Stack(App(Person), tmp_path)
    yield stack
    stack.close()


def record(**state: Any) -> Record:
    value = {"id": KEY, "version": 1, **state, "created_at": NOW, "updated_at": NOW}
    return Record(KEY, 1, "people.created", "event", NOW, orjson.dumps(value))


def test_a_document_has_the_fields_of_what_document_returns() -> None:
    made = orjson.loads(operation(PEOPLE, record(first="Ana", last="García", cents=1250)).document)

    times = {"created_at": NOW, "updated_at": NOW}
    assert made == {"id": KEY, "version": 1, "full_name": "Ana García", "initial": "A", "wealth": 1250, **times}
    assert [field.name for field in PEOPLE.indexed] == ["full_name", "initial", "wealth"]
    assert [field.name for field in PEOPLE.public] == ["first", "last", "cents"]


def test_a_field_that_the_record_lacks_has_its_default_before_the_document_is_made() -> None:
    assert orjson.loads(operation(PEOPLE, record(first="Ana")).document)["full_name"] == "Ana"


def test_a_document_that_cannot_be_made_is_a_dead_letter_that_quotes_nothing() -> None:
    with pytest.raises(Unreadable, match=r"^Person\.document failed: IndexError$"):
        operation(PEOPLE, record(first=""))
    with pytest.raises(Unreadable, match=r"^Person\.document failed: ValidationError$"):
        operation(PEOPLE, record(first="A" * 9000))


def test_what_model_construct_let_through_is_refused() -> None:
    class Loose(Resource, name="loose"):
        name: str

        def document(self) -> PersonDocument:
            return PersonDocument.model_construct(full_name=7, initial=self.name, wealth=Decimal(1))

    with pytest.raises(Unreadable, match="document failed: ValidationError"):
        operation(Loose.declaration, Record(KEY, 1, "loose.created", "e", NOW, record(name="x").value))


def test_readers_see_and_search_the_document_and_commands_answer_with_the_state(stack: Stack) -> None:
    created = stack.command.post("/people", {"first": "Ana", "last": "García", "cents": 1250, "pin": "correct horse battery"})
    stack.settle()

    assert created.json()["first"] == "Ana"
    found = stack.query.get(f"/people/{created.json()['id']}").json()
    assert set(found) == {"id", "version", "full_name", "initial", "wealth", "created_at", "updated_at"}
    assert found["wealth"] == "12.50"
    for query in ("q=garc", "initial=A", "wealth=12.50", "full_name=Ana Garc%C3%ADa", "sort=-full_name"):
        [item] = stack.query.get(f"/people?{query}").json()["items"]
        assert {name: value for name, value in item.items() if name != "_score"} == found, query
    assert stack.query.get("/people?first=Ana").status_code == 400
    schema = stack.query.get("/openapi.json").json()["components"]["schemas"]["Person"]
    assert "full_name" in schema["properties"]
    assert "first" not in schema["properties"]
    assert "first" in stack.command.get("/openapi.json").json()["components"]["schemas"]["Person"]["properties"]


def test_secrets_are_not_in_reach() -> None:
    value = {"id": KEY, "version": 1, "name": "x", "created_at": NOW, "updated_at": NOW}
    made = operation(Peek.declaration, Record(KEY, 1, "peeks.created", "e", NOW, orjson.dumps(value)))
    assert orjson.loads(made.document)["pin"] is None


@pytest.mark.parametrize(
    "annotation", [Annotated[str, Unique()], Annotated[str, Guarded()], Annotated[str, Column("other")], Secret, Password]
)
def test_what_belongs_to_the_resource_is_refused_in_a_document(annotation: Any) -> None:
    with pytest.raises(DeclarationError, match=r"Bad\.thing: .*take it away|Guarded field needs a default"):
        type(Document)("Bad", (Document,), {"__annotations__": {"thing": annotation}, "__module__": __name__})


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("id", 'every resource has "id" .*; rename it, for example own_id'),
        ("version", 'every resource has "version" .*; rename it, for example own_version'),
        ("sort", "'sort' is kept for parameters .*; rename it"),
        ("document", "'document' is an attribute of resources .*; rename it"),
    ],
)
def test_names_of_the_runtime_are_refused_in_a_document(name: str, why: str) -> None:
    with pytest.raises(DeclarationError, match=rf"^Bad\.{name}: {why}$"):
        type(Document)("Bad", (Document,), {"__annotations__": {name: str}, "__module__": __name__})


def without(self: Any) -> None: ...
def with_more(self: Any, more: int) -> PersonDocument: ...  # type: ignore[empty-body]
async def waiting(self: Any) -> PersonDocument: ...  # type: ignore[empty-body]
def of_another_kind(self: Any) -> dict[str, Any]: ...  # type: ignore[empty-body]


@pytest.mark.parametrize("method", [without, with_more, waiting, of_another_kind])
def test_a_document_method_that_cannot_be_used_is_refused_with_the_fix(method: Any) -> None:
    with pytest.raises(DeclarationError, match=r"Bad\.document: (annotate what it returns|it is a plain method)"):
        type(Resource)("Bad", (Resource,), {"__annotations__": {"name": str}, "__module__": __name__, "document": method}, name="bads")
