"""SQLite files as twofold uses them: one writing connection, which alone checkpoints, and readers that cannot write.

SQLite 3.7.0 to 3.51.2 can corrupt a write-ahead log that two connections reset (sqlite.org/wal.html, "WAL reset bug");
with one connection that writes, and one process (`datafiles`), that cannot happen. `synchronous=FULL` makes a
commit durable; BEGIN IMMEDIATE, because a read lock that wants to become a write lock fails at once where another wrote.
"""

from __future__ import annotations

import re
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from twofold.errors import Contended, Outdated, Rejected, SettingsError, Taken, Unavailable
from twofold.runtime import datafiles

BUSY_SECONDS = 5.0
OLDEST = (3, 35, 0)  # RETURNING
KEPT = 8  # connections that read and are kept for the next who reads


def connect(path: Path, *, readonly: bool = False) -> sqlite3.Connection:
    """A connection in autocommit mode: transactions are begun and ended by whoever uses it."""
    if sqlite3.sqlite_version_info < OLDEST:
        raise SettingsError(f"SQLite {sqlite3.sqlite_version} is too old; {'.'.join(map(str, OLDEST))} is needed. Use a newer Python.")
    if not readonly:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        datafiles.create(path)
    elif not path.exists():
        raise Outdated(f"There is no {path}: `twofold up` and `twofold migrate` make it")
    mode = "ro" if readonly else "rw"
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, timeout=BUSY_SECONDS)
    if readonly:
        connection.execute("PRAGMA query_only=1")
    else:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA journal_size_limit=67108864")
    connection.execute(f"PRAGMA wal_autocheckpoint={0 if readonly else 1000}")
    return connection


class Embedded:
    """One SQLite file: `write()` for one transaction at a time, `read()` for a snapshot on one of a few connections that are kept.

    `prepare` is called with each connection that reads, for functions of its own. However many threads read, as many connections are
    open as read at the same time, and KEPT of them stay open. Where `reading`, nothing of the file is changed, not even made, and
    `write()` fails.
    """

    def __init__(self, path: Path, prepare: Callable[[sqlite3.Connection], None] = lambda _: None, *, reading: bool = False) -> None:
        self.path = path
        self._place = path.absolute()  # whatever becomes of the current folder
        self._prepare = prepare
        self._lock = threading.Lock()
        self._closed = False
        self._readers: list[sqlite3.Connection] = []  # all that are open
        self._free: list[sqlite3.Connection] = []
        with translated():
            self._writer = connect(self._place, readonly=reading)

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """One durable transaction, or none of it."""
        with self._lock, translated():
            self.refuse_closed()
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
                self._writer.execute("COMMIT")
            except BaseException:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """A consistent view: all statements inside see the same commit."""
        with translated():
            connection = self._taken()
            try:
                connection.execute("BEGIN")
                yield connection
            finally:
                self._give_back(connection)

    @contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """As `read()`, on a connection of its own that may be used in any thread, for as long as it takes.

        Meanwhile the write-ahead log is not begun anew, and so grows by all that is written.
        """
        with translated():
            connection = self._opened()
            try:
                connection.execute("BEGIN")
                connection.execute("SELECT 1 FROM sqlite_master").fetchone()  # from now on it sees this commit
                yield connection
            finally:
                self._end(connection)

    def shrink(self) -> None:
        """Gives pages that are free back to the disk, by writing the file anew: for that time it needs the room twice."""
        with self._lock, translated():
            self.refuse_closed()
            self._writer.execute("VACUUM")
            self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def expect(self, sql: str) -> None:
        """Raises Outdated where the file lacks what this asks for: who only reads does not make it."""
        try:
            with self.read() as connection:
                connection.execute(sql)
        except Unavailable as error:
            raise Outdated(f"{self.path}: {error}. Run `twofold migrate`") from error

    def close(self) -> None:
        """Closes what nobody uses. A connection that is read from is closed by whoever reads: from another thread SQLite crashes."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._end_free()
                self._writer.close()

    def _taken(self) -> sqlite3.Connection:
        self.refuse_closed()
        try:
            return self._free.pop()  # the one that was used last
        except IndexError:
            return self._opened()

    def _give_back(self, connection: sqlite3.Connection) -> None:
        """Keeps a connection that is as it was; one too many, or one that something is wrong with, is closed."""
        try:
            connection.execute("ROLLBACK")
        except sqlite3.Error:
            self._end(connection)
            raise
        if self._closed or len(self._free) >= KEPT:
            self._end(connection)
            return
        self._free.append(connection)
        if self._closed:  # meanwhile
            self._end_free()

    def _end_free(self) -> None:
        with suppress(IndexError):
            while True:
                self._end(self._free.pop())

    def _end(self, connection: sqlite3.Connection) -> None:
        self._readers.remove(connection)
        connection.close()

    def _opened(self) -> sqlite3.Connection:
        self.refuse_closed()
        connection = connect(self._place, readonly=True)
        self._readers.append(connection)
        try:
            self._prepare(connection)
        except BaseException:
            self._end(connection)
            raise
        return connection

    def refuse_closed(self) -> None:
        if self._closed:
            raise Unavailable(f"{self.path.name} is closed")


@contextmanager
def translated() -> Iterator[None]:
    """Turns sqlite3's errors into twofold's, by class and error code."""
    try:
        yield
    except sqlite3.IntegrityError as error:
        raise (Taken() if "UNIQUE" in str(error) else Rejected(str(error))) from error
    except sqlite3.OperationalError as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise Contended(str(error)) from error
        if code in (sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_MISMATCH):
            raise Rejected(str(error)) from error
        if found := re.match(r"Could not decode to UTF-8 column '(\w+)'", str(error)):  # the value stands behind it
            raise Rejected(f"SQLite: a text in the column {found[1]} is not UTF-8: change it there") from None
        raise Unavailable(str(error)) from error
    except (sqlite3.DataError, OverflowError, UnicodeEncodeError) as error:
        raise Rejected(str(error)) from error
    except sqlite3.ProgrammingError as error:
        raise (Unavailable if "closed" in str(error) else Rejected)(str(error)) from error
    except sqlite3.Error as error:
        raise Unavailable(str(error)) from error
