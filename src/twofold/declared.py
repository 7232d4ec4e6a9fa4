"""What a class declares, field by field; and `Document`, the shape that a resource may give its documents."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, ValidationInfo, field_validator
from pydantic.errors import PydanticUserError
from pydantic_core import CoreSchema, SchemaError

from twofold.annotations import Unsupported, argument_of, field_of, with_default
from twofold.errors import DeclarationError
from twofold.fields import Field
from twofold.forms import memberwise, pinned
from twofold.kinds.kind import Json
from twofold.names import IDENTIFIER, field_name, refuse_shared
from twofold.widths import refuse_many

if TYPE_CHECKING:
    from pydantic._internal._model_construction import ModelMetaclass
else:
    ModelMetaclass = type(BaseModel)  # it has no public name


class _Declaring(ModelMetaclass):
    """Pydantic's own refusals of a class in one line, as all others of a declaration."""

    def __new__(mcs, name: str, bases: tuple[type, ...], namespace: dict[str, Any], /, **options: Any) -> Any:
        try:
            return super().__new__(mcs, name, bases, namespace, **options)
        except PydanticUserError as error:
            if error.code == "model-field-missing-annotation":
                told = str(error).partition(".")[0].partition("detected: ")[2].strip("`")
                raise DeclarationError(f"{name}: {told} has no annotation; a field has one, for example thing: int = 3") from None
            raise DeclarationError(f"{name}: {str(error).splitlines()[0]}") from None
        except ValueError as error:
            if not (kept := re.match(r"Field '(\w+)' conflicts with member", str(error))):
                raise
            raise DeclarationError(f"{name}.{kept[1]}: Pydantic's classes have {kept[1]!r} themselves; rename the field") from None
        except SchemaError as error:
            raise DeclarationError(f"{name}{_unbuilt(str(error))}") from None


def _unbuilt(told: str) -> str:
    """What a validator cannot be made of, from Pydantic's words: several lines, the field in one of them and the reason in the last."""
    field, reason = re.search(r'Field "(\w+)"', told), told.splitlines()[-1].strip().removeprefix("error: ")
    fix = "; mend its pattern, a regular expression of Rust" if "regex parse error" in told else "; change its annotation"
    return f"{'.' + field[1] if field else ''}: {reason}{fix}"


class Declared(BaseModel, metaclass=_Declaring):
    """A class whose fields are stored. Whatever a table or the index would refuse is refused when it is validated.

    In Python it is made by the names of its fields, from JSON by those on the wire.
    """

    # Any type, since a field of an unsupported one is refused with its name and the fix.
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True, validate_by_name=True, validate_by_alias=True)
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

    @classmethod
    def __pydantic_init_subclass__(cls, **_options: Any) -> None:
        arguments = {name: argument_of(name, info) for name, info in cls.model_fields.items()}
        cls._checks = {name: argument for name, argument in arguments.items() if argument}


class Document(Declared):
    """Base of what `Resource.document` returns: the fields that readers see and search by, beside id, version and times.

    Its fields are annotated like a resource's. `Unique`, `Guarded`, `Column` and secrets have no place in it.
    """

    _fields: ClassVar[tuple[Field, ...]] = ()

    @classmethod
    def __pydantic_init_subclass__(cls, **_options: Any) -> None:
        cls._fields = declared_fields(cls)
        for field in cls._fields:
            if field.secret or field.unique or field.guarded or field.column != field.attribute:
                where = f"{cls.__name__}.{field.attribute}"
                raise DeclarationError(f"{where}: Unique, Guarded, Column and secrets are the resource's; take it away")
        cls._checks = {field.attribute: field for field in cls._fields}

    def encoded(self) -> dict[str, Json]:
        """Its values as JSON, validated anew, since `model_construct` and `model_copy` check nothing."""
        checked = type(self).__pydantic_validator__.validate_python(dict(self.__dict__), by_alias=False, by_name=True)
        return {field.name: field.encode(checked.__dict__[field.attribute]) for field in self._fields}


def declared_fields(cls: type[BaseModel]) -> tuple[Field, ...]:
    """The fields that a class declares. Raises DeclarationError with class, field and the fix."""
    _refuse_unkept(cls)
    fields = tuple(_declared_field(cls, name) for name in cls.model_fields)
    refuse_shared(cls.__name__, {field.attribute: field.name for field in fields})
    refuse_many(cls, fields)
    return tuple(_defaulted(cls, field) for field in fields)


def _refuse_unkept(cls: type[BaseModel]) -> None:
    """What Pydantic takes and a table does not hold."""
    for name in cls.model_computed_fields:
        fix = "write a plain @property, or give it to readers by document()"
        raise DeclarationError(f"{cls.__name__}.{name}: a computed_field is stored nowhere; {fix}")
    if cls.model_config.get("extra") != "forbid":
        raise DeclarationError(f"{cls.__name__}: extra={cls.model_config.get('extra')!r} would lose what it takes; take it away")


def _declared_field(cls: type[BaseModel], name: str) -> Field:
    where, info = f"{cls.__name__}.{name}", cls.model_fields[name]
    if inspect.isroutine(info.default) or (name.startswith("model_") and hasattr(BaseModel, name)):
        raise DeclarationError(f'{where}: the class itself has {name!r}; rename it, and keep the name in JSON with Field(alias="{name}")')
    wire = field_name(where, name, info, stored=not issubclass(cls, Document))
    try:
        field = field_of(name, wire, info)
    except Unsupported as reason:
        raise DeclarationError(f"{where}: {reason}") from None
    if not IDENTIFIER.fullmatch(field.column):
        raise DeclarationError(f"{where}: Column({field.column!r}) should have lower-case letters, digits and _")
    return field


def _defaulted(cls: type[BaseModel], field: Field) -> Field:
    try:
        return field if field.required else with_default(field, cls.model_fields[field.attribute], memberwise(cls, [field.attribute]))
    except Unsupported as reason:
        raise DeclarationError(f"{cls.__name__}.{field.attribute}: {reason}") from None
