"""Binds the contract of the read store to its engines, and pins what only Elasticsearch and OpenSearch can get wrong."""

from __future__ import annotations

import base64
import os
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Annotated, Any

import orjson
import pytest
from freshness_contract import FreshnessContract
from generations_contract import GenerationsContract, Store, fill_in, wait, writing
from holdings_contract import HoldingsContract
from index_contract import OK, REJECTED, STALE, UNAVAILABLE, Declare, IndexContract, Small, dead, fill, find, ids, live
from structlog.testing import capture_logs

from twofold import Keyword, Resource, Text
from twofold.errors import DeclarationError, EngineError, Outdated, Unavailable
from twofold.index import elastic_client
from twofold.index.elastic import ElasticIndex
from twofold.index.elastic_client import Client, Engine
from twofold.index.elastic_mapping import meta
from twofold.index.port import Outcome, ReadStore, Verdict
from twofold.index.search import Exists, Search, Sort
from twofold.index.sqlite import SqliteIndex
from twofold.resource import Declaration
from twofold.widths import MOST_FIELDS


class TestSqlite(GenerationsContract, HoldingsContract, FreshnessContract, IndexContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[ReadStore]:
        store = SqliteIndex(tmp_path / "read.db")
        yield store
        store.close()

    def test_a_generation_that_is_dropped_gives_its_room_back(self, store: SqliteIndex, declare: Declare) -> None:
        resource = declare()
        generation = store.create(resource, {})
        with store._file.write() as connection:
            large = f'INSERT INTO "doc_{generation}" (id, version, deleted, document) VALUES (?, 1, 0, zeroblob(1000000))'
            connection.executemany(large, [(str(number),) for number in range(10)])
        store.drop(resource, generation)
        files = [store._file.path, store._file.path.with_name("read.db-wal")]
        assert sum(file.stat().st_size for file in files if file.exists()) < 1_000_000

    def test_where_there_is_no_room_to_shrink_a_generation_is_dropped_all_the_same(
        self, store: SqliteIndex, declare: Declare, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        resource = declare()
        generation = store.create(resource, {})
        monkeypatch.setattr(store._file, "shrink", lambda: (_ for _ in ()).throw(Unavailable("database or disk is full")))
        with capture_logs() as logs:
            store.drop(resource, generation)
        assert [each.name for each in store.generations(resource)] == [f"{resource.index}-000001"]
        assert [each["reason"] for each in logs] == ["database or disk is full"]

    def drop(self, store: ReadStore, resource: Declaration) -> None:
        with self._stranger(store) as connection:
            connection.execute(f'DROP TABLE IF EXISTS "doc_{resource.index}"')
            connection.execute(f'DROP TABLE IF EXISTS "fts_{resource.index}"')
            connection.execute("DELETE FROM generation WHERE alias = ?", (resource.index,))

    lose = drop

    def reopened(self, store: Store) -> Store:
        assert isinstance(store, SqliteIndex)
        store.close()
        return SqliteIndex(store._file.path)

    def stranger(self, store: Store, name: str) -> Callable[[], bool]:
        with self._stranger(store) as connection:
            connection.execute(f'CREATE TABLE "doc_{name}" (own TEXT)')

        def there() -> bool:
            with self._stranger(store) as connection:
                return connection.execute(f'SELECT count(*) FROM "doc_{name}"').fetchone() == (0,)

        return there

    def age(self, store: Store, resource: Declaration) -> None:
        with self._stranger(store) as connection:
            connection.execute("UPDATE generation SET analysis = 0, digest = 'aged' WHERE alias = ?", (resource.index,))

    def test_a_file_from_when_an_index_had_one_generation_is_brought_along(self, store: Store, declare: Declare) -> None:
        resource = declare(Small)
        fill(store, resource, [live("a", name="anna")])
        with self._stranger(store) as connection:
            kept = "name TEXT PRIMARY KEY, alias TEXT NOT NULL UNIQUE, resource TEXT NOT NULL, digest TEXT NOT NULL, fields TEXT NOT NULL"
            connection.execute(f"CREATE TABLE before ({kept})")
            connection.execute("INSERT INTO before SELECT name, alias, resource, 'old', fields FROM generation")
            connection.execute("DROP TABLE generation")
            connection.execute("ALTER TABLE before RENAME TO generation")

        after = self.reopened(store)

        assert after.pending(resource) == []
        assert ids(find(after, resource, "anna")) == ["a"]
        after.promote(resource, after.create(resource, {}))
        assert ids(find(after, resource, "anna")) == []
        after.close()

    def plant(self, store: ReadStore, resource: Declaration, key: str, document: dict[str, Any]) -> None:
        table = f'"doc_{resource.index}"'
        with self._stranger(store) as connection:
            parameters = (orjson.dumps(document), key)
            if connection.execute(f"UPDATE {table} SET document = ?, version = version + 1 WHERE id = ?", parameters).rowcount == 0:
                connection.execute(f"INSERT INTO {table} (document, id, version, deleted) VALUES (?, ?, 1, 0)", parameters)

    @contextmanager
    def blocked(self, store: ReadStore, resource: Declaration) -> Iterator[None]:
        assert isinstance(store, SqliteIndex)
        store._file._writer.execute("PRAGMA busy_timeout=50")  # instead of waiting for five seconds
        with self._stranger(store) as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield
            connection.execute("ROLLBACK")

    @contextmanager
    def _stranger(self, store: ReadStore) -> Iterator[sqlite3.Connection]:
        assert isinstance(store, SqliteIndex)
        connection = sqlite3.connect(store._file.path, isolation_level=None)
        yield connection
        connection.close()


class ElasticContract(GenerationsContract, HoldingsContract, FreshnessContract, IndexContract):
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
        for name in self.cluster_client.send("GET", f"/{resource.index}-*?filter_path=*.settings.index.uuid")[1]:
            self.cluster_client.send("DELETE", f"/{name}")

    def plant(self, store: ReadStore, resource: Declaration, key: str, document: dict[str, Any]) -> None:
        self.cluster_client.send("PUT", f"/{resource.index}-000001/_doc/{key}", document)

    def lose(self, store: ReadStore, resource: Declaration) -> None:
        self.cluster_client.send("DELETE", f"/{resource.index}-000001", expect=(404,))

    def reopened(self, store: Store) -> Store:
        return ElasticIndex([self.url], engine=self.engine)

    def stranger(self, store: Store, name: str) -> Callable[[], bool]:
        client = self.cluster_client
        client.send("PUT", f"/{name}")
        before = client.send("GET", f"/{name}")
        return lambda: client.send("GET", f"/{name}") == before

    def age(self, store: Store, resource: Declaration) -> None:
        name = f"{resource.index}-000001"
        meta = self.cluster_client.send("GET", f"/{name}/_mapping")[1][name]["mappings"]["_meta"]
        meta["twofold"] |= {"analysis": 0, "digest": "aged"}
        self.cluster_client.send("PUT", f"/{name}/_mapping", {"_meta": meta})

    def test_a_block_of_somebody_else_is_made_a_fence_without_lifting_it(self, store: Store, declare: Declare, cluster: Client) -> None:
        resource = declare(Small)
        name = f"{resource.index}-000001"

        with writing(store, resource) as writers:
            wait(lambda: len(writers.acknowledged) > 20)
            cluster.send("PUT", f"/{name}/_settings", {"index.blocks.write": True})
            store.block(resource, name, blocked=True)
            writers.assert_ended()

        assert cluster.send("GET", f"/{name}/_settings?filter_path=**.blocks")[1][name]["settings"]["index"]["blocks"] == {"write": "true"}

    def test_the_most_fields_that_may_be_declared_are_an_index_and_more_are_refused(self, declare: Declare, cluster: Client) -> None:
        fields = {f"f{number}": int for number in range(MOST_FIELDS - 2)} | {"words": Annotated[str, Text(), Keyword()]}
        body = {"__annotations__": fields, "__module__": __name__}
        resource = declare(type(Resource)("Many", (Resource,), body, name="many"))
        properties = cluster.send("GET", f"/{resource.index}-000001/_mapping")[1][f"{resource.index}-000001"]["mappings"]["properties"]
        assert fields.keys() < properties.keys()
        with pytest.raises(EngineError, match="illegal_argument_exception"):
            cluster.send("PUT", f"/{resource.index}-000001/_mapping", {"properties": {"more": {"type": "long"}}})
        with pytest.raises(DeclarationError, match=r"^Many: its 996 fields, .* more than an index of Elasticsearch has, 995; make lists"):
            type(Resource)("Many", (Resource,), {**body, "__annotations__": fields | {"more": int}}, name="many")

    def test_an_alias_that_names_a_stranger_too_is_not_moved(self, store: Store, declare: Declare, cluster: Client) -> None:
        resource = declare(Small)
        there = self.stranger(store, f"{resource.index}-000007")
        name = store.create(resource, {})
        cluster.send("PUT", f"/{resource.index}-000007/_alias/{resource.index}")

        with pytest.raises(Outdated, match="which is not twofold's"):
            store.promote(resource, name)
        cluster.send("DELETE", f"/{resource.index}-000007/_alias/{resource.index}")
        assert there()

    def test_an_alias_that_names_several_generations_is_mended_by_promote(self, store: Store, declare: Declare, cluster: Client) -> None:
        resource = declare(Small)
        name = store.create(resource, {})
        cluster.send("PUT", f"/{name}/_alias/{resource.index}")
        with pytest.raises(Unavailable, match="several"):
            store.live(resource)

        store.promote(resource, name)

        assert store.live(resource) == name

    @contextmanager
    def blocked(self, store: ReadStore, resource: Declaration) -> Iterator[None]:
        settings = f"/{resource.index}-000001/_settings"
        self.cluster_client.send("PUT", settings, {"index.blocks.write": True})
        yield
        self.cluster_client.send("PUT", settings, {"index.blocks.write": None})

    def test_searches_of_another_process_go_on_where_a_generation_is_dropped_at_once(self, store: Store, declare: Declare) -> None:
        resource = declare(Small)
        first, name = f"{resource.index}-000001", store.create(resource, {})
        fill(store, resource, [live("a", name="old")])
        fill_in(store, resource, name, [live("a", name="new")])
        other = self.reopened(store)
        assert find(other, resource).hits[0].document["name"] == "old"

        store.promote(resource, name)
        store.drop(resource, first)

        assert find(other, resource).hits[0].document["name"] == "new"
        with pytest.raises(Unavailable):
            other.search(resource, [Search()], generation=first)
        other.close()

    def test_a_full_disk_is_waited_for(self, store: ReadStore, declare: Declare, cluster: Client) -> None:
        resource = declare()
        settings = f"/{resource.index}-000001/_settings"
        cluster.send("PUT", settings, {"index.blocks.read_only_allow_delete": True})
        assert self.verdicts(store, resource, [live("a")]) == {UNAVAILABLE}

        cluster.send("PUT", settings, {"index.blocks.read_only_allow_delete": None})

        assert self.verdicts(store, resource, [live("a")]) == {OK}

    @pytest.mark.parametrize("state", ["closed", "write", "read", "metadata", "read_only", "foreign", "gone", "full of fields"])
    def test_a_state_of_the_index_is_nobodys_mistake(self, store: ReadStore, declare: Declare, cluster: Client, state: str) -> None:
        """Neither is a document refused for it, nor a client told that it asked wrongly. What was right before is right behind it."""
        resource = declare(Small)
        fill(store, resource, [live("a", name="anna")])
        with self._in(cluster, resource.index, state):
            told = [self._told(lambda call=call: call(resource)) for call in self._calls(store)]
        assert set(told) <= {"well", "Unavailable", "Outdated"}, told
        assert state in {"metadata", "full of fields"} or "Unavailable" in told
        if state not in {"gone", "foreign"}:
            fill(store, resource, [live("b", 3, name="berta")])
            assert sorted(ids(find(store, resource))) == ["a", "b"]

    @contextmanager
    def _in(self, cluster: Client, alias: str, state: str) -> Iterator[None]:
        name = f"{alias}-000001"
        if state == "closed":
            cluster.send("POST", f"/{name}/_close")
            yield
            cluster.send("POST", f"/{name}/_open?wait_for_active_shards=1")
        elif state == "foreign":  # with a mapping that none of our documents fits
            body = {"mappings": {"dynamic": "strict"}, "aliases": {alias: {}, f"{alias}-000002-write": {}}}
            cluster.send("PUT", f"/{alias}-000002", body)
            cluster.send("DELETE", f"/{name}/_alias/{alias}")
            yield
            cluster.send("DELETE", f"/{alias}-000002")
        elif state == "gone":
            cluster.send("DELETE", f"/{name}")
            yield
        else:
            setting = "index.mapping.total_fields.limit" if state == "full of fields" else f"index.blocks.{state}"
            cluster.send("PUT", f"/{name}/_settings", {setting: 1 if state == "full of fields" else True})
            try:
                yield
            finally:
                cluster.send("PUT", f"/{name}/_settings", {setting: None if state == "full of fields" else False})

    @staticmethod
    def _calls(store: ReadStore) -> list[Callable[[Declaration], Any]]:
        return [
            lambda resource: store.apply(resource, [live("b", name="berta"), live("a", 2, name="anna")]),
            lambda resource: store.search(resource, [Search()]),
            lambda resource: store.search(resource, [Search(sort=(Sort("name"), Sort("id")), filter=Exists("name"))]),
            lambda resource: store.get(resource, ["a"]),
            lambda resource: list(store.export(resource, Search()).__enter__()),
            lambda resource: store.holdings.scan(resource, None, 10),  # type: ignore[attr-defined]
            lambda resource: store.holdings.held(resource, ["a"]),  # type: ignore[attr-defined]
            store.refresh,
            store.status,
        ]

    @staticmethod
    def _told(call: Callable[[], Any]) -> str:
        try:
            answer = call()
        except EngineError as error:
            return type(error).__name__
        verdicts = {each.verdict for each in (answer if isinstance(answer, list) else ()) if isinstance(each, Outcome)}
        return "Rejected" if REJECTED in verdicts else "Unavailable" if UNAVAILABLE in verdicts else "well"

    def test_an_index_that_is_not_ours_is_in_the_way(self, store: ReadStore, declare: Declare, cluster: Client) -> None:
        resource = declare(migrate=False)
        cluster.send("PUT", f"/{resource.index}")
        try:
            for call in (store.migrate, store.pending):
                with pytest.raises(Outdated, match=r"that twofold did not make\. .* twofold migrate"):
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

        status, answer = cluster.send("POST", f"/{resource.index}/_doc", {"id": "x", "title": "Eve"}, expect=(400,))

        assert status == 400
        assert "no write index" in answer["error"]["reason"]

    def test_a_generation_that_goes_between_look_up_and_write_is_not_made_anew(
        self, store: ReadStore, declare: Declare, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        resource = declare()
        assert isinstance(store, ElasticIndex)
        monkeypatch.setattr(store._aliases, "look", lambda resource, generation: f"{resource.index}-000009")

        [outcome] = store.apply(resource, [live("a")])

        assert outcome.verdict is UNAVAILABLE
        assert "require_alias" in outcome.reason

    def test_an_index_setting_that_refuses_everything_is_waited_for(self, store: ReadStore, declare: Declare, cluster: Client) -> None:
        resource = declare()
        cluster.send("PUT", f"/{resource.index}-000001/_settings", {"index.default_pipeline": "no-such-pipeline"})

        assert self.verdicts(store, resource, [live("a")]) == {UNAVAILABLE}

    def test_refusals_are_waited_for_where_their_index_is_gone_and_it_is_not_made(
        self, store: ReadStore, declare: Declare, cluster: Client
    ) -> None:
        resource = declare()
        cluster.send("DELETE", f"/{resource.index}-refusals")

        for call in (
            lambda: store.refuse(resource, {"a": 1}),
            lambda: store.refused(resource, ["a"]),
            lambda: store.forgive(resource, {"a": 1}),
        ):
            with pytest.raises(Unavailable):
                call()
        assert store.pending(resource) == [f"create the index {resource.index}-refusals"]

    def test_an_index_in_the_place_of_refusals_is_in_the_way(self, store: ReadStore, declare: Declare, cluster: Client) -> None:
        resource = declare()
        cluster.send("DELETE", f"/{resource.index}-refusals")
        cluster.send("PUT", f"/{resource.index}-refusals")

        for call in (store.migrate, store.pending):
            with pytest.raises(Outdated, match=r"that twofold did not make\. .* twofold migrate"):
                call(resource)

    def test_a_refusal_under_a_write_block_is_unavailable(self, store: ReadStore, declare: Declare, cluster: Client) -> None:
        resource = declare()
        cluster.send("PUT", f"/{resource.index}-refusals/_settings", {"index.blocks.write": True})

        with pytest.raises(Unavailable, match="blocked by"):
            store.refuse(resource, {"a": 1})

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


Answer = tuple[int, Any]  # what is no str is sent as JSON


class FakeNode:
    """A node that answers what a test says."""

    def __init__(self, answer: Callable[[str, list[bytes]], Answer]) -> None:
        self.headers: list[Message] = []
        node = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = 65_536  # head and body in one packet

            def do_GET(self) -> None:
                node.headers.append(self.headers)
                lines = self.rfile.read(int(self.headers.get("content-length", 0))).splitlines()
                looks = self.command == "GET" and "/_mapping" in self.path
                status, content = (200, GENERATION) if looks else answer(self.path, lines)
                body = content.encode() if isinstance(content, str) else orjson.dumps(content)
                self.send_response(status)
                self.send_header("content-type", "text/html" if isinstance(content, str) else "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815 - the base class's names

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


THINGS = replace(Small.declaration, name="things", index="things")
GENERATION = {"things-000001": {"mappings": {"_meta": meta(THINGS, {})}}}
FIVE = [live(f"SECRET-{number}", name="SECRET") for number in range(5)]


@contextmanager
def answering(answer: Callable[[str, list[bytes]], Answer], *, engine: Engine = "elasticsearch", **options: Any) -> Iterator[ElasticIndex]:
    node = FakeNode(answer)
    store = ElasticIndex([node.url], engine=engine, **options)
    yield store
    store.close()
    node.close()


def item(key: str, status: int, kind: str = "", reason: str = "") -> dict[str, Any]:
    error = {"error": {"type": kind, "reason": reason}} if kind else {}
    return {"index": {"_id": key, "status": status, **error}}


def bulk_items(lines: list[bytes]) -> list[dict[str, Any]]:
    return [item(orjson.loads(line)["index"]["_id"], 201) for line in lines[::2]]


class TestElasticAnswers:
    """What a cluster, or a proxy before it, may answer on a bad day."""

    @pytest.mark.parametrize(
        ("status", "kind", "reason", "verdict"),
        [
            (200, "", "", OK),
            (201, "", "", OK),
            (409, "version_conflict_engine_exception", "[a]: version conflict, current version [2]", STALE),
            (400, "document_parsing_exception", "[1:2] failed to parse field [name] of type [long] … value: 'SECRET'", REJECTED),
            (400, "mapper_parsing_exception", "failed to parse SECRET", REJECTED),
            (400, "strict_dynamic_mapping_exception", "dynamic introduction of [zork] within [_doc]", REJECTED),
            (400, "illegal_argument_exception", 'immense term in field="name.text" … SECRET', REJECTED),
            (400, "illegal_argument_exception", "pipeline with id [x] does not exist", UNAVAILABLE),
            (400, "illegal_argument_exception", "Limit of total fields [1000] has been exceeded", UNAVAILABLE),
            (400, "index_closed_exception", "closed", UNAVAILABLE),
            (400, "validation_exception", "this cluster currently has [1000]/[1000] maximum shards open", UNAVAILABLE),
            (400, "status_exception", "what no engine has said yet", UNAVAILABLE),
            (400, "x_content_parse_exception", "SECRET", REJECTED),
            (500, "not_x_content_exception", "SECRET", REJECTED),
            (403, "cluster_block_exception", "index [things-000001] blocked by: [FORBIDDEN/8/index write (api)]", UNAVAILABLE),
            (403, "security_exception", "action is unauthorized", UNAVAILABLE),
            (404, "index_not_found_exception", "no such index", UNAVAILABLE),
            (429, "es_rejected_execution_exception", "rejected execution", UNAVAILABLE),
            (500, "null_pointer_exception", "SECRET", UNAVAILABLE),
            (503, "unavailable_shards_exception", "primary shard is not active", UNAVAILABLE),
        ],
    )
    def test_each_item_of_a_bulk_is_judged_by_itself(self, status: int, kind: str, reason: str, verdict: Verdict) -> None:
        for place in range(5):

            def answer(_: str, lines: list[bytes], place: int = place) -> Answer:
                items = bulk_items(lines)
                items[place] = item(f"SECRET-{place}", status, kind, reason)
                return 200, {"items": items}

            with answering(answer) as store:
                outcomes = store.apply(THINGS, FIVE)

            assert [outcome.verdict for outcome in outcomes] == [verdict if number == place else OK for number in range(5)]
            assert "SECRET" not in str(outcomes)

    @pytest.mark.parametrize("content", ["<html>SECRET</html>", {"error": {"type": "x", "reason": "SECRET"}}, {"error": "SECRET"}, {}, []])
    @pytest.mark.parametrize("status", [200, 301, 400, 401, 403, 404, 408, 429, 500, 502, 503, 504])
    def test_an_answer_that_says_nothing_of_the_items_is_unavailable(self, status: int, content: Any) -> None:
        with answering(lambda _, lines: (status, content)) as store:
            with pytest.raises(Unavailable) as error:
                store.apply(THINGS, FIVE)
            for call in (lambda: store.get(THINGS, ["a"]), lambda: store.search(THINGS, [Search()]), store.check):
                with pytest.raises(EngineError):
                    call()

        assert "SECRET" not in str(error.value) or status in (403, 404, 429, 503)

    @pytest.mark.parametrize(
        "spoil", [list.pop, list.reverse, lambda items: items.append(items[0]), lambda items: items[1]["index"].pop("_id")]
    )
    def test_items_that_are_not_those_of_the_request_are_unavailable(self, spoil: Callable[[list[Any]], Any]) -> None:
        def answer(_: str, lines: list[bytes]) -> Answer:
            items = bulk_items(lines)
            spoil(items)
            return 200, {"items": items}

        with answering(answer) as store, pytest.raises(Unavailable):
            store.apply(THINGS, FIVE)

    @pytest.mark.parametrize("content", ["<h1>413 Request Entity Too Large</h1>", {"error": {"type": "too_large", "reason": ""}}])
    def test_a_bulk_that_is_too_large_is_halved_and_a_document_that_is_is_rejected(self, content: Any) -> None:
        def answer(_: str, lines: list[bytes]) -> Answer:
            if len(lines) > 4 or any(b"SECRET-3" in line for line in lines):
                return 413, content
            return 200, {"items": bulk_items(lines)}

        with answering(answer) as store:
            outcomes = store.apply(THINGS, FIVE)

        assert [outcome.verdict for outcome in outcomes] == [OK, OK, OK, REJECTED, OK]

    def test_requests_stay_small(self) -> None:
        sizes = []

        def answer(_: str, lines: list[bytes]) -> Answer:
            sizes.append(sum(map(len, lines)))
            return 200, {"items": bulk_items(lines)}

        with answering(answer) as store:
            outcomes = store.apply(THINGS, [live(f"{number}", name="x" * 500_000) for number in range(30)])

        assert {outcome.verdict for outcome in outcomes} == {OK}
        assert max(sizes) < 6_000_000

    @pytest.mark.parametrize(
        "spoil",
        [
            lambda page: page.update(timed_out=True),
            lambda page: page["_shards"].update(failed=1),
            lambda page: page.pop("hits"),
            lambda page: page.update(error={"type": "es_rejected_execution_exception", "reason": ""}, status=429),
        ],
    )
    def test_never_part_of_an_answer(self, spoil: Callable[[dict[str, Any]], Any]) -> None:
        def answer(_: str, lines: list[bytes]) -> Answer:
            pages = [{"_shards": {"failed": 0}, "hits": {"hits": [], "total": {"value": 0, "relation": "eq"}}} for _ in lines[::2]]
            spoil(pages[1])
            return 200, {"responses": pages}

        with answering(answer) as store, pytest.raises(Unavailable):
            store.search(THINGS, [Search(), Search(), Search()])

    def test_a_reader_looks_at_the_alias_once_a_second(self) -> None:
        node = FakeNode(lambda _, lines: (200, {"docs": [{"_id": "a", "found": False}]}))
        store = ElasticIndex([node.url], engine="elasticsearch")
        begun = time.monotonic()

        for _ in range(50):
            assert store.get(THINGS, ["a"]) == {}

        assert 1 <= len(node.headers) - 50 <= 1 + (time.monotonic() - begun)
        store.close()
        node.close()

    @pytest.mark.parametrize(
        "answer",
        [
            {"acknowledged": False, "shards_acknowledged": False, "indices": []},
            {"acknowledged": True, "shards_acknowledged": False, "indices": [{"name": "things-000001", "blocked": True}]},
            {"acknowledged": True, "shards_acknowledged": True, "indices": [{"name": "things-000001", "blocked": False}]},
            {},
        ],
    )
    def test_a_block_that_not_every_shard_has_is_none(self, answer: Any) -> None:
        def told(path: str, _: list[bytes]) -> Answer:
            return 200, answer if "_block" in path else {"acknowledged": True}

        with answering(told) as store, pytest.raises(Unavailable):
            store.block(THINGS, "things-000001", blocked=True)

    def test_what_not_every_node_has_is_not_done(self) -> None:
        calls: list[Callable[[ElasticIndex], None]] = [
            lambda store: store.note(THINGS, "things-000001", {}),
            lambda store: store.block(THINGS, "things-000001", blocked=False),
            lambda store: store.promote(THINGS, "things-000001"),
        ]

        def told(path: str, _: list[bytes]) -> Answer:
            return (404, {"error": "missing"}) if "_alias/" in path else (200, {"acknowledged": False})

        for call in calls:
            with answering(told) as store, pytest.raises(Unavailable, match="asked for again"):
                call(store)

    @pytest.mark.parametrize(
        ("status", "nodes", "room"),
        [
            (200, {"a": (["data"], 5), "b": (["data_hot"], 3), "c": (["ingest"], 1), "d": (["data_frozen"], 2)}, 3),
            (200, {"a": (["data"], 5), "b": (["data_content"], None)}, None),
            (200, {"c": (["master"], 5)}, None),
            (403, {}, None),
        ],
    )
    def test_room_is_what_the_fullest_node_for_documents_has(self, status: int, nodes: dict[str, Any], room: int | None) -> None:
        told = {name: {"roles": roles, "fs": {"total": {"available_in_bytes": free}}} for name, (roles, free) in nodes.items()}
        with answering(lambda *_: (status, {"nodes": told})) as store:
            assert store.room() == room

    def test_credentials_are_sent_and_not_told(self) -> None:
        node = FakeNode(lambda _, lines: (401, {"error": {"type": "security_exception", "reason": "no SECRET"}}))
        store = ElasticIndex([node.url], engine="opensearch", user="reader", password="SECRET")

        with pytest.raises(Unavailable, match="check user, password and privileges") as error:
            store.check()

        assert "SECRET" not in str(error.value)
        assert node.headers[0]["authorization"] == "Basic " + base64.b64encode(b"reader:SECRET").decode()
        store.close()
        node.close()

    def test_an_engine_that_is_away_is_unavailable_to_every_call(self) -> None:
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            self.assert_unavailable(ElasticIndex([f"http://127.0.0.1:{unused.getsockname()[1]}"], engine="elasticsearch"))

    def test_an_engine_that_does_not_answer_in_time_is_unavailable(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(elastic_client, "TIMEOUT_SECONDS", 0.05)
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen()
            self.assert_unavailable(ElasticIndex([f"http://127.0.0.1:{silent.getsockname()[1]}"], engine="elasticsearch"))

    @staticmethod
    def assert_unavailable(store: ElasticIndex) -> None:
        calls: list[Callable[[], object]] = [
            lambda: store.migrate(THINGS),
            lambda: store.pending(THINGS),
            lambda: store.apply(THINGS, FIVE),
            lambda: store.get(THINGS, ["a"]),
            lambda: store.search(THINGS, [Search()]),
            lambda: store.refresh(THINGS),
            lambda: store.live(THINGS),
            lambda: store.refuse(THINGS, {"a": 1}),
            lambda: store.refused(THINGS, ["a"]),
            lambda: store.forgive(THINGS, {"a": 1}),
            lambda: store.status(THINGS),
            store.check,
        ]
        for call in calls:
            with pytest.raises(Unavailable, match="Elasticsearch cannot be reached"):
                call()
        store.close()
