"""All hits of a search, chunk by chunk, as of one moment: a point in time of Elasticsearch or OpenSearch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

from twofold.errors import EngineError
from twofold.index.chunks import fitting
from twofold.index.elastic_client import Client, Engine, path
from twofold.index.elastic_page import hits, whole
from twofold.index.elastic_query import hits_body, time_limit
from twofold.index.mapping import last_values
from twofold.index.search import Hit, Search
from twofold.resource import Declaration

FIRST_CHUNK, CHUNK = 100, 1_000  # hits
CHUNK_BYTES = 8 * 1024 * 1024  # fewer hits at once where documents are large: engines refuse answers that would not fit their memory
KEEP_ALIVE = "5m"  # for so long whoever reads may take over a chunk; what a killed process leaves behind ends by itself then
_SEARCH = "/_search?allow_partial_search_results=false"
# Where points in time are, what an identifier is called, and what says that no shard may be missing.
_WAYS: dict[Engine, tuple[str, str, str]] = {
    "elasticsearch": ("_pit", "id", ""),
    "opensearch": ("_search/point_in_time", "pit_id", "&allow_partial_pit_creation=false"),
}


@contextmanager
def exported(client: Client, resource: Declaration, search: Search) -> Iterator[Iterator[list[Hit]]]:
    way, name, whole_only = _WAYS[client.engine]
    _, answer = client.send("POST", f"{path(resource.index)}/{way}?keep_alive={KEEP_ALIVE}{whole_only}")
    if name not in answer:
        raise client.nonsense("no point in time")
    moment = answer[name]
    try:
        yield _chunks(client, resource, search, moment)
    finally:
        with suppress(EngineError):  # it ends by itself, and what was read is right
            client.send("DELETE", f"/{way}", {name: moment})


def _chunks(client: Client, resource: Declaration, search: Search, moment: str) -> Iterator[list[Hit]]:
    search = replace(search, limit=FIRST_CHUNK, after=None, offset=0, facets=(), highlight=())
    while True:
        body = hits_body(resource, search) | {"pit": {"id": moment, "keep_alive": KEEP_ALIVE}, "track_total_hits": False}
        if search.after is None and search.seconds is not None:
            body["timeout"] = time_limit(search.seconds)
        _, answer = client.send("POST", _SEARCH, body)
        found = hits(whole(client, answer))
        if found:
            yield found
        if len(found) < search.limit:
            return
        search = replace(search, limit=fitting([hit.document for hit in found], CHUNK_BYTES, most=CHUNK), after=last_values(search, found))
