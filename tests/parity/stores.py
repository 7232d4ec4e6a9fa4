"""Read stores of each kind, with an index of their own that is gone afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from tests import engines
from tests.conftest import temporary_folder
from twofold.index.elastic import ElasticIndex
from twofold.index.port import ReadStore
from twofold.index.sqlite import SqliteIndex
from twofold.resource import Declaration

ENGINES = ("sqlite", "elasticsearch", "opensearch")
URLS = {"elasticsearch": engines.ELASTICSEARCH, "opensearch": engines.OPENSEARCH}


@contextmanager
def opened(engine: str, resource: Declaration) -> Iterator[ReadStore]:
    """A store with the resource's index, which is empty. Skips or fails the test where the engine is away."""
    if engine in URLS:
        engines.need(URLS[engine])
    with temporary_folder() as folder:
        store: ReadStore = SqliteIndex(folder / "read.db") if engine == "sqlite" else ElasticIndex([URLS[engine]], engine=engine)
        try:
            store.migrate(resource)
            yield store
        finally:
            store.close()
            if engine in URLS:
                httpx.delete(f"{URLS[engine]}/{resource.index}-000001,{resource.index}-refusals?ignore_unavailable=true")
