"""What fields are called: in Python as in the class, in tables by their column, and everywhere else by one name on the wire.

That is the alias, where Pydantic knows one: in bodies and answers, records and documents, query parameters, filters and CSV.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from pydantic.fields import FieldInfo

from twofold.errors import DeclarationError

SYSTEM = ("id", "version", "created_at", "updated_at")
OF_QUERIES = frozenset(
    "q sort limit cursor offset filter facets facet_limit facet_mode fields format fuzzy highlight count prefix search search_fields "  # noqa: SIM905 - words read best as words
    "snapshot suggest export time_zone timeout_ms".split()
)
OF_CLASSES = frozenset({"declaration", "command", "document"})
RESERVED = frozenset({*SYSTEM, "deleted", *OF_QUERIES, *OF_CLASSES})
IDENTIFIER = re.compile(r"[a-z][a-z0-9_]{0,62}")
_WIRE = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,62}")


def why_reserved(name: str) -> str:
    """Why a name of RESERVED is taken."""
    if name in SYSTEM:
        return f'every resource has "{name}" from the runtime, and its table a column of that name'
    if name in OF_CLASSES:
        return f"{name!r} is an attribute of resources themselves, as are {', '.join(sorted(OF_CLASSES))}"
    if name == "deleted":
        return "'deleted' marks documents of what was deleted"
    return f"{name!r} is kept for parameters and addresses of queries, as are {', '.join(sorted(OF_QUERIES))}"


def wire_name(where: str, name: str, info: FieldInfo) -> str:
    """The name of a field or a parameter on the wire. Raises DeclarationError where it would have several, or none."""
    taken, shown = info.validation_alias, info.serialization_alias
    if taken is None and shown is None:
        return name
    if not isinstance(taken, str) or taken != shown:
        fix = 'write Field(alias="…"), without validation_alias and serialization_alias'
        raise DeclarationError(f"{where}: it has one name, in bodies and in answers; {fix}")
    if not _WIRE.fullmatch(taken):
        raise DeclarationError(f"{where}: the alias {taken!r} cannot be a parameter; use letters, digits and _")
    return taken


def field_name(where: str, name: str, info: FieldInfo, *, stored: bool) -> str:
    """The name of a field on the wire: of a resource's, which is `stored`, or of a document's. Raises DeclarationError."""
    wire = wire_name(where, name, info)
    if wire == name and name in SYSTEM:
        raise DeclarationError(f"{where}: {why_reserved(name)}; rename it, for example own_{name}")
    if wire == name and name in RESERVED:
        fix = f'rename it, and keep the column with Column("{name}")' if stored else "rename it"
        raise DeclarationError(f"{where}: {why_reserved(name)}; {fix}")
    if not IDENTIFIER.fullmatch(name) or name in OF_CLASSES:
        fix = f'write {_snake(name)}: Annotated[…, Field(alias="{name}")] for that name in JSON' if _WIRE.fullmatch(name) else "rename it"
        raise DeclarationError(f"{where}: a field's name has lower-case letters, digits and _; {fix}")
    if wire in RESERVED:
        raise DeclarationError(f"{where}: the alias {wire!r} cannot be used: {why_reserved(wire)}; choose another")
    if wire.lower() == "not":
        raise DeclarationError(f"{where}: the alias {wire!r} is a word of filters; choose another")
    return wire


def refuse_shared(where: str, wires: Mapping[str, str]) -> None:
    """Raises DeclarationError where two have one name, or differ in case alone, which columns of SQLite do not. `wires` is by name."""
    owners: dict[str, str] = {name: name for name in wires}
    for name, wire in wires.items():
        if owners.setdefault(wire.lower(), name) != name:
            raise DeclarationError(f"{where}.{name}: {wire!r} names {owners[wire.lower()]} too; choose another alias")


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
