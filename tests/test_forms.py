"""What Pydantic's validators are held to, whatever the names of fields, arguments, members and tags are."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

import pytest
from pydantic import AfterValidator, BaseModel, Field, Tag, TypeAdapter, ValidationError, ValidationInfo, create_model
from pydantic_core import SchemaValidator
from typing_extensions import TypedDict

from twofold.forms import _DATA, memberwise, validator

NAMES = sorted({*_DATA, "choices", "definitions", "function", "keys_schema", "type"})
Members = TypedDict("Members", dict.fromkeys([*NAMES, "fields", "schema"], Decimal), total=False)  # type: ignore[misc]


class Tagged(BaseModel):
    kind: Literal["default"]
    at: datetime


class Other(BaseModel):
    kind: Literal["metadata"]
    amount: Decimal


def _refuses(held: SchemaValidator, bad: Any, good: Any) -> None:
    held.validate_python(good)
    with pytest.raises(ValidationError):
        held.validate_python(bad)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("kind", "good", "bad"), [(Decimal, "1", "1_000"), (datetime, "2026-01-31T12:00:00Z", "1700000000")])
def test_a_field_of_any_name_is_held_to_the_forms(name: str, kind: Any, good: str, bad: str) -> None:
    model = create_model("Model", **{name: (kind, ...)})  # type: ignore[call-overload]
    _refuses(validator(model.__pydantic_core_schema__), {name: bad}, {name: good})


@pytest.mark.parametrize("name", [*NAMES, "fields", "schema"])
def test_a_member_of_any_name_is_held_to_the_forms(name: str) -> None:
    _refuses(validator(TypeAdapter(Members).core_schema), {name: "1_000"}, {name: "1"})


def test_a_choice_of_any_tag_is_held_to_the_forms() -> None:
    held = validator(TypeAdapter(Annotated[Tagged | Other, Field(discriminator="kind")]).core_schema)
    _refuses(held, {"kind": "default", "at": "1700000000"}, {"kind": "default", "at": "2026-01-31T12:00:00Z"})
    _refuses(held, {"kind": "metadata", "amount": "1_000"}, {"kind": "metadata", "amount": "1"})


def test_a_choice_with_a_tag_is_held_to_the_forms() -> None:
    held = validator(TypeAdapter(Annotated[Decimal, Tag("a")] | Annotated[bool, Tag("b")]).core_schema)
    _refuses(held, "1_000", "1")


@pytest.mark.parametrize("name", [*NAMES, "fields", "schema"])
def test_a_look_at_other_members_is_left_out_whatever_the_name(name: str) -> None:
    """A field is judged by itself, and so is what it holds."""

    def looks(value: int, info: ValidationInfo) -> int:
        raise ValueError(info.field_name)

    part = TypedDict("part", {name: Annotated[int, AfterValidator(looks)]})  # type: ignore[misc]
    model = create_model("Model", part=(part, ...))
    assert memberwise(model, ["part"]).validate_python({"part": {name: 1}})[0] == {"part": {name: 1}}
