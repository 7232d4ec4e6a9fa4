"""What all formats have in common: a line as it was read, and the notes that are told at the end."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from typing import Any

from twofold.errors import TwofoldError
from twofold.imports.options import Options

NUMBER, REASON, TEXT, BYTES = "_line", "_reason", "_text", "_bytes"
NOTES = (NUMBER, REASON, TEXT, BYTES)  # what a file of rejects has beside the line
SYSTEM = ("id", "version", "created_at", "updated_at")
NOT_TEXT = "The line holds bytes that are not in the file's encoding; --encoding says what they are."


class Damaged(TwofoldError):
    """The rest of a file cannot be read, or rejects cannot be written; the message says from where on."""


@dataclass(slots=True)
class Line:
    """A line of a file: its number, its text, and its body, or NotJson where it has none.

    `cells` (of CSV) or `members` (of an object) are what it consists of. `id` and `created_at` are those that it gives, if they are asked
    for. `text` is "" where it is too long to be kept.
    """

    number: int
    text: str
    body: Any
    cells: list[str | None] | None = None
    members: Any = None
    id: str | None = None
    created_at: str | None = None


@dataclass(slots=True)
class Notes:
    """What is told beside the tally: before the first row, what an export lacks; then the members that are left out, and why a file may
    be a part only.
    """

    lacking: str = ""
    left_out: set[str] = field(default_factory=set)
    damage: str = ""

    def ends(self, told: int | None, read: int) -> None:
        """Holds the closing line of an export against what was read; None where there was none."""
        if told is None:
            self.damage = "The last line of the export, which says that it is complete, is missing: this may be a part of it only."
        elif told != read:
            self.damage = f"The last line of the export says that it has {told} rows, and {read} were read."


def undecoded(text: str) -> bool:
    """Whether a text holds bytes that its encoding does not have."""
    return not text.isascii() and any("\udc80" <= character <= "\udcff" for character in text)


def decoded(text: str) -> str:
    """The line whose bytes a file of rejects holds; "" where it holds none."""
    try:
        return base64.b64decode(text, validate=True).decode("utf-8", "surrogateescape")
    except (binascii.Error, ValueError):
        return ""


def without_system(line: Line, options: Options, notes: Notes) -> Line:
    """Takes away what only the store gives: id, version and times. Ids are kept where they are asked for, by the name of an update too."""
    if not isinstance(line.body, dict):
        return line
    given = {name: line.body[name] for name in SYSTEM if name in line.body}
    line.body = {name: value for name, value in line.body.items() if name not in given}
    if options.with_ids or options.by == "id":
        line.id = given.pop("id", None)
    if options.with_ids:
        line.created_at = given.pop("created_at", None)
    notes.left_out.update(given)
    return line
