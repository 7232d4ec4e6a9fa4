"""Binds the contract of the event log to its engines, and pins what only one of them can get wrong."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

pytest.register_assert_rewrite("log_contract")

from log_contract import LogContract  # noqa: E402

from twofold.log.port import EventLog  # noqa: E402
from twofold.log.sqlite import SqliteLog  # noqa: E402


class TestSqlite(LogContract):
    @pytest.fixture
    def reopened(self, tmp_path: Path) -> Iterator[Callable[[], EventLog]]:
        logs: list[EventLog] = []

        def reopened() -> EventLog:
            logs.append(SqliteLog(tmp_path / "log.db"))
            return logs[-1]

        yield reopened
        for log in logs:
            log.close()

    @pytest.fixture
    def trim(self, tmp_path: Path) -> Callable[[str, int, int], None]:
        def trim(topic: str, partition: int, before: int) -> None:
            with closing(sqlite3.connect(tmp_path / "log.db")) as connection, connection:
                connection.execute("DELETE FROM message WHERE topic = ? AND partition = ? AND offset < ?", (topic, partition, before))

        return trim
