"""A broker that is paused: whoever reads goes on behind it, whatever librdkafka makes of it. `pauses.py` does it at length."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from brokers import Brokers
from dev.engines.settings import EngineError
from pauses import Group, paused

SECONDS = (5.0, 10.2)  # behind these the broker is fenced for a moment, and members are gone from the group or not
PATIENCE = 60.0


@pytest.fixture(scope="module")
def brokers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Brokers]:
    """A cluster of one broker, where its members find no other one."""
    brokers = Brokers(tmp_path_factory.mktemp("kafka"), 1)
    try:
        brokers.start()
    except EngineError as error:
        brokers.kill()
        (pytest.fail if os.environ.get("CI") else pytest.skip)(str(error))
    yield brokers
    brokers.kill()


@pytest.mark.engine
def test_members_are_level_again_behind_pauses_of_the_only_broker(brokers: Brokers) -> None:
    group = Group(brokers.servers, 6)
    assert group.level(PATIENCE) is not None
    for seconds in SECONDS:
        paused(brokers, 0, seconds)
        assert group.level(PATIENCE) is not None, f"behind {seconds} s: {dict(group.troubles)}"
    assert group.close() < PATIENCE
    assert group.wrong == set()
