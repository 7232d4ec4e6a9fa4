"""Exports over HTTP: all hits, in constant memory, with a last line that says so; cut off where something fails."""

from __future__ import annotations

import asyncio
import csv
import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import orjson
import pytest
from tests.query.films import BODIES, FILMS
from tests.stack import Http

from twofold import Resource
from twofold.errors import Overloaded, Rejected, Unavailable
from twofold.index.search import Hit, Search, Sort
from twofold.query import export as exports
from twofold.query.export import MAX_EXPORTS, MAX_OF_CLIENT, Exports
from twofold.query.language import read_export
from twofold.resource import Declaration

FIELDS = "title,plot,year,seen,score,premiere,price,prices,tags"
TIME = "2026-11-23T12:00:00.000Z"


def lines(films: Http, **asked: Any) -> list[dict[str, Any]]:
    answer = films.get("/films/export", asked)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/x-ndjson")
    return [orjson.loads(line) for line in answer.text.splitlines()]


def test_lines_are_what_searches_show(films: Http) -> None:
    assert lines(films) == [*films.get("/films?sort=id").json()["items"], {"complete": True, "count": len(BODIES)}]


def test_an_export_takes_words_filters_an_order_and_fields(films: Http) -> None:
    found = lines(films, q="hulot | jim ", filter="year > 1960", genre=["comedy", "drama"], sort="-year", fields="title")
    assert [line["title"] for line in found[:-1]] == ["Playtime", "Jules et Jim"]
    assert [list(found[0]), found[-1]] == [["id", "version", "title"], {"complete": True, "count": 2}]
    assert lines(films, q="nobody ") == [{"complete": True, "count": 0}]


def test_a_table_has_a_head_and_no_formulas(films: Http) -> None:
    answer = films.get("/films/export", {"format": "csv", "sort": "year", "fields": FIELDS})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="films.csv"'
    table = list(csv.reader(io.StringIO(answer.text)))
    assert table[0] == ["id", "version", "title", "plot", "year", "score", "seen", "premiere", "price", "prices", "tags"]
    assert table[1][2:] == ["'-1+1", "'=cmd()", "-5", "-1.5", "false", "", "-0.05", "[]", '["a,b","c\\"d"]']
    assert table[3][2:8] == ["Jules et Jim", "Two friends & <one> woman", "1962", "7.7", "false", "1962-01-23"]
    assert table[3][8:] == ["12.30", '["1.00","2.50"]', '["new wave","love"]']
    assert table[-1] == ["# complete: 5 rows"]
    assert answer.text.endswith("\r\n")


@pytest.mark.parametrize(
    "text", ["=1", "+1", "-1", "@a", "\ta", "\ra", "\na", "\uff1d1", "\uff0b1", "\uff0d1", "\uff20a", " =1", "\ufeff=1", "\u200b=1", "'a"]
)
def test_what_a_spreadsheet_would_compute_is_text(text: str) -> None:
    table = exports._Csv(FILMS, frozenset({"title"}))
    assert table._cell("title", text) == f'"\'{text}"'
    assert table._cell("title", f"a{text}") == f'"a{text}"'


def test_text_stands_in_quotes_so_that_no_other_separator_parts_it() -> None:
    table = exports._Csv(FILMS, frozenset({"title"}))
    assert [table._cell("title", text) for text in ("a;=1+1", "", 'say "x"', None)] == ['"a;=1+1"', '""', '"say ""x"""', ""]


def test_an_export_is_described_before_it_is_begun(films: Http) -> None:
    head = films("HEAD", "/films/export?format=csv")
    assert (head.status_code, head.content, head.headers["content-type"]) == (200, b"", "text/csv; charset=utf-8")
    assert "content-length" not in head.headers
    assert films.get("/films/export").headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("query", "parameter"),
    [("format=xml", "format"), ("limit=5", "limit"), ("cursor=x", "cursor"), ("sort=plot", "sort"), ("filter=year", "filter")],
)
def test_what_does_not_fit_is_refused(films: Http, query: str, parameter: str) -> None:
    answer = films.get(f"/films/export?{query}")
    assert (answer.status_code, [error["parameter"] for error in answer.json()["errors"]]) == (400, [parameter])


def test_the_order_is_that_of_ids_unless_asked() -> None:
    assert [read_export(FILMS, asked).search.sort for asked in ([], [("q", "ana")], [("sort", "-year")])] == [
        (Sort("id"),),
        (Sort("id"),),
        (Sort("year", descending=True),),
    ]


class Note(Resource, name="notes"):
    note: str


class Index:
    """Chunks of one hit; notes in which threads it is used, and whether it was closed."""

    def __init__(self, count: int, failure: Exception | None = None) -> None:
        self.count, self.failure = count, failure
        self.read = 0
        self.threads: set[int] = set()
        self.open = 0

    @contextmanager
    def export(self, resource: Declaration, search: Search) -> Iterator[Iterator[list[Hit]]]:
        self.open += 1
        try:
            yield self._chunks()
        finally:
            self.threads.add(threading.get_ident())
            self.open -= 1

    def _chunks(self) -> Iterator[list[Hit]]:
        for number in range(self.count):
            self.threads.add(threading.get_ident())
            self.read += 1
            yield [Hit({"id": f"{number}", "version": 1, "note": "", "created_at": TIME, "updated_at": TIME}, None)]
        if self.failure:
            raise self.failure


class Client:
    """What an ASGI server is to an answer. It takes as many messages as it is told to, and may go away."""

    def __init__(self, takes: int = 1_000_000) -> None:
        self.messages: list[dict[str, Any]] = []
        self._takes = asyncio.Semaphore(takes)
        self._gone = asyncio.Event()

    async def send(self, message: Any) -> None:
        await self._takes.acquire()
        self.messages.append(message)

    async def receive(self) -> Any:
        await self._gone.wait()
        return {"type": "http.disconnect"}

    def leave(self) -> None:
        self._gone.set()
        for _ in range(1000):
            self._takes.release()

    @property
    def body(self) -> list[Any]:
        return [orjson.loads(line) for message in self.messages for line in message.get("body", b"").splitlines()]


@pytest.fixture
def stop() -> Iterator[list[Exports]]:
    opened: list[Exports] = []
    yield opened
    for each in opened:
        each.stop()


async def begin(all_: Exports, client: str = "10.0.0.1") -> exports.Stream:
    return await all_.begin(Note.declaration, read_export(Note.declaration, []), {}, client)


async def until(true: Any) -> None:
    async with asyncio.timeout(5):
        while not true():  # noqa: ASYNC110 - a thread makes it true
            await asyncio.sleep(0.001)


SCOPE: dict[str, Any] = {"type": "http", "method": "GET"}


def test_the_next_chunk_is_read_when_the_last_one_is_taken(stop: list[Exports]) -> None:
    index = Index(1000)
    stop.append(Exports(index))  # type: ignore[arg-type]

    async def run() -> None:
        client = Client(takes=10)
        answer = asyncio.create_task((await begin(stop[0]))(SCOPE, client.receive, client.send))
        await until(lambda: len(client.messages) == 10)
        await asyncio.sleep(0.05)
        assert index.read <= 11
        client.leave()
        await answer

    asyncio.run(run())


def test_everything_happens_in_one_thread_and_is_closed(stop: list[Exports]) -> None:
    index = Index(20)
    stop.append(Exports(index))  # type: ignore[arg-type]

    async def run() -> None:
        client = Client()
        await (await begin(stop[0]))(SCOPE, client.receive, client.send)
        assert client.body[-1] == {"complete": True, "count": 20}
        assert client.messages[-1] == {"type": "http.response.body", "body": b""}
        await until(lambda: len(stop[0]._free) == MAX_EXPORTS)

    asyncio.run(run())
    assert (index.open, len(index.threads), threading.get_ident() in index.threads) == (0, 1, False)


def test_what_a_client_left_is_closed(stop: list[Exports]) -> None:
    index = Index(1_000_000)
    stop.append(Exports(index))  # type: ignore[arg-type]

    async def run() -> None:
        client = Client(takes=5)
        answer = asyncio.create_task((await begin(stop[0]))(SCOPE, client.receive, client.send))
        await until(lambda: len(client.messages) == 5)
        client.leave()
        await answer
        await until(lambda: len(stop[0]._free) == MAX_EXPORTS)
        assert index.open == 0

    asyncio.run(run())


def test_a_client_that_takes_nothing_is_cut_off(stop: list[Exports], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "STALLED_SECONDS", 0.05)
    index = Index(10)
    stop.append(Exports(index))  # type: ignore[arg-type]

    async def run() -> None:
        client = Client(takes=3)
        await (await begin(stop[0]))(SCOPE, client.receive, client.send)
        assert len(client.messages) == 3
        await until(lambda: index.open == 0)

    asyncio.run(run())


def test_large_lines_are_sent_in_pieces(stop: list[Exports], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "PIECE", 7)
    stop.append(Exports(Index(2)))  # type: ignore[arg-type]

    async def run() -> None:
        client = Client()
        await (await begin(stop[0]))(SCOPE, client.receive, client.send)
        assert max(len(message.get("body", b"")) for message in client.messages) == 7
        whole = b"".join(message.get("body", b"") for message in client.messages)
        assert [orjson.loads(line).get("id") for line in whole.splitlines()] == ["0", "1", None]

    asyncio.run(run())


def test_a_failure_midway_leaves_the_last_line_out(stop: list[Exports]) -> None:
    index = Index(3, Unavailable("10.0.0.7"))
    stop.append(Exports(index))  # type: ignore[arg-type]

    async def run() -> None:
        client = Client()
        answer = await begin(stop[0])
        with pytest.raises(Unavailable):
            await answer(SCOPE, client.receive, client.send)
        assert [line["id"] for line in client.body] == ["0", "1", "2"]
        assert client.messages[-1]["more_body"]
        await until(lambda: len(stop[0]._free) == MAX_EXPORTS)

    asyncio.run(run())
    assert index.open == 0


@pytest.mark.parametrize("failure", [Unavailable("away"), Rejected("bad")])
def test_a_failure_at_the_beginning_is_told_and_frees_the_place(stop: list[Exports], failure: Exception) -> None:
    stop.append(Exports(Index(0, failure)))  # type: ignore[arg-type]

    async def run() -> None:
        for _ in range(MAX_EXPORTS + 1):
            with pytest.raises(type(failure)):
                await begin(stop[0])
            await until(lambda: len(stop[0]._free) == MAX_EXPORTS)

    asyncio.run(run())


def test_only_so_many_run_at_a_time(stop: list[Exports]) -> None:
    stop.append(Exports(Index(10)))  # type: ignore[arg-type]

    async def run() -> None:
        running = [await begin(stop[0], f"10.0.0.{number // MAX_OF_CLIENT}") for number in range(MAX_EXPORTS)]
        with pytest.raises(Overloaded) as told:
            await begin(stop[0], "10.0.0.9")
        assert told.value.seconds == 10
        client = Client()
        await running[0](SCOPE, client.receive, client.send)
        await until(lambda: len(stop[0]._free) == 1)
        for answer in (*running[1:], await begin(stop[0], "10.0.0.9")):
            await answer(SCOPE, client.receive, client.send)

    asyncio.run(run())


def test_one_client_does_not_have_them_all(stop: list[Exports]) -> None:
    stop.append(Exports(Index(10)))  # type: ignore[arg-type]

    async def run() -> None:
        running = [await begin(stop[0]) for _ in range(MAX_OF_CLIENT)]
        with pytest.raises(Overloaded):
            await begin(stop[0])
        running.append(await begin(stop[0], "10.0.0.2"))
        client = Client()
        for answer in running:
            await answer(SCOPE, client.receive, client.send)
        await until(lambda: len(stop[0]._free) == MAX_EXPORTS)
        assert not stop[0]._clients
        await (await begin(stop[0]))(SCOPE, client.receive, client.send)

    asyncio.run(run())


@pytest.mark.parametrize("limit", [{"TOTAL_SECONDS": 0.05}, {"SLOW_SECONDS": 0.0, "LEAST_RATE": 1e15}])
def test_a_client_that_takes_too_little_on_the_whole_is_cut_off(
    stop: list[Exports], monkeypatch: pytest.MonkeyPatch, limit: dict[str, float]
) -> None:
    for name, value in limit.items():
        monkeypatch.setattr(exports, name, value)
    index = Index(1_000_000)
    stop.append(Exports(index))  # type: ignore[arg-type]

    async def run() -> None:
        client = Client()
        await (await begin(stop[0]))(SCOPE, client.receive, client.send)
        assert client.messages[-1]["more_body"]
        await until(lambda: len(stop[0]._free) == MAX_EXPORTS)
        assert index.open == 0

    asyncio.run(run())


def test_first_lines_that_take_too_long_are_not_waited_for(stop: list[Exports], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "FIRST_SECONDS", 0.05)
    index, held = Index(10), threading.Event()
    monkeypatch.setattr(index, "_chunks", lambda: held.wait(20) and iter(()))
    stop.append(Exports(index))  # type: ignore[arg-type]

    async def run() -> None:
        with pytest.raises(Overloaded, match="Export less"):
            await begin(stop[0])
        held.set()
        await until(lambda: len(stop[0]._free) == MAX_EXPORTS)

    asyncio.run(run())
