"""What a kind of values is: one class per kind, and nothing else asks which kind a field has.

In *Python* a value is what the annotation says. In *state* (records, answers, receipts) it is plain JSON. Tables and documents hold it in
one of a few `Form`s that every engine has. And there is its *text*: in parameters, filters, cells.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic_core import PydanticCustomError

if TYPE_CHECKING:
    from twofold.fields import Field

Json = Any
Form = Literal["string", "integer", "float", "boolean", "date", "datetime"]  # of columns and documents; adapters know each of them
LONGEST = 64  # characters of a value that is no text
INT64 = 2**63


class NotAValue(ValueError):
    """The text does not stand for a value of that kind; the message says what does, without quoting the text."""


class Kind(ABC):
    """Stateless. `field` is the one that the value is of; of a list, each method gets one item."""

    name: ClassVar[str]  # in messages, and in what tables and indices note of a field: never change it
    types: ClassVar[tuple[Any, ...]]  # what annotations name it by
    form: ClassVar[Form]
    schema: ClassVar[Mapping[str, Json]]  # JSON Schema of state
    example: ClassVar[str]  # a sentence: what a text should be
    beyond: ClassVar[str] = ""  # likewise, of a text that stands for a value which the field does not take
    plain: ClassVar[type | None] = None  # state of exactly this type fits, without a look
    member: ClassVar[tuple[tuple[type, ...], str]] = ((str,), "a string")  # what the JSON body of a search has, in types and in words
    core: ClassVar[str] = ""  # the type of Pydantic's schema that `look` and `look_at_key` stand before
    is_converted: ClassVar[bool] = False  # tables and documents hold it in another form than state
    is_dumped: ClassVar[bool] = False  # its JSON in arguments and defaults is not Pydantic's
    is_text: ClassVar[bool] = False  # Text, Keyword and Begins are for it, and an empty text is a value
    is_number: ClassVar[bool] = False  # has statistics and ranges
    intervals: ClassVar[tuple[str, ...]] = ()  # of the calendar, that it is counted by; it has ranges then
    has_zone: ClassVar[bool] = False  # intervals depend on the time zone
    is_guarded: ClassVar[bool] = False  # a spreadsheet may take its text for a formula
    smallest: ClassVar[str] = ""  # of those whose form is a string: for rows that exist, in SQL to review
    has_order: ClassVar[bool] = True
    may_be_unique: ClassVar[bool] = True
    samples: ClassVar[tuple[Json, ...]] = ()  # state for a benchmark's bodies, the likeliest to be taken first
    has_marks: ClassVar[bool] = False  # `marked` has room for a mark

    def __init_subclass__(cls) -> None:
        cls.is_converted, cls.is_dumped = cls.stored is not Kind.stored, cls.dump is not Kind.dump

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other)

    def __hash__(self) -> int:
        return hash(type(self))

    def __repr__(self) -> str:
        return self.name

    def encode(self, field: Field, value: Any) -> Json:
        """From Python to state."""
        return value

    def decode(self, field: Field, value: Json) -> Any:
        """From state to Python, without validation."""
        return value

    def check(self, field: Field, value: Any) -> Any:
        """The value as it can be stored. Raises PydanticCustomError with what the client is told."""
        return value

    def stored(self, field: Field, value: Json) -> Any:
        """From state to what tables and documents hold."""
        return value

    def restored(self, field: Field, value: Any) -> Json:
        """From what tables and documents hold to state."""
        return value

    @abstractmethod
    def fits(self, field: Field, value: Json) -> bool:
        """Whether state of a record is of this kind; ranges and formats are the index's to judge."""

    @abstractmethod
    def read(self, text: str) -> Any:
        """The Python value of a text in the form that OpenAPI promises, and no other. Raises NotAValue."""

    def from_text(self, field: Field, text: str) -> Json:
        """State from text. Raises NotAValue."""
        try:
            return self.encode(field, self.check(field, self.read(text)))
        except PydanticCustomError:
            raise NotAValue(self.beyond or self.example) from None

    def from_cell(self, field: Field, text: str) -> Json:
        """As `from_text`, with what other systems write. Raises NotAValue."""
        return self.from_text(field, text)

    def from_query(self, text: str) -> str:
        """The text that was meant where a query string says this."""
        return text

    def look(self, value: Any) -> Any:
        """What Pydantic's validator gets for a value as it was given. Raises PydanticCustomError for what it would take and should not."""
        return value

    def look_at_key(self, value: Any) -> Any:
        """Likewise for the key of an object, which is text in JSON."""
        return self.look(value)

    def dump(self, value: Any) -> Json:
        """JSON of a value in arguments and in published defaults, where Pydantic's is another."""
        return value

    def published(self, schema: dict[str, Json]) -> dict[str, Json]:
        """Pydantic's JSON Schema of a body's value, with the bounds and forms that are checked beside Pydantic's own."""
        return schema

    def schema_of(self, field: Field) -> dict[str, Json]:
        """JSON Schema of a value in a representation."""
        return dict(self.schema)

    def longest(self, *, keyword: bool) -> int:
        """Characters of its longest text."""
        return LONGEST

    def noted(self, field: Field) -> str:
        """What `migrate` notes of a column, since columns of one type may hold several kinds: never change it."""
        return self.name

    def described(self, field: Field) -> str:
        """How it is indexed, in words: where this changes, an index has to be rebuilt."""
        return self.name

    def misfit(self, field: Field) -> str:
        """What is wrong with the field's hints; "" if nothing is."""
        if field.places != -1:
            return "Places belongs to a Decimal"
        if field.text or (field.keyword and self.form != "string"):
            return "Text and Keyword belong to strings; other kinds are filtered and sorted by themselves"
        return ""

    def shown(self, field: Field, number: float) -> Json:
        """A stored number of statistics, as clients see it."""
        return number

    def average(self, field: Field, number: float) -> Json:
        """Likewise of an average, which may lie between two values."""
        return number

    def marked(self, mark: str, value: Json) -> Json:
        """State like this with the mark, sixteen digits, in it; the value itself where there is no room."""
        return value


class Written(Kind):
    """A kind whose values are text in JSON, of a form of their own: Pydantic gets what `read` makes of it."""

    taken: ClassVar[type]  # of Python values, which are left to Pydantic
    wanted: ClassVar[str]  # what a client is told that sends another type

    def look(self, value: Any) -> Any:
        if isinstance(value, str):
            return looked(self.read, value, self.name)
        if not isinstance(value, self.taken):
            raise PydanticCustomError(f"{self.name}_type", self.wanted)
        return value


def matching(pattern: re.Pattern[str], text: str, example: str, longest: int = 40) -> str:
    """The text, if it is written so. Raises NotAValue."""
    if len(text) > longest or not pattern.fullmatch(text):
        raise NotAValue(example)
    return text


def looked(read: Callable[[str], Any], text: str, code: str) -> Any:
    """The value of a text for Pydantic. Raises PydanticCustomError."""
    try:
        return read(text)
    except NotAValue as reason:
        raise PydanticCustomError(f"{code}_parsing", "{told}", {"told": str(reason).removesuffix(".")}) from None
