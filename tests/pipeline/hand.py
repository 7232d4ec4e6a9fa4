"""What somebody does to an index by hand, past everything; and how it stands there, told by the engine itself."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
import orjson

from tests import engines
from twofold.bootstrap import System
from twofold.urls import scheme

Document = dict[str, Any]
State = dict[str, tuple[Any, ...]]  # by id, something that changes with every write


def hand(system: System) -> ElasticHand | SqliteHand:
    [resource] = system.app
    if (engine := scheme(system.settings.read_url)) == "sqlite":
        return SqliteHand(Path(unquote(system.settings.read_url.removeprefix("sqlite:///"))), resource.index)
    return ElasticHand(engines.ELASTICSEARCH if engine == "elasticsearch" else engines.OPENSEARCH, f"{resource.index}-000001")


class ElasticHand:
    def __init__(self, url: str, index: str) -> None:
        self._url = f"{url}/{index}"

    def delete(self, ids: Iterable[str]) -> None:
        self._bulk([{"delete": {"_id": id_}} for id_ in ids])

    def put(self, documents: dict[str, Document]) -> None:
        """Unversioned: the gate goes up by one."""
        self._bulk([line for id_, document in documents.items() for line in ({"index": {"_id": id_}}, document)])

    def force(self, documents: dict[str, Document]) -> None:
        """Old states with their old versions: deleted first, and written with these as gates."""
        self.delete(documents)
        again = dict(documents)
        while again:
            httpx.post(f"{self._url}/_refresh").raise_for_status()
            heads = ({"index": {"_id": id_, "version": each["version"], "version_type": "external"}} for id_, each in again.items())
            items = self._bulk([line for head, each in zip(heads, again.values(), strict=True) for line in (head, each)])
            again = {item["index"]["_id"]: again[item["index"]["_id"]] for item in items if item["index"]["status"] == 409}

    def state(self) -> State:
        body = {"size": 10_000, "seq_no_primary_term": True, "version": True}
        httpx.post(f"{self._url}/_refresh").raise_for_status()
        hits = httpx.post(f"{self._url}/_search", json=body).raise_for_status().json()["hits"]["hits"]
        return {hit["_id"]: (hit["_seq_no"], hit["_primary_term"], hit["_version"]) for hit in hits}

    def _bulk(self, lines: list[Document]) -> list[Any]:
        content = b"".join(orjson.dumps(line) + b"\n" for line in lines)
        headers = {"content-type": "application/x-ndjson"}
        answer = httpx.post(f"{self._url}/_bulk?refresh=true", content=content, headers=headers, timeout=30).raise_for_status().json()
        items: list[Any] = answer["items"]
        assert all(next(iter(item.values()))["status"] in (200, 201, 409) for item in items), items[:3]
        return items


class SqliteHand:
    def __init__(self, path: Path, index: str) -> None:
        self._path, self._table = path, f'"doc_{index}"'

    def delete(self, ids: Iterable[str]) -> None:
        with self._open() as connection:
            connection.executemany(f"DELETE FROM {self._table} WHERE id = ?", [(id_,) for id_ in ids])

    def put(self, documents: dict[str, Document]) -> None:
        sql = f"INSERT INTO {self._table} (id, document, version, deleted) VALUES (?, ?, 1, 0)"
        change = "ON CONFLICT (id) DO UPDATE SET document = excluded.document, version = version + 1"
        with self._open() as connection:
            connection.executemany(f"{sql} {change}", [(id_, orjson.dumps(each)) for id_, each in documents.items()])

    def force(self, documents: dict[str, Document]) -> None:
        values = [(orjson.dumps(each), each["version"], each.get("deleted", False), id_) for id_, each in documents.items()]
        with self._open() as connection:
            connection.executemany(f"UPDATE {self._table} SET document = ?, version = ?, deleted = ? WHERE id = ?", values)

    def state(self) -> State:
        with self._open() as connection:
            return {row[0]: row for row in connection.execute(f'SELECT id, "row", version, deleted, document FROM {self._table}')}

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        connection = sqlite3.connect(self._path)
        try:
            with connection:
                yield connection
        finally:
            connection.close()
