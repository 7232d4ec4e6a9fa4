"""Declaring a resource: a Pydantic class whose annotations say how each field is stored and searched."""

from __future__ import annotations

import hashlib
import inspect
import re
import typing
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

from pydantic import BaseModel, create_model
from pydantic_core import SchemaValidator

from twofold.declared import Declared, Document, declared_fields
from twofold.errors import DeclarationError
from twofold.fields import Field, Secret
from twofold.forms import memberwise
from twofold.kinds.kind import Json
from twofold.methods import FREE, CommandSpec, Context, command, commands_of, hints_of
from twofold.names import IDENTIFIER, RESERVED
from twofold.widths import refuse_wide

__all__ = ["FREE", "RESERVED", "App", "CommandSpec", "Context", "Declaration", "Resource", "command"]
RESERVED_RESOURCES = frozenset({"docs", "livez", "readyz", "status", "metrics", "problems", "capabilities"})  # metrics: for later
RESERVED_TABLES = frozenset({"outbox", "unit", "tombstone", "receipt", "lease", "fence", "column_kind"})
_RESOURCE = re.compile(r"[a-z][a-z0-9-]{0,62}")
_ENGINE_NAMES = {
    "topic": re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}"),
    "group": re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}"),
    "index": re.compile(r"(?!.*-(?:\d{6,}|refusals|write)$)[a-z0-9][a-z0-9._-]{0,199}"),  # generations and what belongs to them end so
}


@dataclass(frozen=True)
class Declaration:
    """Everything that follows from a resource's class; what stores, services and documents are made of."""

    name: str
    table: str
    topic: str
    group: str
    index: str
    partitions: int
    fields: tuple[Field, ...]
    free: frozenset[str]
    commands: Mapping[str, CommandSpec]
    cls: type[Resource]
    state: type[Resource]
    shape: type[Document] | None = None

    @cached_property
    def public(self) -> tuple[Field, ...]:
        return tuple(field for field in self.fields if not field.secret)

    @cached_property
    def indexed(self) -> tuple[Field, ...]:
        """The fields of documents, and so what readers see and search by."""
        return self.public if self.shape is None else self.shape._fields

    @cached_property
    def filterable(self) -> Mapping[str, Field]:
        """The fields that readers filter by, by name."""
        return {field.name: field for field in self.indexed if field.filterable}

    @cached_property
    def secrets(self) -> tuple[Field, ...]:
        return tuple(field for field in self.fields if field.secret)

    @cached_property
    def wires(self) -> Mapping[str, str]:
        """The names of public fields on the wire, by those in Python."""
        return {field.attribute: field.name for field in self.public}

    @cached_property
    def uniques(self) -> tuple[Field, ...]:
        return tuple(field for field in self.fields if field.unique)

    @cached_property
    def guarded(self) -> tuple[Field, ...]:
        return tuple(field for field in self.fields if field.guarded)

    @cached_property
    def converted(self) -> tuple[Field, ...]:
        """The fields that documents hold in another form than representations."""
        return tuple(field for field in self.indexed if field.kind.is_converted)

    @cached_property
    def blank(self) -> Mapping[str, Any]:
        """The members of a representation in their order, with the values of a document that lacks them."""
        own = {field.name: field.stored(field.default) for field in self.indexed}
        return {"id": None, "version": None, **own, "created_at": None, "updated_at": None}

    @cached_property
    def members(self) -> SchemaValidator:
        """What validates the members of a replacement or a patch, each by itself."""
        return memberwise(self.cls, [field.attribute for field in self.public])

    @cached_property
    def every(self) -> SchemaValidator:
        """What validates the members of a creation, each by itself."""
        return memberwise(self.cls, [field.attribute for field in self.fields])

    @cached_property
    def alone(self) -> Mapping[str, SchemaValidator]:
        """What validates a body that holds one secret, or one unique field, by its name."""
        return {field.name: memberwise(self.cls, [field.attribute]) for field in (*self.secrets, *self.uniques)}

    @property
    def description(self) -> str:
        """The docstring of the class; "" without."""
        return inspect.cleandoc(self.cls.__doc__ or "")

    @property
    def dead_letters(self) -> str:
        return f"{self.topic}.dlq"

    @cached_property
    def digest(self) -> str:
        """Eight digits that change with the fields of documents, and so with what a version looks like to readers."""
        shape = [(field.name, field.kind.name, field.many, field.nullable, field.places, field.default) for field in self.indexed]
        return hashlib.sha256(repr(shape).encode()).hexdigest()[:8]

    @cached_property
    def fence(self) -> str:
        """Sixteen digits that change with the fields of records, and so with what a writer has to know."""
        shape = sorted((each.name, each.column, each.kind.name, each.many, each.nullable, each.places, each.unique) for each in self.public)
        return hashlib.sha256(repr(shape).encode()).hexdigest()[:16]

    def field(self, name: str) -> Field:
        return next(field for field in self.fields if field.name == name)

    def encode(self, instance: BaseModel) -> dict[str, Json]:
        """The public state of an instance, as JSON."""
        values = instance.__dict__
        return {field.name: field.encode(values[field.attribute]) for field in self.public}

    def instance(self, state: Mapping[str, Json]) -> Any:
        """State as an instance, without validation: what is stored was valid when it was written. Its secrets are None."""
        values = {field.attribute: field.decode(state[field.name]) for field in self.public}
        return self.state.model_construct(**values, **{field.attribute: None for field in self.secrets})

    def shaped(self, state: Mapping[str, Json]) -> Mapping[str, Json]:
        """The fields of the document of this state, as JSON; what `document` makes of it. Raises whatever that raises."""
        return state if self.shape is None else self.instance(state).document().encoded()


class Resource(Declared):
    """Base of all resources.

    Class arguments: `name` (of the URL; the rest derives from it), `table`, `topic`, `group`, `index`,
    `partitions` (of the topic, 4) and `commands`, which of create, replace, patch, delete are served.
    """

    declaration: ClassVar[Declaration]

    def __init_subclass__(cls, **_options: Any) -> None:
        super().__init_subclass__()  # the options are for the hook below, which runs when the fields are known

    @classmethod
    def __pydantic_init_subclass__(cls, **options: Any) -> None:
        if options.pop("derived", False):
            return
        known = list(inspect.signature(_declare).parameters)[1:]
        for unknown in options.keys() - known:
            raise DeclarationError(f"{cls.__name__}: {unknown}= is not a class argument; it takes {', '.join(known)}")
        cls.declaration = _declare(cls, **options)


class App:
    """The resources that are served together. `title` is what their OpenAPI documents are called."""

    def __init__(self, *resources: type[Resource], title: str = "twofold") -> None:
        self.title = title
        if not resources:
            raise DeclarationError("App() needs at least one resource: App(User)")
        for each in resources:
            if not (isinstance(each, type) and issubclass(each, Resource) and hasattr(each, "declaration")):
                told = f"an instance of {type(each).__name__}" if isinstance(each, Resource) else repr(each)[:80]
                raise DeclarationError(f"App() takes classes of resources: App(User). {told} is none")
        self.resources = {cls.declaration.name: cls.declaration for cls in resources}
        for what in ("name", "table", "topic", "group", "index"):
            _refuse_shared(what, [cls.declaration for cls in resources])

    def __iter__(self) -> typing.Iterator[Declaration]:
        return iter(self.resources.values())


def _declare(
    cls: type[Resource],
    name: str | None = None,
    table: str | None = None,
    topic: str | None = None,
    group: str | None = None,
    index: str | None = None,
    partitions: int = 4,
    commands: Iterable[str] = FREE,
) -> Declaration:
    name = name or ""
    table = name.replace("-", "_") if table is None else table
    topic, group, index = topic or f"{name}-topic", group or f"{name}-group", index or name
    commands = commands if isinstance(commands, str) else tuple(commands)
    _check_names(cls, name, table, partitions, commands)
    _check_engine_names(cls, topic=topic, group=group, index=index)
    fields = declared_fields(cls)
    _refuse_shared_columns(cls, fields)
    _refuse_long_names(cls, table, fields)
    refuse_wide(cls, fields)
    cls._checks = {field.attribute: field for field in fields}
    hidden: dict[str, Any] = {field.attribute: (Secret | None, None) for field in fields if field.secret}
    state = create_model(f"{cls.__name__}State", __base__=cls, __cls_kwargs__={"derived": True}, **hidden)
    return Declaration(
        name=name,
        table=table,
        topic=topic,
        group=group,
        index=index,
        partitions=partitions,
        fields=fields,
        free=frozenset(commands),
        commands=commands_of(cls),
        cls=cls,
        state=state,
        shape=_shape(cls),
    )


def _check_names(cls: type, name: str, table: str, partitions: int, commands: Sequence[str]) -> None:
    if name in RESERVED_RESOURCES:
        addresses = ", ".join(f"/{each}" for each in sorted(RESERVED_RESOURCES))
        told = f"/{name} is kept for the services themselves, as are {addresses}"
        raise DeclarationError(f'{cls.__name__}: the name {name!r} cannot be used: {told}; choose another, for example name="all-{name}"')
    if not _RESOURCE.fullmatch(name):
        fix = f'class {cls.__name__}(Resource, name="things"): at most 63 lower-case letters, digits and -'
        raise DeclarationError(f"{cls.__name__}: the name {name!r} cannot be used; write {fix}")
    if table in RESERVED_TABLES or table.startswith("sqlite_"):
        own = f"the runtime has {', '.join(sorted(RESERVED_TABLES))}"
        told = own if table in RESERVED_TABLES else "SQLite keeps names that begin so"
        raise DeclarationError(f'{cls.__name__}: the table {table!r} cannot be used: {told}; give it another with table="…"')
    if not IDENTIFIER.fullmatch(table):
        raise DeclarationError(f"{cls.__name__}: the table {table!r} cannot be used; choose lower-case letters, digits and _")
    if not 1 <= partitions <= 1000:
        raise DeclarationError(f"{cls.__name__}: partitions={partitions} cannot be used; choose 1 to 1000")
    for unknown in [commands] if isinstance(commands, str) else sorted(set(commands) - set(FREE)):
        raise DeclarationError(f"{cls.__name__}: commands={unknown!r} cannot be used; it takes a tuple of {', '.join(FREE)}")


def _check_engine_names(cls: type, **names: str) -> None:
    """What Kafka and Elasticsearch allow, whichever engine serves today."""
    for what, name in names.items():
        if not _ENGINE_NAMES[what].fullmatch(name):
            raise DeclarationError(
                f"{cls.__name__}: the {what} {name!r} cannot be used; choose letters, digits, - and _ "
                "(an index: lower case, and an end unlike -000001, -refusals and -write)"
            )


def _refuse_shared_columns(cls: type, fields: tuple[Field, ...]) -> None:
    columns = ["id", "version", "created_at", "updated_at"]
    for field in fields:
        for column in (field.column, *([field.key_column] if field.unique else [])):
            if column in columns:
                raise DeclarationError(f'{cls.__name__}.{field.name}: the column {column!r} is used twice; give it Column("…")')
            columns.append(column)


def _refuse_long_names(cls: type, table: str, fields: tuple[Field, ...]) -> None:
    """MySQL's identifiers have at most 64 characters, those of the indexes that follow from a declaration too."""
    for field in fields:
        if field.unique and len(f"{table}_{field.key_column}") > 64:
            raise DeclarationError(f"{cls.__name__}.{field.name}: with its table's, the unique field has too long a name; shorten one")


def _refuse_shared(what: str, declarations: list[Declaration]) -> None:
    owners: dict[str, str] = {}
    for declaration in declarations:
        value, owner = getattr(declaration, what), declaration.cls.__name__
        if value in owners:
            raise DeclarationError(f"{owner}: {what}={value!r} is {owners[value]}'s too; give one of them another")
        owners[value] = owner


def _shape(cls: type[Resource]) -> type[Document] | None:
    """What `document` returns, by its annotation."""
    method = getattr(cls, "document", None)
    if method is None:
        return None
    where = f"{cls.__name__}.document"
    if not inspect.isfunction(method) or inspect.iscoroutinefunction(method) or len(inspect.signature(method).parameters) != 1:
        raise DeclarationError(f"{where}: it is a plain method that takes self only: def document(self) -> {cls.__name__}Document")
    shape = hints_of(cls, where, method).get("return")
    if not (isinstance(shape, type) and issubclass(shape, Document)):
        raise DeclarationError(f"{where}: annotate what it returns with a class of yours: class {cls.__name__}Document(twofold.Document)")
    return shape
