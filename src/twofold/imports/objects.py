"""NDJSON, one object a line, and JSON arrays, one element after the other: neither is ever held as a whole."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import IO, Any

from twofold.imports.fitting import Names
from twofold.imports.lines import BYTES, NOT_TEXT, NOTES, NUMBER, TEXT, Damaged, Line, Notes, decoded, undecoded, without_system
from twofold.imports.options import Options
from twofold.imports.source import Source
from twofold.resource import Declaration
from twofold.runtime import strictjson
from twofold.runtime.strictjson import NotJson

MAX_OBJECT = 4 << 20  # characters
PIECE = 1 << 16
_MARK = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|["\[\]{},]', re.DOTALL)  # a quote alone: a string that goes on
LONG = f"The object has more than {MAX_OBJECT} characters."


class Objects:
    """The lines of NDJSON or the elements of an array. The first is read when it is made: raises SettingsError where it is one of an export
    that does not fit. Raises Damaged where an array cannot be read any further.
    """

    def __init__(self, source: Source, resource: Declaration, options: Options, notes: Notes) -> None:
        self._options, self._notes = options, notes
        self._texts = elements(source.stream) if source.format == "json" else _lines(source.stream)
        self._exported = self._ends = False
        if first := next(self._texts, None):
            self._texts = itertools.chain([first], self._texts)
            self._exported = self._judged(_line(*first, options), resource)
            self._ends = self._exported and source.format == "ndjson" and not _is_reject(first[1])
        self._own = self._exported or not {"complete", "count"} <= {field.name for field in resource.fields}

    def _judged(self, line: Line, resource: Declaration) -> bool:
        """Whether the first line is one of an export; all others have the same names then."""
        if not isinstance(line.members, dict) or not isinstance(line.body, dict):
            return False
        found = Names([*line.members], [self._options.member(name) for name in line.members], resource, self._options)
        if found.exported:
            found.judge("export")
            self._notes.lacking = found.lacking
        return found.exported

    def __iter__(self) -> Iterator[Line]:
        read, told = 0, None
        for number, text in self._texts:
            if told is not None:
                behind = f"Line {number} stands behind the line that says that the export is complete."
                raise Damaged(f"{behind} From there on nothing was read.")
            line = _line(number, text, self._options)
            if self._own and _closing(line.body):
                told = line.body["count"]
                continue
            read += 1
            yield without_system(line, self._options, self._notes)
        if told is not None or self._ends:
            self._notes.ends(told, read)


def _is_reject(text: str) -> bool:
    value = _value(text)
    return isinstance(value, dict) and NUMBER in value


def _closing(body: Any) -> bool:
    return isinstance(body, dict) and body.keys() == {"complete", "count"} and body["complete"] is True and type(body["count"]) is int


def _line(number: int, text: str, options: Options) -> Line:
    if not text:
        return Line(number, "", NotJson(LONG))
    if undecoded(text):
        return Line(number, text, NotJson(NOT_TEXT))
    body = _value(text)
    if not isinstance(body, dict):
        return Line(number, text, body)
    if BYTES in body:
        return Line(
            number, decoded(str(body[BYTES])), NotJson(f"{NOT_TEXT} In a file of rejects, write the line into {TEXT}, without {BYTES}.")
        )
    if isinstance(text_ := body.get(TEXT), str):
        text, body = text_, _value(text_)
    members = {name: value for name, value in body.items() if name not in NOTES} if isinstance(body, dict) else None
    return Line(number, text, body if members is None else _renamed(members, options), members=members)


def _value(text: str) -> Any:
    try:
        return strictjson.loads(text.encode())
    except NotJson as error:
        return NotJson(str(error).replace("The body", "The line"))


def _renamed(body: Any, options: Options) -> Any:
    """The body under the names of members; NotJson where two names stand for one."""
    if not options.columns or not isinstance(body, dict):
        return body
    found: dict[str, Any] = {}
    for name, value in body.items():
        member = options.member(name)
        if member in found:
            return NotJson(f"Two names stand for {member}.")
        if member:
            found[member] = value
    return found


def _lines(stream: IO[str]) -> Iterator[tuple[int, str]]:
    """Lines that are not empty, with their numbers; "" for one that is too long."""
    number = 0
    while line := stream.readline(MAX_OBJECT):
        number += 1
        rest = line
        while len(rest) == MAX_OBJECT and not rest.endswith("\n"):
            rest = stream.readline(MAX_OBJECT)
            line = line if not rest else ""
        if not line or line.strip():
            yield number, line.strip()


def elements(stream: IO[str]) -> Iterator[tuple[int, str]]:
    """The elements of an array as text, with the numbers of their first lines. Raises Damaged where the array cannot be followed."""
    scanner = _Scanner()
    while piece := stream.read(PIECE):
        yield from scanner.feed(piece)
    scanner.end()


class _Scanner:
    """Cuts an array at the commas between its elements. `_text` begins behind the last cut; `_place` is how far it was looked at."""

    def __init__(self) -> None:
        self._text = ""
        self._place = self._depth = 0
        self._line = 1
        self._ended = False

    def feed(self, piece: str) -> Iterator[tuple[int, str]]:
        self._text += piece
        while (match := _MARK.search(self._text, self._place)) and (mark := match.group()) != '"':
            self._place = match.end()
            if mark[0] == '"':
                continue
            before = self._depth
            self._depth += (mark in "[{") - (mark in "]}")
            if before == 0 or (before == 1 and self._depth != 2 and mark != "}"):
                yield from self._element(match.start(), mark)
        self._place = match.start() if match else len(self._text)
        if len(self._text) > MAX_OBJECT + PIECE:
            raise Damaged(f"The element at line {self._line} has more than {MAX_OBJECT} characters. From there on nothing was read.")

    def _element(self, end: int, mark: str) -> Iterator[tuple[int, str]]:
        """What stands before a mark of the array itself."""
        text, self._text, self._place = self._text[:end], self._text[end + 1 :], 0
        number = self._begins(text)
        self._line += text.count("\n")
        bare = text.strip()
        if self._ended or (mark == "[" and bare):
            raise Damaged(f"Line {self._line} stands outside of the array. From there on nothing was read.")
        if bare or mark == ",":
            yield number, bare or "nothing"
        self._ended = mark == "]"

    def _begins(self, text: str) -> int:
        """The line of the first character of a text behind the last cut."""
        return self._line + text[: len(text) - len(text.lstrip())].count("\n")

    def end(self) -> None:
        if not self._ended:
            whole = f", in line {self._line}: the rest is missing."
            cut = f": what begins in line {self._begins(self._text)} was not read."
            raise Damaged(f"The file ends in the middle of the array{cut if self._text.strip() else whole}")
        if self._text.strip():
            raise Damaged(f"Behind the array, in line {self._line}, stands something else, which was not read.")
