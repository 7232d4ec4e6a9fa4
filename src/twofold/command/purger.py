"""Removes what the write store keeps for a while only, whether or not commands come and a relay runs."""

from __future__ import annotations

from twofold.errors import Outdated
from twofold.runtime.service import Service
from twofold.store.port import WriteStore

EVERY = 30.0  # seconds
PAUSE = 0.05  # seconds between two small transactions, so that on SQLite commands come between


class Purger(Service):
    """One in each process that takes commands."""

    def __init__(self, store: WriteStore) -> None:
        super().__init__("purger")
        self._store = store

    def step(self) -> float:
        try:
            return PAUSE if self._store.purge() else EVERY
        except Outdated:  # commands tell
            return EVERY
