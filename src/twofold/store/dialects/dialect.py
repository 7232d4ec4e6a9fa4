"""What one database system does in its own way. The rest of the store asks nowhere which system it talks to."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, ClassVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import TypeEngine

from twofold.errors import EngineError
from twofold.store.port import Doubt

POOL = {"pool_size": 4, "max_overflow": 4, "pool_timeout": 2}
DELETE_KEYS = 1000  # in one statement
Rows = Sequence[tuple[Any, ...]]
Write = Callable[[], AbstractContextManager[Connection]]


class Dialect(ABC):
    """Stateless: what differs in connections, errors, statements and DDL. Names that it gets are quoted already."""

    name: ClassVar[str]
    place: ClassVar[str]  # of a bound value in a statement
    shared_lock: ClassVar[str]  # what a SELECT ends with that lets nobody change its rows until the transaction ends
    division: ClassVar[str]  # of whole numbers, cutting off what is left
    doubt_ends_by_commit: ClassVar[bool]  # whether it takes another commit to know what became of one
    alters_columns: ClassVar[bool]  # whether a column's type can be changed in place
    earliest: ClassVar[str]  # a timestamp, as a default in DDL
    stopped: ClassVar[str]  # what must not run while tables are changed by hand

    @abstractmethod
    def engines(self, url: str, *, reading: bool) -> tuple[Engine, Engine]:
        """To write and to read. Where `reading`, nothing is made or changed. Raises SettingsError, EngineError."""

    @abstractmethod
    def lock(self) -> AbstractContextManager[Any]:
        """What units of this process take turns by, where the system has one writer."""

    @abstractmethod
    def alone(self, url: str, write: Write) -> AbstractContextManager[Connection]:
        """A connection in a transaction that no other migration has at the same time, and whose statements may take long."""

    @abstractmethod
    def is_broken(self, error: BaseException | None) -> bool:
        """Whether the connection that an error came from is of no more use."""

    @abstractmethod
    def is_undone(self, error: BaseException | None) -> bool:
        """Whether a COMMIT that failed with this was certainly not done."""

    @abstractmethod
    def abandon(self, connection: Connection) -> None:
        """Throws away a connection whose COMMIT got no answer, where there are others."""

    @abstractmethod
    def translate(self, error: DBAPIError) -> EngineError:
        """The driver's error as twofold's, by number and class; never with a row's values."""

    @abstractmethod
    def connection_id(self, connection: Connection) -> int:
        """The server's number of a connection; 0 where there is no server."""

    @abstractmethod
    def end(self, connection: Connection, doubt: Doubt) -> None:
        """Ends the connection that sent a COMMIT without an answer, so that its transaction is over."""

    @abstractmethod
    def now(self, seconds: float = 0) -> str:
        """SQL for the store's own clock, that many seconds from now."""

    @abstractmethod
    def duplicate(self, table: str, column: str) -> str:
        """What the system's message ends with where a unique column's value is taken. It may have the value itself further ahead."""

    @abstractmethod
    def by_index(self, index: str) -> str:
        """A hint behind a table's name. Without it a small table is scanned, and a scan waits for locked rows."""

    @abstractmethod
    def delete_by_key(self, table: str) -> str:
        """DELETE FROM a table, whose rows are found by its primary key."""

    @abstractmethod
    def insert(self, connection: Connection, table: str, columns: Sequence[str], rows: Rows) -> None:
        """Inserts rows in order, in few statements. Never an upsert: that could write over somebody else's row."""

    @abstractmethod
    def update(self, connection: Connection, table: str, columns: Sequence[str], rows: Rows, replaced: Sequence[int]) -> int:
        """Sets columns of rows by id (the first column) that have the versions `replaced`; how many had."""

    @abstractmethod
    def delete_versions(self, connection: Connection, table: str, rows: Sequence[tuple[str, int]]) -> int:
        """Deletes rows that have this id and version, and looks at no others; how many had."""

    @abstractmethod
    def as_text(self, column: str, kind: TypeEngine[Any]) -> str | None:
        """SQL that makes state's text of a column of this type; None where its values have to be decoded."""

    @abstractmethod
    def lenient(self, connection: Connection) -> AbstractContextManager[None]:
        """Meanwhile a text that is not UTF-8 is read as bytes, where the system takes such."""

    @abstractmethod
    def findings(self, connection: Connection) -> list[tuple[bool, str]]:
        """What `check` says: whether something is well, and in words."""

    @abstractmethod
    def script(self, lines: Sequence[str]) -> str:
        """Statements that a person runs, all or none where the system can do that."""

    @abstractmethod
    def index_definition(self, connection: Connection, index: str) -> str:
        """The statement that makes an index again; "" where it stays when its column is changed."""

    @abstractmethod
    def drop_index(self, table: str, index: str) -> str:
        """The statement that drops an index."""

    def places(self, keys: Sequence[Any]) -> str:
        return ", ".join([self.place] * len(keys))
