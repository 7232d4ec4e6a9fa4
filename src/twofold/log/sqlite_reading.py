"""Reading a topic in the SQLite log: what a group's member and a replay share, and the replay."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Mapping
from threading import Condition

import orjson

from twofold.errors import NeedsRebuild, Outdated, Unavailable
from twofold.log.port import LOST, Message
from twofold.runtime.embedded import Embedded

POLL_BYTES = 8 << 20
_ENDS = 'SELECT partition, "end" FROM topic WHERE name = ? ORDER BY partition'
_BEGINS = """
SELECT partition, (SELECT min(m.offset) FROM message m WHERE m.topic = t.name AND m.partition = t.partition), "end"
FROM topic t WHERE name = ?
"""
_READ = """
SELECT offset, key, headers, value FROM message WHERE topic = ? AND partition = ? AND offset >= ? ORDER BY offset LIMIT ?
"""


class News:
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


class Reader:
    """Where a reader of a topic stands: by partition, the offset that comes next."""

    def __init__(self, topic: str, who: str) -> None:
        self.next: dict[int, int] = {}
        self._topic, self._who = topic, who

    def read(self, db: sqlite3.Connection, ends: Mapping[int, int], limit: int) -> list[Message]:
        """Up to `limit` messages of the partitions in `next`, and some POLL_BYTES at the most; `next` moves on."""
        found: list[Message] = []
        room = POLL_BYTES
        for partition, offset in self.next.items():
            if len(found) < limit and room > 0 and offset != ends[partition]:
                fetched = self._fetch(db, partition, offset, limit - len(found), room)
                room -= sum(len(message.value or b"") for message in fetched)
                found += fetched
        for message in found:
            self.next[message.partition] = message.offset + 1
        self._take_turns()
        return found

    def _fetch(self, db: sqlite3.Connection, partition: int, offset: int, limit: int, room: int) -> list[Message]:
        rows = []
        for row in db.execute(_READ, (self._topic, partition, offset, limit)):
            rows.append(row)
            room -= len(row[3] or b"")
            if room <= 0:
                break
        if not rows or rows[0][0] != offset:
            message = "what" if offset == LOST else f"message {offset}, which"
            raise NeedsRebuild(
                f"Topic {self._topic}, partition {partition}: {message} {self._who} needs next, is no longer there. "
                "The index must be rebuilt from the table: run `twofold rebuild`."
            )
        return [_message(partition, row) for row in rows]

    def _take_turns(self) -> None:
        """The first partition is read last next time, or a busy one would keep the others waiting."""
        for partition in list(self.next)[:1]:
            self.next[partition] = self.next.pop(partition)


class SqliteReplay:
    """A replay: a reader that is nobody's member."""

    def __init__(self, file: Embedded, news: News, topic: str, offsets: Mapping[int, int]) -> None:
        self._file, self._news, self._topic = file, news, topic
        self._reader = Reader(topic, "the replay")
        with file.read() as db:
            rows = db.execute(_BEGINS, (topic,)).fetchall()
        if not rows:
            raise missing(topic)
        self._reader.next = {number: offsets.get(number, end if begin is None else begin) for number, begin, end in rows}
        self._closed = False

    def poll(self, limit: int, timeout: float) -> list[Message]:
        if self._closed:
            raise Unavailable("The replay is closed.")
        return waited(self._news, lambda: self._read(limit), timeout)

    def offsets(self) -> dict[int, int]:
        return dict(self._reader.next)

    def close(self) -> None:
        self._closed = True

    def _read(self, limit: int) -> list[Message]:
        with self._file.read() as db:
            return self._reader.read(db, ends(db, self._topic), limit) if limit else []


def waited(news: News, read: Callable[[], list[Message]], timeout: float, closed: Callable[[], bool] = lambda: False) -> list[Message]:
    """What `read` finds, as soon as it finds anything."""
    deadline = time.monotonic() + timeout
    while not closed():
        seen = news.number
        found = read()
        left = deadline - time.monotonic()
        if found or left <= 0:
            return found
        news.wait(seen, left)
    return []


def ends(db: sqlite3.Connection, topic: str) -> dict[int, int]:
    """Per partition the offset that the next message gets."""
    found = dict(db.execute(_ENDS, (topic,)).fetchall())
    if not found:
        raise missing(topic)
    return found


def missing(topic: str) -> Outdated:
    return Outdated(f"Topic {topic} is not there: run `twofold migrate`.")


def _message(partition: int, row: tuple[int, bytes | None, str, bytes | None]) -> Message:
    offset, key, headers, value = row
    pairs = tuple((name, None if text is None else text.encode("latin-1")) for name, text in orjson.loads(headers))
    return Message(key, value, pairs, partition, offset)
