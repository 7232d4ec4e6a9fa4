"""Puts documents into the generation that is filled, until each has its final answer; and puts aside what is refused."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import structlog

from twofold.errors import Unavailable
from twofold.index.port import Operation, Outcome, Verdict
from twofold.letters import bury
from twofold.rebuild.parts import Parts
from twofold.rebuild.sources import Item, letter
from twofold.runtime.retry import Backoff

log: Any = structlog.get_logger()
EXAMPLES = 10  # ids of refused documents that are told


class Filler:
    """Used by two threads: the backfill's bulk runs beside the replay's. `refused` counts, `examples` are the first (id, reason)."""

    def __init__(self, parts: Parts, generation: str) -> None:
        self._parts, self._generation = parts, generation
        self._stopping = threading.Event()
        self.refused = 0
        self.examples: list[tuple[str, str]] = []

    def stop(self) -> None:
        """Whoever waits for the index gives up."""
        self._stopping.set()

    def fill(self, items: Sequence[Item], *, anew: bool) -> list[tuple[Item, str]]:
        """Applies all, however long it takes. Returns what was refused, with the reasons."""
        found = {operation.id: (operation, source) for operation, source in items}
        left, size, backoff, told = [operation for operation, _ in items], len(items), Backoff(), False
        refused: list[tuple[Item, str]] = []
        while left:
            outcomes, trouble = self._try(left[:size], anew=anew)
            final = {each.id: outcome for each, outcome in zip(left, outcomes, strict=False) if outcome.verdict is not Verdict.UNAVAILABLE}
            refused += [(found[id_], outcome.reason) for id_, outcome in final.items() if outcome.verdict is Verdict.REJECTED]
            left = [each for each in left if each.id not in final]
            if trouble is None:
                size, told = 2 * size, False
                backoff.reset()
                continue
            if not told:
                log.warning("waiting for the index", generation=self._generation, reason=trouble)
            size, told = max(1, size // 2), True
            if self._stopping.wait(backoff.next()):
                raise Unavailable("stopped while waiting for the index")
        return refused

    def put_aside(self, refused: Sequence[tuple[Item, str]]) -> None:
        """To the dead letters, as the projector does, and noted."""
        if not refused:
            return
        resource = self._parts.resource
        bury(resource, self._parts.log, [(letter(resource, source), reason) for (_, source), reason in refused])
        self._parts.index.refuse(resource, {operation.id: operation.version for (operation, _), _ in refused})
        self.refused += len(refused)
        room = EXAMPLES - len(self.examples)
        self.examples += [(operation.id, reason) for (operation, _), reason in refused[:room]]
        log.warning("dead letters", resource=resource.name, count=len(refused), first=refused[0][1])

    def _try(self, operations: Sequence[Operation], *, anew: bool) -> tuple[list[Outcome], str | None]:
        try:
            outcomes = self._parts.index.apply(self._parts.resource, operations, generation=self._generation, anew=anew)
        except Unavailable as error:
            return [], str(error)
        reasons = [outcome.reason for outcome in outcomes if outcome.verdict is Verdict.UNAVAILABLE]
        return outcomes, f"{len(reasons)} of {len(outcomes)} operations: {reasons[0]}" if reasons else None
