"""Bulk requests to Elasticsearch and OpenSearch, and the verdict on each of their items."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import orjson

from twofold.index.elastic_client import PLAIN, Answer, reason_of, succeeded
from twofold.index.port import Operation, Outcome, Verdict

# The engine gives up waiting for a shard before we give up waiting for the engine; and only what is judged is sent back.
OPTIONS = "?require_alias=true&timeout=5s&filter_path=errors,items.index._id,items.index.status,items.index.error"
REQUEST_BYTES = 5 * 1024 * 1024  # engines and the proxies before them refuse bodies that are much larger
_LINES = b'{"index":{"_id":%b,"version":%d,"version_type":"%b"}}\n%b\n'
_OK, _STALE = Outcome(Verdict.OK), Outcome(Verdict.STALE)
_NOT_JSON = "not_x_content_exception"  # Elasticsearch says 500 to it
# What the engines call it where the document is at fault, whatever becomes of the index. Everything else that they call a mistake (400) is
# a state of the index or the cluster, which may be another one tomorrow, unless it names a field of ours.
DOCUMENT = frozenset(
    (
        "date_time_parse_exception",
        "document_parsing_exception",
        "input_coercion_exception",
        "json_e_o_f_exception",
        "json_parse_exception",
        "mapper_parsing_exception",
        "max_bytes_length_exceeded_exception",
        "number_format_exception",
        "parsing_exception",
        "stream_constraints_exception",
        "strict_dynamic_mapping_exception",
        "x_content_e_o_f_exception",
        "x_content_parse_exception",
        _NOT_JSON,
    )
)
_UNDECLARED = re.compile(r"introduction of \[([A-Za-z_][A-Za-z0-9_.]{0,127})\]")
_FIELD = re.compile(r"field(?: \[|=\")([A-Za-z_][A-Za-z0-9_.]{0,127})[\]\"]")


def requests(operations: Sequence[Operation]) -> Iterator[list[Operation]]:
    """The operations in order, cut into requests of a bounded size."""
    batch: list[Operation] = []
    size = 0
    for operation in operations:
        if batch and size + len(operation.document) > REQUEST_BYTES:
            yield batch
            batch, size = [], 0
        batch.append(operation)
        size += len(operation.document)
    if batch:
        yield batch


def lines(operations: Sequence[Operation], *, anew: bool = False) -> bytes:
    gate, parts = b"external_gte" if anew else b"external", []
    for operation in operations:
        document = operation.document.replace(b"\n", b" ")  # in JSON a raw line end can only be white space
        parts.append(_LINES % (orjson.dumps(operation.id), operation.version, gate, document))
    return b"".join(parts)


def outcomes(operations: Sequence[Operation], answer: Answer, fields: Collection[str]) -> list[Outcome] | None:
    """One per operation, or None where the answer's items are not those of the request."""
    items = answer.get("items", [])
    if answer.get("errors") is False and len(items) == len(operations):  # all is well, whichever is whose
        return [_OK] * len(items)
    items = [item.get("index", {}) for item in items]
    if [item.get("_id") for item in items] != [operation.id for operation in operations]:
        return None
    return [judge(item, fields) for item in items]


def judge(item: Mapping[str, Any], fields: Collection[str]) -> Outcome:
    status = item.get("status", HTTPStatus.INTERNAL_SERVER_ERROR)
    if succeeded(status):
        return _OK
    if status == HTTPStatus.CONFLICT:
        return _STALE
    kind, reason = reason_of(item)
    field = _field(reason, fields)
    if kind == _NOT_JSON or (status == HTTPStatus.BAD_REQUEST and (field or kind in DOCUMENT)):
        return Outcome(Verdict.REJECTED, f"{kind}{field}")
    # Index gone or closed, write block, disk full, overload, shard away: the same may succeed later.
    return Outcome(Verdict.UNAVAILABLE, f"{status} {kind}: {reason[:200]}" if status in PLAIN else f"{status} {kind}")


def _field(reason: str, fields: Collection[str]) -> str:
    """The field that a refusal is about. The reason itself quotes the document's values, and a verdict is read by many."""
    if found := _UNDECLARED.search(reason):
        return f": the field {found[1]} is not declared"
    found = _FIELD.search(reason)
    return f": the field {found[1]}" if found and found[1].partition(".")[0] in fields else ""
