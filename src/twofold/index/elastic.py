"""The read store on Elasticsearch or OpenSearch.

`users` is an alias that shows the live documents of one generation, `users-000001`. Writes go to the generation that the
alias names at that moment, through an alias of its own.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from http import HTTPStatus
from typing import Any

from twofold.errors import Outdated, Unavailable
from twofold.fields import Field
from twofold.index import elastic_bulk, elastic_refusals
from twofold.index.checks import check
from twofold.index.elastic_client import Answer, Client, Engine, path, reason_of
from twofold.index.elastic_export import exported
from twofold.index.elastic_mapping import index_body, mapping_of, writing_alias
from twofold.index.elastic_page import page, whole
from twofold.index.elastic_query import search_lines
from twofold.index.mapping import SYSTEM, first_generation, new_fields, shape
from twofold.index.port import IndexStatus, Operation, Outcome, Verdict
from twofold.index.search import Hit, Page, Search
from twofold.resource import Declaration

# For so long a generation is written to without another look at the alias. One that was replaced refuses writes, so nothing is lost by it.
GENERATION_SECONDS = 1.0
SPOILED = (HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)  # a bulk as a whole


class ElasticIndex:
    """Indices of one cluster. Its `hosts` are full URLs of nodes."""

    unsupported: frozenset[str] = frozenset()

    def __init__(
        self,
        hosts: Sequence[str],
        *,
        engine: Engine,
        user: str | None = None,
        password: str | None = None,
        refresh_interval: str = "1s",
    ) -> None:
        self._client = Client(hosts, engine, user, password)
        self._refresh_interval = refresh_interval
        self._generations: dict[str, tuple[str, float]] = {}

    def migrate(self, resource: Declaration) -> list[str]:
        steps, generation, fields = self._plan(resource)
        if fields is None:
            self._create(resource, generation)
        elif fields:
            self._client.send("PUT", path(generation, "_mapping"), mapping_of(resource, fields))
        if missing := elastic_refusals.plan(self._client, resource):
            elastic_refusals.create(self._client, resource)
        return steps + missing

    def pending(self, resource: Declaration) -> list[str]:
        return self._plan(resource)[0] + elastic_refusals.plan(self._client, resource)

    def apply(self, resource: Declaration, operations: Sequence[Operation]) -> list[Outcome]:
        if not operations:
            return []
        generation, asked_at = self._generations.pop(resource.index, ("", 0.0))
        if time.monotonic() - asked_at > GENERATION_SECONDS:
            generation, asked_at = self.live(resource), time.monotonic()
        batches = elastic_bulk.requests(operations)
        outcomes = [outcome for batch in batches for outcome in self._bulk(resource, generation, batch)]
        if not any(outcome.verdict is Verdict.UNAVAILABLE for outcome in outcomes):  # else ask again: it may have been replaced
            self._generations[resource.index] = generation, asked_at
        return outcomes

    def get(self, resource: Declaration, ids: Sequence[str], *, generation: str = "") -> dict[str, dict[str, Any]]:
        wanted = [key for key in ids if key]  # an empty id is an error to the engine
        if not wanted:
            return {}
        _, answer = self._client.send("POST", path(generation or resource.index, "_mget"), {"ids": wanted})
        found = answer.get("docs", [])
        if len(found) != len(wanted):
            raise self._client.nonsense("the number of documents")
        for item in found:
            if "error" in item:
                raise self._client.error(HTTPStatus.NOT_FOUND, item)
        return {item["_id"]: item["_source"] for item in found if item.get("found")}

    def search(self, resource: Declaration, searches: Sequence[Search], *, generation: str = "") -> list[Page]:
        if not searches:
            return []
        for search in searches:
            check(resource, search)
        _, answer = self._client.send_lines("/_msearch", search_lines(resource, searches, generation or resource.index))
        responses = answer.get("responses", [])
        if len(responses) != len(searches):
            raise self._client.nonsense("the number of pages")
        return [page(self._client, resource, search, response) for search, response in zip(searches, responses, strict=True)]

    def export(self, resource: Declaration, search: Search) -> AbstractContextManager[Iterator[list[Hit]]]:
        check(resource, search)
        return exported(self._client, resource, search)

    def refresh(self, resource: Declaration, *, generation: str = "") -> None:
        name = generation or resource.index
        _, answer = self._client.send("POST", path(name, "_refresh"))
        if answer.get("_shards", {}).get("failed"):
            raise Unavailable(f"{self._client.name} could not refresh all shards of {name}")

    def live(self, resource: Declaration) -> str:
        generation = self._generation(resource)
        if generation is None:
            raise Unavailable(f"There is no alias {resource.index}. Run: twofold migrate")
        return generation

    def refuse(self, resource: Declaration, versions: Mapping[str, int]) -> None:
        elastic_refusals.note(self._client, resource, versions)

    def refused(self, resource: Declaration, ids: Sequence[str]) -> dict[str, int]:
        return elastic_refusals.noted(self._client, resource, ids)

    def status(self, resource: Declaration) -> IndexStatus:
        generation = self._generation(resource)
        if generation is None:
            raise Outdated(f"There is no alias {resource.index}. Run: twofold migrate")
        counting = {
            "size": 0,
            "track_total_hits": True,
            "aggs": {"tombstones": {"filter": {"term": {"deleted": True}}}},
        }
        _, answer = self._client.send("POST", f"{path(generation, '_search')}?allow_partial_search_results=false", counting)
        tombstones = whole(self._client, answer)["aggregations"]["tombstones"]["doc_count"]
        return IndexStatus(generation, answer["hits"]["total"]["value"] - tombstones, tombstones)

    def check(self) -> str:
        # `GET /` would tell the version too, but not every build answers it.
        _, nodes = self._client.send("GET", "/_nodes/_local?filter_path=nodes.*.version")
        _, health = self._client.send("GET", "/_cluster/health?filter_path=status")
        versions = sorted({node["version"] for node in nodes.get("nodes", {}).values()})
        if not versions or "status" not in health:
            raise self._client.nonsense("no version or no health")
        return f"{self._client.name} {', '.join(versions)}, status {health['status']}"

    def close(self) -> None:
        self._client.close()

    def _plan(self, resource: Declaration) -> tuple[list[str], str, list[Field] | None]:
        """What `migrate` has to do in words, the generation, and the fields to add; None where there is no generation."""
        status, answer = self._client.send("GET", path(resource.index), expect=(HTTPStatus.NOT_FOUND,))
        if status == HTTPStatus.NOT_FOUND:
            generation = first_generation(resource)
            return [f"create the index {generation} with the alias {resource.index}"], generation, None
        generation, held = self._held(resource, answer)
        fields = new_fields(resource, held)
        return [f"add the field {field.name} to the index {generation}" for field in fields], generation, fields

    def _held(self, resource: Declaration, answer: Answer) -> tuple[str, dict[str, str]]:
        """The generation behind the alias and its shape. Raises Outdated where it is not ours."""
        fix = f'Move or delete it, or declare the resource with another name: index="my-{resource.index}". Then run: twofold migrate'
        if resource.index in answer:
            raise Outdated(f"An index named {resource.index} exists that twofold did not make. {fix}")
        if len(answer) != 1:
            raise Outdated(
                f"The alias {resource.index} names several indices: {', '.join(sorted(answer))}. Leave it the newest generation only"
            )
        [(generation, index)] = answer.items()
        meta = index.get("mappings", {}).get("_meta", {}).get("twofold")
        if not meta or meta.get("resource") != resource.name:
            raise Outdated(f"The alias {resource.index} names the index {generation}, which is not twofold's for {resource.name}. {fix}")
        return generation, meta["fields"]

    def _create(self, resource: Declaration, generation: str) -> None:
        body = index_body(resource, generation, self._refresh_interval)
        status, answer = self._client.send("PUT", path(generation), body, expect=(HTTPStatus.BAD_REQUEST,))
        if status != HTTPStatus.BAD_REQUEST:
            return
        if reason_of(answer)[0] != "resource_already_exists_exception":
            raise self._client.error(status, answer)
        if self._plan(resource)[2] is None:  # else another process has just made both
            raise Outdated(f"The index {generation} exists without the alias {resource.index}. Delete it, then run: twofold migrate")

    def _generation(self, resource: Declaration) -> str | None:
        status, answer = self._client.send("GET", path("_alias", resource.index), expect=(HTTPStatus.NOT_FOUND,))
        if status == HTTPStatus.NOT_FOUND:
            return None
        if len(answer) != 1:
            raise Unavailable(f"The alias {resource.index} names several indices: {', '.join(sorted(answer))}")
        return next(iter(answer))

    def _bulk(self, resource: Declaration, generation: str, operations: list[Operation]) -> list[Outcome]:
        target = path(writing_alias(generation), "_bulk") + elastic_bulk.OPTIONS
        status, answer = self._client.send_lines(target, elastic_bulk.lines(operations), expect=SPOILED)
        if status in SPOILED:
            return self._halved(resource, generation, operations, status, reason_of(answer)[0])
        outcomes = elastic_bulk.outcomes(operations, answer, shape(resource).keys() | SYSTEM.keys() | {"deleted"})
        if outcomes is None:
            raise self._client.nonsense("the items of a bulk")
        return outcomes

    def _halved(self, resource: Declaration, generation: str, operations: list[Operation], status: int, kind: str) -> list[Outcome]:
        """Too large, or spoiled as a whole by one operation: that one alone is refused."""
        if status == HTTPStatus.BAD_REQUEST and kind != "action_request_validation_exception":
            raise Unavailable(f"{self._client.name} refuses bulk requests as such: 400 {kind}")  # so not for what is in them
        if len(operations) == 1:
            return [Outcome(Verdict.REJECTED, f"{status} {kind}".strip())]
        middle = len(operations) // 2
        halves = operations[:middle], operations[middle:]
        return [outcome for half in halves for outcome in self._bulk(resource, generation, half)]
