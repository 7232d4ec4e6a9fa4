"""What an import is asked to do, and how it says no before it begins."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal, cast, get_args

from twofold.errors import SettingsError
from twofold.resource import Declaration

Format = Literal["csv", "tsv", "ndjson", "json"]
FORMATS: tuple[str, ...] = get_args(Format)
OTHERS = "*"


@dataclass(frozen=True, slots=True)
class Options:
    """How a file is read, and what is made of it.

    `columns` maps a name in the file to a member, "" leaves it out; the name * stands for all that are not named. `by` is the unique field,
    or id, by which lines change what is there; "" creates only.
    """

    format: Format | None = None
    columns: dict[str, str] = field(default_factory=dict)
    delimiter: str | None = None
    encoding: str = "utf-8-sig"
    separator: str = ""
    by: str = ""
    with_ids: bool = False
    with_guarded: bool = False

    def member(self, name: str) -> str:
        """The member that a name in the file stands for; "" for one that is left out."""
        return self.columns.get(name, "" if OTHERS in self.columns else name)


def format_named(name: str | None) -> Format | None:
    """The format of that name. Raises SettingsError."""
    if name is None or name in FORMATS:
        return cast("Format | None", name)
    raise SettingsError(f"--format {name}: choose {', '.join(FORMATS)}.")


def renamed(given: str | None) -> dict[str, str]:
    """`ID=book_id,title,isbn=,*=` as a mapping. Raises SettingsError."""
    columns: dict[str, str] = {}
    for part in (given or "").split(",") if given else []:
        name, equals, member = (piece.strip() for piece in part.partition("="))
        if not name or name in columns or (name == OTHERS and member):
            raise SettingsError(
                f"--columns: {part.strip()!r} cannot be used. Write NAME=member to rename, NAME= to leave out, *= to leave out all others, "
                "once for each name, with commas between."
            )
        columns[name] = member if equals else name
    return columns


def check(resource: Declaration, options: Options) -> None:
    """Refuses what does not fit the resource. Raises SettingsError."""
    uniques = [unique.name for unique in resource.uniques]
    if options.by and options.by not in {"id", *uniques}:
        raise SettingsError(
            f"--update-by {options.by}: this is no unique field of {resource.name}; it takes {' or '.join(['id', *uniques])}."
        )
    if options.delimiter is not None and (len(options.delimiter) != 1 or options.delimiter in '"\r\n'):
        raise SettingsError("--delimiter should be one character, and no quote.")
    known = {each.name for each in resource.fields} | {"id", "version", "created_at", "updated_at"}
    for member in set(options.columns.values()) - known - {""}:
        raise SettingsError(f"--columns: {resource.name} has no field {member!r}{suggestion(member, known)}")


def suggestion(name: str, known: Iterable[str]) -> str:
    """The end of a sentence about a name that is unknown: which one may be meant."""
    near = nearest(name, list(known))
    return f"; is {near} meant?" if near else "."


def nearest(name: str, known: Sequence[str]) -> str:
    """The name that is meant, of those that there are; "" where none is like it."""
    plain = {_plain(each): each for each in known}
    found = difflib.get_close_matches(_plain(name), plain, 1, 0.65)
    return plain[found[0]] if found else ""


def _plain(name: str) -> str:
    return re.sub(r"[\W_]", "", name.casefold())
