"""What both ways of loading share: lines as commands, through the same path as HTTP, in batches."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

import orjson
import structlog
import uuid_utils

from twofold.command import body as bodies
from twofold.command.decide import ANY, Command
from twofold.command.passwords import HashPool, is_hash
from twofold.command.writer import Writer
from twofold.errors import Problem, Unavailable
from twofold.fields import Field
from twofold.imports.lines import Damaged, Line
from twofold.imports.options import Options
from twofold.imports.rejects import Rejects
from twofold.kinds import KINDS, NotAValue
from twofold.kinds.datetimes import timestamp
from twofold.record import UUID
from twofold.resource import Declaration
from twofold.runtime.retry import Backoff
from twofold.runtime.strictjson import NotJson
from twofold.store.port import Reply, WriteStore
from twofold.values import from_text

CHUNK, FIRST_CHUNK = 500, 50  # lines; fewer where they take long, as those with plain passwords do
LONG, SHORT = 2.0, 0.5  # seconds
HASHES = 16  # passwords between two looks at whether to stop
CHUNK_SIZE = 4 << 20  # characters
OVERHEAD = 512
log: Any = structlog.get_logger()
T = TypeVar("T")
_CREATED_AT = Field("created_at", "created_at", KINDS["datetime"])


class Interrupted(Exception):
    """The import was asked to stop before a batch was done."""


@dataclass(slots=True)
class Tally:
    """How many lines were what. `already` were created by an import before; `kept` secrets of rows that are there were not touched."""

    created: int = 0
    already: int = 0
    changed: int = 0
    unchanged: int = 0
    rejected: int = 0
    kept: int = 0

    @property
    def lines(self) -> int:
        return self.created + self.already + self.changed + self.unchanged + self.rejected


@dataclass(slots=True)
class Prepared:
    """A line that fits: its public state and secrets, and what it asks for without them, as JSON."""

    line: Line
    state: dict[str, Any]
    secrets: dict[str, str]
    asked: bytes


class Loader:
    """What both ways of loading share: waiting for the store, hashing, telling what became of each line."""

    def __init__(
        self, resource: Declaration, store: WriteStore, writer: Writer, rejects: Rejects, options: Options, stopped: Callable[[], bool]
    ) -> None:
        self.resource, self.store, self.options = resource, store, options
        self.tally = Tally()
        self._writer, self._rejects, self._stopped = writer, rejects, stopped
        self._hashes = HashPool()
        self._columns = {member: name for name, member in options.columns.items() if member}
        self._waits_for = ""  # the reason that was told last
        self._size = FIRST_CHUNK

    def load(self, lines: Iterable[Line]) -> Iterator[Tally]:
        """Yields the tally after each batch, which is durable by then. Raises Damaged where the file cannot be read to its end."""
        for chunk in _chunks(lines, lambda: self._size):
            begun = time.monotonic()
            self.take(chunk)
            self._waits_for = ""
            self._resize(time.monotonic() - begun)
            yield self.tally

    def _resize(self, seconds: float) -> None:
        """The next batch's size, after one that took so long."""
        if seconds > LONG:
            self._size = max(self._size // 4, 1)
        elif seconds < SHORT:
            self._size = min(self._size * 2, CHUNK)

    def take(self, chunk: Sequence[Line]) -> None:
        """Does what a batch asks for, and counts it."""
        raise NotImplementedError

    def close(self) -> None:
        self._hashes.close()

    def prepared(self, line: Line) -> Prepared | None:
        """The line as a creation; None if it is rejected."""
        try:
            if isinstance(line.body, NotJson):
                raise Problem(422, "validation-failed", str(line.body))
            state, secrets = bodies.creation(self.resource, line.body, guarded=self.options.with_guarded)
            line.created_at = _moment(line.created_at)
            if line.id is not None and not (isinstance(line.id, str) and UUID.fullmatch(line.id)):
                raise Problem(422, "validation-failed", "id: A UUID in lower case, for example 01a20945-6fa1-7411-813c-33a4406f2bd5.")
            for field in self.resource.secrets:
                if field.hashed:
                    is_hash(secrets[field.name])
        except Problem as problem:
            self.rejected(line, problem)
            return None
        public = {name: value for name, value in line.body.items() if name not in secrets}
        asked = orjson.dumps([line.id, line.created_at, public], option=orjson.OPT_SORT_KEYS)
        return Prepared(line, state, secrets, asked)

    def creation(self, ready: Prepared, receipt: tuple[str, bytes] | None) -> Command:
        """The command of a new row, under the id that the line gives or a new one."""
        line = ready.line
        given = line.id is not None
        command = self.command("create", line.id or _new_id(), body=ready.state, match=ANY if given else None, receipt=receipt)
        command.secrets, command.created_at = dict(ready.secrets), line.created_at
        return command

    def command(self, name: str, id_: str, **more: Any) -> Command:
        return Command(self.resource, name, id_, _new_id(), _new_id, **more)

    def hashed(self, commands: Sequence[Command]) -> None:
        """Passwords that are argon2id hashes already are stored as they are: in an import only."""
        for field in self.resource.secrets:
            plain = [command for command in commands if field.hashed and not is_hash(command.secrets[field.name])]
            for start in range(0, len(plain), HASHES):
                if self._stopped():
                    raise Interrupted
                part = plain[start : start + HASHES]
                for command, hash_ in zip(part, self._hashes.many([command.secrets[field.name] for command in part]), strict=True):
                    command.secrets = {**command.secrets, field.name: hash_}

    def answers(self, commands: Sequence[tuple[T, Command]]) -> Iterator[tuple[T, Reply | Problem]]:
        """Each command's answer, in their order."""
        futures: list[tuple[T, Future[Reply]]] = [
            (key, self._writer.submit(each, len(orjson.dumps(each.body)) + OVERHEAD)) for key, each in commands
        ]
        for key, future in futures:
            try:
                yield key, future.result()
            except Problem as problem:
                yield key, problem

    def patiently(self, ask: Callable[[], T]) -> T:
        """Asks the store until it answers."""
        backoff = Backoff()
        while True:
            try:
                return ask()
            except Unavailable as error:
                self._told(str(error))
                self.wait(backoff)

    def later(self, problem: Problem) -> bool:
        """Whether it is an outage, which ends by itself and is waited for."""
        if problem.status == 503:
            self._told(str(problem.__cause__ or problem.detail))
        return problem.status == 503

    def _told(self, reason: str) -> None:
        """Logs what is waited for, once a batch as long as it stays the same."""
        if reason != self._waits_for:
            log.warning("waiting for the write store", reason=reason)
        self._waits_for = reason

    def wait(self, backoff: Backoff) -> None:
        """Before the next try. Raises Interrupted where the import should stop."""
        if self._stopped():
            raise Interrupted
        time.sleep(backoff.next())

    def rejected(self, line: Line, problem: Problem) -> None:
        """Counts a reject, and writes it with a reason that names the columns."""
        self.tally.rejected += 1
        errors = problem.members.get("errors") or []
        told = [f"{self._column(each.get('pointer') or '')}{each['detail']}" for each in errors]
        self._rejects.add(line, "; ".join(told) or _DETAILS.get(problem.code, problem.detail))

    def _column(self, pointer: str) -> str:
        member, _, rest = pointer.removeprefix("/").partition("/")
        name = self._columns.get(member, member)
        return f"{name}{'/' if rest else ''}{rest}: " if name else ""


_DETAILS = {"exists": "There is a row with this id already. --update-by id changes it."}


def _moment(text: Any) -> str | None:
    """A given time of creation as rows have it. Raises Problem."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(from_text(_CREATED_AT, text))
        found = timestamp(_CREATED_AT.checked(moment))
    except (NotAValue, ValueError, TypeError):
        raise Problem(422, "validation-failed", "created_at: A date and time with a zone, for example 2026-01-31T12:00:00Z.") from None
    if moment > datetime.now(UTC):
        raise Problem(422, "validation-failed", "created_at: This lies in the future.")
    return found


def _chunks(lines: Iterable[Line], limit: Callable[[], int]) -> Iterator[list[Line]]:
    """Batches of so many lines, also of what was read before a file turned out to be damaged."""
    chunk: list[Line] = []
    size, damage = 0, None
    try:
        for line in lines:
            chunk.append(line)
            size += len(line.text)
            if len(chunk) >= limit() or size > CHUNK_SIZE:
                yield chunk
                chunk, size = [], 0
    except Damaged as error:
        damage = error
    if chunk:
        yield chunk
    if damage:
        raise damage


def _new_id() -> str:
    return str(uuid_utils.uuid7())
