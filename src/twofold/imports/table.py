"""CSV as bodies: the header is judged once, before the first row; then each row is the body of a request.

A cell in which nothing stands is null where the field may be null, and an absent member elsewhere; `""` is an empty text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from twofold.errors import SettingsError
from twofold.fields import Field
from twofold.imports.csv_reader import Broken, Record, Records, split
from twofold.imports.fitting import Names
from twofold.imports.lines import BYTES, NOT_TEXT, NOTES, SYSTEM, TEXT, Damaged, Line, Notes, decoded, undecoded, without_system
from twofold.imports.options import Options
from twofold.imports.source import Source
from twofold.kinds import NotAValue
from twofold.resource import Declaration
from twofold.runtime import strictjson
from twofold.runtime.strictjson import NotJson
from twofold.spreadsheets import original
from twofold.values import from_cell

_CLOSING = re.compile(r"# complete: (\d+) rows")
DELIMITERS = {"csv": ",", "tsv": "\t"}


class Table:
    """The lines of a CSV file. Reads the header when it is made: raises SettingsError with all that is wrong with it."""

    def __init__(self, source: Source, resource: Declaration, options: Options, notes: Notes) -> None:
        self._options, self._notes = options, notes
        self.delimiter = options.delimiter or DELIMITERS[source.format]
        self._records = Records(source.stream, self.delimiter)
        self._fields: dict[str, Field] = {each.name: each for each in resource.fields}
        names = self._names()
        self._records.width = len(names)
        self._rejected = {name: place for place, name in enumerate(names) if name in NOTES}
        self.header = [name for name in names if name not in NOTES]
        self._members = [options.member(name) if name else "" for name in self.header]
        found = Names(self.header, self._members, resource, options)
        found.judge("header")
        self._exported, notes.lacking = found.exported, found.lacking

    def __iter__(self) -> Iterator[Line]:
        read, told = 0, None
        for record in self._records:
            if _blank(record, self._records.width):
                continue
            if told is not None:
                raise Damaged(
                    f"Line {record.number} stands behind the line that says that the export is complete. From there on nothing was read."
                )
            if (match := _CLOSING.fullmatch(record.text)) and (self._exported or not self._fits(record)):
                told = int(match[1])
                continue
            read += 1
            yield without_system(self._line(record), self._options, self._notes)
        if told is not None or (self._exported and not self._rejected):
            self._notes.ends(told, read)

    def _fits(self, record: Record) -> bool:
        """Whether a line that looks like the closing one can be a row."""
        return len(record.cells) == self._records.width

    def _names(self) -> list[str]:
        record = next(iter(self._records), None)
        if record is None:
            raise SettingsError("The file is empty. Its first line should hold the names of the columns.")
        if record.fault:
            raise SettingsError(f"The header cannot be read: {record.fault}")
        if undecoded(record.text):
            raise SettingsError(f"The header cannot be read: {NOT_TEXT}")
        if _blank(record, 0):
            raise SettingsError("The first line is empty. It should hold the names of the columns.")
        return [cell or "" for cell in record.cells]

    def _line(self, record: Record) -> Line:
        if record.fault:
            return Line(record.number, record.text, NotJson(record.fault))
        cells = [cell for place, cell in enumerate(record.cells) if place not in self._rejected.values()]
        if raw := self._note(record, BYTES):
            return Line(
                record.number, decoded(raw), NotJson(f"{NOT_TEXT} In a file of rejects, write the line into {TEXT}, and empty {BYTES}.")
            )
        if text := self._note(record, TEXT):
            return self._reread(record.number, text)
        return Line(record.number, record.text, self._body(record.text, cells), cells)

    def _note(self, record: Record, name: str) -> str:
        place = self._rejected.get(name, len(record.cells))
        return (record.cells[place] or "") if place < len(record.cells) else ""

    def _reread(self, number: int, text: str) -> Line:
        """The line of a reject that had no cells, mended or not."""
        try:
            cells = split(text, self.delimiter)
        except Broken as broken:
            return Line(number, text, NotJson(str(broken)))
        return Line(number, text, self._body(text, cells), cells)

    def _body(self, text: str, cells: list[str | None]) -> Any:
        """The row as the body of a request; NotJson with all its faults where it is none."""
        if undecoded(text):
            return NotJson(NOT_TEXT)
        if len(cells) > len(self.header):
            return NotJson(f"The line has {len(cells)} cells, and the header has {len(self.header)}.")
        body: dict[str, Any] = {}
        faults = []
        for name, member, cell in zip(self.header, self._members, cells, strict=False):
            try:
                self._take(body, name, member, cell)
            except NotAValue as error:
                faults.append(f"{name or 'A column without a name'}: {error}")
        return NotJson("; ".join(faults)) if faults else body

    def _take(self, body: dict[str, Any], name: str, member: str, cell: str | None) -> None:
        """Sets the member that a cell gives, if it does. Raises NotAValue."""
        if not member:
            if cell and not name:
                raise NotAValue("something stands in it.")
            return
        field = self._fields.get(member)
        if member in SYSTEM or field is None:
            body[member] = cell
        elif cell is None or (cell == "" and not field.many and not field.kind.is_text):
            if field.nullable:
                body[member] = None
        else:
            body[member] = value_of(field, original(cell) if self._guarded(field) else cell, self._options.separator)

    def _guarded(self, field: Field) -> bool:
        return self._exported and field.kind.is_guarded and not field.many


def value_of(field: Field, text: str, separator: str = "") -> Any:
    """The JSON that a cell stands for. Raises NotAValue."""
    if not field.many:
        return from_cell(field, text)
    if not text:
        return []
    if separator:
        return [from_cell(field, part) for part in text.split(separator)]
    try:
        value = strictjson.loads(text.encode())
    except NotJson:
        value = None
    if not isinstance(value, list):
        raise NotAValue('A list as JSON, for example ["a","b"]; or name what stands between the items with --list-separator.')
    return value


def _blank(record: Record, width: int) -> bool:
    """Whether nothing stands in a line; spaces are a text where there is one column only."""
    return not record.fault and not (record.text if width == 1 else record.text.strip())
