"""What FTS5's tokenizer makes of a text, asked of the tokenizer itself: a table in memory, one per thread, empty between two calls."""

from __future__ import annotations

import re
import secrets
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache

from twofold.index.sqlite_schema import GAP, TOKENIZER

Marks = tuple[str, str]
_local = threading.local()
_ASCII = re.compile(r"[A-Za-z0-9]+")


@lru_cache(maxsize=4096)
def tokens(text: str) -> tuple[str, ...]:
    """The words of the text as they stand in the index: folded. None of them holds a character of FTS5's syntax."""
    if text.isascii():
        return tuple(word.lower() for word in _ASCII.findall(text))
    with _table() as connection:
        # The gap is a word to the tokenizer, and stands between the items of lists: nobody may ask for it.
        connection.execute("INSERT INTO texts (text) VALUES (?)", (text.replace(GAP, " "),))
        return tuple(term for (term,) in connection.execute('SELECT term FROM words ORDER BY "offset"'))


def marked(expression: str, texts: Sequence[str], marks: Marks) -> dict[int, str]:
    """The texts to which the FTS5 expression applies, by their place, with marks around each word that was found."""
    stretch = f"<{secrets.token_hex(8)}>", f"</{secrets.token_hex(8)}>"  # in no text, so that they are found again
    found = re.compile(f"{stretch[0]}(.*?){stretch[1]}", re.DOTALL)
    return {
        place: found.sub(lambda match: _each_word(match[1], marks), text)
        for place, text in _highlighted(expression, texts, stretch).items()
    }


def _each_word(stretch: str, marks: Marks) -> str:
    """FTS5 marks a phrase as a whole."""
    words = tokens(stretch)
    if len(words) == 1:
        return f"{marks[0]}{stretch}{marks[1]}"
    return _highlighted(" OR ".join(f'"{word}"' for word in words), [stretch], marks)[0]


def _highlighted(expression: str, texts: Sequence[str], marks: Marks) -> dict[int, str]:
    with _table() as connection:
        connection.executemany("INSERT INTO texts (rowid, text) VALUES (?, ?)", enumerate(texts))
        sql = "SELECT rowid, highlight(texts, 0, ?, ?) FROM texts WHERE texts MATCH ?"
        return dict(connection.execute(sql, (*marks, expression)).fetchall())


@contextmanager
def _table() -> Iterator[sqlite3.Connection]:
    if not hasattr(_local, "connection"):
        _local.connection = sqlite3.connect(":memory:", isolation_level=None)
        _local.connection.execute(f"CREATE VIRTUAL TABLE texts USING fts5(text, {TOKENIZER})")
        _local.connection.execute("CREATE VIRTUAL TABLE words USING fts5vocab(texts, 'instance')")
    _local.connection.execute("BEGIN")
    try:
        yield _local.connection
    finally:
        _local.connection.execute("ROLLBACK")
