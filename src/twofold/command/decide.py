"""What a command does to what is there. Pure: no I/O, no clock, no ids made here.

A `Ledger` is what a unit knows: the rows it has locked, unique values that are taken, receipts. Commands of one batch are decided in
order against it, and each sees what its neighbours before it did.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import orjson
from pydantic import BaseModel, ValidationError

from twofold.command.body import invalid
from twofold.errors import Problem, Refused
from twofold.record import MAX_VALUE, Record, encoded
from twofold.resource import Context, Declaration
from twofold.store.port import Key, Receipt, Reply, Row, Writes

ANY = frozenset({-1})  # If-Match: *


@dataclass(slots=True)
class Command:
    """A command as the edge hands it on, its body already validated on its own. Nobody changes it once it is submitted.

    `name` is create, replace, patch, delete, secret, or a domain command's. `body` is JSON: the whole state for create, members for
    replace and patch. `match` holds the versions of If-Match (ANY for `*`, None without). `receipt` is the Idempotency-Key and the
    fingerprint of what is asked, `seal` a hash of the secrets among it. `deadline` is monotonic seconds. `created_at` is given where an
    import brings it along.
    """

    resource: Declaration
    name: str
    id: str
    event_id: str
    new_id: Callable[[], str]
    body: Mapping[str, Any] = field(default_factory=dict)
    arguments: BaseModel | None = None
    args: str | None = None
    secrets: Mapping[str, str] = field(default_factory=dict)
    match: frozenset[int] | None = None
    receipt: tuple[str, bytes] | None = None
    seal: str | None = None
    traceparent: str | None = None
    principal: str | None = None
    deadline: float = 0.0
    created_at: str | None = None

    @property
    def key(self) -> Key | None:
        """What its receipt is found by."""
        return (self.principal or "", self.resource.name, self.receipt[0]) if self.receipt else None


@dataclass(slots=True)
class Ledger:
    """A unit's knowledge, and what it has decided so far. `now` is the time (RFC 3339) of all that it does."""

    now: str
    before: dict[tuple[str, str], Row] = field(default_factory=dict)
    rows: dict[tuple[str, str], Row] = field(default_factory=dict)
    busy: set[tuple[str, str]] = field(default_factory=set)
    deleted: set[tuple[str, str]] = field(default_factory=set)
    owners: dict[tuple[str, str, bytes], str] = field(default_factory=dict)
    receipts: dict[Key, Receipt] = field(default_factory=dict)
    secrets: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)
    graves: dict[tuple[str, str], tuple[int, str]] = field(default_factory=dict)
    records: list[tuple[Declaration, Record]] = field(default_factory=list)
    new_receipts: list[Receipt] = field(default_factory=list)

    def writes(self, resource: Declaration) -> Writes:
        """The difference between before and now, for one resource."""
        writes = Writes()
        ours = [key for key in {**self.before, **self.rows, **self.graves} if key[0] == resource.name]
        for key in ours:
            old, new = self.before.get(key), self.rows.get(key)
            if new is not old or key in self.graves:  # what this unit made and deleted was never in the table
                writes.replaces[key[1]] = old.version if old else 0
            if key in self.graves:
                writes.deletes.append((key[1], *self.graves[key]))
            elif new is not None and old is None:
                writes.inserts.append(new)
            elif new is not None and new is not old:
                writes.updates.append(new)
            if new is not None and key in self.secrets:
                writes.secrets[key[1]] = self.secrets[key]
        return writes

    def receipts_left(self) -> list[Receipt]:
        """The new receipts, without what they know of the secrets of an id that is deleted by now."""
        gone = self.graves.keys()
        return [replace(each, seal=None) if (each.key[1], each.id) in gone else each for each in self.new_receipts]


def decide(ledger: Ledger, command: Command) -> Reply:
    """Writes the command into the ledger and answers it. Raises Problem, with the ledger as it was."""
    if (key := command.key) is None or command.receipt is None:
        return _decide(ledger, command)[0]
    if receipt := ledger.receipts.get(key):
        return replay(receipt, command, ledger.rows.get((command.resource.name, receipt.id)))
    reply, version = _decide(ledger, command)
    receipt = Receipt(key, command.receipt[1], reply.status, command.id, version, command.seal)
    ledger.receipts[key] = receipt
    ledger.new_receipts.append(receipt)
    return reply


def replay(receipt: Receipt, command: Command, row: Row | None) -> Reply:
    """What is answered to a command that was done before under this Idempotency-Key; `row` is the receipt's as it is now, None for one
    that is deleted. Raises Problem if something else was done. The seal is the caller's to compare.
    """
    if command.receipt is None or receipt.fingerprint != command.receipt[1]:
        raise reused()
    reply = receipt.kept or _replayed(receipt, command, row)
    return Reply(reply.status, {**reply.headers, "Idempotent-Replayed": "true"}, reply.body, None if receipt.kept else receipt.seal or "")


def _replayed(receipt: Receipt, command: Command, row: Row | None) -> Reply:
    """The first answer; the resource as it is now where that showed it. Its fingerprint says that this is the same command."""
    if command.name == "delete":
        return _deleted(command, receipt.version)
    if row is None:
        raise Problem(410, "deleted", "This was done, and the resource was deleted afterwards.")
    if command.name == "secret":
        return Reply(receipt.status, _headers(command.resource, row.id, receipt.version))
    return _shown(receipt.status, command, row)


def reused() -> Problem:
    detail = "This Idempotency-Key was used for another request. Use a new key for a new request."
    return Problem(422, "idempotency-key-reused", detail)


def _decide(ledger: Ledger, command: Command) -> tuple[Reply, int]:
    """The answer, and the version that the command led to."""
    key = (command.resource.name, command.id)
    if key in ledger.deleted and command.name != "delete":
        raise Problem(410, "deleted", "This id was deleted, and a deleted id is never given out again.")
    row = ledger.rows.get(key)
    if command.name == "create":
        return _create(ledger, command, row)
    if row is None:
        raise Problem(404, "not-found", f"There is no such {command.resource.cls.__name__.lower()}.")
    _check_match(command, row)
    if command.name == "delete":
        return _delete(ledger, command, row)
    return _change(ledger, command, row)


def _check_match(command: Command, row: Row) -> None:
    if command.match is not None and command.match != ANY and row.version not in command.match:
        detail = "The resource has changed since the version that If-Match names. Read it again, and repeat the change on what you find."
        raise Problem(412, "version-mismatch", detail, version=row.version)


def _create(ledger: Ledger, command: Command, row: Row | None) -> tuple[Reply, int]:
    if row is not None:
        raise Problem(412, "exists", "The id exists already, and If-None-Match: * asks for a new one.", version=row.version)
    new = Row(command.id, 1, _created(command, ledger.now), command.created_at or ledger.now, ledger.now)
    body = _store(ledger, command, None, new, "created")
    ledger.secrets[(command.resource.name, command.id)] = dict(command.secrets)
    return _shown(201, command, new, body), 1


def _change(ledger: Ledger, command: Command, row: Row) -> tuple[Reply, int]:
    now = _time(ledger, row)
    state, event = _next_state(command, row, now)
    if state == row.state and command.name in ("replace", "patch"):
        return _shown(200, command, row), row.version
    new = Row(row.id, row.version + 1, state, row.created_at, now)
    body = _store(ledger, command, row, new, event)
    if command.name == "secret":
        ledger.secrets.setdefault((command.resource.name, row.id), {}).update(command.secrets)
        return Reply(204, _headers(command.resource, row.id, new.version)), new.version
    return _shown(200, command, new, body), new.version


def _time(ledger: Ledger, row: Row) -> str:
    """A resource's time never runs backwards, though clocks of several machines stamp it."""
    return max(ledger.now, row.updated_at)


def _next_state(command: Command, row: Row, now: str) -> tuple[dict[str, Any], str]:
    resource = command.resource
    if command.name == "secret":
        return dict(row.state), "updated"
    if command.name in ("replace", "patch"):
        return _replaced(command, row, _merged(command, row), now), "updated"
    spec = resource.commands[command.name]
    arguments = {name: getattr(command.arguments, name) for name in spec.arguments.model_fields}
    return _called(command, now, resource.instance(row.state), **arguments), spec.event


def _merged(command: Command, row: Row) -> BaseModel:
    """The state after a replacement or a merge patch (RFC 7396), validated as a whole."""
    resource = command.resource
    kept = {field.name: row.state[field.name] for field in resource.public if command.name == "patch" or field.guarded}
    members = {**kept, **command.body}
    if command.name == "patch":
        nullable = {field.name for field in resource.fields if field.nullable}
        members = {name: value for name, value in members.items() if value is not None or name in nullable}
    try:
        return resource.state.model_validate_json(orjson.dumps(members), strict=True, by_alias=True, by_name=False)
    except ValidationError as error:
        raise invalid(error, command.body) from None


def _created(command: Command, now: str) -> dict[str, Any]:
    """The state that a creation leads to: as asked, or what a method named `create` makes of it."""
    if "create" not in command.resource.commands:
        return dict(command.body)
    return _called(command, now, command.resource.instance(command.body))


def _replaced(command: Command, row: Row, new: BaseModel, now: str) -> dict[str, Any]:
    """The state that a replacement or a patch leads to: as asked, or what a method of its name makes of it."""
    if command.name not in command.resource.commands:
        return command.resource.encode(new)
    return _called(command, now, command.resource.instance(row.state), new)


def _called(command: Command, now: str, instance: Any, *new: BaseModel, **arguments: Any) -> dict[str, Any]:
    """The state that a method makes."""
    return _validated(command, _asked(command, now, instance, *new, **arguments))


def _asked(command: Command, now: str, instance: Any, *new: BaseModel, **arguments: Any) -> Any:
    spec = command.resource.commands[command.name]
    extra = {"ctx": Context(datetime.fromisoformat(now), command.new_id, command.principal)} if spec.takes_context else {}
    try:
        return getattr(instance, spec.name)(*new, **arguments, **extra)
    except Refused as refused:
        raise Problem(409, refused.code, refused.detail, type="/problems/refused") from None


def _delete(ledger: Ledger, command: Command, row: Row) -> tuple[Reply, int]:
    now = _time(ledger, row)
    if "delete" in command.resource.commands:
        _asked(command, now, command.resource.instance(row.state))
    key, version = (command.resource.name, row.id), row.version + 1
    _claim(ledger, command, row, None)
    del ledger.rows[key]
    ledger.deleted.add(key)
    ledger.graves[key] = (version, now)
    ledger.records.append((command.resource, _record(command, version, now, "deleted", None)))
    return _deleted(command, version), version


def _validated(command: Command, result: Any) -> dict[str, Any]:
    """A command's result is validated like input: `model_copy` checks nothing."""
    resource = command.resource
    if not isinstance(result, resource.cls):
        raise TypeError(f"{resource.cls.__name__}.{command.name} returned {type(result).__name__}; it should return the new state")
    secrets = {field.attribute for field in resource.secrets}
    if any(result.__dict__.get(name) is not None for name in secrets):
        raise TypeError(f"{resource.cls.__name__}.{command.name} set a secret; secrets are changed by PUT only")
    values = {resource.wires.get(name, name): value for name, value in result.__dict__.items() if name not in secrets}
    try:
        return resource.encode(resource.state.__pydantic_validator__.validate_python(values, by_alias=True, by_name=False))
    except ValidationError as error:
        raise invalid(error) from None


def _store(ledger: Ledger, command: Command, old: Row | None, new: Row, event: str) -> bytes:
    value = _representation(new)
    if len(value) > MAX_VALUE:
        raise Problem(422, "too-large", f"The resource would have more than {MAX_VALUE // 1024} KiB.")
    _claim(ledger, command, old, new)
    ledger.rows[(command.resource.name, new.id)] = new
    ledger.records.append((command.resource, _record(command, new.version, new.updated_at, event, value)))
    return value


def _claim(ledger: Ledger, command: Command, old: Row | None, new: Row | None) -> None:
    """Moves the unique values of a row from old to new. Raises Problem before anything is moved."""
    name = command.resource.name
    moves = []
    for unique in command.resource.uniques:
        before = unique.unique_key(old.state[unique.name]) if old else None
        after = unique.unique_key(new.state[unique.name]) if new else None
        if before == after:
            continue
        if after is not None and ledger.owners.get((name, unique.name, after)) not in (None, command.id):
            raise taken(unique.name)
        moves.append((unique.name, before, after))
    for field_name, before, after in moves:
        if before is not None and ledger.owners.get((name, field_name, before)) == command.id:
            ledger.owners.pop((name, field_name, before), None)
        if after is not None:
            ledger.owners[(name, field_name, after)] = command.id


def taken(name: str) -> Problem:
    """409, without the value: an answer that repeats it could be logged or shown to somebody else."""
    errors = [{"pointer": f"/{name}", "detail": "This value is taken.", "code": "taken"}] if name else None
    return Problem(409, f"{name}-taken" if name else "taken", f"The {name or 'unique value'} belongs to another resource.", errors=errors)


def _record(command: Command, version: int, time: str, event: str, value: bytes | None) -> Record:
    return Record(
        key=command.id,
        version=version,
        type=f"{command.resource.name}.{event}",
        event_id=command.event_id,
        time=time,
        value=value,
        args=command.args,
        traceparent=command.traceparent,
    )


def _representation(row: Row) -> bytes:
    return encoded({"id": row.id, "version": row.version, **row.state, "created_at": row.created_at, "updated_at": row.updated_at})


def _shown(status: int, command: Command, row: Row, body: bytes | None = None) -> Reply:
    """An answer with the resource in it, and its address where it is new."""
    headers = _headers(command.resource, row.id, row.version)
    if status == 201:
        headers["Location"] = f"/{command.resource.name}/{row.id}"
    return Reply(status, headers, _representation(row) if body is None else body)


def _deleted(command: Command, version: int) -> Reply:
    return Reply(204, {"Consistency-Token": token(command.resource, command.id, version)})


def _headers(resource: Declaration, id_: str, version: int) -> dict[str, str]:
    return {"ETag": f'"{version}"', "Consistency-Token": token(resource, id_, version)}


def token(resource: Declaration, id_: str, version: int) -> str:
    """What a later read waits for: resource, id and version, in plain text."""
    return f"{resource.name}/{id_}@{version}"
