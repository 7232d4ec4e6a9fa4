"""The table of words in docs/http.md: what each engine finds."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import httpx
import orjson
import pytest
from tests import engines
from tests.docs.blocks import ROOT, table

from twofold import App, Resource, Text
from twofold.bootstrap import System
from twofold.index.port import Operation
from twofold.query.language import parse
from twofold.resource import Declaration
from twofold.settings import load

TIME = "2026-11-23T12:00:00.000Z"


def _told() -> list[tuple[str, str, bool, bool]]:
    """Text, q, whether SQLite finds it, whether the others do."""
    cells = [[cell.strip("`") for cell in row] for row in table(ROOT / "docs" / "http.md", "text")]
    return [(held, q, first == "found", others == "found") for held, q, first, others in cells]


@pytest.mark.parametrize(
    "scheme", ["sqlite", pytest.param("elasticsearch", marks=pytest.mark.engine), pytest.param("opensearch", marks=pytest.mark.engine)]
)
def test_words_are_found_as_told(scheme: str, tmp_path: Path) -> None:
    told = _told()
    with _index(scheme, tmp_path, [held for held, *_ in told]) as (system, resource):
        found = {}
        for held, q, _, _ in told:
            [page] = system.index.search(resource, [parse(resource, [("q", q), ("limit", "100")])])
            found[held, q] = held in {hit.document["note"] for hit in page.hits}
    assert found == {(held, q): first if scheme == "sqlite" else others for held, q, first, others in told}


@contextmanager
def _index(scheme: str, folder: Path, texts: list[str]) -> Iterator[tuple[System, Declaration]]:
    index = f"d{uuid.uuid4().hex[:12]}"

    class Note(Resource, name="notes", index=index):
        note: Annotated[str, Text()]

    url = {"elasticsearch": engines.ELASTICSEARCH, "opensearch": engines.OPENSEARCH}.get(scheme, "")
    if url:
        engines.need(url)
    system = System(App(Note), load(data=folder, read_url=url.replace("http", scheme, 1) or None))
    resource = Note.declaration
    try:
        system.index.migrate(resource)
        system.index.apply(resource, [_operation(text) for text in texts])
        system.index.refresh(resource)
        yield system, resource
    finally:
        system.close()
        if url:
            httpx.delete(f"{url}/{index}-000001,{index}-refusals?ignore_unavailable=true")


def _operation(text: str) -> Operation:
    id_ = str(uuid.uuid4())
    document = {"id": id_, "version": 1, "note": text, "created_at": TIME, "updated_at": TIME}
    return Operation(id_, 1, orjson.dumps(document))
