"""The read store on Elasticsearch or OpenSearch.

`users` is an alias that shows the live documents of one generation, `users-000001`. Writes go to the generation that the
alias names at that moment, through an alias of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from http import HTTPStatus
from typing import Any

from twofold.errors import Outdated, Unavailable
from twofold.index import elastic_bulk, elastic_migrate, elastic_refusals
from twofold.index.checks import check
from twofold.index.elastic_alias import Aliases
from twofold.index.elastic_client import Client, Engine, path, reason_of
from twofold.index.elastic_export import exported
from twofold.index.elastic_generations import ElasticGenerations
from twofold.index.elastic_holdings import ElasticHoldings
from twofold.index.elastic_mapping import writing_alias
from twofold.index.elastic_page import page, whole
from twofold.index.elastic_query import search_lines
from twofold.index.mapping import SYSTEM, shape
from twofold.index.port import IndexStatus, Operation, Outcome, Verdict
from twofold.index.search import Hit, Page, Search
from twofold.resource import Declaration

SPOILED = (HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)  # a bulk as a whole


class ElasticIndex(ElasticGenerations):
    """Indices of one cluster. Its `hosts` are full URLs of nodes."""

    unsupported: frozenset[str] = frozenset()

    def __init__(
        self,
        hosts: Sequence[str],
        *,
        engine: Engine,
        user: str | None = None,
        password: str | None = None,
    ) -> None:
        self._client = Client(hosts, engine, user, password)
        self._aliases = Aliases(self._client)
        self.holdings = ElasticHoldings(self._client, self._aliases.fitting)

    def migrate(self, resource: Declaration) -> list[str]:
        steps = elastic_migrate.migrate(self._client, resource)
        if missing := elastic_refusals.plan(self._client, resource):
            elastic_refusals.create(self._client, resource)
        return steps + missing

    def pending(self, resource: Declaration) -> list[str]:
        steps, generation, meta = elastic_migrate.pending(self._client, resource)
        if meta is not None and not steps:
            self._aliases.meet(resource, generation, meta)
        return steps + elastic_refusals.plan(self._client, resource)

    def apply(self, resource: Declaration, operations: Sequence[Operation], *, generation: str = "", anew: bool = False) -> list[Outcome]:
        if not operations:
            return []
        target = self._aliases.look(resource, generation)
        try:
            outcomes = [each for batch in elastic_bulk.requests(operations) for each in self._bulk(resource, target, batch, anew=anew)]
        except Unavailable:
            self._aliases.forget(resource)
            raise
        if any(outcome.verdict is Verdict.UNAVAILABLE for outcome in outcomes):  # it may have been replaced
            self._aliases.forget(resource)
        return outcomes

    def get(self, resource: Declaration, ids: Sequence[str], *, generation: str = "") -> dict[str, dict[str, Any]]:
        wanted = [key for key in ids if key]  # an empty id is an error to the engine
        if not wanted:
            return {}
        self._aliases.look(resource, generation)
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
        self._aliases.look(resource, generation)
        _, answer = self._client.send_lines("/_msearch", search_lines(resource, searches, generation or resource.index))
        responses = answer.get("responses", [])
        if len(responses) != len(searches):
            raise self._client.nonsense("the number of pages")
        return [page(self._client, resource, search, response) for search, response in zip(searches, responses, strict=True)]

    def export(self, resource: Declaration, search: Search) -> AbstractContextManager[Iterator[list[Hit]]]:
        check(resource, search)
        self._aliases.look(resource, "")
        return exported(self._client, resource, search)

    def refresh(self, resource: Declaration, *, generation: str = "") -> None:
        name = generation or resource.index
        _, answer = self._client.send("POST", path(name, "_refresh"))
        if answer.get("_shards", {}).get("failed"):
            raise Unavailable(f"{self._client.name} could not refresh all shards of {name}")

    def live(self, resource: Declaration) -> str:
        return self._aliases.live(resource)

    def refuse(self, resource: Declaration, versions: Mapping[str, int]) -> None:
        elastic_refusals.note(self._client, resource, versions)

    def forgive(self, resource: Declaration, versions: Mapping[str, int]) -> None:
        elastic_refusals.forget(self._client, resource, versions)

    def refused(self, resource: Declaration, ids: Sequence[str]) -> dict[str, int]:
        return elastic_refusals.noted(self._client, resource, ids)

    def status(self, resource: Declaration) -> IndexStatus:
        generation = self._aliases.named(resource)
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

    def _bulk(self, resource: Declaration, generation: str, operations: list[Operation], *, anew: bool) -> list[Outcome]:
        target = path(writing_alias(generation), "_bulk") + elastic_bulk.OPTIONS
        status, answer = self._client.send_lines(target, elastic_bulk.lines(operations, anew=anew), expect=SPOILED)
        if status in SPOILED:
            return self._halved(resource, generation, operations, f"{status} {reason_of(answer)[0]}".strip(), anew=anew)
        outcomes = elastic_bulk.outcomes(operations, answer, shape(resource).keys() | SYSTEM.keys() | {"deleted"})
        if outcomes is None:
            raise self._client.nonsense("the items of a bulk")
        return outcomes

    def _halved(self, resource: Declaration, generation: str, operations: list[Operation], why: str, *, anew: bool) -> list[Outcome]:
        """Too large, or spoiled as a whole by one operation: that one alone is refused."""
        if not why.startswith("413") and why != "400 action_request_validation_exception":
            raise Unavailable(f"{self._client.name} refuses bulk requests as such: {why}")  # so not for what is in them
        if len(operations) == 1:
            return [Outcome(Verdict.REJECTED, why)]
        middle = len(operations) // 2
        halves = operations[:middle], operations[middle:]
        return [outcome for half in halves for outcome in self._bulk(resource, generation, half, anew=anew)]
