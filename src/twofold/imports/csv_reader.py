"""CSV as RFC 4180 has it, read so that nothing is swallowed: each record has its text and the line where it begins.

A quoted cell may go over several lines, and a stray quote looks like the beginning of one. So where a record of several lines cannot be
right, only its first line is refused, and those behind it are read on their own. They are taken only if they look like whole records:
what they hold could be the rest of a text.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO

MAX_RECORD = 4 << 20  # characters
_QUOTED = re.compile('"([^"]*+(?:""[^"]*+)*+)"')  # possessive: a pair of quotes is never taken for an end
OPEN = "A quote that is opened here is not closed. A quote that belongs to a quoted cell is written twice."
BEHIND = "Something stands behind the closing quote of a cell. A quote that belongs to a quoted cell is written twice."
LONG = f"The line has more than {MAX_RECORD} characters."


class Broken(ValueError):
    """The text is no record; `unclosed` where more text could make it one."""

    def __init__(self, reason: str, *, unclosed: bool = False) -> None:
        super().__init__(reason)
        self.unclosed = unclosed


@dataclass(frozen=True, slots=True)
class Record:
    """A record: the number of its first line, its text without the end of line, its cells or why it has none.

    A cell is None where nothing stands in it, not even quotes. `text` is "" where it is too long to be kept.
    """

    number: int
    text: str
    cells: list[str | None]
    fault: str = ""


def split(text: str, delimiter: str) -> list[str | None]:
    """The cells of a record without its end of line. Raises Broken."""
    if '"' not in text:
        return [cell or None for cell in text.split(delimiter)]
    cells: list[str | None] = []
    place = 0
    while True:
        if text.startswith('"', place):
            cell, end = _quoted(text, place)
            cells.append(cell)
        else:
            end = text.find(delimiter, place)
            end = len(text) if end < 0 else end
            cells.append(text[place:end] or None)
        if end == len(text):
            return cells
        if text[end] != delimiter:
            raise Broken(BEHIND)
        place = end + 1


def _quoted(text: str, place: int) -> tuple[str, int]:
    match = _QUOTED.match(text, place)
    if match is None:
        raise Broken(OPEN, unclosed=True)
    return match[1].replace('""', '"'), match.end()


def joined(cells: Sequence[str | None], delimiter: str) -> str:
    """The record of these cells, without an end of line; `split` undoes it."""
    return delimiter.join("" if cell is None else _written(cell, delimiter) for cell in cells)


def _written(cell: str, delimiter: str) -> str:
    plain = cell and cell.strip() == cell and not any(mark in cell for mark in (delimiter, '"', "\n", "\r"))
    return cell if plain else '"' + cell.replace('"', '""') + '"'


class Records:
    """The records of a stream that was opened with newline="". `width` is the number of cells that each should have, once it is known."""

    def __init__(self, stream: IO[str], delimiter: str) -> None:
        self._stream, self._delimiter = stream, delimiter
        self._again: deque[tuple[int, str]] = deque()  # lines that were read ahead
        self._number = 0
        self._began = 0  # the line whose quote was not closed
        self._until = 0  # the last line that was read because of it
        self.width = 0

    def __iter__(self) -> Iterator[Record]:
        while line := self._line():
            yield self._record(*line)

    def _line(self) -> tuple[int, str] | None:
        if self._again:
            return self._again.popleft()
        line = self._stream.readline(MAX_RECORD)
        if not line:
            return None
        self._number += 1
        number = self._number
        whole = line
        while len(whole) == MAX_RECORD and not whole.endswith(("\n", "\r")):
            whole = self._stream.readline(MAX_RECORD)
            line = line if not whole else ""  # too long to be kept
        return number, line

    def _record(self, number: int, line: str) -> Record:
        if not line:
            return Record(number, "", [], LONG)
        lines, doubt = [line], self._doubt(number)
        try:
            cells = self._cells(lines)
        except Broken as broken:
            self._reread(number, lines)
            return Record(number, _bare(line), [], doubt or (OPEN if len(lines) > 1 else str(broken)))
        if len(lines) > 1 and self.width and len(cells) != self.width:
            self._reread(number, lines)
            reason = f"With the {len(lines) - 1} lines behind it this line has {len(cells)} cells, and the header has {self.width}."
            return Record(number, _bare(line), [], f"{reason} Is a quote not closed?")
        if self._doubtful(number, line, cells):
            self._until = max(self._until, number)
            return Record(number, _bare("".join(lines)), cells, self._doubt(number))
        return Record(number, _bare("".join(lines)), cells)

    def _cells(self, lines: list[str]) -> list[str | None]:
        """Takes as many more lines as the quotes ask for. Raises Broken."""
        while True:
            try:
                return split(_bare("".join(lines)), self._delimiter)
            except Broken as broken:
                if not broken.unclosed or not self._more(lines):
                    raise

    def _more(self, lines: list[str]) -> bool:
        """Reads up to the next line that can close the cell: within it, quotes come in pairs. False where there is none."""
        size = sum(map(len, lines))
        while size < MAX_RECORD and (line := self._line()):
            if not line[1]:
                self._again.appendleft(line)
                return False
            lines.append(line[1])
            size += len(line[1])
            if line[1].count('"') % 2:
                return True
        return False

    def _reread(self, number: int, lines: list[str]) -> None:
        behind = [(number + place, line) for place, line in enumerate(lines)][1:]
        if behind:
            if number > self._until:
                self._began = number
            self._until = max(self._until, behind[-1][0])
            self._again.extendleft(reversed(behind))

    def _doubtful(self, number: int, line: str, cells: list[str | None]) -> bool:
        """Whether this may be the rest of a text: one of a cell alone, of another number of cells, or with a quote amid a cell.

        The line behind those that were read again may be such a rest too, and the one behind it.
        """
        if not self._until or number > self._until + 1 or not line.strip():
            return False
        if any('"' in part and not part.startswith('"') for part in line.split(self._delimiter)):
            return True
        return len(cells) != self.width or (self.width == 1 and number <= self._until)

    def _doubt(self, number: int) -> str:
        return f"This may belong to line {self._began}, where a quote is not closed." if number <= self._until else ""


def _bare(line: str) -> str:
    """A line without its end."""
    return line[:-1].removesuffix("\r") if line.endswith("\n") else line.removesuffix("\r")
