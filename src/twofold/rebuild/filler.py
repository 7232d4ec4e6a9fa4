"""Puts documents into the generation that is filled, until each has its final answer; and puts aside what is refused."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import structlog

from twofold.errors import Unavailable
from twofold.index.port import Operation, Outcome, Verdict
from twofold.letters import bury, versions
from twofold.rebuild.parts import Parts
from twofold.rebuild.sources import Items, Refusal, letter
from twofold.runtime.retry import Backoff

log: Any = structlog.get_logger()
EXAMPLES = 10  # ids of refused documents that are told


class Filler:
    """Used by two threads: the backfill's bulk runs beside the replay's. `refused` counts, `examples` are the first (id, reason).

    `check` raises once the generation may be another's: whoever waits for the index would wait for ever where that one dropped it.
    """

    def __init__(self, parts: Parts, generation: str, check: Callable[[], None]) -> None:
        self._parts, self._generation, self._check = parts, generation, check
        self._stopping = threading.Event()
        self.refused = 0
        self.examples: list[tuple[str, str]] = []

    def stop(self) -> None:
        """Whoever waits for the index gives up."""
        self._stopping.set()

    def fill(self, items: Items, *, anew: bool) -> list[Refusal]:
        """Applies all, however long it takes. Returns what is refused."""
        while items.newest.found:
            if self._stopping.is_set():
                raise Unavailable("stopped while filling")
            items.judge(self._applied(items.newest.operations, anew=anew))
        return items.refused

    def put_aside(self, refused: Sequence[Refusal]) -> None:
        """Noted, and to the dead letters, as the projector does."""
        if not refused:
            return
        resource = self._parts.resource
        letters = [(letter(resource, each.source), each.reason) for each in refused]
        self._parts.index.refuse(resource, versions(letters))
        bury(resource, self._parts.log, letters)
        self.refused += len(refused)
        self.examples += [(each.id, each.reason) for each in refused[: EXAMPLES - len(self.examples)]]
        log.warning("dead letters", resource=resource.name, count=len(refused), first=refused[0].reason)

    def _applied(self, operations: Sequence[Operation], *, anew: bool) -> list[Outcome]:
        """A final outcome for each."""
        left, size, backoff, told, final = operations, len(operations), Backoff(), False, dict[str, Outcome]()
        while left:
            outcomes, trouble = self._try(left[:size], anew=anew)
            answered = zip(left, outcomes, strict=False)
            final |= {each.id: outcome for each, outcome in answered if outcome.verdict is not Verdict.UNAVAILABLE}
            left = [each for each in left if each.id not in final]
            if trouble is None:
                size, told = 2 * size, False
                backoff.reset()
                continue
            if not told:
                log.warning("waiting for the index", generation=self._generation, reason=trouble)
            size, told = max(1, size // 2), True
            self._check()
            if self._stopping.wait(backoff.next()):
                raise Unavailable("stopped while waiting for the index")
        return [final[each.id] for each in operations]

    def _try(self, operations: Sequence[Operation], *, anew: bool) -> tuple[list[Outcome], str | None]:
        try:
            outcomes = self._parts.index.apply(self._parts.resource, operations, generation=self._generation, anew=anew)
        except Unavailable as error:
            return [], str(error)
        reasons = [outcome.reason for outcome in outcomes if outcome.verdict is Verdict.UNAVAILABLE]
        return outcomes, f"{len(reasons)} of {len(outcomes)} operations: {reasons[0]}" if reasons else None
