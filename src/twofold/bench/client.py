"""Requests that wrk cannot make, because their answers are needed: ids of what was created, one answer at a time."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from typing import Any

import orjson

from twofold.bench.wrk import HOST, MARK
from twofold.errors import EngineError

THREADS = 8
PATIENCE = 30.0  # seconds that a full service is asked again


class Client:
    """One connection to a service on this machine."""

    def __init__(self, port: int) -> None:
        self._connection = HTTPConnection(HOST, port, timeout=30)

    def send(
        self, method: str, path: str, body: bytes | None = None, content_type: str = "application/json", **headers: str
    ) -> tuple[int, bytes]:
        """`headers`: consistency_token is Consistency-Token."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        self._connection.request(method, path, body, {**sent, "Content-Type": content_type} if body is not None else sent)
        response = self._connection.getresponse()
        return response.status, response.read()

    def get(self, path: str) -> Any:
        """The answer's JSON. Raises EngineError for any status but 200."""
        status, answer = self.send("GET", path)
        if status != 200:
            raise EngineError(f"GET {path}: {status} {answer[:300].decode(errors='replace')}")
        return orjson.loads(answer)

    def close(self) -> None:
        self._connection.close()


class Digits:
    """Sixteen digits that occur once, for MARK in bodies that Python sends; wrk makes its own, from another salt."""

    def __init__(self) -> None:
        self._numbers = itertools.count(random.randrange(10_000_000, 90_000_000) * 100_000_000)  # noqa: S311 - new, not secret

    def unique(self, text: bytes) -> bytes:
        return text.replace(MARK.encode(), str(next(self._numbers)).encode())


def create(port: int, path: str, bodies: Sequence[bytes], count: int) -> list[str]:
    """Creates so many resources, and returns their ids. A service that is full is asked again."""
    digits = Digits()
    made = [digits.unique(bodies[number % len(bodies)]) for number in range(count)]
    parts = [made[start::THREADS] for start in range(THREADS)]
    with ThreadPoolExecutor(THREADS) as pool:
        return [id_ for ids in pool.map(lambda part: _create(port, path, part), parts) for id_ in ids]


def _create(port: int, path: str, bodies: Sequence[bytes]) -> list[str]:
    client = Client(port)
    try:
        return [_created(client, path, body) for body in bodies]
    finally:
        client.close()


def _created(client: Client, path: str, body: bytes) -> str:
    until = time.monotonic() + PATIENCE
    while True:
        status, answer = client.send("POST", path, body)
        if status == 201:
            id_: str = orjson.loads(answer)["id"]
            return id_
        if status != 503 or time.monotonic() > until:
            raise EngineError(f"POST {path}: {status} {answer[:300].decode(errors='replace')}")
        time.sleep(0.1)
