"""The event log in one SQLite file, for one process.

The members of a group share the partitions out among themselves by number (partition modulo members). Whoever joins or
leaves starts everybody afresh at what is committed, as a rebalance of Kafka's does; members in other processes there
are none, since the data folder belongs to one process.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from threading import Lock
from zlib import crc32

import orjson

from twofold.errors import Outdated, Unavailable
from twofold.log.port import Message, Position
from twofold.log.sqlite_reading import News, Reader, SqliteReplay, ends, missing, waited
from twofold.runtime.embedded import Embedded

LARGEST = 1_000_000  # bytes of key, value and headers: Kafka's limit, so that what works here works there
RETENTION_SECONDS = 7 * 24 * 3600
KEPT = 100_000  # messages of a topic that keeps them however old they are
TRIM_EVERY = 1000  # messages published between two looks for old ones

_SCHEMA = """
CREATE TABLE IF NOT EXISTS topic (
    name TEXT NOT NULL, partition INTEGER NOT NULL, "end" INTEGER NOT NULL,
    PRIMARY KEY (name, partition)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS message (
    topic TEXT NOT NULL, partition INTEGER NOT NULL, offset INTEGER NOT NULL, time REAL NOT NULL,
    key BLOB, headers TEXT NOT NULL, value BLOB,
    PRIMARY KEY (topic, partition, offset)
);
CREATE TABLE IF NOT EXISTS position (
    "group" TEXT NOT NULL, topic TEXT NOT NULL, partition INTEGER NOT NULL, offset INTEGER NOT NULL,
    PRIMARY KEY ("group", topic, partition)
) WITHOUT ROWID;
"""
_APPEND = "INSERT INTO message (topic, partition, offset, time, key, headers, value) VALUES (?, ?, ?, ?, ?, ?, ?)"
_OLDEST = "SELECT offset, time FROM message WHERE topic = ? AND partition = ? ORDER BY offset LIMIT ?"
_TRIM = "DELETE FROM message WHERE topic = ? AND partition = ? AND offset <= ?"
_READ_TO = 'SELECT offset FROM position WHERE "group" = ? AND topic = ? AND partition = ?'
_COMMITTED = 'SELECT partition, offset FROM position WHERE "group" = ? AND topic = ?'
_COMMIT = """
INSERT INTO position ("group", topic, partition, offset) VALUES (?, ?, ?, ?)
ON CONFLICT DO UPDATE SET offset = max(offset, excluded.offset)
"""
_MOVE = """
INSERT INTO position ("group", topic, partition, offset) VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET offset = excluded.offset
"""
_POSITIONS = """
SELECT t.partition, (SELECT min(m.offset) FROM message m WHERE m.topic = t.name AND m.partition = t.partition), p.offset, t."end"
FROM topic t LEFT JOIN position p ON p."group" = ? AND p.topic = t.name AND p.partition = t.partition
WHERE t.name = ? ORDER BY t.partition
"""


class SqliteLog:
    """The log of one process."""

    def __init__(self, path: Path, *, reading: bool = False) -> None:
        """Where `reading`, what is not there is not made."""
        self._file = Embedded(path, reading=reading)
        self._news = News()
        self._groups: dict[tuple[str, str], _Group] = {}
        self._kept: set[str] = set()
        self._closed = False
        self._untrimmed = TRIM_EVERY  # so that a process that publishes little trims too
        if reading:
            self._file.expect("SELECT 1 FROM topic, message, position LIMIT 0")
        else:
            with self._file.write() as db:
                for statement in _SCHEMA.split(";"):
                    db.execute(statement)

    def create(self, topic: str, partitions: int, *, kept: bool = False) -> None:
        if kept:
            self._kept.add(topic)
        with self._file.write() as db:
            (there,) = db.execute("SELECT count(*) FROM topic WHERE name = ?", (topic,)).fetchone()
            if there not in (0, partitions):
                raise Outdated(
                    f"Topic {topic} has {there} partitions, {partitions} are declared; another count would break the order per key. "
                    f"Declare partitions={there}."
                )
            if not there:
                db.executemany("INSERT INTO topic VALUES (?, ?, 0)", [(topic, partition) for partition in range(partitions)])

    def publish(self, topic: str, messages: Sequence[Message]) -> list[str | None]:
        answers = list(_judged(messages))
        good = [message for message, refusal in zip(messages, answers, strict=True) if refusal is None]
        with self._file.write() as db:
            _append(db, topic, good)
            self._trim(db, len(good))
        self._news.tell()
        return answers

    def subscribe(self, topic: str, group: str) -> _Member:
        if self._closed:
            raise Unavailable("The log is closed.")
        membership = self._groups.setdefault((topic, group), _Group())
        return _Member(self._file, self._news, membership, topic, group)

    def replay(self, topic: str, offsets: Mapping[int, int]) -> SqliteReplay:
        if self._closed:
            raise Unavailable("The log is closed.")
        return SqliteReplay(self._file, self._news, topic, offsets)

    def positions(self, topic: str, group: str) -> list[Position]:
        with self._file.read() as db:
            rows = db.execute(_POSITIONS, (group, topic)).fetchall()
        if not rows:
            raise missing(topic)
        return [Position(partition, end if begin is None else begin, committed, end) for partition, begin, committed, end in rows]

    def forget(self, topic: str, group: str) -> None:
        self._refuse_members(topic, group)
        with self._file.write() as db:
            db.execute('DELETE FROM position WHERE "group" = ? AND topic = ?', (group, topic))

    def move(self, topic: str, group: str, offsets: Mapping[int, int]) -> None:
        self._refuse_members(topic, group)
        with self._file.write() as db:
            db.executemany(_MOVE, [(group, topic, partition, offset) for partition, offset in offsets.items()])

    def strangers(self, group: str) -> list[str]:  # nobody else opens the file
        return []

    def check(self) -> str:
        with self._file.read() as db:
            (version,) = db.execute("SELECT sqlite_version()").fetchone()
        return f"SQLite {version}, {self._file.path}"

    def close(self) -> None:
        self._closed = True
        for group in list(self._groups.values()):
            for member in list(group.members):
                member.close()
        self._file.close()

    def _refuse_members(self, topic: str, group: str) -> None:
        if (membership := self._groups.get((topic, group))) and membership.members:
            raise Unavailable(f"Group {group} has members; stop the projectors first.")

    def _trim(self, db: sqlite3.Connection, published: int) -> None:
        """Deletes, from the front, what is older than a week and was read, or is beyond what a topic keeps: at most twice what came in,
        so that no call pays for a week.
        """
        self._untrimmed += published
        if self._untrimmed < TRIM_EVERY:
            return
        most, self._untrimmed = 2 * self._untrimmed, 0
        cutoff = time.time() - RETENTION_SECONDS
        for topic, partition, end in db.execute('SELECT name, partition, "end" FROM topic').fetchall():
            if topic in self._kept:
                older, before = float("inf"), end - KEPT
            else:
                older, before = cutoff, self._read_to(db, topic, partition)
            done = takewhile(lambda row: row[1] < older and row[0] < before, db.execute(_OLDEST, (topic, partition, most)))  # noqa: B023
            if old := [offset for offset, _ in done]:
                db.execute(_TRIM, (topic, partition, old[-1]))

    def _read_to(self, db: sqlite3.Connection, topic: str, partition: int) -> int:
        """Up to where every group has read that has members. One that has none may be one that was renamed: nobody reads on for it.
        Where nobody reads at all, nothing was read.
        """
        groups = [group for (of, group), membership in list(self._groups.items()) if of == topic and membership.members]
        read = [db.execute(_READ_TO, (group, topic, partition)).fetchone() for group in groups]
        return min((row[0] if row else 0 for row in read), default=0)


class _Group:
    """Who reads in a group. `generation` counts how often that has changed."""

    def __init__(self) -> None:
        self.members: list[_Member] = []
        self.generation = 0
        self._lock = Lock()

    def join(self, member: _Member) -> None:
        with self._lock:
            self.members.append(member)
            self.generation += 1

    def leave(self, member: _Member) -> None:
        with self._lock:
            self.members.remove(member)
            self.generation += 1

    def share(self, member: _Member, partitions: Iterable[int]) -> tuple[int, list[int]]:
        """The generation, and the partitions that are this member's in it."""
        with self._lock:
            members = len(self.members)
            return self.generation, [number for number in partitions if members and self.members[number % members] is member]


class _Member:
    """A subscription."""

    def __init__(self, file: Embedded, news: News, membership: _Group, topic: str, group: str) -> None:
        self._file = file
        self._news = news
        self._membership = membership
        self._topic = topic
        self._group = group
        self._generation = 0
        self._reader = Reader(topic, f"group {group}")  # of the own partitions; only what this generation handed out is committed
        self._closed = False
        membership.join(self)
        news.tell()

    def poll(self, limit: int, timeout: float) -> list[Message]:
        self._refuse_closed()
        return waited(self._news, lambda: self._read(limit), timeout, lambda: self._closed)

    def commit(self, messages: Sequence[Message]) -> None:
        self._refuse_closed()
        done: dict[int, int] = {}
        for message in messages:
            done[message.partition] = max(done.get(message.partition, 0), message.offset + 1)
        with self._file.write() as db:
            if self._generation == self._membership.generation:
                rows = [(self._group, self._topic, partition, offset) for partition, offset in done.items()]
                db.executemany(_COMMIT, [row for row in rows if row[3] <= self._reader.next.get(row[2], 0)])

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._membership.leave(self)
            self._news.tell()

    def _read(self, limit: int) -> list[Message]:
        if not limit:
            return []
        with self._file.read() as db:
            known = ends(db, self._topic)
            self._rejoin(db, known)
            return self._reader.read(db, known, limit)

    def _rejoin(self, db: sqlite3.Connection, partitions: Iterable[int]) -> None:
        """Where somebody came or went, what is this member's now starts at what is committed."""
        if self._generation != self._membership.generation:
            self._generation, own = self._membership.share(self, partitions)
            committed = dict(db.execute(_COMMITTED, (self._group, self._topic)).fetchall())
            self._reader.next = {partition: committed.get(partition, 0) for partition in own}

    def _refuse_closed(self) -> None:
        if self._closed:
            raise Unavailable("The subscription is closed.")


def _judged(messages: Iterable[Message]) -> Iterator[str | None]:
    """Per message, why it cannot be stored: its size, or that of one before it with its key."""
    failed: set[bytes | None] = set()
    for message in messages:
        size = len(message.key or b"") + len(message.value or b"") + sum(len(name) + len(value or b"") for name, value in message.headers)
        if message.key is not None and message.key in failed:
            yield "an earlier message of its key was not stored"
        elif size > LARGEST:
            failed.add(message.key)
            yield f"it has {size} bytes, {LARGEST} are allowed"
        else:
            yield None


def _append(db: sqlite3.Connection, topic: str, messages: Iterable[Message]) -> None:
    at, now = ends(db, topic), time.time()
    rows = []
    for message in messages:
        partition = crc32(message.key or b"") % len(at)
        headers = [(name, None if value is None else value.decode("latin-1")) for name, value in message.headers]
        rows.append((topic, partition, at[partition], now, message.key, orjson.dumps(headers).decode(), message.value))
        at[partition] += 1
    db.executemany(_APPEND, rows)
    db.executemany('UPDATE topic SET "end" = ? WHERE name = ? AND partition = ?', [(end, topic, number) for number, end in at.items()])
