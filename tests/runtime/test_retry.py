"""Waits grow up to a bound, are never the same twice, and begin anew after a success."""

from __future__ import annotations

from twofold.runtime.retry import Backoff


def test_each_wait_lies_in_the_upper_half_of_a_bound_that_doubles() -> None:
    backoff = Backoff(0.1, 5.0)
    for bound in (0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0):
        assert bound / 2 <= backoff.next() <= bound


def test_a_success_begins_anew() -> None:
    backoff = Backoff(0.1, 5.0)
    for _ in range(10):
        backoff.next()
    backoff.reset()
    assert backoff.next() <= 0.1


def test_two_clients_do_not_come_back_together() -> None:
    waits = {Backoff(1.0, 1.0).next() for _ in range(100)}
    assert len(waits) == 100
