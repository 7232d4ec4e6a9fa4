"""What an index on Elasticsearch or OpenSearch holds, for verify and repair. The gate is `_version`.

Ids cannot be sorted by (`_id` has no doc values), but the field `id` can, in which every document of ours has its id. One that is made by
hand comes where its own `id` belongs, or at the end. Equal ones are told apart by `_seq_no`, which only grows: none is passed over.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import orjson

from twofold.errors import Unavailable
from twofold.index import elastic_bulk
from twofold.index.elastic_client import Answer, Client, path
from twofold.index.elastic_mapping import writing_alias
from twofold.index.mapping import SYSTEM, shape
from twofold.index.port import Held, Operation, Outcome, Verdict
from twofold.resource import Declaration

FORGET_SECONDS = 5.0
PAUSE = 0.2  # seconds: the engine forgets a deleted version by a clock that ticks so often
_SORT = [{"id": {"order": "asc", "missing": "_last"}}, {"_seq_no": {"order": "asc"}}]
_BULK = "?timeout=5s&filter_path=errors,items.*._id,items.*.status,items.*.error"
_PUT = b'{"index":{"_id":%b,"version":%d,"version_type":"external_gte","require_alias":true}}\n%b\n'
_STALE = Outcome(Verdict.STALE)


class ElasticHoldings:
    """`live` names the generation behind the alias, and raises Outdated where that is not of the declaration's shape."""

    def __init__(self, client: Client, live: Callable[[Declaration], str]) -> None:
        self._client, self._live = client, live

    def scan(self, resource: Declaration, after: Held | None, limit: int) -> list[Held]:
        body: dict[str, Any] = {"size": limit, "sort": _SORT, "version": True, "seq_no_primary_term": True, "track_total_hits": False}
        if after is not None:
            _, seq_no, _, key = after.place
            body["search_after"] = [key, seq_no]
        _, answer = self._client.send("POST", path(self._live(resource), "_search") + "?allow_partial_search_results=false", body)
        if answer.get("timed_out") or answer.get("_shards", {}).get("failed") or "hits" not in answer:
            raise Unavailable(f"{self._client.name} gave a part of the answer only")
        return [_held(hit) for hit in answer["hits"]["hits"]]

    def held(self, resource: Declaration, ids: Sequence[str]) -> dict[str, Held]:
        wanted = [key for key in ids if key]  # an empty id is an error to the engine
        if not wanted:
            return {}
        _, answer = self._client.send("POST", path(self._live(resource), "_mget"), {"ids": wanted})
        found = answer.get("docs", [])
        if len(found) != len(wanted):
            raise self._client.nonsense("the number of documents")
        for item in found:
            if "error" in item:
                raise self._client.error(HTTPStatus.NOT_FOUND, item)
        return {item["_id"]: _held(item) for item in found if item.get("found")}

    def restore(self, resource: Declaration, operations: Sequence[Operation], seen: Mapping[str, Held]) -> list[Outcome]:
        """Where a gate is lowered, readers miss the document for some tenths of a second."""
        raised = {each.id: each for each in operations if each.id in seen and seen[each.id].gate > each.version}
        gone = self._delete(resource, [seen[id_] for id_ in raised])
        outcomes = {id_: outcome for id_, outcome in gone.items() if outcome.verdict is not Verdict.OK}
        outcomes |= self._put(resource, [each for each in operations if each.id not in outcomes])
        return [outcomes[each.id] for each in operations]

    def remove(self, resource: Declaration, seen: Sequence[Held]) -> list[Outcome]:
        outcomes = self._delete(resource, seen)
        return [outcomes[each.id] for each in seen]

    def _put(self, resource: Declaration, operations: Sequence[Operation]) -> dict[str, Outcome]:
        """Writes where nothing newer stands. Where something newer was deleted, the engine remembers its version until a refresh."""
        outcomes: dict[str, Outcome] = {}
        deadline = time.monotonic() + FORGET_SECONDS
        left = list(operations)
        while True:
            outcomes |= self._tried(resource, left)
            stale = [each for each in left if outcomes[each.id].verdict is Verdict.STALE]
            there = self.held(resource, [each.id for each in stale])
            left = [each for each in stale if each.id not in there]
            if not left:
                return outcomes
            if time.monotonic() > deadline:
                reason = f"{self._client.name} remembers the version that was deleted: the index setting gc_deletes should be 0s"
                return outcomes | {each.id: Outcome(Verdict.UNAVAILABLE, reason) for each in left}
            time.sleep(PAUSE)
            self._client.send("POST", path(self._live(resource), "_refresh"))

    def _tried(self, resource: Declaration, operations: Sequence[Operation]) -> dict[str, Outcome]:
        generation = self._live(resource)
        outcomes: dict[str, Outcome] = {}
        for batch in elastic_bulk.requests(operations):
            lines = [_PUT % (orjson.dumps(each.id), each.version, each.document.replace(b"\n", b" ")) for each in batch]
            outcomes |= self._bulk(resource, generation, [each.id for each in batch], lines)
        return outcomes

    def _delete(self, resource: Declaration, seen: Sequence[Held]) -> dict[str, Outcome]:
        """Deletes exactly what was seen: STALE for what stands elsewhere by now, be it in another generation."""
        generation = self._live(resource)
        outcomes = {each.id: _STALE for each in seen}
        here = [each for each in seen if each.place[0] == generation]
        return outcomes | self._bulk(resource, generation, [each.id for each in here], [_deletion(each) for each in here])

    def _bulk(self, resource: Declaration, generation: str, ids: list[str], lines: list[bytes]) -> dict[str, Outcome]:
        if not lines:
            return {}
        _, answer = self._client.send_lines(path(writing_alias(generation), "_bulk") + _BULK, b"".join(lines))
        items = [next(iter(item.values())) for item in answer.get("items", [])]
        if [item.get("_id") for item in items] != ids:
            raise self._client.nonsense("the items of a bulk")
        fields = shape(resource).keys() | SYSTEM.keys() | {"deleted"}
        return {id_: elastic_bulk.judge(item, fields) for id_, item in zip(ids, items, strict=True)}


def _held(found: Answer) -> Held:
    """A hit of a search, or what was got."""
    key = found["sort"][0] if "sort" in found else None
    place = (found["_index"], found["_seq_no"], found["_primary_term"], key)
    return Held(found["_id"], found["_version"], found.get("_source") or {}, place)


def _deletion(seen: Held) -> bytes:
    _, seq_no, term, _ = seen.place
    return orjson.dumps({"delete": {"_id": seen.id, "if_seq_no": seq_no, "if_primary_term": term}}) + b"\n"
