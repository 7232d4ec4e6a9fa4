"""Commands sent under an Idempotency-Key until they are answered, and what their answers promised."""

from __future__ import annotations

import random
import threading
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

import httpx

DEADLINE = 60.0  # seconds until a command must have been answered, through all kills


@dataclass
class History:
    """`versions` is the newest acknowledged version by id; a deleted id has `None` as its name."""

    url: str
    versions: dict[str, int] = field(default_factory=dict)
    names: dict[str, str | None] = field(default_factory=dict)
    acknowledged: int = 0
    refused: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def write(self, worker: int, commands: int) -> None:
        """A mix of creates, changes and deletes of one client, one after the other."""
        draw, mine = random.Random(worker), []
        with httpx.Client(timeout=10) as client:
            for number in range(commands):
                dice = draw.random()
                if dice < 0.6 or not mine:
                    name = f"Person {worker} {number}"
                    body = {"name": name, "email": f"w{worker}n{number}@example.com"}
                    answer = self._send(client, "POST", self.url, json=body)
                    mine.append(answer.json()["id"])
                    self._note(answer.json()["id"], 1, name)
                elif dice < 0.92:
                    id_, name = draw.choice(mine), f"Changed {worker} {number}"
                    headers = {"Content-Type": "application/merge-patch+json"}
                    answer = self._send(client, "PATCH", f"{self.url}/{id_}", json={"name": name}, headers=headers)
                    self._note(id_, answer.json()["version"], name)
                else:
                    id_ = mine.pop(draw.randrange(len(mine)))
                    answer = self._send(client, "DELETE", f"{self.url}/{id_}")
                    self._note(id_, int(answer.headers["consistency-token"].rpartition("@")[2]), None)

    def _send(self, client: httpx.Client, method: str, url: str, *, headers: dict[str, str] | None = None, **body: Any) -> httpx.Response:
        """The same key at every try: a command is done once, however often it is sent."""
        sent = {**(headers or {}), "Idempotency-Key": str(uuid.uuid4())}
        until = time.monotonic() + DEADLINE
        while True:
            try:
                answer = client.request(method, url, headers=sent, **body)
                if answer.is_success:
                    return answer
                assert answer.status_code == 503, answer.text
            except httpx.TransportError:
                pass
            assert time.monotonic() < until, f"{method} was not answered in {DEADLINE} s"
            time.sleep(0.02)

    def _note(self, id_: str, version: int, name: str | None) -> None:
        with self._lock:
            self.versions[id_], self.names[id_] = version, name
            self.acknowledged += 1
