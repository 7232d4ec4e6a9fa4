"""Import: lines of a file as create commands, through the same path as HTTP, in batches.

Every line has an Idempotency-Key made of the file's content and the line's number, so an import that was interrupted is run again,
and goes on where it stopped (within the 24 hours that receipts are kept).
"""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import islice
from typing import IO, Any

import uuid_utils

from twofold.command import body as bodies
from twofold.command.decide import Command
from twofold.command.passwords import PHC, HashPool
from twofold.command.writer import Writer
from twofold.errors import Problem, Unavailable
from twofold.fields import Field
from twofold.resource import Declaration
from twofold.runtime import strictjson
from twofold.runtime.retry import Backoff
from twofold.store.port import Reply, WriteStore

CHUNK = 500
MARK = b"\0" * 32  # the fingerprint of an import's receipts: the key itself names the content


@dataclass(slots=True)
class Tally:
    """How an import went: lines `created`, found `already` there, `rejected`."""

    created: int = 0
    already: int = 0
    rejected: int = 0

    @property
    def lines(self) -> int:
        return self.created + self.already + self.rejected


@dataclass(slots=True)
class Loader:
    """Creates one resource per body. `reject` is told the line's number, its text and the reason."""

    resource: Declaration
    store: WriteStore
    writer: Writer
    reject: Callable[[int, str, str], None]
    name: str
    hashes: HashPool = field(default_factory=HashPool)
    tally: Tally = field(default_factory=Tally)

    def load(self, lines: Iterable[tuple[int, str, Any]]) -> Iterator[Tally]:
        """Takes (number, text, body or NotJson), yields the tally after each batch. A batch is durable when its tally is yielded."""
        source = iter(lines)
        while chunk := list(islice(source, CHUNK)):
            self._chunk(chunk)
            yield self.tally

    def _chunk(self, chunk: list[tuple[int, str, Any]]) -> None:
        keys = {number: f"import:{self.name}:{number}" for number, _, _ in chunk}
        done = _patiently(lambda: self.store.look(self.resource, {}, list(keys.values()))[1])
        commands: list[tuple[int, str, Command]] = []
        for number, text, body in chunk:
            if keys[number] in done:
                self.tally.already += 1
            elif (command := self._command(number, text, body, keys[number])) is not None:
                commands.append((number, text, command))
        self._submit(self._hashed(commands))

    def _command(self, number: int, text: str, body: Any, key: str) -> Command | None:
        try:
            if isinstance(body, strictjson.NotJson):
                raise Problem(400, "malformed-json", str(body))
            state, secrets = bodies.creation(self.resource, body)
        except Problem as problem:
            self._rejected(number, text, problem)
            return None
        return Command(self.resource, "create", _new_id(), _new_id(), _new_id, body=state, secrets=secrets, receipt=(key, MARK))

    def _hashed(self, commands: list[tuple[int, str, Command]]) -> list[tuple[int, str, Command]]:
        """Passwords that are argon2id hashes already are stored as they are: in an import only."""
        fields = [field.name for field in self.resource.secrets if field.secret == "password"]  # noqa: S105 - a kind
        for name in fields:
            plain = [command for _, _, command in commands if not PHC.fullmatch(command.secrets[name])]
            hashes = self.hashes.many([command.secrets[name] for command in plain])
            for command, hashed in zip(plain, hashes, strict=True):
                command.secrets[name] = hashed  # type: ignore[index]
        return commands

    def _submit(self, commands: list[tuple[int, str, Command]]) -> None:
        """Answers that an outage caused are asked for again, under the same key, until the store has answered."""
        backoff = Backoff()
        while commands:
            futures: list[Future[Reply]] = [self.writer.submit(command, 1024) for _, _, command in commands]
            again = [line for line, future in zip(commands, futures, strict=True) if not self._counted(line, future)]
            if again:
                time.sleep(backoff.next())
            commands = again

    def _counted(self, line: tuple[int, str, Command], future: Future[Reply]) -> bool:
        try:
            reply = future.result()
        except Problem as problem:
            if problem.status == 503:
                return False
            self._rejected(line[0], line[1], problem)
            return True
        if "Idempotent-Replayed" in reply.headers:
            self.tally.already += 1
        else:
            self.tally.created += 1
        return True

    def _rejected(self, number: int, text: str, problem: Problem) -> None:
        self.tally.rejected += 1
        errors = problem.members.get("errors") or []
        reasons = "; ".join(f"{each.get('pointer') or '/'}: {each['detail']}" for each in errors) or problem.detail
        self.reject(number, text, reasons)


def ndjson(stream: IO[str]) -> Iterator[tuple[int, str, Any]]:
    """One JSON object per line; empty lines are passed over."""
    for number, line in enumerate(stream, 1):
        if text := line.strip():
            try:
                yield number, text, strictjson.loads(text.encode("utf-8", "surrogateescape"))
            except strictjson.NotJson as error:
                yield number, text, error


def comma_separated(stream: IO[str], resource: Declaration) -> Iterator[tuple[int, str, Any]]:
    """CSV with a header of field names. An empty cell is a member that is absent; lists are JSON."""
    reader = csv.reader(stream, strict=True)
    fields = {each.name: each for each in resource.fields}
    names = next(reader, [])
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield reader.line_num, "", strictjson.NotJson(f"The line is not CSV: {error}.")
            continue
        if row:
            yield reader.line_num, _csv_line(row), _csv_body(names, row, fields)


def _csv_body(names: list[str], row: list[str], fields: dict[str, Field]) -> Any:
    """The line as the body of a request, through the same strict JSON; NotJson where it is none."""
    if len(row) > len(names):
        return strictjson.NotJson("The line has more cells than the header.")
    try:
        cells = {name: _cell(fields.get(name), value) for name, value in zip(names, row, strict=False) if value}
        return strictjson.loads(json.dumps(cells, ensure_ascii=False).encode("utf-8", "surrogateescape"))
    except strictjson.NotJson as error:
        return error
    except (ValueError, RecursionError):
        return strictjson.NotJson("A cell does not hold what its field takes.")


def _cell(field_: Field | None, text: str) -> Any:
    if field_ is None:
        return text
    if field_.many:
        return json.loads(text)
    if field_.kind == "integer":
        return int(text)
    if field_.kind == "float":
        return float(text)
    if field_.kind == "boolean":
        return {"true": True, "false": False}[text.lower()] if text.lower() in ("true", "false") else text
    return text


def _csv_line(row: list[str]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="").writerow(row)
    return buffer.getvalue()


def _patiently(ask: Callable[[], Any]) -> Any:
    backoff = Backoff()
    while True:
        try:
            return ask()
        except Unavailable:
            time.sleep(backoff.next())


def _new_id() -> str:
    return str(uuid_utils.uuid7())
