"""What a rebuild works with: one resource, and the ports."""

from __future__ import annotations

from dataclasses import dataclass

from twofold.errors import Outdated
from twofold.index.port import Generation, Generations, ReadStore
from twofold.log.port import EventLog
from twofold.rebuild.marks import Marks
from twofold.resource import Declaration
from twofold.store.port import Leases, WriteStore


@dataclass(frozen=True, slots=True)
class Parts:
    """`holder` is whose the lease is."""

    resource: Declaration
    store: WriteStore
    leases: Leases
    log: EventLog
    index: ReadStore
    generations: Generations
    holder: str

    def all(self) -> list[Generation]:
        return self.generations.generations(self.resource)

    def live(self) -> Generation:
        """The generation behind the alias. Raises Outdated where there is none."""
        for each in self.all():
            if each.live:
                return each
        raise Outdated(f"There is no index {self.resource.index}. Run: twofold migrate")

    def unfinished(self) -> tuple[Generation, Marks] | None:
        """The generation that a rebuild or a rollback was at work on, and has not ended with."""
        found = [(each, Marks.of(each.marks)) for each in self.all()]
        return next(((each, marks) for each, marks in found if marks.state in ("filling", "returning")), None)

    def note(self, generation: str, marks: Marks) -> None:
        self.generations.note(self.resource, generation, marks.to_json())

    def block(self, generation: str, *, blocked: bool) -> None:
        self.generations.block(self.resource, generation, blocked=blocked)
