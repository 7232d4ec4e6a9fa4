"""A file, or standard input, as text: its format by its ending, compressed or not, and a sentence where it is something else."""

from __future__ import annotations

import gzip
import io
import re
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from twofold.errors import SettingsError
from twofold.imports.options import FORMATS, Format, Options

HEAD = 1 << 16
ENDINGS: dict[str, Format] = {".csv": "csv", ".tsv": "tsv", ".ndjson": "ndjson", ".jsonl": "ndjson", ".json": "json"}
_KINDS = (
    (b"PK\x03\x04", "a ZIP archive or a workbook"),
    (b"%PDF", "a PDF"),
    (b"PAR1", "Parquet"),
    (b"SQLite format 3\0", "an SQLite database"),
)
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, slots=True)
class Source:
    """Text to read, with its line ends as they are. `head` is its beginning; `taken` tells how many bytes of `size` were read."""

    stream: IO[str]
    format: Format
    head: str
    size: int | None
    taken: Callable[[], int]


def format_of(path: Path | None, options: Options) -> Format:
    """The format that is asked for, or that the ending names; NDJSON on standard input. Raises SettingsError."""
    if options.format or path is None:
        return options.format or "ndjson"
    if found := ENDINGS.get(Path(_unpacked(path)).suffix.lower()):
        return found
    raise SettingsError(f"{path}: the ending does not tell what the file is. Say it with --format {', '.join(FORMATS)}.")


def stem_of(path: Path | None) -> str:
    """The name of a file without what its endings say."""
    if path is None:
        return "stdin"
    name = Path(_unpacked(path))
    return name.stem if name.suffix.lower() in ENDINGS else path.name


def _unpacked(path: Path) -> str:
    return re.sub(r"\.gz$", "", path.name, flags=re.IGNORECASE)


@contextmanager
def open_source(path: Path | None, options: Options) -> Iterator[Source]:
    """Opens it and looks at its beginning. Raises SettingsError where it is not what it should be."""
    format_ = format_of(path, options)
    if path is not None and not path.exists():
        raise SettingsError(f"There is no file {path}.")
    if path is not None and not path.is_file():
        told = "a folder: import its files one by one" if path.is_dir() else "no regular file: read it from standard input, as -"
        raise SettingsError(f"{path} is {told}.")
    try:
        raw = cast("IO[bytes]", sys.stdin.buffer) if path is None else path.open("rb")
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}.") from None
    try:
        yield _source(raw, path, format_, options)
    except UnicodeError:
        raise SettingsError(
            f"{path or 'Standard input'} is not in {options.encoding}. Nothing behind the last line that was told was read."
        ) from None
    except (gzip.BadGzipFile, EOFError, OSError, zlib.error) as error:
        if isinstance(error, OSError) and not isinstance(error, gzip.BadGzipFile):
            raise
        raise SettingsError(f"{path} is damaged: {error}.") from None
    finally:
        if path is not None:
            raw.close()


def _source(raw: IO[bytes], path: Path | None, format_: Format, options: Options) -> Source:
    name = str(path or "Standard input")
    packed = path is not None and path.name.lower().endswith(".gz")
    data = cast("io.BufferedReader", gzip.GzipFile(fileobj=raw) if packed else raw)
    head = _peeked(data, name, packed=packed)
    _refuse_other_kinds(head, name, options)
    try:
        text = io.TextIOWrapper(
            data, encoding=options.encoding, errors="surrogateescape", newline="" if format_ in ("csv", "tsv") else "\n"
        )
        shown = head.decode(options.encoding, "replace")
    except LookupError:
        raise SettingsError(
            f"--encoding {options.encoding}: there is no such encoding of text; for example utf-8, cp1252 or utf-16."
        ) from None
    _refuse_other_formats(shown.lstrip(), name, format_)
    size = path.stat().st_size if path is not None else None
    return Source(text, format_, shown, size, raw.tell if size is not None else lambda: 0)


def _peeked(data: io.BufferedReader, name: str, *, packed: bool) -> bytes:
    try:
        return data.peek(HEAD)[:HEAD]
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise SettingsError(f"{name} is not gzip, though it ends in .gz." if packed else f"{name} is damaged.") from None


def _refuse_other_kinds(head: bytes, name: str, options: Options) -> None:
    if head.startswith(b"\x1f\x8b"):
        raise SettingsError(f"{name} is compressed by gzip. Give it the ending .gz, or pipe it through zcat.")
    if kind := next((kind for mark, kind in _KINDS if head.startswith(mark)), None):
        raise SettingsError(f"{name} is {kind}. Save it as CSV or NDJSON first.")
    wide = head.startswith(_UTF16) or head.count(0) > len(head) / 4
    if wide and not options.encoding.lower().replace("_", "-").startswith(("utf-16", "utf16", "utf-32", "utf32")):
        raise SettingsError(f"{name} is in UTF-16, or no text at all. If it is text, say --encoding utf-16.")


def _refuse_other_formats(head: str, name: str, format_: Format) -> None:
    """What would be a fault of every line is said once."""
    first = head[:1]
    if format_ in ("csv", "tsv") and first and first in "{[":
        raise SettingsError(f"{name} looks like JSON. Say --format {'ndjson' if first == '{' else 'json'} if it is.")
    if format_ == "ndjson" and first == "[":
        raise SettingsError(f"{name} is an array of JSON, and NDJSON is one object a line. Say --format json.")
    if format_ == "ndjson" and first and first != "{":
        raise SettingsError(f"{name} does not begin with an object, and NDJSON is one object a line. For CSV say --format csv.")
    if format_ == "json" and first != "[":
        raise SettingsError(f"{name} is not an array of JSON. If it is one object a line, say --format ndjson.")
