"""Bodies of requests, made from a declaration: what a client could send, with values that occur once where the field is unique.

A field's candidates are tried against the declaration until one is taken; a field that takes none is the user's to supply.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson

from twofold.bench.wrk import MARK
from twofold.command import body as bodies
from twofold.errors import Problem, SettingsError
from twofold.fields import Field
from twofold.resource import Declaration
from twofold.tools.demo import FIRST, LAST

Body = dict[str, Any]
COUNT = 1000  # of different bodies in a run
_TEXTS = ("{mark}", "bench-{mark}@example.com", "https://example.com/{mark}", "+4930{mark}", "A{mark}", "DE", "EUR", "12345")


def made(resource: Declaration, count: int = COUNT) -> list[Body]:
    """Bodies that create. Raises SettingsError where the declaration takes none of what this module can think of."""
    draw = random.Random(0)  # noqa: S311 - the same bodies in every run
    return [_made(resource, draw) for _ in range(count)]


def read(resource: Declaration, file: Path) -> list[Body]:
    """The user's own bodies, one JSON object a line, with what is unique made so. Raises SettingsError with the line that does not fit."""
    try:
        lines = [line for line in file.read_bytes().splitlines() if line.strip()][:COUNT]
    except OSError as error:
        raise SettingsError(f"{file}: {error.strerror}") from None
    if not lines:
        raise SettingsError(f"{file}: holds no body; write one JSON object a line.")
    return [_read(resource, file, number, line) for number, line in enumerate(lines, 1)]


def varied(resource: Declaration, body: Body) -> Body:
    """The body with MARK in every unique value that is text or a number."""
    marked = {field.name: field.kind.marked(MARK, body[field.name]) for field in resource.uniques if body.get(field.name) is not None}
    return {**body, **marked}


def change(resource: Declaration, body: Body) -> Body | None:
    """Members of a patch that changes something each time; None where the declaration has no field for that."""
    for field in resource.public:
        if field.kind.is_text and not (field.unique or field.guarded or field.many or field.choices):
            patch = {field.name: f"{body.get(field.name) or ''} {MARK}".strip()}
            if _patches(resource, patch):
                return patch
    return None


def _made(resource: Declaration, draw: random.Random) -> Body:
    """Fields whose candidate is refused get their next one, until all fit."""
    wanted = [field for field in resource.fields if not field.guarded and (field.required or field.text or field.keyword)]
    candidates = {field.name: _candidates(field, draw) for field in wanted}
    body = {name: next(values) for name, values in candidates.items()}
    while pointers := _refused(resource, body):
        for name in pointers:
            try:
                body[name] = next(candidates[name])
            except (StopIteration, KeyError):
                raise _give_up(resource, name, body) from None
    return body


def _refused(resource: Declaration, body: Body) -> set[str]:
    """The names of members that do not fit."""
    try:
        bodies.creation(resource, body)
    except Problem as problem:
        errors = problem.members.get("errors", [])
        return {error["pointer"].split("/")[1] if error["pointer"] else "" for error in errors} or {""}
    return set()


def _give_up(resource: Declaration, name: str, body: Body) -> SettingsError:
    try:
        bodies.creation(resource, body)
        reason = "no candidate was left"
    except Problem as problem:
        reason = "; ".join(f"{error['pointer'] or '/'}: {error['detail']}" for error in problem.members.get("errors", []))
    return SettingsError(
        f"No body could be made for {resource.name}{f'.{name}' if name else ''} ({reason}). "
        f"Give some: twofold bench {resource.name} --bodies FILE.ndjson, one body a line; unique values in it are made so."
    )


def _candidates(field: Field, draw: random.Random) -> Iterator[Any]:
    for value in _single(field, draw):
        yield [value] if field.many else value
    if field.nullable:
        yield None


def _single(field: Field, draw: random.Random) -> Iterator[Any]:
    if field.secret:
        yield from ("correct horse battery staple", "Correct-Horse-Battery-7")
    elif field.choices:
        yield from draw.sample(field.choices, len(field.choices))
    elif field.kind.is_text:
        yield from _strings(field, draw)
    elif field.unique and field.kind.has_marks:
        yield field.kind.marked(MARK, None)
    else:
        yield from field.kind.samples


def _strings(field: Field, draw: random.Random) -> Iterator[str]:
    name = f"{draw.choice(FIRST)} {draw.choice(LAST)}"
    if not field.unique:
        yield from (name[: field.max_length], name.split(maxsplit=1)[0], (name + " ") * 5, (name + " ") * 50)
    for text in _TEXTS:
        if field.unique and "{mark}" not in text:
            continue
        yield text.format(mark=MARK if field.unique else MARK[:8])


def _read(resource: Declaration, file: Path, number: int, line: bytes) -> Body:
    try:
        body = varied(resource, orjson.loads(line))
        bodies.creation(resource, body)
    except (orjson.JSONDecodeError, TypeError, AttributeError):
        raise SettingsError(f"{file}, line {number}: is no JSON object") from None
    except Problem as problem:
        reasons = "; ".join(f"{error['pointer'] or '/'}: {error['detail']}" for error in problem.members.get("errors", []))
        raise SettingsError(f"{file}, line {number}: {reasons or problem.detail}") from None
    return body


def _patches(resource: Declaration, members: Body) -> bool:
    try:
        bodies.members(resource, members, patch=True)
    except Problem:
        return False
    return True


def filtered(resource: Declaration, found: Sequence[Body]) -> tuple[str, list[str]]:
    """A field that is filtered by and is the same in several bodies, with its values; "" where there is none."""
    for field in resource.public:
        if field.kind.is_text and field.filterable and not field.unique and not field.many:
            values = [str(body[field.name]) for body in found if body.get(field.name)]
            if values:
                return field.name, sorted(set(values))
    return "", []


def texts(resource: Declaration, found: Sequence[Body]) -> list[str]:
    """Words that a search finds: those of text fields, each once."""
    names = [field.name for field in resource.public if field.text]
    values = [body[name] for body in found for name in names if isinstance(body.get(name), str)]
    return list(dict.fromkeys(word for value in values for word in value.split() if MARK not in word))
