"""The documents, their fenced blocks, and the commands in them.

A block of commands is a block of `console`: a line that begins with `$ ` is a command, what follows is what it prints. An HTML comment
above a block says under what circumstances it is run: `<!-- engines -->` on the real ones, `<!-- stopped -->` with nothing else running.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")] + sorted((ROOT / "docs").rglob("*.md"))
_FENCE = re.compile(r"^(?:<!-- (?P<mark>[^\n]*) -->\n)?```(?P<language>[a-z]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    document: str
    line: int
    language: str
    mark: str
    text: str


@dataclass(frozen=True)
class Step:
    """A command and what it prints; `line` is where it stands."""

    document: str
    line: int
    command: str
    expected: str

    def __str__(self) -> str:
        return f"{self.document}:{self.line}: {self.command}"


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def blocks(path: Path) -> list[Block]:
    text = path.read_text()
    found = []
    for match in _FENCE.finditer(text):
        line = text.count("\n", 0, match.start("text")) + 1
        found.append(Block(name(path), line, match["language"], match["mark"] or "", match["text"]))
    return found


def prose(path: Path) -> str:
    """A document without its blocks."""
    return _FENCE.sub("", path.read_text())


def table(path: Path, first: str, under: str = "") -> list[list[str]]:
    """The cells of the table whose first heading is `first`; the first one under the heading `under`."""
    text = path.read_text()
    start = text.index(f"\n| {first} |", text.index(under))
    lines = text[start:].strip().split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def steps(block: Block) -> Iterator[Step]:
    """A command ends with its line, unless that ends with a backslash."""
    command: list[str] = []
    printed: list[str] = []
    start, open_ = 0, False
    for number, line in enumerate(block.text.splitlines(), block.line):
        if line.startswith("$ "):
            if command:
                yield Step(block.document, start, "\n".join(command), "\n".join(printed))
            command, printed, start = [line[2:]], [], number
            open_ = line.endswith("\\")
        elif open_:
            command.append(line)
            open_ = line.endswith("\\")
        else:
            printed.append(line)
    yield Step(block.document, start, "\n".join(command), "\n".join(printed))
