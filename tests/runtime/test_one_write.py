"""The head of an answer travels with its body, and nothing is held back that nothing follows."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import uvloop
from starlette.types import Receive, Scope, Send

from twofold.runtime.onewrite import OneWrite
from twofold.runtime.process import bind
from twofold.runtime.server import Server

SECONDS = 10


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers as the path says."""
    while (await receive()).get("more_body"):
        pass
    path = scope["path"]
    status, length = (204, []) if path == "/empty" else (200, [] if path == "/chunks" else [(b"content-length", b"4")])
    await send({"type": "http.response.start", "status": status, "headers": length})
    if path == "/chunks":
        await send({"type": "http.response.body", "body": b"one", "more_body": True})
        await send({"type": "http.response.body", "body": b"two", "more_body": False})
    else:
        await send({"type": "http.response.body", "body": b"" if path == "/empty" else b"body"})


@contextmanager
def served() -> Iterator[int]:
    bound = bind("127.0.0.1", 0, "TWOFOLD_COMMAND_PORT")
    server = Server(app)
    thread = threading.Thread(target=lambda: uvloop.run(server.serve([bound])), daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.001)
    try:
        yield bound.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(SECONDS)


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with served() as port:
        yield port


def exchanged(port: int, request: bytes, ends: bytes) -> bytes:
    """What comes back, up to `ends`."""
    with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as connection:
        connection.sendall(request)
        answer = b""
        while not answer.endswith(ends):
            part = connection.recv(65536)
            assert part, answer
            answer += part
        return answer


@pytest.mark.parametrize(
    ("request_", "ends"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\r\n\r\nbody"),
        (b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n", b"content-length: 4\r\n\r\n"),
        (b"GET /empty HTTP/1.1\r\nHost: x\r\n\r\n", b"\r\n\r\n"),
        (b"GET /chunks HTTP/1.1\r\nHost: x\r\n\r\n", b"\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 3, b"body"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi", b"\r\n\r\nbody"),
    ],
    ids=["body", "head", "empty", "chunks", "pipelined", "closing"],
)
def test_every_answer_arrives_whole(port: int, request_: bytes, ends: bytes) -> None:
    answer = exchanged(port, request_, ends)
    assert answer.count(b"HTTP/1.1 20") == 1 or request_.count(b"GET") == 3


def test_who_waits_for_leave_to_send_a_body_gets_it(port: int) -> None:
    head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as connection:
        connection.sendall(head)
        assert connection.recv(65536).startswith(b"HTTP/1.1 100 ")
        connection.sendall(b"hi")
        assert connection.recv(65536).endswith(b"\r\n\r\nbody")


class Transport:
    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def close(self) -> None:
        self.closed = True


def test_head_and_body_are_one_write() -> None:
    inner: Any = Transport()
    one = OneWrite(inner, lambda: None)
    one.write(b"HTTP/1.1 200 OK\r\n\r\n")
    assert inner.written == []
    one.write(b"body")
    assert inner.written == [b"HTTP/1.1 200 OK\r\n\r\nbody"]


def test_a_head_alone_is_written_before_the_end() -> None:
    inner: Any = Transport()
    one = OneWrite(inner, lambda: None)
    one.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    one.end()
    assert (inner.written, inner.closed) == ([b"HTTP/1.1 400 Bad Request\r\n\r\n"], True)
