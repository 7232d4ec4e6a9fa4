"""Binds the contract of searches to the read store's engines."""

from __future__ import annotations

import os

import test_index
from export_contract import ExportContract
from index_contract import IndexContract
from search_contract import SearchContract

from twofold.index.elastic_client import Engine


class TestSqlite(ExportContract, SearchContract):
    declare, store = IndexContract.declare, test_index.TestSqlite.store
    drop, _stranger = test_index.TestSqlite.drop, test_index.TestSqlite._stranger


class ElasticContract(ExportContract, SearchContract):
    declare, store = IndexContract.declare, test_index.ElasticContract.store
    cluster = test_index.ElasticContract.cluster
    drop, lose = test_index.ElasticContract.drop, test_index.ElasticContract.lose


class TestElasticsearch(ElasticContract):
    engine: Engine = "elasticsearch"
    url = os.environ.get("TWOFOLD_TEST_ELASTICSEARCH", "http://127.0.0.1:9200")


class TestOpenSearch(ElasticContract):
    engine: Engine = "opensearch"
    url = os.environ.get("TWOFOLD_TEST_OPENSEARCH", "http://127.0.0.1:9211")
