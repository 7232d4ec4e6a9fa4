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
        target = path(writing_alias(name(resource)), "_bulk") + elastic_bulk.OPTIONS
        _, answer = client.send_lines(target, elastic_bulk.lines(batch))
        outcomes = elastic_bulk.outcomes(batch, answer, ("version",))
        if outcomes is None:
            raise client.nonsense("the items of a bulk")
        for outcome in outcomes:
            if outcome.verdict not in (Verdict.OK, Verdict.STALE):
                raise Unavailable(f"{client.name} did not note all refusals: {outcome.reason}")


def noted(client: Client, resource: Declaration, ids: Sequence[str]) -> dict[str, int]:
    if not ids:
        return {}
    _, answer = client.send("POST", path(name(resource), "_mget"), {"ids": list(ids)})
    found = answer.get("docs", [])
    if len(found) != len(ids) or any("error" in item for item in found):
        raise client.error(HTTPStatus.NOT_FOUND, next((item for item in found if "error" in item), answer))
    return {item["_id"]: item["_source"]["version"] for item in found if item.get("found")}


def _meta(resource: Declaration) -> dict[str, Any]:
    return {"twofold": {"refusals": resource.name}}


def _body(resource: Declaration) -> dict[str, Any]:
    return {
        "settings": {"index": {"number_of_shards": 1, "auto_expand_replicas": "0-1"}},
        "mappings": {"dynamic": "strict", "_meta": _meta(resource), "properties": {"version": {"type": "long"}}},
        "aliases": {writing_alias(name(resource)): {}},  # a bulk that requires it creates nothing where the index is gone
    }
