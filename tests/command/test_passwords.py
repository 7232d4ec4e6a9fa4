"""Passwords are hashed by few at a time, and nobody waits for long."""

# ruff: noqa: PT017 - not every input is refused
# ruff: noqa: RUF001 - letters that look alike are the point

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from argon2 import PasswordHasher

from twofold.command import passwords
from twofold.command.passwords import PHC, HashPool, is_common, normalised
from twofold.errors import Overloaded

SECONDS = 10


class Slow:
    """A hasher that waits to be let through."""

    def __init__(self) -> None:
        self.open = threading.Event()

    def hash(self, password: str) -> str:
        assert self.open.wait(SECONDS)
        return f"hash of {password}"


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[Slow]:
    slow = Slow()
    monkeypatch.setattr(passwords, "_HASHER", slow)
    yield slow
    slow.open.set()


@pytest.fixture
def pool(slow: Slow) -> Iterator[HashPool]:
    pool = HashPool(workers=1)
    yield pool
    slow.open.set()
    pool.close()


def fill(pool: HashPool) -> int:
    """How many passwords are taken before the pool says that it is full."""
    for taken in range(1000):
        try:
            pool.submit("secret")
        except Overloaded as error:
            assert (error.code, error.seconds) == ("overloaded", 2)
            return taken
    raise AssertionError("the pool is never full")


def test_a_hash_is_argon2id_at_the_floor_of_owasp() -> None:
    pool = HashPool(workers=1)
    made = pool.submit("correct horse").result(SECONDS)
    pool.close()
    assert made.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert PHC.fullmatch(made)
    assert PasswordHasher().verify(made, "correct horse")


def test_many_are_hashed_each_with_its_own_salt(quick_hashes: None) -> None:
    pool = HashPool()
    assert len(set(pool.many(["the same"] * 10))) == 10
    pool.close()


def test_no_more_is_taken_than_is_hashed_in_two_seconds(pool: HashPool) -> None:
    assert fill(pool) == 67  # at 30 ms each


def test_a_full_pool_takes_again_when_it_is_empty(pool: HashPool, slow: Slow) -> None:
    fill(pool)
    slow.open.set()
    while pool._waiting:  # each makes room when it is done
        pass
    assert pool.submit("again").result(SECONDS) == "hash of again"


def test_who_went_away_makes_room(pool: HashPool, slow: Slow) -> None:
    running = pool.submit("runs")
    waiting = [pool.submit("waits") for _ in range(66)]
    assert all(future.cancel() for future in waiting[1:])
    slow.open.set()
    assert [future.result(SECONDS) for future in (running, waiting[0])] == ["hash of runs", "hash of waits"]
    pool.close()
    assert pool._waiting == 0


@pytest.mark.parametrize("password", ["password", "PASSWORD", "12345678", "qwertyuiop", "ｐａｓｓｗｏｒｄ"])
def test_common_ones_are_known_however_they_are_written(password: str) -> None:
    assert is_common(password)


def test_each_of_the_list_is_known() -> None:
    listed = passwords._COMMON.read_text("ascii").splitlines()
    assert len(listed) == 30_000
    assert all(map(is_common, listed))


@pytest.mark.parametrize("password", ["correct horse battery", "пароль верный", "🐎🔋📎✅"])
def test_others_are_not_common(password: str) -> None:
    assert not is_common(password)


def test_one_keyboards_accent_is_anothers() -> None:
    assert normalised("cafe\u0301") == normalised("café")
