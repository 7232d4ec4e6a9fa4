"""The plainest bulk loader there is: bodies that are made beforehand, sent one after the other or two at a time."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import orjson

from benchmarks.stock import Person
from twofold.bench.workspace import search_client
from twofold.errors import EngineError
from twofold.index.elastic_client import Client


def body(people: Sequence[Person]) -> bytes:
    """A bulk with external versions, as the projector's."""
    parts = []
    for each in people:
        action = {"_id": each.operation.id, "version": each.operation.version, "version_type": "external"}
        parts += [orjson.dumps({"index": action}), each.operation.document]
    return b"\n".join([*parts, b""])


def load(url: str, index: str, bodies: Sequence[bytes], flight: int) -> float:
    """Sends all, `flight` at a time, to one index. Returns the seconds."""
    client = search_client(url)
    try:
        with ThreadPoolExecutor(flight) as pool:
            begun = time.monotonic()
            list(pool.map(partial(_send, client, index), bodies))
            return time.monotonic() - begun
    finally:
        client.close()


def _send(client: Client, index: str, body: bytes) -> None:
    _, answer = client.send_lines(f"/{index}/_bulk?filter_path=errors", body)
    if answer.get("errors"):
        raise EngineError("The bare loader's documents were not taken.")
