"""From a record, or a row, to a document. Pure.

A record is read through the current declaration: a field that it lacks has its declared default. A value that the declaration does
not know, or of another kind, makes the record unreadable: it goes to the dead letters, not half into the index.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from twofold.fields import Field
from twofold.index.port import Operation
from twofold.log.port import Message
from twofold.record import Record, Undeclared, Unreadable, encoded
from twofold.resource import Declaration
from twofold.store.port import Row, Tombstone

SYSTEM = ("id", "version", "created_at", "updated_at")


def read_message(resource: Declaration, message: Message) -> Operation:
    """What a message of the resource's topic does to the index. Raises Unreadable."""
    record = Record.from_message(message)
    if record.type.rpartition(".")[0] != resource.name:
        raise Unreadable(f"ce_type {record.type[:64]!r} is not of {resource.name}")
    return operation(resource, record)


def operation(resource: Declaration, record: Record) -> Operation:
    """What a record does to the index. Raises Unreadable."""
    if record.value is None:
        return _tombstone(record.key, record.version)
    return Operation(record.key, record.version, document(resource, record))


def of_row(resource: Declaration, row: Row | Tombstone) -> Operation:
    """What a row or a tombstone of the table does to the index: what the record of its version does. Raises Unreadable as that does."""
    if isinstance(row, Tombstone):
        return _tombstone(row.id, row.version)
    if not (isinstance(row.created_at, str) and isinstance(row.updated_at, str)):
        raise Unreadable("created_at or updated_at does not hold a time in the table")
    for field in resource.public:
        if not fits(field, row.state[field.name]):
            mend = f"change it there, then run `twofold verify {resource.name} --repair`"
            raise Unreadable(f"the field {field.name} does not hold {_kind(field)} in the table: {mend}")
    system = {"id": row.id, "version": row.version, "created_at": row.created_at, "updated_at": row.updated_at}
    return Operation(row.id, row.version, _document(resource, system, row.state))


def document(resource: Declaration, record: Record) -> bytes:
    """The record's value where it is as the declaration has it, so that it is not encoded again; else a document made of it."""
    value = _value(record)
    verbatim = _is_state(resource) and value.keys() == resource.blank.keys()
    if not verbatim:
        for name in value.keys() - {field.name for field in resource.public} - set(SYSTEM):
            raise Undeclared(f"the field {name[:64]!r} is not declared")
    for field in resource.public:
        if field.name in value and not fits(field, value[field.name]):
            raise Unreadable(f"the field {field.name} does not hold {_kind(field)}")
    if record.value and verbatim:
        return record.value
    state = {field.name: value.get(field.name, _default(field, value)) for field in resource.public}
    return _document(resource, {name: value[name] for name in SYSTEM}, state)


def _is_state(resource: Declaration) -> bool:
    """Whether documents hold fields as records do."""
    return resource.shape is None and not resource.converted


def _document(resource: Declaration, system: Mapping[str, Any], state: Mapping[str, Any]) -> bytes:
    if _is_state(resource):
        return encoded({**system, **state})
    try:
        shaped = resource.shaped(state)
    except Exception as error:
        raise Unreadable(f"{resource.cls.__name__}.document failed: {type(error).__name__}") from error
    try:
        stored = {field.name: field.stored(shaped[field.name]) for field in resource.indexed}
    except (ValueError, ArithmeticError) as error:
        raise Unreadable(f"a value cannot be held by the index: {type(error).__name__}") from error
    return encoded({**system, **stored})


def _tombstone(id_: str, version: int) -> Operation:
    return Operation(id_, version, encoded({"id": id_, "version": version, "deleted": True}), deleted=True)


def _value(record: Record) -> dict[str, Any]:
    try:
        value = orjson.loads(record.value or b"")
    except orjson.JSONDecodeError:
        raise Unreadable("the value is not JSON") from None
    if not isinstance(value, dict):
        raise Unreadable("the value is not an object")
    if value.get("id") != record.key or value.get("version") != record.version:
        raise Unreadable("id and version in the value are not those of key and ce_sequence")
    if not isinstance(value.get("created_at"), str) or not isinstance(value.get("updated_at"), str):
        raise Unreadable("created_at or updated_at is missing")
    return value


def _default(field: Field, value: dict[str, Any]) -> Any:
    if field.required and field.name not in value:
        raise Unreadable(f"the field {field.name} is missing and has no default")
    return field.default


def fits(field: Field, value: Any) -> bool:
    """Whether a value is of the field's kind; ranges and formats are the index's to judge."""
    if type(value) is field.plain:
        return True
    if value is None:
        return field.nullable
    if field.many:
        return isinstance(value, list) and all(field.kind.fits(field, item) for item in value)
    return field.kind.fits(field, value)


def _kind(field: Field) -> str:
    return f"a list of {field.kind.name}" if field.many else field.kind.name
