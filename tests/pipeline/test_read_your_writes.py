"""Reads that carry the token of a write answer with that write or a newer one, whatever the way from command to index is doing."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson
import pytest
import uuid_utils

from tests.pipeline.steps import Pipeline
from tests.stack import Http
from twofold.log.port import Message
from twofold.query.http import QueryService
from twofold.record import Record
from twofold.runtime.service import stop_all

TIME = "2026-01-02T03:04:05.678Z"


@dataclass
class Reader:
    """The query service beside a pipeline."""

    pipeline: Pipeline
    service: QueryService
    pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(4))

    def get(self, id_: str, *tokens: str, prefer: str = "") -> httpx.Response:
        return self.ask("GET", f"/{id_}", *tokens, prefer=prefer)

    def find(self, *tokens: str, prefer: str = "", **parameters: str) -> httpx.Response:
        return self.ask("GET", "", *tokens, prefer=prefer, params=parameters)

    def ask(self, method: str, path: str, *tokens: str, prefer: str = "", **options: Any) -> httpx.Response:
        headers = {"Consistency-Token": ", ".join(tokens)} if tokens else {}
        url = f"/{self.pipeline.resource.name}{path}"
        return Http(self.service.http)(method, url, headers=headers | ({"Prefer": prefer} if prefer else {}), **options)

    def token(self, id_: str, version: int) -> str:
        return f"{self.pipeline.resource.name}/{id_}@{version}"

    def create(self, name: str = "Ana") -> tuple[str, str]:
        """Id and token of a person whose address begins with its id."""
        id_ = str(uuid_utils.uuid7())
        return id_, self.tell("create", id_, name=name, email=f"{id_}@example.com", note=None)

    def tell(self, command: str, id_: str, **body: Any) -> str:
        reply = self.pipeline.command(command, id_, **body).result(10)
        return reply.headers["Consistency-Token"]

    def settle(self) -> None:
        self.pipeline.relay()
        self.pipeline.project()

    def later(self, read: Any, *arguments: Any, **options: Any) -> Future[httpx.Response]:
        """The answer of a read that waits by now, for so long that a group can form meanwhile."""
        future = self.pool.submit(read, *arguments, prefer="wait=10", **options)
        time.sleep(0.2)
        assert not future.done(), future.result().text
        return future


@pytest.fixture
def reader(pipeline: Pipeline) -> Iterator[Reader]:
    service = pipeline.system.query_service()
    reader = Reader(pipeline, service)
    yield reader
    reader.pool.shutdown()
    service.close()


def found(answer: httpx.Response) -> dict[str, int]:
    assert answer.status_code == 200, answer.text
    return {item["id"]: item["version"] for item in answer.json()["items"]}


def told(answer: httpx.Response) -> tuple[int, str, list[str]]:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return answer.status_code, answer.json()["code"], answer.json()["missing"]


def test_a_read_waits_until_its_write_has_come_all_the_way(reader: Reader) -> None:
    id_, token = reader.create()
    reads = [reader.later(reader.get, id_, token), reader.later(reader.find, token, email=f"{id_}@example.com")]
    reader.settle()
    got, listed = (read.result(10) for read in reads)
    assert (got.status_code, got.json()["version"]) == (200, 1)
    assert found(listed) == {id_: 1}
    assert {answer.headers["preference-applied"] for answer in (got, listed)} == {"wait=10"}
    assert "consistency-status" not in {**got.headers, **listed.headers}


def test_a_change_is_found_and_what_was_is_not(reader: Reader) -> None:
    id_, _ = reader.create("Before")
    reader.settle()
    token = reader.tell("patch", id_, name="After")
    reads = [reader.later(reader.find, token, name=name) for name in ("After", "Before")]
    reader.settle()
    assert [found(read.result(10)) for read in reads] == [{id_: 2}, {}]
    assert reader.get(id_, token).headers["etag"].startswith('"2.')


def test_a_delete_is_seen(reader: Reader) -> None:
    id_, first = reader.create()
    reader.settle()
    assert found(reader.find(first)) == {id_: 1}
    token = reader.tell("delete", id_)
    reads = [reader.later(reader.get, id_, token), reader.later(reader.find, token)]
    reader.settle()
    got, listed = (read.result(10) for read in reads)
    assert (got.status_code, got.json()["code"]) == (404, "not-found")
    assert found(listed) == {}


def test_every_kind_of_search_waits(reader: Reader) -> None:
    id_, token = reader.create("Zacharias")
    reads = [
        reader.later(reader.ask, "POST", "/search", token, json={"q": "zacharias"}),
        reader.later(reader.ask, "GET", "/suggest", token, params={"q": "zach"}),
        reader.later(reader.ask, "GET", "/export", token, params={"q": "zacharias"}),
    ]
    late = reader.token(id_, 2)
    reader.settle()
    searched, suggested, exported = (read.result(10) for read in reads)
    assert found(searched) == {id_: 1}
    assert [each["text"] for each in suggested.json()["items"]] == ["Zacharias"]
    assert [line for line in exported.text.splitlines() if id_ in line] != []
    assert {answer.headers["preference-applied"] for answer in (searched, suggested, exported)} == {"wait=10"}
    for method, path, options in (("POST", "/search", {"json": {}}), ("GET", "/suggest", {"params": {"q": "z"}}), ("GET", "/export", {})):
        assert told(reader.ask(method, path, late, prefer="wait=0", **options)) == (503, "projection-lagging", [late])
        stale = reader.ask(method, path, late, prefer="wait=0, handling=lenient", **options)
        assert (stale.status_code, stale.headers["consistency-status"]) == (200, "stale")


def test_several_tokens_hold_together(reader: Reader) -> None:
    made = dict(reader.create() for _ in range(3))
    listed = reader.later(reader.find, *made.values())
    reader.settle()
    assert found(listed.result(15)) == dict.fromkeys(made, 1)
    _, late = reader.create()
    assert told(reader.find(*made.values(), late, prefer="wait=0")) == (503, "projection-lagging", [late])
    assert told(reader.get(next(iter(made)), *made.values(), late, prefer="wait=0")) == (503, "projection-lagging", [late])


def test_while_the_projector_stands_still_readers_are_told_so(reader: Reader) -> None:
    id_, first = reader.create()
    reader.settle()
    token = reader.tell("patch", id_, note="late")
    for answer in (reader.get(id_, token, prefer="wait=0"), reader.find(token, prefer="wait=1")):
        assert told(answer) == (503, "projection-lagging", [token])
        assert (answer.headers["retry-after"], answer.json()["waited_ms"] < 2000) == ("1", True)
    for answer in (reader.get(id_, token, prefer="wait=0, handling=lenient"), reader.find(token, prefer="handling=lenient, wait=0")):
        assert (answer.status_code, answer.headers["consistency-status"]) == (200, "stale")
        assert answer.headers["preference-applied"] == "wait=0, handling=lenient"
    assert reader.get(id_, first).json()["note"] is None
    reader.settle()
    assert reader.get(id_, token, prefer="wait=0").json()["note"] == "late"


def test_what_is_on_its_way_is_never_said_to_be_nowhere(reader: Reader) -> None:
    id_, token = reader.create()
    for prefer in ("wait=0", "wait=0, handling=lenient"):
        assert told(reader.get(id_, token, prefer=prefer)) == (503, "projection-lagging", [token])
    assert reader.get(id_).status_code == 404


@pytest.mark.parametrize("value", [b"{", b'{"created_at": "the day before"}'], ids=["unreadable", "refused by the index"])
def test_a_version_among_the_dead_letters_is_told_until_a_newer_one_comes(reader: Reader, value: bytes) -> None:
    id_, _ = reader.create()
    reader.settle()
    reader.pipeline.system.log.publish(reader.pipeline.resource.topic, [_bad(reader, id_, 2, value)])
    reader.pipeline.project()
    assert len(reader.pipeline.dead_letters()) == 1
    token = reader.token(id_, 2)
    for answer in (reader.get(id_, token), reader.find(token)):
        assert told(answer) == (503, "projection-refused", [token])
        assert "retry-after" not in answer.headers
    stale = reader.get(id_, token, prefer="handling=lenient")
    assert (stale.status_code, stale.json()["version"], stale.headers["consistency-status"]) == (200, 1, "stale")
    newer = reader.tell("patch", id_, note="mended")
    reader.settle()
    for each in (token, newer):
        assert reader.get(id_, each).json()["note"] == "mended"
        assert found(reader.find(each)) == {id_: 2}


def _bad(reader: Reader, id_: str, version: int, value: bytes) -> Message:
    if value != b"{":
        whole = {"id": id_, "version": version, "name": "Ana", "email": "a@example.com", "note": None, "updated_at": TIME}
        value = orjson.dumps({**whole, **orjson.loads(value)})
    return Record(id_, version, f"{reader.pipeline.resource.name}.updated", str(uuid_utils.uuid7()), TIME, value).to_message()


@pytest.mark.parametrize("token", ["x", "", "others/{id}@1", "{name}/{id}@0", "{name}/{id}"])
def test_what_is_no_token_is_told(reader: Reader, token: str) -> None:
    id_ = str(uuid_utils.uuid7())
    text = token.format(name=reader.pipeline.resource.name, id=id_)
    for url in (f"/{reader.pipeline.resource.name}", f"/{reader.pipeline.resource.name}/{id_}"):
        answer = Http(reader.service.http).get(url, consistency_token=text)
        assert (answer.status_code, answer.json()["code"]) == (400, "consistency-token-invalid")


def test_a_wait_out_of_range_is_told(reader: Reader) -> None:
    answer = reader.find(reader.token(str(uuid_utils.uuid7()), 1), prefer="wait=11")
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed-header")


@asynccontextmanager
async def _moving(reader: Reader) -> AsyncIterator[httpx.AsyncClient]:
    """Relay and projector run; the client asks the query service."""
    system = reader.pipeline.system
    services = [system.relay(), *system.projectors()]
    for service in services:
        service.start()
    try:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(reader.service.http), base_url="http://test") as client:
            yield client
    finally:
        assert await asyncio.to_thread(stop_all, services) == []


def test_no_answer_is_older_than_its_token_while_many_write(reader: Reader) -> None:
    """Twelve clients change six people; each reads right behind each of its writes, in another way each time."""
    chance = random.Random(7)
    name = reader.pipeline.resource.name
    people = [reader.create()[0] for _ in range(6)]
    counts = {"get": 0, "find": 0, "gone": 0}

    async def write(command: str, id_: str, **body: Any) -> str:
        reply = await asyncio.wrap_future(reader.pipeline.command(command, id_, **body))
        assert reply.status < 300
        return reply.headers["Consistency-Token"]

    async def assert_not_older(client: httpx.AsyncClient, id_: str, token: str) -> None:
        wanted = int(token.rpartition("@")[2])
        headers = {"Consistency-Token": token, "Prefer": "wait=10"}
        if chance.random() < 0.5:
            counts["get"] += 1
            answer = await client.get(f"/{name}/{id_}", headers=headers)
            assert (answer.status_code, answer.json().get("version", 0) >= wanted) == (200, True), (token, answer.text)
        else:
            counts["find"] += 1
            answer = await client.get(f"/{name}", params={"email": f"{id_}@example.com"}, headers=headers)
            assert found(answer).get(id_, 0) >= wanted, (token, answer.text)

    async def change(client: httpx.AsyncClient, until: float) -> None:
        while time.monotonic() < until:
            id_ = chance.choice(people)
            await assert_not_older(client, id_, await write("patch", id_, note=str(chance.random())))

    async def come_and_go(client: httpx.AsyncClient, until: float) -> None:
        while time.monotonic() < until:
            id_ = str(uuid_utils.uuid7())
            await assert_not_older(client, id_, await write("create", id_, name="Bo", email=f"{id_}@example.com", note=None))
            headers = {"Consistency-Token": await write("delete", id_), "Prefer": "wait=10"}
            assert (await client.get(f"/{name}/{id_}", headers=headers)).status_code == 404
            listed = await client.get(f"/{name}", params={"email": f"{id_}@example.com"}, headers=headers)
            assert found(listed) == {}
            counts["gone"] += 1

    async def together() -> None:
        async with _moving(reader) as client:
            until = time.monotonic() + 3
            await asyncio.gather(*(change(client, until) for _ in range(10)), *(come_and_go(client, until) for _ in range(2)))

    asyncio.run(together())
    assert min(counts.values()) >= 3, counts
