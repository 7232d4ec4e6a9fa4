"""What a topic no longer holds although the index needs it: told by `migrate`, `check` and `status`, in the same words.

A group that stands behind the end of its topic, or before its beginning, has lost its place. A topic that was made anew, and has been read
since, is known by numbers: the versions of all rows say how many records there were, and a generation that a rebuild has made says how
far the topic went then. Only a topic that has grown beyond both since looks like one that was never lost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
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
        """What the topic has lost, and what to run; "" where nothing is known to be."""
        records, (pending, _) = self.store.records(resource), self.outbox.backlog()  # in this order: what leaves these is in the log
        published = records - pending if pending < UNCOUNTED else 0
        try:
            positions = self.log().positions(resource.topic, resource.group)
        except Outdated:
            return _gone(resource) if published > 0 else ""
        if told := misplaced(resource, positions):
            return told
        return topics.told(resource) if self._shrunk(resource, positions, published) else ""

    def _shrunk(self, resource: Declaration, positions: Sequence[Position], published: int) -> bool:
        """Whether the topic holds less than it did: than when the live generation was made, or than was ever published."""
        offsets = next((Marks.of(each.marks).offsets for each in self.generations.generations(resource) if each.live), {})
        if offsets:
            return any(offsets.get(each.partition, 0) > each.end for each in positions)
        return sum(each.end for each in positions) < published


def _gone(resource: Declaration) -> str:
    return (
        f"topic {resource.topic} is gone, with records that the index may lack: with the projectors stopped, run `twofold migrate`, then "
        f"`twofold rebuild {resource.name}`"
    )
