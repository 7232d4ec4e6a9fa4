"""Writes at a steady rate, and reads that carry the tokens of those writes, until told to stop."""

from __future__ import annotations

import http.client
import random
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from email.message import Message
from typing import Any
from urllib.parse import quote, urlsplit

import orjson

LATE = ("projection-lagging", "read-store-unavailable")


@dataclass
class Load:
    """`written` and `read` count answers, `late` reads that said so, `old` holds what must not be: answers older than their token."""

    command_url: str
    query_url: str
    ids: list[str]
    written: int = 0
    read: int = 0
    late: int = 0
    old: list[str] = field(default_factory=list)
    tokens: deque[tuple[str, str]] = field(default_factory=lambda: deque(maxlen=1000))  # id and token
    deleted: set[str] = field(default_factory=set)  # or about to be
    stopping: threading.Event = field(default_factory=threading.Event)

    def write(self, rate: float, seed: int) -> None:
        """Creates, changes and deletes, `rate` a second. Every id belongs to one writer, so that its versions are known."""
        draw, connection = random.Random(seed), Connection(self.command_url)
        mine, begun, number = self.ids[seed::4], time.monotonic(), 0
        while not self.stopping.is_set():
            number += 1
            self._command(draw, connection, mine, f"w{seed}n{number}")
            if (ahead := begun + number / rate - time.monotonic()) > 0:
                self.stopping.wait(ahead)

    def _command(self, draw: random.Random, connection: Connection, mine: list[str], name: str) -> None:
        dice = draw.random()
        if dice < 0.2:
            status, headers, body = connection("POST", "", {"name": name, "email": f"{name}@example.com"})
            assert status == 201, body
            mine.append(orjson.loads(body)["id"])
            self.tokens.append((mine[-1], headers["Consistency-Token"]))
        elif dice < 0.9:
            id_ = draw.choice(mine)
            status, headers, body = connection("PATCH", f"/{id_}", {"name": name})
            assert status == 200, body
            self.tokens.append((id_, headers["Consistency-Token"]))
        else:
            id_ = mine.pop(draw.randrange(len(mine)))
            self.deleted.add(id_)
            status, headers, body = connection("DELETE", f"/{id_}")
            assert status == 204, body
            self.tokens.append((id_, headers["Consistency-Token"]))
        self.written += 1

    def reads(self, seed: int) -> None:
        """Gets and searches, each with the token of a recent write; and plain searches, which always find something."""
        draw, connection = random.Random(-seed), Connection(self.query_url)
        while not self.stopping.is_set():
            if not self.tokens:
                time.sleep(0.01)
                continue
            id_, token = self.tokens[draw.randrange(-min(20, len(self.tokens)), 0)]
            draw.choice((self._get, self._search, self._plain))(connection, id_, token)
            self.read += 1

    def _get(self, connection: Connection, id_: str, token: str) -> None:
        status, _, body = connection("GET", f"/{id_}", token=token)
        self._judge(token, status, body, [orjson.loads(body)] if status == 200 else [])

    def _search(self, connection: Connection, id_: str, token: str) -> None:
        status, _, body = connection("GET", f"?filter={quote(f'id = {id_}')}", token=token)
        self._judge(token, status, body, orjson.loads(body)["items"] if status == 200 else [])

    def _plain(self, connection: Connection, *_: Any) -> None:
        status, _, body = connection("GET", "?limit=1")
        if status != 200 or not orjson.loads(body)["items"]:
            self.old.append(f"a search without a token: {status} {body[:300]!r}")

    def _judge(self, token: str, status: int, body: bytes, found: list[dict[str, Any]]) -> None:
        """A read may say that it is late. Else it is as new as its token, which a delete that came later is too."""
        id_, _, version = token.partition("/")[2].partition("@")
        if status == 503 and orjson.loads(body)["code"] in LATE:
            self.late += 1
        elif not (all(each["version"] >= int(version) for each in found) if found else status in (200, 404) and id_ in self.deleted):
            self.old.append(f"{token}: {status} {body[:300]!r}")


class Connection:
    """One HTTP connection that is kept."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._path, self._http = parts.path, http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)

    def __call__(self, method: str, path: str, body: Any = None, token: str | None = None) -> tuple[int, Message, bytes]:
        headers = {} if token is None else {"Consistency-Token": token}
        if body is not None:
            headers["Content-Type"] = "application/merge-patch+json" if method == "PATCH" else "application/json"
        self._http.request(method, self._path + path, None if body is None else orjson.dumps(body), headers)
        answer = self._http.getresponse()
        return answer.status, answer.headers, answer.read()
