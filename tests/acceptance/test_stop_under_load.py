"""SIGTERM while many clients create users: every request that was read has an answer, which says what is known."""

from __future__ import annotations

import asyncio
import json
import signal
from collections import Counter
from pathlib import Path

import pytest

from tests.acceptance.roles import Role, free_port

CLIENTS = 60
SECONDS = 30


@pytest.fixture
def up(tmp_path: Path):
    ports = {"TWOFOLD_COMMAND_PORT": str(free_port()), "TWOFOLD_QUERY_PORT": str(free_port())}
    with Role(["up"], {"TWOFOLD_DATA": str(tmp_path / "data"), **ports}, tmp_path) as up:
        yield up


class Load:
    """Clients that create users one after the other, each over one connection that it keeps."""

    def __init__(self, port: int) -> None:
        self.port, self.answers, self.unanswered, self.number = port, [], 0, 0
        self.first = asyncio.Event()

    async def client(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        while True:
            self.number += 1
            body = json.dumps({"name": "Ana", "email": f"ana{self.number}@example.com", "password": "correct horse"}).encode()
            head = f"POST /users HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            try:
                writer.write(head.encode() + body)
                status, headers, found = await asyncio.wait_for(self.answer(reader), SECONDS)
            except (OSError, asyncio.IncompleteReadError):
                self.unanswered += 1
                return
            self.answers.append((status, found.get("code", "")))
            self.first.set()
            if headers.get("connection") == "close":
                writer.close()
                return

    async def answer(self, reader: asyncio.StreamReader) -> tuple[int, dict[str, str], dict[str, str]]:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:-2])}
        return int(head[0].split()[1]), headers, json.loads(await reader.readexactly(int(headers["content-length"])))


def test_every_request_is_answered(up: Role) -> None:
    async def run() -> Load:
        load = Load(int(up.environment["TWOFOLD_COMMAND_PORT"]))
        clients = [asyncio.create_task(load.client()) for _ in range(CLIENTS)]
        await load.first.wait()
        assert up.process is not None
        up.process.send_signal(signal.SIGTERM)
        await asyncio.gather(*clients)
        return load

    load = asyncio.run(run())
    assert up.process is not None
    assert up.process.wait(SECONDS) == 0, up.log.read_text()
    found = Counter(load.answers)
    assert load.unanswered == 0, found
    assert found.keys() <= {(201, ""), (503, "overloaded"), (503, "shutting-down"), (503, "outcome-unknown")}
    assert sum(found.values()) >= CLIENTS, found  # how many of them are refused, is how fast the machine is
    assert "Traceback" not in up.log.read_text()
    assert "ASGI" not in up.log.read_text()
