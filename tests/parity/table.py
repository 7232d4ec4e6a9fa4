"""The table in docs/text.md: texts that engines cut into words each in its own way. Write it anew with: python -m tests.parity.table"""

# ruff: noqa: RUF001 - letters that look like others are what this is about
from __future__ import annotations

import unicodedata
import uuid
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import orjson

from tests.parity.stores import ENGINES, opened
from twofold import Resource, Text
from twofold.index.port import Operation
from twofold.query.language import parse

DOCUMENT = Path(__file__).parents[2] / "docs" / "text.md"
HEADING = "| text | `q` | SQLite | Elasticsearch | OpenSearch |\n|---|---|---|---|---|\n"
TIME = "2026-11-23T12:00:00.000Z"
ROWS = [
    *[("O'Neill", q) for q in ("o'neill", "neill", "oneill")],
    ("l’été", "été"),
    ("rock'n'roll", "roll"),
    ("ana@example.com", "ana@example.com"),
    ("ana@example.com", "example"),
    ("ana@example.com", "com"),
    ("see https://example.com/a_b?c=d#e", "a_b"),
    ("see https://example.com/a_b?c=d#e", "com"),
    ("foo_bar", "foo"),
    ("foo_bar", "bar"),
    ("snake_case_name", '"case name"'),
    ("version 1.2.3", "1.2"),
    ("version 1.2.3", "2.3"),
    ("12,345.67", "345"),
    ("a:b", "b"),
    ("e.g.", "g"),
    ("U.S.A.", "usa"),
    ("C++ and C#", "c++"),
    ("C++ and C#", "c#"),
    ("AT&T", "t"),
    ("$5", "$5"),
    ("½ cup", "½"),
    ("½ cup", "1"),
    ("x²", "x2"),
    ("№ 5", "№"),
    ("Ⅷ", "viii"),
    ("straße", "strasse"),
    ("Søren", "soren"),
    ("Łukasz", "lukasz"),
    ("Æsir", "aesir"),
    ("cœur", "coeur"),
    ("Đorđe", "dorde"),
    ("Þór", "thor"),
    ("ﬁsh", "fish"),
    ("Ｆｕｌｌ", "full"),
    ("İstanbul", "istanbul"),
    ("ısı", "isi"),
    ("Mu\u0308ller", "müller"),
    ("Mu\u0308ller", "muller"),
    ("Müller", "mu\u0308ller"),
    ("Привет", "привет"),
    ("ёлка", "елка"),
    ("Ελλάδα", "ελλαδα"),
    ("λόγος", "ΛΌΓΟΣ"),
    ("田中太郎", "田中"),
    ("田中太郎", "太"),
    ("田中太郎", "太郎"),
    ("カタカナ", "カタ"),
    ("カタカナ", "カナ"),
    ("ひらがな", "らが"),
    ("한국어", "한국"),
    ("한국어", "국어"),
    ("สวัสดีชาวโลก", "ชาว"),
    ("שלום", "שלום"),
    ("مرحبا", "مرحبا"),
    ("مَرحَبا", "مرحبا"),
    ("हिन्दी", "हिन्दी"),
    ("party 🎉 time", "🎉"),
    ("party 🎉 time", '"party time"'),
    ("👩\u200d👩\u200d👧 family", "👩"),
    ("🇩🇪 flag", "🇩🇪"),
    ("I ❤️ you", "❤️"),
    ("soft\u00adhyphen", "softhyphen"),
    ("zero\u200bwidth", "width"),
    ("no\u00a0break", "break"),
    ("…", "…"),
    ("&", "&"),
]


class Note(Resource, name="notes"):
    note: Annotated[str, Text()]


def found(engine: str, rows: Sequence[tuple[str, str]]) -> list[bool]:
    """Whether each text is found by its `q`."""
    texts = list(dict.fromkeys(text for text, _ in rows))
    resource = replace(Note.declaration, index=f"notes-{uuid.uuid4().hex[:8]}")
    with opened(engine, resource) as store:
        store.apply(resource, [operation(f"{number:03}", text) for number, text in enumerate(texts)])
        store.refresh(resource)
        pages = store.search(resource, [parse(resource, [("q", q), ("limit", "100")]) for _, q in rows])
    return [text in {hit.document["note"] for hit in page.hits} for (text, _), page in zip(rows, pages, strict=True)]


def operation(id_: str, text: str) -> Operation:
    document = {"id": id_, "version": 1, "note": text, "created_at": TIME, "updated_at": TIME}
    return Operation(id_, 1, orjson.dumps(document))


def row(text: str, q: str, cells: Sequence[bool]) -> str:
    return f"| `{_visible(text)}` | `{_visible(q)}` | {' | '.join(map(cell, cells))} |"


def cell(does: bool) -> str:
    return "found" if does else "–"


def _visible(text: str) -> str:
    """With what cannot be seen, and marks that could be part of the letter before them, written as escapes."""
    composed = unicodedata.normalize("NFC", text) == text
    hidden = "\u00a0\u00ad\u200b" if composed else "\u0308"
    return "".join(f"\\u{ord(character):04x}" if character in hidden else character for character in text)


def told() -> list[str]:
    """The rows of the document's table."""
    return DOCUMENT.read_text().partition(HEADING)[2].partition("\n\n")[0].splitlines()


def main() -> None:
    before, heading, rest = DOCUMENT.read_text().partition(HEADING)
    columns = [found(engine, ROWS) for engine in ENGINES]
    rows = "\n".join(row(text, q, cells) for (text, q), *cells in zip(ROWS, *columns, strict=True))
    behind = rest.partition("\n\n")[2]
    DOCUMENT.write_text(f"{before}{heading}{rows}\n{behind and chr(10) + behind}")


if __name__ == "__main__":
    main()
