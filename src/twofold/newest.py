"""Of operations that were read together, which the index is asked to take: the newest of each id, and the next older one where it refuses
that. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from twofold.index.port import Operation, Outcome, Verdict

S = TypeVar("S")


@dataclass(slots=True)
class Newest(Generic[S]):
    """Operations, each with its source. `found` are those to ask for, by id; `older` are there in case they are refused."""

    found: dict[str, tuple[Operation, S]] = field(default_factory=dict)
    older: dict[str, list[tuple[Operation, S]]] = field(default_factory=dict)

    @property
    def operations(self) -> list[Operation]:
        return [operation for operation, _ in self.found.values()]

    def add(self, operation: Operation, source: S) -> None:
        held, new = self.found.get(operation.id), (operation, source)
        if held is None:
            self.found[operation.id] = new
            return
        if held[0].version < operation.version:
            self.found[operation.id], new = new, held
        self.older.setdefault(operation.id, []).append(new)

    def judge(self, outcomes: Sequence[Outcome]) -> list[tuple[Operation, S, str]]:
        """Takes the final answer to `operations`; returns what is refused, with the reason. `found` are then those to ask for next."""
        asked, self.found, refused = self.found, {}, []
        for (operation, source), outcome in zip(asked.values(), outcomes, strict=True):
            if outcome.verdict is Verdict.REJECTED:
                refused.append((operation, source, outcome.reason))
                if older := self.older.get(operation.id):
                    older.sort(key=lambda each: each[0].version)
                    self.found[operation.id] = older.pop()
        return refused
