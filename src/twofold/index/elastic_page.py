"""What Elasticsearch and OpenSearch answer to a search, as a page."""

from __future__ import annotations

from twofold.errors import Unavailable
from twofold.index.elastic_client import Answer, Client
from twofold.index.elastic_facets import facets
from twofold.index.mapping import last_values
from twofold.index.search import TOTAL_CAP, Hit, Page, Search
from twofold.resource import Declaration


def page(client: Client, resource: Declaration, search: Search, answer: Answer) -> Page:
    """Raises Unavailable for a part of an answer, but for one that had no more time where the search allows that."""
    whole(client, answer, timed=search.seconds is not None)
    found = hits(answer)[search.offset if search.after is not None else 0 :]
    total, incomplete = answer["hits"]["total"], answer.get("timed_out", False)
    count = total["value"] if search.exact else min(total["value"], TOTAL_CAP)
    exact = total["relation"] == "eq" and count == total["value"] and not incomplete
    counted = facets(resource, search, answer.get("aggregations", {}))
    return Page(found, last_values(search, found), count, exact, counted, incomplete)


def hits(answer: Answer) -> list[Hit]:
    return [Hit(hit["_source"], hit["_score"], _marked(hit)) for hit in answer["hits"]["hits"]]


def whole(client: Client, answer: Answer, *, timed: bool = False) -> Answer:
    """The answer, if it is that of every shard; with `timed` one may have been cut short."""
    if "error" in answer:
        raise client.error(answer.get("status", 500), answer)
    shards = answer.get("_shards", {})
    lacking = shards.get("failed") or shards.get("successful", 0) < shards.get("total", 0)
    if lacking or "hits" not in answer or (answer.get("timed_out") and not timed):
        raise Unavailable(f"{client.name} gave a part of the answer only")
    return answer


def _marked(hit: Answer) -> dict[str, list[str]]:
    return {path.removesuffix(".text"): texts for path, texts in hit.get("highlight", {}).items()}
