"""What Elasticsearch and OpenSearch answer to a search, as a page."""

from __future__ import annotations

from twofold.errors import Unavailable
from twofold.index.elastic_client import Answer, Client, reason_of
from twofold.index.elastic_facets import facets, nothing
from twofold.index.mapping import last_values
from twofold.index.search import TOTAL_CAP, Hit, Page, Search
from twofold.resource import Declaration

# The engines' errors where a search had no time at all. Most often they answer what they found until then.
_NO_TIME = ("search_timeout_exception", "time_exceeded_exception")


def page(client: Client, resource: Declaration, search: Search, answer: Answer) -> Page:
    """Raises Unavailable for a part of an answer, but for one that had no more time where the search allows that."""
    timed = search.seconds is not None
    if timed and reason_of(answer)[0] in _NO_TIME:
        return Page(exact=False, facets=nothing(search), incomplete=True)
    whole(client, answer, timed=timed)
    incomplete = answer.get("timed_out", False)
    if search.facets and "aggregations" not in answer:
        raise client.nonsense("no facets")
    # The engines take no `from` beside `search_after`: such a search asked for the hits that are to be skipped, too.
    found = hits(answer)[search.offset if search.after is not None else 0 :]
    total = answer["hits"]["total"]
    count = total["value"] if search.exact else min(total["value"], TOTAL_CAP)
    exact = total["relation"] == "eq" and count == total["value"] and not incomplete
    counted = facets(resource, search, answer.get("aggregations", {}))
    return Page(found, last_values(search, found), count, exact, counted, incomplete)


def hits(answer: Answer) -> list[Hit]:
    return [Hit(hit["_source"], hit["_score"], _marked(hit) if "highlight" in hit else {}) for hit in answer["hits"]["hits"]]


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
    return {path.removesuffix(".text"): texts for path, texts in hit["highlight"].items()}
