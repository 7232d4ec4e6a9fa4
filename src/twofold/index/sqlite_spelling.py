"""Words of the index that are spelled much like a given one."""

# ruff: noqa: S608 - names come from the declaration and are quoted, values are bound
from __future__ import annotations

import sqlite3

from rapidfuzz import process
from rapidfuzz.distance import OSA

from twofold.index.sqlite_schema import Tables, quoted

MAX_SPELLINGS = 128
_LAST = "\U0010ffff"  # behind every character that follows in a word


def spellings(connection: sqlite3.Connection, names: Tables, word: str, typos: int) -> list[str]:
    """The nearest first, at most 128, with the word's first letter. Reads every word of the index that begins with it.

    Needs a transaction, at whose end nothing is left of the table that this makes.
    """
    vocabulary = _vocabulary(connection, names)
    sql = f"SELECT term FROM {vocabulary} WHERE term >= ? AND term <= ? AND length(term) BETWEEN ? AND ?"
    found = connection.execute(sql, (word[0], word[0] + _LAST, len(word) - typos, len(word) + typos))
    near = process.extract(word, [term for (term,) in found], scorer=OSA.distance, score_cutoff=typos, limit=MAX_SPELLINGS)
    return [term for term, _, _ in near]


def _vocabulary(connection: sqlite3.Connection, names: Tables) -> str:
    table = f"temp.{quoted('vocabulary of ' + names.words)}"
    connection.execute("PRAGMA query_only=0")  # The file stays as it is: a temporary table is the connection's own.
    connection.execute(f"CREATE VIRTUAL TABLE IF NOT EXISTS {table} USING fts5vocab(main, {names.words}, row)")
    connection.execute("PRAGMA query_only=1")
    return table
