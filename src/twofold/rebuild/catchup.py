"""From the log to a generation, beside the projector: what changes while it is filled."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from twofold.errors import NeedsRebuild
from twofold.log.port import Replay
from twofold.rebuild.filler import Filler
from twofold.rebuild.marks import Marks
from twofold.rebuild.parts import Parts
from twofold.rebuild.sources import from_messages

BATCH = 2000


class CatchUp:
    """Moves `marks.offsets` on behind what is applied."""

    def __init__(self, parts: Parts, filler: Filler, marks: Marks) -> None:
        self._parts, self._filler, self._marks = parts, filler, marks
        self._replay: Replay | None = None
        self.messages = 0

    def step(self, seconds: float) -> None:
        """One batch, waited for that long. After an error the replay begins anew behind what was applied."""
        resource = self._parts.resource
        try:
            self._replay = self._replay or self._parts.log.replay(resource.topic, self._marks.offsets)
            messages = self._replay.poll(BATCH, seconds)
            items = from_messages(resource, messages, partial(self._parts.store.fetch, resource))
            self._filler.put_aside(self._filler.fill(items, anew=False))
            self._marks.offsets = self._replay.offsets()
            self.messages += len(messages)
        except NeedsRebuild as error:
            raise NeedsRebuild(
                f"The log no longer holds what {resource.index} needs next, so this cannot go on: {error} "
                f"Begin anew: `twofold rebuild {resource.name} --abort`, then `twofold rebuild {resource.name}`."
            ) from error
        except BaseException:
            self.close()
            raise

    def lag(self) -> int:
        """How many messages the generation is behind the log."""
        return sum(max(0, end - self._marks.offsets.get(partition, 0)) for partition, end in self.ends().items())

    def ends(self) -> dict[int, int]:
        return {each.partition: each.end for each in self._parts.log.positions(self._parts.resource.topic, self._parts.resource.group)}

    def reached(self, ends: Mapping[int, int]) -> bool:
        return all(self._marks.offsets.get(partition, 0) >= end for partition, end in ends.items())

    def close(self) -> None:
        replay, self._replay = self._replay, None
        if replay is not None:
            replay.close()
