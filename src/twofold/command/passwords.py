"""Passwords become argon2id hashes, in a bounded pool, before any transaction begins.

Parameters: OWASP Password Storage Cheat Sheet, the smallest it allows: m = 19 MiB, t = 2, p = 1. Normalisation and the blocklist:
NIST SP 800-63B-4, section 3.1.1.2.
"""

from __future__ import annotations

import re
import threading
import time
import unicodedata
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

from twofold.errors import Overloaded, Problem, Stopping
from twofold.runtime import cores

T = TypeVar("T")
LONGEST_WAIT = 2.0  # seconds
PHC = re.compile(r"\$argon2id\$v=19\$m=\d{1,7},t=\d{1,3},p=\d{1,2}\$[A-Za-z0-9+/]{11,86}\$[A-Za-z0-9+/]{22,86}")
_FOREIGN = re.compile(r"\$(argon2\w*|2[abxy]?|scrypt|s0|pbkdf2[\w-]*|[1567]|y|gy|sha1|apr1|P|H)\$")
_COSTS = re.compile(r"m=(\d+),t=(\d+),p=(\d+)")
MAX_MEMORY, MAX_PASSES, MAX_LANES = 1 << 20, 100, 16  # KiB, at each login; what a hash asks for is paid by who checks it
_COMMON = Path(__file__).parent / "common_passwords/passwords.txt"
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


def normalised(password: str) -> str:
    """The form that is hashed, so that one keyboard's é is another's."""
    return unicodedata.normalize("NFKC", password)


def is_hash(text: str) -> bool:
    """Whether this is an argon2id hash that can be stored as it is. Raises Problem 422 for one of another kind, or of too high a cost."""
    if PHC.fullmatch(text) and (costs := _COSTS.search(text)):
        memory, passes, lanes = map(int, costs.groups())
        if 1 <= passes <= MAX_PASSES and 1 <= lanes <= MAX_LANES and 8 * lanes <= memory <= MAX_MEMORY:
            return True
        limits = f"m up to {MAX_MEMORY} and at least 8 times p, t from 1 to {MAX_PASSES}, p from 1 to {MAX_LANES}"
        raise Problem(422, "validation-failed", f"This hash asks for too much, or cannot be checked: it needs {limits}.")
    if _FOREIGN.match(text):
        detail = "This looks like a hash, and of hashes only argon2id can be stored, as $argon2id$v=19$m=…,t=…,p=…."
        raise Problem(422, "validation-failed", detail)
    return False


def is_common(password: str) -> bool:
    """Whether it is among the 30,000 most used ones."""
    return normalised(password).casefold() in _common()


@cache
def _common() -> frozenset[str]:
    return frozenset(_COMMON.read_text("ascii").split())


class HashPool:
    """Hashes on all usable cores but one. Whoever would wait longer than LONGEST_WAIT is told to come back."""

    def __init__(self, workers: int = 0) -> None:
        self._workers = workers or self.workers()
        self._pool = ThreadPoolExecutor(self._workers, thread_name_prefix="hash")
        self._lock = threading.Lock()
        self._waiting, self._closed = 0, False
        self._seconds = 0.03  # a hash's cost, kept up by measuring

    @staticmethod
    def workers() -> int:
        return max(1, cores.usable() - 1)

    def submit(self, password: str) -> Future[str]:
        """The hash as a PHC string, in time. Raises Overloaded when the pool is full, Stopping behind `close`."""
        return self._queued(lambda: _HASHER.hash(password))

    def matches(self, hashed: str, password: str) -> Future[bool]:
        """Whether this hash is of this password, in time. Raises as `submit` does."""
        return self._queued(lambda: _matches(hashed, password))

    def _queued(self, work: Callable[[], T]) -> Future[T]:
        with self._lock:
            if self._waiting * self._seconds / self._workers > LONGEST_WAIT:
                raise Overloaded("Too many passwords are being hashed. Try again in a moment.", seconds=2)
            if self._closed:
                raise Stopping
            future = self._pool.submit(self._timed, work)
            self._waiting += 1
        future.add_done_callback(self._done)  # also when it was cancelled before it began
        return future

    def many(self, passwords: Sequence[str]) -> list[str]:
        """Hashes of a batch, for who has the time to wait."""
        return list(self._pool.map(_HASHER.hash, passwords))

    def close(self) -> None:
        with self._lock:
            self._closed = True
        self._pool.shutdown(cancel_futures=True)

    def _timed(self, work: Callable[[], T]) -> T:
        begun = time.perf_counter()
        try:
            return work()
        finally:
            with self._lock:
                self._seconds += (time.perf_counter() - begun - self._seconds) / 8

    def _done(self, _: Future[Any]) -> None:
        with self._lock:
            self._waiting -= 1


def _matches(hashed: str, password: str) -> bool:
    try:
        return _HASHER.verify(hashed, password)
    except VerifyMismatchError:
        return False
