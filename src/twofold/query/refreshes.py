"""Refreshes of one resource's index for those who wait to find something, shared by all of them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from twofold.index.port import ReadStore
from twofold.resource import Declaration
from twofold.runtime.batcher import LATER, Batcher, Later

SECONDS = 0.1  # at least between the beginnings of two refreshes
REMEMBERED = 10_000  # versions that are known to be found


class Refreshes:
    """One at a time. Who asks while one runs waits for the next: only that begins after what was seen."""

    def __init__(self, resource: Declaration, index: ReadStore) -> None:
        self._resource, self._index = resource, index
        self._due = 0.0
        self._lane: Batcher[str, None] = Batcher(f"refresh-{resource.name}", self._run, max_items=4096)
        self._known: dict[tuple[str, str], int] = {}

    async def found(self, generation: str, versions: Mapping[str, int]) -> None:
        """Returns when searches of the generation find these versions by id, which gets have seen there already."""
        if all(self._known.get((generation, id_), 0) >= version for id_, version in versions.items()):
            return  # a session's tokens come with each of its reads
        await self._lane.ask(generation)
        for id_, version in versions.items():
            self._known.pop((generation, id_), None)
            self._known[generation, id_] = version
        while len(self._known) > REMEMBERED:
            del self._known[next(iter(self._known))]

    def stop(self) -> None:
        self._lane.stop()

    def _run(self, generations: list[str]) -> Sequence[Later | None]:
        now = time.monotonic()
        if now < self._due:
            return [LATER] * len(generations)
        self._due = now + SECONDS
        self._index.refresh(self._resource, generation=generations[0])
        return [None if each == generations[0] else LATER for each in generations]
