"""kill -9 of every role while 2,000 commands are sent: nothing acknowledged is lost, nothing is doubled, nothing is out of order."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.acceptance.checks import check, wait_for
from tests.acceptance.conftest import Cluster
from tests.acceptance.history import History

COMMANDS, WORKERS = 2000, 16
ROUNDS = int(os.environ.get("TWOFOLD_KILL_ROUNDS", "1"))
ROLES = ("command", "relay", "project", "query")


@pytest.mark.engine
@pytest.mark.timeout(240)
@pytest.mark.parametrize("round_", range(ROUNDS))
def test_every_role_is_killed_under_load(cluster: Cluster, round_: int) -> None:
    roles = {name: cluster.role(name) for name in ROLES}
    history = History(cluster.command_url)
    try:
        for role in roles.values():
            role.start()
        with ThreadPoolExecutor(WORKERS + 1) as pool:
            done = [pool.submit(history.write, worker, COMMANDS // WORKERS) for worker in range(WORKERS)]
            killer = pool.submit(_kill_each, roles, history)
            for each in done:
                each.result()
            killer.result()
        check(cluster, history)
        assert {name: role.stop() for name, role in roles.items()} == dict.fromkeys(ROLES, 0)
    finally:
        for role in roles.values():
            role.__exit__()


def _kill_each(roles: dict[str, Any], history: History) -> None:
    """Each role once or more, spread over the commands."""
    for number, name in enumerate((*ROLES, "command", "relay")):
        wait_for(lambda target=(number + 1) * COMMANDS // 8: history.acknowledged >= target, 120)
        roles[name].kill()
        roles[name].start()
