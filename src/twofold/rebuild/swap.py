"""The last steps, of a rebuild and of a rollback: the old generation is blocked, the new one reads the log to its end and takes its place.

Until the alias moves, readers have the old generation, which is complete up to the block; the projector waits meanwhile. The old one
stays blocked, which fences a late batch, with the offsets up to which it is complete, for a rollback.
"""

from __future__ import annotations

from datetime import UTC, datetime

from twofold.errors import Contended, EngineError, Unavailable
from twofold.kinds.datetimes import timestamp
from twofold.rebuild.catchup import CatchUp
from twofold.rebuild.lease import Lease
from twofold.rebuild.marks import Marks, committed
from twofold.rebuild.parts import Parts

POLL_SECONDS = 0.2


class Swap:
    """Puts `target` behind the alias. May be run again after any error, or by another process after a crash."""

    def __init__(self, parts: Parts, target: str, marks: Marks, catchup: CatchUp, lease: Lease) -> None:
        self._parts, self._target, self._marks = parts, target, marks
        self._catchup, self._lease = catchup, lease
        self._blocked = ""  # the old generation, once it is blocked, or may be

    def run(self) -> None:
        old = self._parts.live().name
        if old != self._target:
            self._parts.index.refresh(self._parts.resource, generation=self._target)  # so that the one below is short
            try:
                self._replace(old)
            except EngineError as error:
                if not isinstance(error, Unavailable | Contended):  # which is tried again, or another's work by now
                    self.lift()
                raise
        self._finish()

    def lift(self) -> None:
        """Lets the projector go on with the old generation, for what is given up or interrupted."""
        if self._blocked:
            self._lease.check()
            self._parts.block(self._blocked, blocked=True)  # behind a promotion that is still under way: now it is known who is live
            if self._parts.live().name == self._blocked:
                self._parts.block(self._blocked, blocked=False)

    def _replace(self, old: str) -> None:
        parts, resource = self._parts, self._parts.resource
        self._lease.check()
        self._blocked = old
        parts.block(old, blocked=True)
        positions = parts.log.positions(resource.topic, resource.group)
        if parts.live().name != old:  # a promotion whose answer was lost: the group may have gone on in the other generation since
            return
        parts.note(old, Marks("complete", committed(positions), backfilled=True, left_at=timestamp(datetime.now(UTC))))
        ends = {position.partition: position.end for position in positions}
        while not self._catchup.reached(ends):
            self._catchup.step(POLL_SECONDS)
        parts.index.refresh(resource, generation=self._target)
        parts.note(self._target, self._marks)
        self._lease.check()
        parts.generations.promote(resource, self._target)

    def _finish(self) -> None:
        """What a crash behind the promotion leaves undone."""
        parts, resource = self._parts, self._parts.resource
        for each in parts.all():
            if not each.live and not each.blocked:
                parts.block(each.name, blocked=True)
        if self._marks.skipped:
            parts.log.move(resource.topic, resource.group, self._marks.skipped)
            self._marks.skipped = {}
        self._marks.state, self._marks.left_at = "complete", ""
        parts.note(self._target, self._marks)
