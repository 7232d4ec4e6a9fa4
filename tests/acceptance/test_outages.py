"""Engines die under load, or are away at the start: every loop waits, resumes by itself, and nothing acknowledged is lost."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.acceptance.checks import check, wait_for
from tests.acceptance.conftest import ROOT, Cluster
from tests.acceptance.history import History

COMMANDS, WORKERS = 800, 8
ROLES = ("command", "relay", "project", "query")
OUTAGE_SECONDS = 4
pytestmark = [pytest.mark.engine, pytest.mark.alone, pytest.mark.timeout(300)]


def engine(what: str, name: str) -> None:
    command = [sys.executable, "-m", "dev.engines", what, name]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode and not os.environ.get("CI"):
        pytest.skip(f"only an engine that `make engines` started can be killed: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr


@contextmanager
def away(name: str) -> Iterator[None]:
    """The engine is killed, and comes back."""
    engine("kill", name)
    try:
        yield
    finally:
        engine("start", name)


@contextmanager
def running(cluster: Cluster) -> Iterator[None]:
    roles = [cluster.role(name) for name in ROLES]
    try:
        for role in roles:
            role.start()
        yield
        assert [role.stop() for role in roles] == [0] * len(roles)
    finally:
        for role in roles:
            role.__exit__()


@pytest.mark.parametrize("name", ["kafka", "elasticsearch", "mysql"])
def test_an_engine_dies_under_load(cluster: Cluster, name: str) -> None:
    history = History(cluster.command_url)
    with running(cluster), ThreadPoolExecutor(WORKERS) as pool:
        done = [pool.submit(history.write, worker, COMMANDS // WORKERS) for worker in range(WORKERS)]
        wait_for(lambda: history.acknowledged >= COMMANDS // 4, 60)
        with away(name):
            time.sleep(OUTAGE_SECONDS)  # the outage itself
        for each in done:
            each.result()
        check(cluster, history)


def test_commands_are_accepted_while_kafka_is_down(cluster: Cluster) -> None:
    history = History(cluster.command_url)
    with running(cluster):
        with away("kafka"):
            history.write(1, 50)
            ready = httpx.get(cluster.command_url.rpartition("/")[0] + "/readyz", timeout=20)
            assert ready.status_code == 200
            assert ready.json()["engines"]["event log"] in ("unavailable", "slow")
        check(cluster, history)


def test_an_engine_that_is_down_at_the_start_is_waited_for(cluster: Cluster, tmp_path: Path) -> None:
    role = cluster.role("query")
    with away("elasticsearch"), ThreadPoolExecutor(1) as pool:
        started = pool.submit(role.start)
        wait_for(lambda: role.log.exists() and "waiting for an engine" in role.log.read_text(), 30)
        assert "read store" in role.log.read_text()
        engine("start", "elasticsearch")
        started.result()
    assert role.stop() == 0


def test_a_schema_that_is_old_is_refused_with_what_to_run(cluster: Cluster) -> None:
    cluster.environment["TWOFOLD_WRITE_URL"] = cluster.environment["TWOFOLD_WRITE_URL"].replace(cluster.name, "information_schema")
    refused = cluster.run("command")
    assert refused.returncode == 3
    assert "twofold migrate" in refused.stderr
