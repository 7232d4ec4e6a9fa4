"""Which versions went to the dead letters, on Elasticsearch and OpenSearch: a small index of their own, which outlives every generation.

A document per id, gated by version as documents of a generation are, so that the highest version stays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import orjson

from twofold.errors import Outdated, Unavailable
from twofold.index import elastic_bulk
from twofold.index.elastic_client import Client, path, reason_of
from twofold.index.elastic_mapping import writing_alias
from twofold.index.port import Operation, Verdict
from twofold.resource import Declaration

_OPTIONS = "?require_alias=true&timeout=5s&filter_path=errors,items.*._id,items.*.status,items.*.error"
_DELETE = b'{"delete":{"_id":%b,"if_seq_no":%d,"if_primary_term":%d}}\n'


def name(resource: Declaration) -> str:
    return f"{resource.index}-refusals"


def plan(client: Client, resource: Declaration) -> list[str]:
    """What `create` would do, in words. Raises Outdated where an index of that name is not ours."""
    status, answer = client.send("GET", path(name(resource), "_mapping"), expect=(HTTPStatus.NOT_FOUND,))
    if status == HTTPStatus.NOT_FOUND:
        return [f"create the index {name(resource)}"]
    if [index.get("mappings", {}).get("_meta") for index in answer.values()] != [_meta(resource)]:
        raise Outdated(f"An index named {name(resource)} exists that twofold did not make. Move or delete it, then run: twofold migrate")
    return []


def create(client: Client, resource: Declaration) -> None:
    status, answer = client.send("PUT", path(name(resource)), _body(resource), expect=(HTTPStatus.BAD_REQUEST,))
    if status == HTTPStatus.BAD_REQUEST and reason_of(answer)[0] != "resource_already_exists_exception":  # else another process made it
        raise client.error(status, answer)


def note(client: Client, resource: Declaration, versions: Mapping[str, int]) -> None:
    operations = [Operation(id_, version, orjson.dumps({"version": version})) for id_, version in versions.items()]
    for batch in elastic_bulk.requests(operations):
        _sent(client, resource, [each.id for each in batch], elastic_bulk.lines(batch))


def forget(client: Client, resource: Declaration, versions: Mapping[str, int]) -> None:
    """Deletes exactly what it has seen: a delete by version would make the index where it is gone."""
    found = [item for item in _found(client, resource, list(versions)) if item["_source"]["version"] <= versions[item["_id"]]]
    lines = [_DELETE % (orjson.dumps(item["_id"]), item["_seq_no"], item["_primary_term"]) for item in found]
    _sent(client, resource, [item["_id"] for item in found], b"".join(lines))


def noted(client: Client, resource: Declaration, ids: Sequence[str]) -> dict[str, int]:
    return {item["_id"]: item["_source"]["version"] for item in _found(client, resource, ids)}


def _found(client: Client, resource: Declaration, ids: Sequence[str]) -> list[Any]:
    if not ids:
        return []
    _, answer = client.send("POST", path(name(resource), "_mget"), {"ids": list(ids)})
    found = answer.get("docs", [])
    if len(found) != len(ids) or any("error" in item for item in found):
        raise client.error(HTTPStatus.NOT_FOUND, next((item for item in found if "error" in item), answer))
    return [item for item in found if item.get("found")]


def _sent(client: Client, resource: Declaration, ids: Sequence[str], lines: bytes) -> None:
    if not ids:
        return
    _, answer = client.send_lines(path(writing_alias(name(resource)), "_bulk") + _OPTIONS, lines)
    items = [next(iter(item.values())) for item in answer.get("items", [])]
    if [item.get("_id") for item in items] != list(ids):
        raise client.nonsense("the items of a bulk")
    for outcome in (elastic_bulk.judge(item, ("version",)) for item in items):
        if outcome.verdict not in (Verdict.OK, Verdict.STALE):
            raise Unavailable(f"{client.name} did not note all refusals: {outcome.reason}")


def _meta(resource: Declaration) -> dict[str, Any]:
    return {"twofold": {"refusals": resource.name}}


def _body(resource: Declaration) -> dict[str, Any]:
    return {
        "settings": {"index": {"number_of_shards": 1, "auto_expand_replicas": "0-1", "gc_deletes": "0s"}},
        "mappings": {"dynamic": "strict", "_meta": _meta(resource), "properties": {"version": {"type": "long"}}},
        "aliases": {writing_alias(name(resource)): {}},  # a bulk that requires it creates nothing where the index is gone
    }
