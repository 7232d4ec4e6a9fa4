"""What a class declares, field by field; and `Document`, the shape that a resource may give its documents."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, ValidationInfo, field_validator
from pydantic_core import CoreSchema, SchemaValidator

from twofold.errors import DeclarationError
from twofold.fields import Field, Json, Unsupported, argument_of, field_of
from twofold.forms import pinned, validator

RESERVED = frozenset(
    "id version deleted created_at updated_at q sort limit cursor offset filter facets facet_limit facet_mode fields format fuzzy "  # noqa: SIM905 - words read best as words
    "highlight count prefix search search_fields snapshot suggest export time_zone timeout_ms declaration command document".split()
)
IDENTIFIER = re.compile(r"[a-z][a-z0-9_]{0,62}")


class Declared(BaseModel):
    """A class whose fields are stored. Whatever a table or the index would refuse is refused when it is validated."""

    # Any type, since a field of an unsupported one is refused with its name and the fix.
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)
    _checks: ClassVar[Mapping[str, Field]] = {}

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return pinned(handler(source))

    @field_validator("*")
    @classmethod
    def _storable(cls, value: Any, info: ValidationInfo) -> Any:
        field = cls._checks.get(info.field_name or "")
        return field.checked(value) if field else value


class Arguments(Declared):
    """Base of what a domain command takes: its parameters get the checks that fields get."""

    model_config = ConfigDict(arbitrary_types_allowed=False)
    validator: ClassVar[SchemaValidator]

    @classmethod
    def __pydantic_init_subclass__(cls, **_options: Any) -> None:
        arguments = {name: argument_of(name, info) for name, info in cls.model_fields.items()}
        cls._checks = {name: argument for name, argument in arguments.items() if argument}
        cls.validator = validator(cls.__pydantic_core_schema__)


class Document(Declared):
    """Base of what `Resource.document` returns: the fields that readers see and search by, beside id, version and times.

    Its fields are annotated like a resource's. `Unique`, `Guarded`, `Column` and secrets have no place in it.
    """

    _fields: ClassVar[tuple[Field, ...]] = ()

    @classmethod
    def __pydantic_init_subclass__(cls, **_options: Any) -> None:
        cls._fields = tuple(declared_field(cls, name) for name in cls.model_fields)
        for field in cls._fields:
            if field.secret or field.unique or field.guarded or field.column != field.name:
                raise DeclarationError(f"{cls.__name__}.{field.name}: Unique, Guarded, Column and secrets are the resource's; take it away")
        cls._checks = {field.name: field for field in cls._fields}

    def encoded(self) -> dict[str, Json]:
        """Its values as JSON, validated anew, since `model_construct` and `model_copy` check nothing."""
        checked = type(self).__pydantic_validator__.validate_python(dict(self.__dict__))
        return {field.name: field.encode(checked.__dict__[field.name]) for field in self._fields}


def declared_field(cls: type[BaseModel], name: str) -> Field:
    """The field that a class declares under a name. Raises DeclarationError with class, field and the fix."""
    if name in RESERVED or not IDENTIFIER.fullmatch(name):
        fix = f'rename it, and keep the column with Column("{name}")' if name in RESERVED else "use lower-case letters, digits and _"
        raise DeclarationError(f"{cls.__name__}.{name}: the name is used by queries or the runtime; {fix}")
    try:
        field = field_of(name, cls.model_fields[name])
    except Unsupported as reason:
        raise DeclarationError(f"{cls.__name__}.{name}: {reason}") from None
    if not IDENTIFIER.fullmatch(field.column):
        raise DeclarationError(f"{cls.__name__}.{name}: Column({field.column!r}) should have lower-case letters, digits and _")
    return field
