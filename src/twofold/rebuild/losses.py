"""What a topic no longer holds although the index needs it: told by `migrate`, `check` and `status`, in the same words.

A group that stands behind the end of its topic, or before its beginning, has lost its place. A topic that was made anew, and has been read
since, is known by numbers: a generation that a rebuild has made says how far the topic went then. Without one, `check` suspects it where
the versions of all rows say that more records were made. One that has grown beyond that since looks like one that was never lost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from twofold import topics
from twofold.errors import Outdated
from twofold.index.port import Generations
from twofold.log.port import EventLog, Position
from twofold.rebuild.marks import Marks
from twofold.resource import Declaration
from twofold.store.port import Outbox, WriteStore

UNCOUNTED = 100_000  # pending records, up to which they are counted


def misplaced(resource: Declaration, positions: Iterable[Position]) -> str:
    """Why the projector cannot go on from where its group stands; "" where it can."""
    places = list(positions)
    if any(each.lost for each in places):
        return topics.told(resource)
    if any(each.trimmed for each in places):
        return f"topic {resource.topic} no longer holds what the projector needs next: run `twofold rebuild {resource.name}`"
    return ""


@dataclass(frozen=True, slots=True)
class Losses:
    """What is looked at. The log is opened last: its file may be gone."""

    store: WriteStore
    outbox: Outbox
    log: Callable[[], EventLog]
    generations: Generations

    def of(self, resource: Declaration) -> str:
        """What the topic has lost for certain, and what to run; "" where nothing is known to be."""
        try:
            positions = self.log().positions(resource.topic, resource.group)
        except Outdated:
            return _gone(resource) if self._published(resource) > 0 else ""
        if told := misplaced(resource, positions):
            return told
        marks = self._marks(resource)
        return topics.told(resource) if any(marks.get(each.partition, 0) > each.end for each in positions) else ""

    def suspected(self, resource: Declaration) -> str:
        """What it may have lost besides, by the versions of all rows, where no rebuild has noted how far it went. Reads the whole table."""
        if self._marks(resource):
            return ""
        published = self._published(resource)  # first: what leaves the outbox meanwhile is in the log
        if sum(each.end for each in self.log().positions(resource.topic, resource.group)) >= published:
            return ""
        return (
            f"topic {resource.topic} holds fewer records than the versions of all rows say were made: it was made anew, or rows were "
            f"written by hand. `twofold verify {resource.name}` tells whether the index lacks something; `twofold rebuild {resource.name}` "
            "settles it"
        )

    def _published(self, resource: Declaration) -> int:
        records, (pending, _) = self.store.records(resource), self.outbox.backlog()
        return records - pending if pending < UNCOUNTED else 0

    def _marks(self, resource: Declaration) -> Mapping[int, int]:
        """How far the topic went when the live generation was made, by partition."""
        return next((Marks.of(each.marks).offsets for each in self.generations.generations(resource) if each.live), {})


def _gone(resource: Declaration) -> str:
    return (
        f"topic {resource.topic} is gone, with records that the index may lack: with the projectors stopped, run `twofold migrate`, then "
        f"`twofold rebuild {resource.name}`"
    )
