"""Text, and whatever is text in JSON: Email, Literal, Enum, Secret."""

from __future__ import annotations

import enum
import re
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import EmailStr
from pydantic_core import PydanticCustomError

from twofold.kinds.kind import Form, Json, Kind, NotAValue

if TYPE_CHECKING:
    from twofold.fields import Field

KEYWORD_LENGTH = 8191  # characters; 4 bytes each stay below Lucene's longest term, 32,766 bytes
TEXT_LENGTH = 65_536
UNIQUE_BYTES = 320
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


class String(Kind):
    """A JSON string. It is filtered and sorted by where it is a Keyword, and searched where it is a Text."""

    name = "string"
    types = (str, EmailStr)
    form: ClassVar[Form] = "string"
    plain: ClassVar = str
    schema: ClassVar = {"type": "string"}
    example = "Text in UTF-8."
    is_text = True
    is_guarded = True
    has_marks = True

    def encode(self, field: Field, value: Any) -> Json:
        return value.value if isinstance(value, enum.Enum) else str(value)

    def decode(self, field: Field, value: Json) -> Any:
        return field.enum(value) if field.enum else value

    def check(self, field: Field, value: Any) -> Any:
        text = value.value if isinstance(value, enum.Enum) else value
        if CONTROL.search(text):
            raise PydanticCustomError("characters", "String should not contain control characters")
        if len(text) > field.max_length:
            raise PydanticCustomError("string_too_long", f"String should have at most {field.max_length} characters")
        if field.unique and (len(text) > UNIQUE_BYTES or len(field.unique_key(text) or b"") > UNIQUE_BYTES):
            raise PydanticCustomError("string_too_long", f"A unique value should have at most {UNIQUE_BYTES} bytes")
        return value

    def fits(self, field: Field, value: Json) -> bool:
        return isinstance(value, str)

    def read(self, text: str) -> str:
        if any("\ud800" <= character <= "\udfff" for character in text):
            raise NotAValue(self.example)
        return text

    def from_text(self, field: Field, text: str) -> Json:
        """A filter may ask for what no field takes, such as control characters: nothing is found then."""
        if len(text) > field.max_length:
            raise NotAValue(f"At most {field.max_length} characters.")
        return self.read(text)

    def longest(self, *, keyword: bool) -> int:
        return KEYWORD_LENGTH if keyword else TEXT_LENGTH

    def described(self, field: Field) -> str:
        return " and ".join(hint for hint in ("keyword", "text") if getattr(field, hint)) or "stored"

    def misfit(self, field: Field) -> str:
        return "Places belongs to a Decimal" if field.places != -1 else ""

    def marked(self, mark: str, value: Json) -> Json:
        head, at, tail = str(value).rpartition("@")
        return f"{head}.{mark}{at}{tail}" if at else f"{value}{mark}"
