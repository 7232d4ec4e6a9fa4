"""Binds the contracts of facets, marks and time limits to the engines of the read store."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace

import pytest
from facets_contract import FacetsContract
from index_contract import Declare
from marks_contract import MarksContract
from tests.engines import ELASTICSEARCH, OPENSEARCH, need

from twofold import Resource
from twofold.index.elastic import ElasticIndex
from twofold.index.elastic_client import Client, Engine
from twofold.index.port import ReadStore
from twofold.index.sqlite import SqliteIndex
from twofold.resource import Declaration


class TestSqlite(MarksContract, FacetsContract):
    @pytest.fixture(scope="class")
    @classmethod
    def store(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReadStore]:
        store = SqliteIndex(tmp_path_factory.mktemp("facets") / "read.db")
        yield store
        store.close()

    @pytest.fixture(scope="class")
    @classmethod
    def declare(cls, store: ReadStore) -> Declare:
        return lambda resource: declared(store, resource)


class ElasticContract(MarksContract, FacetsContract):
    engine: Engine
    url: str

    @pytest.fixture(scope="class")
    @classmethod
    def store(cls) -> Iterator[ReadStore]:
        need(cls.url)
        store = ElasticIndex([cls.url], engine=cls.engine)
        yield store
        store.close()

    @pytest.fixture(scope="class")
    @classmethod
    def declare(cls, store: ReadStore) -> Iterator[Declare]:
        made: list[Declaration] = []
        yield lambda resource: made.append(declared(store, resource)) or made[-1]  # type: ignore[func-returns-value]
        client = Client([cls.url], cls.engine, None, None)
        for resource in made:
            client.send("DELETE", f"/{resource.index}-000001,{resource.index}-refusals")
        client.close()


class TestElasticsearch(ElasticContract):
    engine = "elasticsearch"
    url = ELASTICSEARCH


class TestOpenSearch(ElasticContract):
    engine = "opensearch"
    url = OPENSEARCH


def declared(store: ReadStore, cls: type[Resource]) -> Declaration:
    """The declaration with an index that no other test has."""
    resource = replace(cls.declaration, index=f"facets-{uuid.uuid4().hex[:12]}")
    store.migrate(resource)
    return resource
