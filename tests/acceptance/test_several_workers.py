"""--workers on real engines: several processes answer on one port, come back when they are killed, and end with their supervisor."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.acceptance.checks import check, wait_for
from tests.acceptance.conftest import Cluster
from tests.acceptance.history import History
from tests.acceptance.roles import Role, ended, run

COMMANDS, CLIENTS, CONNECTIONS = 1200, 12, 40
pytestmark = [pytest.mark.engine, pytest.mark.timeout(240)]


def two(cluster: Cluster, name: str) -> Role:
    return Role([name, "--workers", "2"], cluster.environment, cluster.folder)


@pytest.fixture
def command(cluster: Cluster) -> Iterator[Role]:
    with two(cluster, "command") as role:
        yield role


def test_workers_are_killed_under_load(cluster: Cluster) -> None:
    command, query = two(cluster, "command"), two(cluster, "query")
    roles = [command, query, cluster.role("relay"), cluster.role("project")]
    history = History(cluster.command_url)
    with ExitStack() as stack, ThreadPoolExecutor(CLIENTS) as pool:
        for role in roles:
            stack.enter_context(role)
        done = [pool.submit(history.write, client, COMMANDS // CLIENTS) for client in range(CLIENTS)]
        for part, role in ((1, command), (2, query), (3, command)):
            wait_for(lambda acknowledged=part * COMMANDS // 4: history.acknowledged >= acknowledged, 60)
            _kill_one(role)
        for each in done:
            each.result()
        check(cluster, history)
        assert [role.stop() for role in roles] == [0] * len(roles)


def _kill_one(role: Role) -> None:
    """One of the two is killed, and a new one beside the other serves."""
    killed, other = role.workers()
    served = role.log.read_text().count("a worker serves")
    os.kill(killed, signal.SIGKILL)
    wait_for(lambda: role.log.read_text().count("a worker serves") > served, 30)
    now = role.workers()
    assert len(now) == 2
    assert killed not in now
    assert other in now


def test_both_answer_on_one_port_and_stop_softly(cluster: Cluster, command: Role) -> None:
    workers = command.workers()
    before = [_descriptors(pid) for pid in workers]
    with ExitStack() as stack:
        clients = [stack.enter_context(httpx.Client()) for _ in range(CONNECTIONS)]
        assert {client.get(_health(cluster)).status_code for client in clients} == {200}
        taken = [_descriptors(pid) - count for pid, count in zip(workers, before, strict=True)]
    assert len(taken) == 2
    assert min(taken) > 0
    assert sum(taken) == CONNECTIONS
    assert "".join(command.output).count("command service") == 1
    assert command.stop() == 0
    assert all(map(ended, workers))


def test_options_reach_the_workers_and_a_free_port_is_one_for_all(cluster: Cluster) -> None:
    """The command line has the last word, over the environment that workers are started with too."""
    environment = {**cluster.environment, "TWOFOLD_APP": "nowhere:app", "TWOFOLD_WRITE_URL": "mysql://nobody:x@127.0.0.1:1/nothing"}
    options = ["--app", cluster.environment["TWOFOLD_APP"], "--write-url", cluster.environment["TWOFOLD_WRITE_URL"], "--command-port", "0"]
    with Role(["command", "--workers", "2", *options], environment, cluster.folder) as role:
        url = role.output[0].split()[2]
        assert url != cluster.command_url.rpartition("/")[0]
        assert {httpx.get(f"{url}/readyz").json()["engines"]["write store"] for _ in range(CONNECTIONS)} == {"ok"}
        assert role.stop() == 0


def _descriptors(pid: int) -> int:
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())


def _health(cluster: Cluster) -> str:
    return cluster.command_url.rpartition("/")[0] + "/livez"


def test_no_worker_stays_behind_a_supervisor_that_is_killed(cluster: Cluster, command: Role) -> None:
    workers = command.workers()
    command.kill()
    wait_for(lambda: all(map(ended, workers)), 10)
    command.start()
    assert httpx.get(_health(cluster)).status_code == 200
    assert command.stop() == 0


def test_a_port_that_is_taken_is_refused_to_workers_and_theirs_to_others(cluster: Cluster, command: Role) -> None:
    port = urlsplit(cluster.command_url).port
    for arguments in (["command"], ["command", "--workers", "2"]):
        refused = cluster.run(*arguments)
        assert refused.returncode == 2
        assert f"Cannot listen on 127.0.0.1:{port}" in refused.stderr
    assert command.stop() == 0
    with socket.create_server(("127.0.0.1", port)):
        refused = cluster.run("command", "--workers", "2")
        assert refused.returncode == 2
        assert f"Cannot listen on 127.0.0.1:{port}" in refused.stderr


def test_a_schema_that_is_old_is_refused_once(cluster: Cluster, tmp_path: Path) -> None:
    old = {**cluster.environment, "TWOFOLD_WRITE_URL": cluster.environment["TWOFOLD_WRITE_URL"].replace(cluster.name, "information_schema")}
    refused = run(["command", "--workers", "2"], old, tmp_path)
    assert refused.returncode == 3
    assert refused.stderr.count("twofold migrate") == 1
