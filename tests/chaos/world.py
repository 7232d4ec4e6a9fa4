"""What the stores hold once all has come to rest: by SQL, a consumer and HTTP, without any part of twofold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson
import pymysql
from confluent_kafka import KafkaException

from tests.acceptance import raw
from tests.chaos.clients import NEEDLE
from tests.chaos.cluster import NAME, Cluster

PAGE = 5000
SECRETS = (NEEDLE, "$argon2")
TRACEBACK = "Traceback (most recent call last)"
OUTBOX = "SELECT count(*) FROM outbox"
ROWS = "SELECT id, version, handle, note, balance FROM account"
State = dict[str, Any]  # version, handle, note, balance


@dataclass(frozen=True, slots=True)
class Record:
    """One message of the topic. `value` is None where the resource was deleted."""

    key: str
    version: int
    type: str  # without the resource: deposit
    value: dict[str, Any] | None
    args: dict[str, Any] = field(default_factory=dict)


@dataclass
class World:
    rows: dict[str, State] = field(default_factory=dict)
    tombstones: dict[str, int] = field(default_factory=dict)
    records: list[Record] = field(default_factory=list)  # in each key's order
    documents: dict[str, State] = field(default_factory=dict)  # with `deleted`
    letters: int = 0
    leaks: list[str] = field(default_factory=list)  # where a secret stands
    tracebacks: list[str] = field(default_factory=list)  # logs


def behind(cluster: Cluster) -> str:
    """What is on its way still; nothing where all has arrived."""
    try:
        with cluster.mysql(NAME) as connection, connection.cursor() as cursor:
            cursor.execute(OUTBOX)
            [waiting] = cursor.fetchone() or [0]
        lag = raw.lag(_kafka(cluster), f"{NAME}-topic", f"{NAME}-group")
    except (pymysql.Error, KafkaException) as error:
        return repr(error)
    return f"{waiting} in the outbox and {lag} in the topic" if waiting or lag else ""


def gather(cluster: Cluster) -> World:
    messages = raw.topic(_kafka(cluster), f"{NAME}-topic")
    documents = list(_documents(cluster))
    rows, tombstones, receipts = _tables(cluster)
    logs = [(role.log.name, role.log.read_text(errors="replace")) for role in cluster.roles.values() if role.log.exists()]
    places = [*(("the topic", f"{message.value()!r} {message.headers()!r}") for message in messages), *receipts]
    places += [("the index", str(document)) for document in documents]
    return World(
        rows=rows,
        tombstones=tombstones,
        records=[_record(message) for message in messages],
        documents={document["id"]: document for document in documents},
        letters=len(raw.topic(_kafka(cluster), f"{NAME}-topic.dlq")),
        leaks=holding([*places, *logs], *SECRETS),
        tracebacks=holding(logs, TRACEBACK),
    )


def holding(places: Iterable[tuple[str, str]], *texts: str) -> list[str]:
    """The places that hold one of the texts."""
    return sorted({place for place, whole in places if any(text in whole for text in texts)})


def _kafka(cluster: Cluster) -> str:
    return cluster.engines["kafka"].url.removeprefix("kafka://")


def _record(message: Any) -> Record:
    headers = {name: value.decode() for name, value in message.headers()}
    value = message.value()
    return Record(
        key=message.key().decode(),
        version=int(headers["ce_sequence"]),
        type=headers["ce_type"].rpartition(".")[2],
        value=None if value is None else orjson.loads(value),
        args=orjson.loads(headers.get("ce_args", "{}")),
    )


def _tables(cluster: Cluster) -> tuple[dict[str, State], dict[str, int], list[tuple[str, str]]]:
    with cluster.mysql(NAME) as connection, connection.cursor() as cursor:
        cursor.execute(ROWS)
        rows = {id_: dict(zip(("version", "handle", "note", "balance"), state, strict=True)) for id_, *state in cursor.fetchall()}
        cursor.execute("SELECT id, version FROM tombstone")
        tombstones = dict(cursor.fetchall())
        cursor.execute("SELECT headers, body FROM receipt")
        return rows, tombstones, [("a receipt", f"{headers} {body}") for headers, body in cursor.fetchall()]


def _documents(cluster: Cluster) -> Iterator[dict[str, Any]]:
    """Every document of the index behind the alias, which itself does not show tombstones."""
    after: list[Any] = []
    with httpx.Client(base_url=f"http://127.0.0.1:{cluster.engines['elasticsearch'].port}", timeout=30) as client:
        [generation] = client.get(f"/_alias/{NAME}").raise_for_status().json()
        client.post(f"/{generation}/_refresh").raise_for_status()
        while True:
            asked = {"size": PAGE, "sort": [{"id": "asc"}], **({"search_after": after} if after else {})}
            answer = client.post(f"/{generation}/_search", json=asked)
            answer.raise_for_status()
            hits = answer.json()["hits"]["hits"]
            yield from (hit["_source"] for hit in hits)
            if len(hits) < PAGE:
                return
            after = hits[-1]["sort"]
