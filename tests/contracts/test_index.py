"""Binds the contract of the read store to its engines, and pins what only Elasticsearch and OpenSearch can get wrong."""

from __future__ import annotations

import os
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from index_contract import OK, UNAVAILABLE, Declare, IndexContract, dead, fill, find, ids, live

from twofold.errors import Outdated, Unavailable
from twofold.index.elastic import ElasticIndex
from twofold.index.elastic_client import Client, Engine
from twofold.index.port import ReadStore
from twofold.index.sqlite import SqliteIndex
from twofold.resource import Declaration


class TestSqlite(IndexContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[ReadStore]:
        store = SqliteIndex(tmp_path / "read.db")
        yield store
        store.close()

    def drop(self, store: ReadStore, resource: Declaration) -> None:
        with self._stranger(store) as connection:
            connection.execute(f'DROP TABLE IF EXISTS "doc_{resource.index}"')
            connection.execute(f'DROP TABLE IF EXISTS "fts_{resource.index}"')
            connection.execute("DELETE FROM generation WHERE alias = ?", (resource.index,))

    @contextmanager
    def blocked(self, store: ReadStore, resource: Declaration) -> Iterator[None]:
        store._file._writer.execute("PRAGMA busy_timeout=50")  # instead of waiting for five seconds
        with self._stranger(store) as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield
            connection.execute("ROLLBACK")

    @contextmanager
    def _stranger(self, store: ReadStore) -> Iterator[sqlite3.Connection]:
        connection = sqlite3.connect(store._file.path, isolation_level=None)
        yield connection
        connection.close()


class ElasticContract(IndexContract):
    """What both engines share. The tests here are about what a cluster can do to us and a file cannot."""

    engine: Engine
    url: str

    @pytest.fixture
    def cluster(self) -> Iterator[Client]:
        """The engine itself; where it is away tests are skipped on a laptop and fail in CI."""
        client = Client([self.url], self.engine, None, None)
        try:
            client.send("GET", "/_cluster/health")
        except Unavailable as error:
            if os.environ.get("CI"):
                raise
            pytest.skip(f"{self.engine} does not answer on {self.url}: {error}")
        yield client
        client.close()

    @pytest.fixture
    def store(self, cluster: Client) -> Iterator[ReadStore]:
        self.cluster_client = cluster
        store = ElasticIndex([self.url], engine=self.engine)
        yield store
        store.close()

    def drop(self, store: ReadStore, resource: Declaration) -> None:
        self.cluster_client.send("DELETE", f"/{resource.index}-000001", expect=(404,))

    @contextmanager
    def blocked(self, store: ReadStore, resource: Declaration) -> Iterator[None]:
        settings = f"/{resource.index}-000001/_settings"
        self.cluster_client.send("PUT", settings, {"index.blocks.write": True})
        yield
        self.cluster_client.send("PUT", settings, {"index.blocks.write": None})

    def test_a_full_disk_is_waited_for(self, store: ReadStore, declare: Declare, cluster: Client) -> None:
        resource = declare()
        settings = f"/{resource.index}-000001/_settings"
        cluster.send("PUT", settings, {"index.blocks.read_only_allow_delete": True})
        assert self.verdicts(store, resource, [live("a")]) == {UNAVAILABLE}

        cluster.send("PUT", settings, {"index.blocks.read_only_allow_delete": None})

        assert self.verdicts(store, resource, [live("a")]) == {OK}

    def test_an_index_that_is_not_ours_is_in_the_way(self, store: ReadStore, declare: Declare, cluster: Client) -> None:
        resource = declare(migrate=False)
        cluster.send("PUT", f"/{resource.index}")
        try:
            for call in (store.migrate, store.pending):
                with pytest.raises(Outdated, match="that twofold did not make. .* twofold migrate"):
                    call(resource)
            assert self.verdicts(store, resource, [live("a")]) == {UNAVAILABLE}
        finally:
            cluster.send("DELETE", f"/{resource.index}")

    def test_an_alias_that_is_not_ours_is_in_the_way(self, store: ReadStore, declare: Declare, cluster: Client) -> None:
        resource = declare(migrate=False)
        cluster.send("PUT", f"/{resource.index}-000001", {"aliases": {resource.index: {}}})

        with pytest.raises(Outdated, match="not twofold's"):
            store.migrate(resource)

    def test_a_generation_without_its_alias_is_in_the_way(self, store: ReadStore, declare: Declare, cluster: Client) -> None:
        resource = declare()
        cluster.send("DELETE", f"/{resource.index}-000001/_alias/{resource.index}")

        with pytest.raises(Outdated, match="without the alias"):
            store.migrate(resource)
        assert self.verdicts(store, resource, [live("a")]) == {UNAVAILABLE}

    def test_strangers_cannot_write_through_the_alias(self, declare: Declare, cluster: Client) -> None:
        resource = declare()

        status, _ = cluster.send("POST", f"/{resource.index}/_doc", {"name": "Eve"}, expect=(400,))

        assert status == 400

    def test_a_generation_that_goes_between_look_up_and_write_is_not_made_anew(
        self, store: ReadStore, declare: Declare, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        resource = declare()
        monkeypatch.setattr(store, "_generation", lambda resource: f"{resource.index}-000009")

        [outcome] = store.apply(resource, [live("a")])

        assert outcome.verdict is UNAVAILABLE
        assert "require_alias" in outcome.reason

    def test_an_index_setting_that_refuses_everything_is_waited_for(self, store: ReadStore, declare: Declare, cluster: Client) -> None:
        resource = declare()
        cluster.send("PUT", f"/{resource.index}-000001/_settings", {"index.default_pipeline": "no-such-pipeline"})

        assert self.verdicts(store, resource, [live("a")]) == {UNAVAILABLE}

    def test_tombstones_stay_hidden_where_the_alias_lost_its_filter(self, store: ReadStore, declare: Declare, cluster: Client) -> None:
        resource = declare()
        fill(store, resource, [live("a"), dead("b", 1)])
        cluster.send("PUT", f"/{resource.index}-000001/_alias/{resource.index}")

        assert ids(find(store, resource)) == ["a"]


class TestElasticsearch(ElasticContract):
    engine = "elasticsearch"
    url = os.environ.get("TWOFOLD_TEST_ELASTICSEARCH", "http://127.0.0.1:9200")


class TestOpenSearch(ElasticContract):
    engine = "opensearch"
    url = os.environ.get("TWOFOLD_TEST_OPENSEARCH", "http://127.0.0.1:9211")
