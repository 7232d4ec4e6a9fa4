"""Whether what was committed before a moment has come through the pipeline: out of the outbox, and behind the projector's offsets."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from twofold.log.port import EventLog, Position
from twofold.resource import Declaration
from twofold.store.port import Outbox

# A record's time is taken in its unit, by the clock of its machine, which may be ahead of this one.
AHEAD = 1.0  # seconds


@dataclass(slots=True)
class Moment:
    """When something was seen (Unix time); and, once the outbox has passed that, the log's ends by partition."""

    at: float = field(default_factory=time.time)
    ends: dict[int, int] | None = None


class Passing:
    """The pipeline of one resource."""

    def __init__(self, resource: Declaration, outbox: Outbox, events: EventLog) -> None:
        self._resource, self._outbox, self._events = resource, outbox, events

    def waits_for(self, moment: Moment) -> str:
        """What has to come before the moment has passed: "relay", "projector", or "" once it has."""
        if moment.ends is None:
            pending, age = self._outbox.backlog()
            if pending and time.time() - age <= moment.at + AHEAD:
                return "relay"
            moment.ends = {each.partition: each.end for each in self._positions()}
        done = {each.partition: max(each.begin, each.committed or 0) for each in self._positions()}
        return "" if all(done.get(partition, 0) >= end for partition, end in moment.ends.items()) else "projector"

    def _positions(self) -> list[Position]:
        return self._events.positions(self._resource.topic, self._resource.group)
