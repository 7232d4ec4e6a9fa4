"""Which versions went to the dead letters, in a table of their own: it outlives every generation."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence

import orjson

from twofold.resource import Declaration

REFUSALS = """CREATE TABLE IF NOT EXISTS refusal (
    alias TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL, PRIMARY KEY (alias, id)) WITHOUT ROWID"""


def note(connection: sqlite3.Connection, resource: Declaration, versions: Mapping[str, int]) -> None:
    sql = "INSERT INTO refusal (alias, id, version) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET version = max(version, excluded.version)"
    connection.executemany(sql, [(resource.index, id_, version) for id_, version in versions.items()])


def forget(connection: sqlite3.Connection, resource: Declaration, versions: Mapping[str, int]) -> None:
    sql = "DELETE FROM refusal WHERE alias = ? AND id = ? AND version <= ?"
    connection.executemany(sql, [(resource.index, id_, version) for id_, version in versions.items()])


def noted(connection: sqlite3.Connection, resource: Declaration, ids: Sequence[str]) -> dict[str, int]:
    sql = "SELECT id, version FROM refusal WHERE alias = ? AND id IN (SELECT value FROM json_each(?))"
    return dict(connection.execute(sql, (resource.index, orjson.dumps(list(ids)).decode())).fetchall())
