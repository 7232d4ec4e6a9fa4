"""A field of a resource as the stores see it, and the annotations that declare it. What a value may be, its kind says (`kinds`)."""

from __future__ import annotations

import enum
import unicodedata
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import SecretStr
from pydantic_core import PydanticCustomError

from twofold.kinds import Kind
from twofold.kinds.kind import Json
from twofold.kinds.strings import TEXT_LENGTH

LIST_LENGTH = 1000
MAX_SECRET_BYTES = 1024


@dataclass(frozen=True, slots=True)
class Text:
    """The field is found by full-text search (`q`)."""


@dataclass(frozen=True, slots=True)
class Keyword:
    """The field is filtered by equality and sorted by; at most 8,191 characters."""


@dataclass(frozen=True, slots=True)
class Unique:
    """No two rows hold the same value, compared after Unicode normalisation (NFKC) and case folding."""


@dataclass(frozen=True, slots=True)
class Guarded:
    """The field is changed by domain commands only."""


@dataclass(frozen=True, slots=True)
class Column:
    """The name of the field's column, where it differs from the field's."""

    name: str


@dataclass(frozen=True, slots=True)
class Places:
    """How many digits a `Decimal` has after the point (0 to 9)."""

    digits: int


class Secret(SecretStr):
    """Text that stays in its column of the write store: in no answer, event, index or log."""


class Password(Secret):
    """A secret that is stored as an argon2id hash."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a resource, as the stores see it. `name` is its name on the wire, `attribute` that in Python."""

    name: str
    column: str
    kind: Kind
    many: bool = False
    nullable: bool = False
    required: bool = True
    default: Json = None
    secret: Literal["", "secret", "password"] = ""
    text: bool = False
    keyword: bool = False
    unique: bool = False
    guarded: bool = False
    max_length: int = TEXT_LENGTH
    places: int = 0
    choices: tuple[str, ...] = ()
    enum: type[enum.Enum] | None = None
    attribute: str = ""

    @property
    def filterable(self) -> bool:
        return not self.secret and (self.kind.form != "string" or self.keyword)

    @property
    def plain(self) -> type | None:
        """State of exactly this type fits the field, without a look."""
        return None if self.many else self.kind.plain

    @property
    def sortable(self) -> bool:
        return self.filterable and not self.many

    @property
    def hashed(self) -> bool:
        """Whether the column holds a hash instead of the value."""
        return self.secret == "password"  # noqa: S105 - a kind

    @property
    def key_column(self) -> str:
        """The column that holds the normalised bytes of a unique field."""
        return f"{self.attribute or self.name}_key"

    def encode(self, value: Any) -> Json:
        """From Python to state."""
        if value is None:
            return None
        return [self.kind.encode(self, item) for item in value] if self.many else self.kind.encode(self, value)

    def decode(self, value: Json) -> Any:
        """From state to Python, without validation. A list is a new one: what a command does to it is not done to the state."""
        if value is None:
            return None
        return [self.kind.decode(self, item) for item in value] if self.many else self.kind.decode(self, value)

    def stored(self, value: Json) -> Any:
        """From state to what tables and the index hold."""
        if not self.kind.is_converted or value is None:
            return value
        return [self.kind.stored(self, item) for item in value] if self.many else self.kind.stored(self, value)

    def restored(self, value: Any) -> Json:
        """From what tables and the index hold to state."""
        if not self.kind.is_converted or value is None:
            return value
        return [self.kind.restored(self, item) for item in value] if self.many else self.kind.restored(self, value)

    def unique_key(self, value: Json) -> bytes | None:
        """The bytes that the unique index compares; None stands for "no value" and is never taken."""
        if value is None:
            return None
        text = unicodedata.normalize("NFKC", str(value)).casefold()
        return unicodedata.normalize("NFKC", text).strip().encode()

    def checked(self, value: Any) -> Any:
        """The value as it can be stored, or the error that the client is told.

        Whatever a table or the index would refuse is refused here first.
        """
        if value is None or self.secret:
            return value
        if self.many:
            if len(value) > LIST_LENGTH:
                raise PydanticCustomError("too_long", f"List should have at most {LIST_LENGTH} items")
            return [self.kind.check(self, item) for item in value]
        return self.kind.check(self, value)

