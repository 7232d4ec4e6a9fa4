"""Words of the index that are spelled much like a given one."""

# ruff: noqa: S608 - names come from the declaration and are quoted, values are bound
from __future__ import annotations

import sqlite3

from rapidfuzz import process
from rapidfuzz.distance import OSA

from twofold.index.sqlite_schema import Tables, quoted

MAX_SPELLINGS = 128
_LAST = "\U0010ffff"  # behind every character that follows in a word


def prepare(connection: sqlite3.Connection, names: Tables) -> None:
    """Makes what `spellings` reads, on a connection that cannot write. It is gone with the transaction."""
    connection.execute("PRAGMA query_only=0")  # The file stays as it is: a temporary table is the connection's own.
    try:
        sql = f"CREATE VIRTUAL TABLE IF NOT EXISTS temp.{_vocabulary(names)} USING fts5vocab(main, {names.words}, row)"
        connection.execute(sql)
    finally:
        connection.execute("PRAGMA query_only=1")


def spellings(connection: sqlite3.Connection, names: Tables, word: str, typos: int) -> list[str]:
    """The nearest first, at most 128, with the word's first letter. Reads every word of the index that begins with it."""
    sql = f"SELECT term FROM {_vocabulary(names)} WHERE term >= ? AND term <= ? AND length(term) BETWEEN ? AND ?"
    found = connection.execute(sql, (word[0], word[0] + _LAST, len(word) - typos, len(word) + typos))
    near = process.extract(word, [term for (term,) in found], scorer=OSA.distance, score_cutoff=typos, limit=MAX_SPELLINGS)
    return [term for term, _, _ in near]


def _vocabulary(names: Tables) -> str:
    return quoted(f"vocabulary of {names.words}")
