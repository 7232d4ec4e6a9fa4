"""Lines that were refused, in a file that can be mended and imported again.

It has the format of the file they come from, with the reason beside each, and no secrets. It is written under another name and takes its
own at the end, so that nothing that a link points to is ever written over, and nobody else can read it meanwhile.
"""

from __future__ import annotations

import base64
import io
import os
import secrets
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import orjson

from twofold.errors import SettingsError
from twofold.imports.csv_reader import Records, joined
from twofold.imports.lines import BYTES, NOTES, NUMBER, REASON, TEXT, Damaged, Line, undecoded

MARKS = {NUMBER, REASON}  # names that each file of rejects has, in its header or its objects
FORMER = {"line", "reason", "text"}  # those of an object in one of twofold 0.1
HEAD = 32 << 20  # characters, which the first line of a file of rejects fits into
DELIMITERS = ",;\t|"
State = tuple[int, int, int, int]  # which file it is, and what was last written to it
WITHHELD = "The text of the line is left out here, since it may hold a secret."


class Rejects:
    """The file of rejects. `hidden` are the names of secrets in the file that is read; `header` and `delimiter` those of CSV.

    Raises SettingsError where it cannot be made, or where another file has its name.
    """

    def __init__(
        self, path: Path, hidden: frozenset[str], header: Sequence[str] | None = None, delimiter: str = ",", encoding: str = "utf-8"
    ) -> None:
        self.path, self._hidden = path, hidden
        self._header, self._delimiter = header, delimiter
        self._encoding = encoding.removesuffix("-sig")
        self.count = 0
        self.blanked = False  # whether a secret was left out
        self._replaced = _replaceable(path, delimiter)
        self._part = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        self._file = _created(self._part)
        if header is not None:
            self._row([*header, *NOTES])

    def add(self, line: Line, reason: str) -> None:
        """Writes one, with the reason. Raises Damaged where that is not possible."""
        self.count += 1
        with self._told():
            if self._header is not None:
                self._row(self._cells(line, reason, self._header))
            else:
                self._file.write(orjson.dumps(self._object(line, reason), option=orjson.OPT_APPEND_NEWLINE))

    def close(self) -> None:
        """Puts the file in its place; without rejects there is none, and none of an import before. What was put there meanwhile stays:
        Damaged then says where the rejects are, and so does `path`.
        """
        with self._told():
            self._file.close()
            ours = self._replaced == _there(self.path)
            if self.count and not ours:
                taken, self.path = self.path, self._part
                raise Damaged(f"{taken} was put there or changed meanwhile, so it was left as it is: the rejects are in {self.path}.")
            if self.count:
                self._part.replace(self.path)
                return
            self._part.unlink(missing_ok=True)
            if ours:
                self.path.unlink(missing_ok=True)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise Damaged(f"Rejects cannot be written to {self._part}: {error.strerror}. The import ended there.") from None

    def _row(self, cells: Sequence[str | None]) -> None:
        self._file.write(f"{joined(cells, self._delimiter)}\r\n".encode())

    def _cells(self, line: Line, reason: str, header: Sequence[str]) -> list[str | None]:
        nothing: list[str | None] = [None] * len(header)
        if line.cells is None or len(line.cells) > len(header) or undecoded(line.text):
            return [*nothing, str(line.number), *self._raw(line, reason)]
        shown: list[str | None] = [None if name in self._hidden else cell for name, cell in zip(header, line.cells, strict=False)]
        self.blanked |= shown != line.cells
        return [*shown, *nothing[len(shown) :], str(line.number), reason, None, None]

    def _object(self, line: Line, reason: str) -> dict[str, Any]:
        if isinstance(line.members, dict):
            shown = {name: value for name, value in line.members.items() if name not in self._hidden}
            self.blanked |= len(shown) != len(line.members)
            return {**shown, NUMBER: line.number, REASON: reason}
        told, text, raw = self._raw(line, reason)
        return {NUMBER: line.number, REASON: told, **({TEXT: text} if text else {}), **({BYTES: raw} if raw else {})}

    def _raw(self, line: Line, reason: str) -> tuple[str, str | None, str | None]:
        """Reason, text and bytes of a line that has no cells or members, in base64 where they are not text."""
        if self._hidden:
            self.blanked = True
            return f"{reason} {WITHHELD}", None, None
        if undecoded(line.text):
            raw = line.text.encode(self._encoding, "surrogateescape")
            return reason, None, base64.b64encode(raw).decode()
        return reason, line.text or None, None


def _replaceable(path: Path, delimiter: str) -> State | None:
    """What is there, if anything. It may be a file of rejects, and no other: it will be replaced, or removed."""
    try:
        number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError:
        raise _stranger(path) from None
    try:
        if not stat.S_ISREG(os.fstat(number).st_mode) or not _ours(number, delimiter):
            raise _stranger(path)
        return _state(os.fstat(number))
    finally:
        os.close(number)


def _there(path: Path) -> State | None:
    try:
        return _state(path.lstat())
    except FileNotFoundError:
        return None


def _state(found: os.stat_result) -> State:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _ours(number: int, delimiter: str) -> bool:
    """Whether an open file is one of rejects, or empty: by names as a whole, since others have columns such as cancel_reason."""
    with os.fdopen(number, encoding="utf-8-sig", errors="replace", newline="", closefd=False) as file:
        text = file.read(HEAD)
    if not text or _keys(text.partition("\n")[0]):
        return True
    headers = (next(iter(Records(io.StringIO(text, newline=""), each)), None) for each in {delimiter, *DELIMITERS})
    return any(header and header.cells and set(header.cells) >= MARKS for header in headers)


def _keys(line: str) -> bool:
    """Whether a line is an object of a file of rejects."""
    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
    return isinstance(found, dict) and (found.keys() >= MARKS or found.keys() == FORMER)


def _stranger(path: Path) -> SettingsError:
    return SettingsError(f"{path} exists, and is no file of rejects. Name another with --rejects, or take it away.")


def _created(path: Path) -> IO[bytes]:
    try:
        return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb")
    except OSError as error:
        raise SettingsError(f"Rejects cannot be written to {path.parent}: {error.strerror}. Name another place with --rejects.") from None
