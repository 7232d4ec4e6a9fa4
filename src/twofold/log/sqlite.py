"""The event log in one SQLite file, for one process.

The members of a group share the partitions out among themselves by number (partition modulo members). Whoever joins or
leaves starts everybody afresh at what is committed, as a rebalance of Kafka's does; members in other processes there
are none, since the data folder belongs to one process.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import takewhile
from pathlib import Path
from threading import Condition, Lock
from zlib import crc32

import orjson

from twofold.errors import NeedsRebuild, Outdated, Unavailable
from twofold.log.port import Message, Position
from twofold.runtime.embedded import Embedded

LARGEST = 1_000_000  # bytes of key, value and headers: Kafka's limit, so that what works here works there
POLL_BYTES = 8 << 20
RETENTION_SECONDS = 7 * 24 * 3600
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
_ENDS = 'SELECT partition, "end" FROM topic WHERE name = ? ORDER BY partition'
_APPEND = "INSERT INTO message (topic, partition, offset, time, key, headers, value) VALUES (?, ?, ?, ?, ?, ?, ?)"
_READ = """
SELECT offset, key, headers, value FROM message WHERE topic = ? AND partition = ? AND offset >= ? ORDER BY offset LIMIT ?
"""
_OLDEST = "SELECT offset, time FROM message WHERE topic = ? AND partition = ? ORDER BY offset LIMIT ?"
_TRIM = "DELETE FROM message WHERE topic = ? AND partition = ? AND offset <= ?"
_COMMITTED = 'SELECT partition, offset FROM position WHERE "group" = ? AND topic = ?'
_COMMIT = """
INSERT INTO position ("group", topic, partition, offset) VALUES (?, ?, ?, ?)
ON CONFLICT DO UPDATE SET offset = max(offset, excluded.offset)
"""
_POSITIONS = """
SELECT t.partition, (SELECT min(m.offset) FROM message m WHERE m.topic = t.name AND m.partition = t.partition), p.offset, t."end"
FROM topic t LEFT JOIN position p ON p."group" = ? AND p.topic = t.name AND p.partition = t.partition
WHERE t.name = ? ORDER BY t.partition
"""


class SqliteLog:
    """The log of one process."""

    def __init__(self, path: Path) -> None:
        self._file = Embedded(path)
        self._news = _News()
        self._groups: dict[tuple[str, str], _Group] = {}
        self._closed = False
        self._untrimmed = TRIM_EVERY  # so that a process that publishes little trims too
        with self._file.write() as db:
            for statement in _SCHEMA.split(";"):
                db.execute(statement)

    def create(self, topic: str, partitions: int) -> None:
        with self._file.write() as db:
            there = len(db.execute(_ENDS, (topic,)).fetchall())
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

    def positions(self, topic: str, group: str) -> list[Position]:
        with self._file.read() as db:
            rows = db.execute(_POSITIONS, (group, topic)).fetchall()
        if not rows:
            raise _missing(topic)
        return [Position(partition, end if begin is None else begin, committed, end) for partition, begin, committed, end in rows]

    def forget(self, topic: str, group: str) -> None:
        if (membership := self._groups.get((topic, group))) and membership.members:
            raise Unavailable(f"Group {group} has members; stop the projectors first.")
        with self._file.write() as db:
            db.execute('DELETE FROM position WHERE "group" = ? AND topic = ?', (group, topic))

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

    def _trim(self, db: sqlite3.Connection, published: int) -> None:
        """Deletes what is older than a week and was read by every group: from the front, at most twice what came in, so that no call
        pays for a week.
        """
        self._untrimmed += published
        if self._untrimmed < TRIM_EVERY:
            return
        most, self._untrimmed = 2 * self._untrimmed, 0
        cutoff = time.time() - RETENTION_SECONDS
        for topic, partition in db.execute("SELECT name, partition FROM topic").fetchall():
            oldest = db.execute(_OLDEST, (topic, partition, most))
            (read,) = db.execute("SELECT min(offset) FROM position WHERE topic = ? AND partition = ?", (topic, partition)).fetchone()
            done = takewhile(lambda row, unread=read or 0: row[1] < cutoff and row[0] < unread, oldest)  # type: ignore[misc]
            if old := [offset for offset, _ in done]:
                db.execute(_TRIM, (topic, partition, old[-1]))


class _News:
    """Wakes the polls that wait: a message was published, or a member came or went."""

    def __init__(self) -> None:
        self.number = 0
        self._condition = Condition()

    def tell(self) -> None:
        with self._condition:
            self.number += 1
            self._condition.notify_all()

    def wait(self, seen: int, seconds: float) -> None:
        """Until there are newer news than number `seen`, which was read before looking at the file, so that none is missed."""
        with self._condition:
            self._condition.wait_for(lambda: self.number != seen, seconds)


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

    def __init__(self, file: Embedded, news: _News, membership: _Group, topic: str, group: str) -> None:
        self._file = file
        self._news = news
        self._membership = membership
        self._topic = topic
        self._group = group
        self._generation = 0
        self._next: dict[int, int] = {}  # own partition -> offset that comes next; only what this generation handed out is committed
        self._closed = False
        membership.join(self)
        news.tell()

    def poll(self, limit: int, timeout: float) -> list[Message]:
        self._refuse_closed()
        deadline = time.monotonic() + timeout
        while not self._closed:
            seen = self._news.number
            found = self._read(limit) if limit else []
            left = deadline - time.monotonic()
            if found or left <= 0:
                return found
            self._news.wait(seen, left)
        return []

    def commit(self, messages: Sequence[Message]) -> None:
        self._refuse_closed()
        done: dict[int, int] = {}
        for message in messages:
            done[message.partition] = max(done.get(message.partition, 0), message.offset + 1)
        with self._file.write() as db:
            if self._generation == self._membership.generation:
                rows = [(self._group, self._topic, partition, offset) for partition, offset in done.items()]
                db.executemany(_COMMIT, [row for row in rows if row[3] <= self._next.get(row[2], 0)])

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._membership.leave(self)
            self._news.tell()

    def _read(self, limit: int) -> list[Message]:
        found: list[Message] = []
        room = POLL_BYTES
        with self._file.read() as db:
            ends = _ends(db, self._topic)
            self._rejoin(db, ends)
            for partition, offset in self._next.items():
                if len(found) < limit and room > 0 and offset != ends[partition]:
                    fetched = self._fetch(db, partition, offset, limit - len(found), room)
                    room -= sum(len(message.value or b"") for message in fetched)
                    found += fetched
        for message in found:
            self._next[message.partition] = message.offset + 1
        self._take_turns()
        return found

    def _rejoin(self, db: sqlite3.Connection, partitions: Iterable[int]) -> None:
        """Where somebody came or went, what is this member's now starts at what is committed."""
        if self._generation != self._membership.generation:
            self._generation, own = self._membership.share(self, partitions)
            committed = dict(db.execute(_COMMITTED, (self._group, self._topic)).fetchall())
            self._next = {partition: committed.get(partition, 0) for partition in own}

    def _fetch(self, db: sqlite3.Connection, partition: int, offset: int, limit: int, room: int) -> list[Message]:
        rows = []
        for row in db.execute(_READ, (self._topic, partition, offset, limit)):
            rows.append(row)
            room -= len(row[3] or b"")
            if room <= 0:
                break
        if not rows or rows[0][0] != offset:
            raise NeedsRebuild(
                f"Topic {self._topic}, partition {partition}: message {offset}, which group {self._group} needs next, is no longer there. "
                "The index must be rebuilt from the table, which this version cannot do yet."
            )
        return [_message(partition, row) for row in rows]

    def _take_turns(self) -> None:
        """The first partition is read last next time, or a busy one would keep the others waiting."""
        for partition in list(self._next)[:1]:
            self._next[partition] = self._next.pop(partition)

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
    ends, now = _ends(db, topic), time.time()
    rows = []
    for message in messages:
        partition = crc32(message.key or b"") % len(ends)
        headers = [(name, None if value is None else value.decode("latin-1")) for name, value in message.headers]
        rows.append((topic, partition, ends[partition], now, message.key, orjson.dumps(headers).decode(), message.value))
        ends[partition] += 1
    db.executemany(_APPEND, rows)
    db.executemany('UPDATE topic SET "end" = ? WHERE name = ? AND partition = ?', [(end, topic, number) for number, end in ends.items()])


def _message(partition: int, row: tuple[int, bytes | None, str, bytes | None]) -> Message:
    offset, key, headers, value = row
    pairs = tuple((name, None if text is None else text.encode("latin-1")) for name, text in orjson.loads(headers))
    return Message(key, value, pairs, partition, offset)


def _ends(db: sqlite3.Connection, topic: str) -> dict[int, int]:
    """Per partition the offset that the next message gets."""
    ends = dict(db.execute(_ENDS, (topic,)).fetchall())
    if not ends:
        raise _missing(topic)
    return ends


def _missing(topic: str) -> Outdated:
    return Outdated(f"Topic {topic} is not there: run `twofold migrate`.")
