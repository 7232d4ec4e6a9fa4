"""The same seed is the same plan, and a plan holds what it promises."""

from __future__ import annotations

from itertools import islice, pairwise

import pytest

from tests.chaos.operations import operations
from tests.chaos.plan import ENGINE_FAULTS, LONGEST, ROLE_FAULTS, ROUND_SECONDS, plan

SEEDS = range(20)


def test_the_same_seed_is_the_same_plan_and_the_same_operations() -> None:
    assert plan(7, 3600) == plan(7, 3600)
    assert plan(7, 3600) != plan(8, 3600)
    assert list(islice(operations(7, 1), 500)) == list(islice(operations(7, 1), 500))
    assert list(islice(operations(7, 1), 500)) != list(islice(operations(7, 2), 500))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_minute_has_every_kind_of_fault(seed: int) -> None:
    [only] = plan(seed, 45)
    kinds = {(fault.kind, fault.target.partition("-")[0]) for fault in only.faults}
    assert kinds >= {*ENGINE_FAULTS, *ROLE_FAULTS} - {("cut", "mysql")}
    assert all(fault.at + fault.seconds < only.seconds + LONGEST / 4 for fault in only.faults)
    [pause] = [fault for fault in only.faults if (fault.kind, fault.target) == ("pause", "kafka")]
    assert 5 <= pause.seconds <= 11


@pytest.mark.parametrize("seed", SEEDS)
def test_no_two_faults_have_one_target_at_a_time(seed: int) -> None:
    for each in plan(seed, 1200):
        for target in {fault.target for fault in each.faults}:
            faults = [fault for fault in each.faults if fault.target == target]
            assert all(one.at + one.seconds <= next_.at for one, next_ in pairwise(faults))


def test_an_hour_is_rounds_with_faults_of_every_length() -> None:
    rounds = plan(7, 3600)
    faults = [fault for each in rounds for fault in each.faults]
    assert sum(each.seconds for each in rounds) == pytest.approx(3600)
    assert max(each.seconds for each in rounds) <= ROUND_SECONDS
    assert min(fault.seconds for fault in faults if fault.seconds) < 2
    assert max(fault.seconds for fault in faults) > LONGEST * 0.8
    assert {(fault.kind, fault.target.partition("-")[0]) for fault in faults} == {*ENGINE_FAULTS, *ROLE_FAULTS}
