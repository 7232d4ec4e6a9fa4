"""Two streams in the order of ids, and what is drift between them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Literal, get_args

import orjson

from twofold.documents import of_row
from twofold.index.port import Held
from twofold.record import Unreadable
from twofold.resource import Declaration
from twofold.store.port import Row, Tombstone

Truth = Row | Tombstone  # what the write store has under an id
Kind = Literal["missing", "stale", "orphaned", "different"]
KINDS: tuple[Kind, ...] = get_args(Kind)


def merge(truths: Iterable[Truth], held: Iterable[Held]) -> Iterator[tuple[Truth | None, Held | None]]:
    """Each id once, with what both sides have under it. Strays come without a row, whether there is one or not."""
    rows = iter(truths)
    row, last = next(rows, None), ""
    for each in held:
        if is_stray(each):
            yield None, each
            continue
        if each.id <= last:  # it was written since, and came again
            continue
        last = each.id
        while row is not None and row.id < each.id:
            yield row, None
            row = next(rows, None)
        if row is not None and row.id == each.id:
            yield row, each
            row = next(rows, None)
        else:
            yield None, each
    while row is not None:
        yield row, None
        row = next(rows, None)


def is_stray(held: Held) -> bool:
    """A document with another `id` inside than it stands under, or none. It comes in no order."""
    return held.document.get("id") != held.id


def drift(resource: Declaration, truth: Truth | None, held: Held | None, *, deep: bool) -> Kind | None:
    """How the index differs from the write store under one id; None where it does not. Contents are compared where `deep`."""
    if held is None:
        return None if truth is None else "missing"
    if truth is None:
        return "orphaned"
    deleted, gone = isinstance(truth, Tombstone), held.document.get("deleted") is True
    version = version_in(held)
    if (version is not None and version < truth.version) or (deleted and not gone):
        return "stale"
    if is_stray(held) or gone is not deleted or not version == held.gate == truth.version:
        return "different"
    return "different" if deep and held.document != _document(resource, truth) else None


def _document(resource: Declaration, truth: Truth) -> dict[str, Any] | None:
    """What the index should hold; None where the app can make no document of the row, so that none is right."""
    try:
        document: dict[str, Any] = orjson.loads(of_row(resource, truth).document)
    except Unreadable:
        return None
    return document


def version_of(truth: Truth | None) -> int:
    """0 where there is nothing, as before the first."""
    return 0 if truth is None else truth.version


def version_in(held: Held) -> int | None:
    """The version that a document says it is; None for one that says none."""
    version = held.document.get("version")
    return version if type(version) is int else None
