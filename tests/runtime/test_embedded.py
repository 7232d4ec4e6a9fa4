"""Connections of a SQLite file: as many as read at the same time, and no more because many threads have read."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from twofold.errors import Rejected, Unavailable
from twofold.runtime import embedded
from twofold.runtime.embedded import Embedded

SECONDS = 10


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Embedded]:
    file = Embedded(tmp_path / "file.db")
    with file.write() as connection:
        connection.execute("CREATE TABLE number (value INTEGER)")
    yield file
    file.close()


def count(file: Embedded) -> int:
    with file.read() as connection:
        return int(connection.execute("SELECT count(*) FROM number").fetchone()[0])


def in_thread(file: Embedded) -> None:
    with ThreadPoolExecutor(1) as thread:
        assert thread.submit(count, file).result(SECONDS) == 0


def test_a_hundred_threads_that_read_one_after_the_other_need_one_connection(file: Embedded) -> None:
    for _ in range(100):
        in_thread(file)
    assert len(file._readers) == 1


def test_those_that_read_at_the_same_time_have_one_each_and_few_stay(file: Embedded) -> None:
    meeting = threading.Barrier(embedded.KEPT + 4)
    found = []

    def read() -> None:
        with file.read() as connection:
            meeting.wait(SECONDS)
            found.append(id(connection))
            meeting.wait(SECONDS)

    threads = [threading.Thread(target=read) for _ in range(meeting.parties)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
    assert len(set(found)) == meeting.parties
    assert len(file._readers) == embedded.KEPT


def test_a_read_inside_a_read_sees_its_own_commit(file: Embedded) -> None:
    with file.read() as before:
        before.execute("SELECT * FROM number").fetchall()
        with file.write() as connection:
            connection.execute("INSERT INTO number VALUES (1)")
        assert count(file) == 1
        assert before.execute("SELECT count(*) FROM number").fetchone() == (0,)
    assert count(file) == 1


def test_a_read_that_fails_gives_its_connection_back(file: Embedded) -> None:
    for _ in range(20):
        with pytest.raises(Unavailable), file.read() as connection:
            connection.execute("SELECT * FROM nowhere")
        with pytest.raises(Rejected), file.read() as connection:
            connection.execute("SELECT ?", ())
    assert count(file) == 0
    assert len(file._readers) == 1


def test_nothing_reads_or_opens_behind_the_end(file: Embedded) -> None:
    in_thread(file)
    file.close()
    with pytest.raises(Unavailable, match="closed"):
        count(file)
    file.close()


def test_what_is_read_from_is_closed_by_whoever_reads(file: Embedded) -> None:
    with file.read() as connection, file.snapshot() as kept:
        with ThreadPoolExecutor(1) as thread:
            thread.submit(file.close).result(SECONDS)
        assert connection.execute("SELECT count(*) FROM number").fetchone() == (0,)
        assert kept.execute("SELECT count(*) FROM number").fetchone() == (0,)
    assert file._readers == []


def test_a_connection_that_cannot_be_prepared_is_closed(tmp_path: Path) -> None:
    def fail(_: sqlite3.Connection) -> None:
        raise sqlite3.OperationalError("not prepared")

    file = Embedded(tmp_path / "other.db", fail)
    with pytest.raises(Unavailable), file.read():
        pass
    assert file._readers == []
    file.close()


def test_a_text_that_is_not_utf8_is_a_matter_of_the_data_and_not_told(file: Embedded) -> None:
    """Whoever took it for an outage would try for ever."""
    with file.write() as connection:
        connection.execute("INSERT INTO number VALUES (CAST(x'ff736563726574' AS TEXT))")
    with pytest.raises(Rejected, match="column value is not UTF-8") as error, file.read() as connection:
        connection.execute("SELECT value FROM number").fetchall()
    assert "secret" not in str(error.value)
    assert error.value.__suppress_context__


def test_a_file_is_the_same_one_in_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = Embedded(Path("file.db"))
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    with file.read() as connection:
        assert connection.execute("PRAGMA database_list").fetchone()[2] == str(tmp_path / "file.db")
    file.close()
