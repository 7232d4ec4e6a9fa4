"""What a file is read as, without a store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.tools.shop import app

from twofold.imports.lines import Line, Notes
from twofold.imports.objects import Objects
from twofold.imports.options import Options, check
from twofold.imports.source import open_source
from twofold.imports.table import Table
from twofold.runtime.strictjson import NotJson

HEAD = "sku,name,price,stock\n"


def read(
    folder: Path, name: str, content: str | bytes, options: Options | None = None, *, resource: str = "products"
) -> tuple[list[Line], Notes]:
    """The lines of a file, and what is noted."""
    path, options, notes, declared = folder / name, options or Options(), Notes(), app.resources[resource]
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    check(declared, options)
    with open_source(path, options) as source:
        lines = Table(source, declared, options, notes) if source.format in ("csv", "tsv") else Objects(source, declared, options, notes)
        return list(lines), notes


def bodies(lines: list[Line]) -> list[Any]:
    """Bodies, and reasons as text."""
    return [str(line.body) if isinstance(line.body, NotJson) else line.body for line in lines]


def refused(lines: list[Line]) -> dict[int, str]:
    """The text of each line that has no body, by number."""
    return {line.number: line.text for line in lines if isinstance(line.body, NotJson)}
