"""What must hold when everything has come to rest: table, index and topic are what the answers promised."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import httpx
import orjson

from tests import engines
from tests.acceptance.conftest import Cluster
from tests.acceptance.history import History
from tests.acceptance.raw import topic
from tests.pipeline.systems import connect

SETTLE_SECONDS = 60


def check(cluster: Cluster, history: History) -> None:
    """Waits until nothing is on its way, then holds all three stores against the history."""
    _settle(cluster)
    _check_table(cluster, history)
    _check_index(cluster, history)
    _check_topic(cluster, history)


def _settle(cluster: Cluster) -> None:
    def settled() -> bool:
        found = orjson.loads(cluster.run("status", "--json").stdout)
        [resource] = found["resources"].values()
        return found["outbox"].get("pending") == 0 and resource["topic"].get("lag") == 0

    wait_for(settled, SETTLE_SECONDS)


def _check_table(cluster: Cluster, history: History) -> None:
    with connect(cluster.name) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT id, version, name FROM person")
        rows = {id_: (version, name) for id_, version, name in cursor.fetchall()}
        cursor.execute("SELECT id, version FROM tombstone")
        dead = dict(cursor.fetchall())
    assert rows == {id_: (history.versions[id_], name) for id_, name in history.names.items() if name is not None}
    assert dead == {id_: history.versions[id_] for id_, name in history.names.items() if name is None}


def _check_index(cluster: Cluster, history: History) -> None:
    """Every hit of the query service, page by page, and a get of every deleted id."""
    httpx.post(f"{engines.ELASTICSEARCH}/{cluster.name}/_refresh").raise_for_status()
    found, cursor = {}, None
    with httpx.Client() as client:
        while True:
            page = client.get(cluster.query_url, params={"limit": 100, "sort": "id", **({"cursor": cursor} if cursor else {})})
            page.raise_for_status()
            found |= {item["id"]: (item["version"], item["name"]) for item in page.json()["items"]}
            cursor = page.json()["next_cursor"]
            if cursor is None:
                break
        for id_ in [id_ for id_, name in history.names.items() if name is None][:20]:
            assert client.get(f"{cluster.query_url}/{id_}").status_code == 404
    assert found == {id_: (history.versions[id_], name) for id_, name in history.names.items() if name is not None}


def _check_topic(cluster: Cluster, history: History) -> None:
    """Every version at least once, first occurrences in version order, duplicates only of versions seen before."""
    seen: dict[str, int] = {}
    for message in topic(engines.KAFKA, f"{cluster.name}-topic"):
        key, version = message.key().decode(), int(dict(message.headers())["ce_sequence"])
        assert version <= seen.get(key, 0) + 1, f"{key}: version {version} came right after {seen.get(key, 0)}"
        seen[key] = max(seen.get(key, 0), version)
    assert seen == history.versions


def wait_for(condition: Callable[[], Any], seconds: float) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "this did not come about in time"
        threading.Event().wait(0.05)
