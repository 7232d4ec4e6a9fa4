"""Rebuild, two kill -9, resume, roll back, rebuild again, under writes and reads with tokens: nothing lost, nothing older than its token.

`TWOFOLD_REBUILD_PEOPLE=200000 TWOFOLD_REBUILD_WRITES=500` is the size that the promise is made for; what runs by default is smaller.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import orjson
import pytest

from tests.acceptance.checks import _settle
from tests.acceptance.conftest import Cluster
from tests.acceptance.load import Load

PEOPLE = int(os.environ.get("TWOFOLD_REBUILD_PEOPLE", "10000"))
WRITES = int(os.environ.get("TWOFOLD_REBUILD_WRITES", "200"))
ROLES = ("command", "relay", "project", "query")
WRITERS, READERS = 4, 3
SLOW = str(max(1000, PEOPLE // 10))  # documents a second, so that there is time for kills


@pytest.mark.engine
@pytest.mark.timeout(600)
def test_rebuilds_are_killed_resumed_and_rolled_back_under_load(cluster: Cluster) -> None:
    roles = {name: cluster.role(name) for name in ROLES}
    try:
        for role in roles.values():
            role.start()
        load = Load(cluster.command_url, cluster.query_url, _fill(cluster))
        with ThreadPoolExecutor(WRITERS + READERS) as pool:
            running = [pool.submit(load.write, WRITES / WRITERS, seed) for seed in range(WRITERS)]
            running += [pool.submit(load.reads, seed) for seed in range(READERS)]
            try:
                _story(cluster)
            finally:
                load.stopping.set()
            for each in running:
                each.result()
        _settle(cluster)
        verified = cluster.run("verify", cluster.name, "--deep", "--json")
        sys.stdout.write(f"{PEOPLE} people, {load.written} writes, {load.read} reads, {load.late} late: {verified.stdout}\n")
        assert verified.returncode == 0, verified.stdout + verified.stderr
        assert load.old == []
        assert load.read > load.late
        assert {name: role.stop() for name, role in roles.items()} == dict.fromkeys(ROLES, 0)
    finally:
        for role in roles.values():
            role.__exit__()


def _story(cluster: Cluster) -> None:
    first = _live(cluster)
    for seconds in (2.0, 4.0):
        _killed(cluster, seconds)
        assert _live(cluster) == first
    _done(cluster, "rebuild")
    second = _live(cluster)
    assert second != first
    _done(cluster, "rollback")
    assert _live(cluster) == first
    _done(cluster, "rebuild")
    assert _live(cluster) not in (first, second)


def _fill(cluster: Cluster) -> list[str]:
    lines = "\n".join(f'{{"name": "Person {number}", "email": "p{number}@example.com"}}' for number in range(PEOPLE))
    imported = cluster.run("import", cluster.name, "-", stdin=lines)
    assert imported.returncode == 0, imported.stderr
    _settle(cluster)
    ids, cursor = [], None
    with httpx.Client() as client:
        while len(ids) < 1000:
            page = client.get(cluster.query_url, params={"limit": 100, "sort": "id", **({"cursor": cursor} if cursor else {})}).json()
            ids, cursor = ids + [item["id"] for item in page["items"]], page["next_cursor"]
    return ids


def _killed(cluster: Cluster, seconds: float) -> None:
    process = _command(cluster, "rebuild", cluster.name, "--rate", SLOW)
    time.sleep(seconds)
    assert process.poll() is None, process.communicate()
    process.send_signal(signal.SIGKILL)
    process.communicate()


def _done(cluster: Cluster, command: str) -> None:
    process = _command(cluster, command, cluster.name)
    out, told = process.communicate(timeout=300)
    assert process.returncode == 0, out + told


def _command(cluster: Cluster, *arguments: str) -> subprocess.Popen[str]:
    environment = {**os.environ, **cluster.environment}
    command = [sys.executable, "-m", "twofold", *arguments]
    return subprocess.Popen(command, env=environment, cwd=Path(cluster.folder), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _live(cluster: Cluster) -> str:
    listed = cluster.run("generations", cluster.name, "--json")
    assert listed.returncode == 0, listed.stderr
    [live] = [each["name"] for each in orjson.loads(listed.stdout) if each["live"]]
    return live
