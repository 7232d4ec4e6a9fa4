"""Group commit: commands that arrive while a transaction runs go together into the next one.

No answer leaves before the commit, not even a refusal, since it may rest on what a neighbour did.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import structlog
from pydantic import SecretBytes, SecretStr

from twofold.command.decide import Command, Ledger, decide, taken
from twofold.errors import Changed, Contended, EngineError, OutcomeUnknown, Outdated, Problem, Rejected, Taken
from twofold.kinds.datetimes import timestamp
from twofold.resource import Declaration
from twofold.runtime.batcher import LATER, Batcher, Later
from twofold.runtime.failures import Failures
from twofold.runtime.retry import Backoff
from twofold.store.port import Doubt, Reply, Unit, WriteStore

log: Any = structlog.get_logger()
_FAILURES = Failures()
Answer = Reply | BaseException | Later
LONGEST_WAIT = 2.0  # seconds that a command waits for a row that somebody else has locked
WARY_SECONDS = 10.0  # for which unique values are looked up before they are written, once one was taken
TAKEN_TRIES = 3  # for one command: who took a value that was free a moment ago may have done this very command, under the same key
RETRY_AFTER = {"Retry-After": "1"}


class Writer:
    """Takes commands and answers them once they are durable."""

    def __init__(self, store: WriteStore, committed: Callable[[], None] = lambda: None, *, max_items: int = 256) -> None:
        self._store = store
        self._committed = committed
        self._wary_until = 0.0
        self._told = ""
        self._batcher: Batcher[Command, Reply] = Batcher("writer", self.run, max_items=max_items)

    def submit(self, command: Command, weight: int = 1) -> Future[Reply]:
        """The answer, in time; a Problem if it is refused. `weight` is about the command's size in bytes."""
        command.deadline = time.monotonic() + LONGEST_WAIT
        return self._batcher.submit(command, weight)

    async def ask(self, command: Command, weight: int = 1) -> Reply:
        """`submit`, for a coroutine; see `Batcher.ask`."""
        command.deadline = time.monotonic() + LONGEST_WAIT
        return await self._batcher.ask(command, weight)

    def stop(self) -> None:
        self._batcher.stop()

    def run(self, commands: Sequence[Command]) -> list[Answer]:
        """One batch: one answer per command, in order. They hold, whatever becomes of telling it on."""
        answers = self._run(commands)
        try:
            self._committed()
        except Exception as error:  # noqa: BLE001 - whatever it is, what was committed is
            _FAILURES.told("a commit was not told on", error)
        return answers

    def _run(self, commands: Sequence[Command], patience: float = LONGEST_WAIT) -> list[Answer]:
        """A permanent error runs the batch once more (what is taken is looked up now), then its halves, down to the one command that
        it belongs to; so do locks that do not hold. A lock that is not to be had in time runs the commands one by one.
        """
        tries = _Tries(time.monotonic() + patience)
        while True:
            try:
                return self._unit(commands)
            except _Lost:
                return [lost()] * len(commands)
            except EngineError as error:
                if answers := self._given_up(commands, error, tries):
                    return answers

    def _given_up(self, commands: Sequence[Command], error: EngineError, tries: _Tries) -> list[Answer] | None:
        """The answers after an error; None where the batch is to be run again."""
        if isinstance(error, Contended):
            return self._contended(commands, error, tries)
        if isinstance(error, Rejected):
            return self._rejected(commands, error, tries)
        if isinstance(error, Outdated):
            parts = _by_resource(commands)
            return self._in_parts(commands, parts) if len(parts) > 1 else self._refused(commands, error, _outdated())
        if tries.reconnected:  # the first failure may be a pooled connection that the server had ended
            return [unavailable(error)] * len(commands)
        tries.reconnected = True
        return None

    def _contended(self, commands: Sequence[Command], error: Contended, tries: _Tries) -> list[Answer] | None:
        if isinstance(error, Changed):
            tries.changed += 1
            if tries.changed > 1:  # a third time would find the same
                return self._halved(commands) if len(commands) > 1 else self._kept_out(error)
        if time.monotonic() <= tries.deadline:
            time.sleep(tries.backoff.next())
            return None
        if len(commands) > 1:
            return self._singly(commands)
        return self._kept_out(error)

    def _kept_out(self, error: Contended) -> list[Answer]:
        log.warning("a lock was not to be had in time", reason=str(error))
        return [_busy()]

    def _rejected(self, commands: Sequence[Command], error: Rejected, tries: _Tries) -> list[Answer] | None:
        tries.rejected, self._wary_until = tries.rejected + 1, time.monotonic() + WARY_SECONDS
        if tries.rejected > 1 and len(commands) > 1:
            return self._halved(commands)
        return [_refusal(error)] if tries.rejected > (TAKEN_TRIES if isinstance(error, Taken) else 1) else None

    def _refused(self, commands: Sequence[Command], error: Outdated, problem: Problem) -> list[Answer]:
        """Logs why nothing can be written, once as long as it stays the same."""
        if str(error) != self._told:
            log.error("writes are refused", reason=str(error))
        self._told = str(error)
        return [problem] * len(commands)

    def _in_parts(self, commands: Sequence[Command], parts: Iterable[Sequence[Command]]) -> list[Answer]:
        """One resource's trouble is not the others'."""
        answers = {id(command): answer for part in parts for command, answer in zip(part, self._part(part), strict=True)}
        return [answers[id(command)] for command in commands]

    def _halved(self, commands: Sequence[Command]) -> list[Answer]:
        """One bad command among 256 costs some 20 transactions so, not 256."""
        middle = len(commands) // 2
        return [*self._part(commands[:middle]), *self._part(commands[middle:])]

    def _part(self, commands: Sequence[Command], patience: float = LONGEST_WAIT) -> list[Answer]:
        """An error that nobody expected is told to these only: other parts of the batch may be committed."""
        try:
            return self._run(commands, patience)
        except Exception as error:  # noqa: BLE001 - whoever asked raises it
            return [error] * len(commands)

    def _singly(self, commands: Sequence[Command]) -> list[Answer]:
        """Each is tried once. Two that find locks tell that all would, and each costs its time."""
        answers: list[Answer] = []
        locked = 0
        for command in commands:
            answer = _busy() if locked > 1 else self._part([command], 0)[0]
            locked += isinstance(answer, Problem) and answer.code == "row-locked"
            answers.append(answer)
        return answers

    def _unit(self, commands: Sequence[Command]) -> list[Answer]:
        try:
            with self._store.unit() as unit:
                doubt = unit.doubt
                ledger = load(unit, commands, owners=time.monotonic() < self._wary_until)
                answers = [_answered(ledger, command) for command in commands]
                _save(unit, ledger, commands)
                unit.commit()
        except OutcomeUnknown:
            if not self._settled(doubt):
                raise Contended("the unit was rolled back") from None
        return answers

    def _settled(self, doubt: Doubt) -> bool:
        try:
            done = self._store.settle(doubt)
        except EngineError as error:
            log.warning("COMMIT of unknown outcome", unit=doubt.unit, outcome="unknown", reason=str(error))
            raise _Lost from None
        log.warning("COMMIT of unknown outcome", unit=doubt.unit, outcome="done" if done else "rolled back, running it again")
        return done


@dataclass(slots=True)
class _Tries:
    """What was tried for a batch."""

    deadline: float
    backoff: Backoff = field(default_factory=lambda: Backoff(0.01, 0.2))
    rejected: int = 0
    changed: int = 0
    reconnected: bool = False


class _Lost(Exception):
    """The outcome of a commit could not be found out."""


def lost() -> Problem:
    detail = "Whether this was done is not known. Retry with the same Idempotency-Key to learn the outcome."
    return Problem(503, "outcome-unknown", detail, headers=RETRY_AFTER)


def load(unit: Unit, commands: Sequence[Command], *, owners: bool) -> Ledger:
    """All that the commands need to know, in a number of statements that does not depend on how many they are.

    Receipts are read last: what another process did under the same key is then seen in its receipt wherever it is seen in a row.
    Who owns which unique value need not be known: the unique index decides. To ask costs each batch, not to ask those with a conflict.
    """
    ledger = Ledger(timestamp(datetime.now(UTC)))
    for resource in _resources(commands):
        ours = [command for command in commands if command.resource is resource]
        _load_rows(unit, ledger, resource, ours)
        if owners:
            _load_owners(unit, ledger, resource, ours)
    _load_receipts(unit, ledger, commands)
    return ledger


def _load_rows(unit: Unit, ledger: Ledger, resource: Declaration, commands: Sequence[Command]) -> None:
    ids = sorted({command.id for command in commands if command.name != "create" or command.match is not None})
    loaded = unit.load(resource, ids)
    rows = {(resource.name, id_): row for id_, row in loaded.rows.items()}
    ledger.before.update(rows)
    for unique in resource.uniques:  # what these rows hold is known without a look-up
        keys = {unique.unique_key(row.state[unique.name]): row.id for row in loaded.rows.values()}
        ledger.owners.update({(resource.name, unique.name, key): id_ for key, id_ in keys.items() if key is not None})
    ledger.rows.update(rows)
    ledger.busy.update((resource.name, id_) for id_ in loaded.busy)
    ledger.deleted.update((resource.name, id_) for id_ in loaded.deleted)


def _load_owners(unit: Unit, ledger: Ledger, resource: Declaration, commands: Sequence[Command]) -> None:
    for unique in resource.uniques:
        keys = {unique.unique_key(command.body.get(unique.name)) for command in commands} - {None}
        found = unit.taken(resource, unique.name, sorted(key for key in keys if key)) if keys else {}
        ledger.owners.update({(resource.name, unique.name, key): id_ for key, id_ in found.items()})


def _load_receipts(unit: Unit, ledger: Ledger, commands: Sequence[Command]) -> None:
    """With the rows that the answers of a repeated creation show, whose ids are others than the commands'."""
    keys = sorted({command.key for command in commands if command.key})
    ledger.receipts.update(unit.receipts(keys) if keys else {})
    for resource in _resources(commands) if ledger.receipts else ():
        ids = {receipt.id for receipt in ledger.receipts.values() if receipt.key[1] == resource.name and not receipt.kept}
        unknown = sorted(id_ for id_ in ids if (resource.name, id_) not in ledger.rows)
        rows = {(resource.name, id_): row for id_, row in unit.peek(resource, unknown).items()}
        ledger.before.update(rows)
        ledger.rows.update(rows)


def _answered(ledger: Ledger, command: Command) -> Answer:
    if (command.resource.name, command.id) in ledger.busy:
        return _busy() if time.monotonic() > command.deadline else LATER
    try:
        return decide(ledger, command)
    except Problem as problem:
        return problem
    except Exception as error:  # noqa: BLE001 - a command of the app is broken; its neighbours are not
        broken = Problem(500, "command-broken", "The command failed for a reason that is not the request's.")
        about = {"resource": command.resource.name, "command": command.name}
        broken.instance = _FAILURES.told("command failed", error, _secrets(command), **about)
        return broken


def _secrets(command: Command) -> list[str]:
    """What no log may have of a command, whatever its error's message says."""
    spec = command.resource.commands.get(command.name)
    arguments = [getattr(command.arguments, name, None) for name in spec.secret_parameters] if spec else []
    values = [*command.secrets.values(), *(value.get_secret_value() for value in arguments if isinstance(value, SecretStr | SecretBytes))]
    return [value.decode(errors="replace") if isinstance(value, bytes) else value for value in values]


def _save(unit: Unit, ledger: Ledger, commands: Sequence[Command]) -> None:
    if not ledger.records and not ledger.new_receipts:
        return
    for resource in _resources(commands):
        unit.save(resource, ledger.writes(resource))
    unit.publish(ledger.records, ledger.receipts_left())


def _by_resource(commands: Sequence[Command]) -> list[list[Command]]:
    return [[command for command in commands if command.resource is resource] for resource in _resources(commands)]


def _resources(commands: Sequence[Command]) -> list[Declaration]:
    """In one order for all units: two that lock rows of the same resources then do not wait for each other."""
    found = {command.resource.name: command.resource for command in commands}
    return [found[name] for name in sorted(found)]


def _busy() -> Problem:
    return Problem(503, "row-locked", "Somebody else holds a lock on the resource. Try again in a moment.", headers=RETRY_AFTER)


def unavailable(cause: EngineError) -> Problem:
    problem = Problem(503, "write-store-unavailable", "The write store cannot be reached. Nothing was done.", headers=RETRY_AFTER)
    problem.__cause__ = cause  # which is what the log says
    return problem


def _outdated() -> Problem:
    detail = "The write store is not as this instance declares it, which waits to be replaced. Nothing was done."
    return Problem(503, "declaration-outdated", detail, headers=RETRY_AFTER)


def _refusal(error: Rejected) -> Problem:
    if isinstance(error, Taken):
        return taken(error.field)
    log.error("the write store refused values that passed validation", reason=str(error))
    return Problem(422, "refused-by-store", "The write store refuses these values.")
