"""UUIDs, in their canonical text (RFC 9562, section 4) in lower case."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar
from uuid import UUID

from twofold.kinds.kind import Form, Json, Written, matching

if TYPE_CHECKING:
    from twofold.fields import Field

LENGTH = 36
_WRITTEN = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)


class Uuid(Written):
    """It is compared as a whole, and sorted by its text."""

    name = "uuid"
    types = (UUID,)
    form: ClassVar[Form] = "string"
    schema: ClassVar = {"type": "string", "format": "uuid"}
    example = "A UUID in lower case, for example 0190f5c8-7a3e-7c1d-9b52-3f6e8d2a4c10."
    core = "uuid"
    taken = UUID
    wanted = 'A UUID as text, for example "0190f5c8-7a3e-7c1d-9b52-3f6e8d2a4c10"'
    smallest = "00000000-0000-0000-0000-000000000000"
    samples = ("0190f5c8-7a3e-7c1d-9b52-3f6e8d2a4c10", "0190f5c8-7a3e-7c1d-9b52-3f6e8d2a4c11")

    def encode(self, field: Field, value: UUID) -> Json:
        return str(value)

    def decode(self, field: Field, value: Json) -> UUID:
        return UUID(value)

    def fits(self, field: Field, value: Json) -> bool:
        return isinstance(value, str) and bool(_WRITTEN.fullmatch(value))

    def read(self, text: str) -> UUID:
        return UUID(matching(_WRITTEN, text, self.example))

    def from_cell(self, field: Field, text: str) -> Json:
        return self.from_text(field, text.lower())

    def published(self, schema: dict[str, Json]) -> dict[str, Json]:
        return {**schema, "pattern": f"^{_WRITTEN.pattern}$"}

    def longest(self, *, keyword: bool) -> int:
        return LENGTH
