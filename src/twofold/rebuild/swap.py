"""The last steps, of a rebuild and of a rollback: the old generation is blocked, the new one reads the log to its end and takes its place.

Until the alias moves, readers have the old generation, which is complete up to the block; the projector waits meanwhile. The old one
stays blocked, which fences a late batch, with the offsets up to which it is complete, for a rollback.
"""

from __future__ import annotations

from datetime import UTC, datetime

from twofold.errors import Contended, EngineError, Unavailable
from twofold.fields import timestamp
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

    def run(self) -> None:
        old = self._parts.live().name
        if old != self._target:
            self._parts.index.refresh(self._parts.resource, generation=self._target)  # so that the one below is short
            try:
                self._replace(old)
            except (EngineError, KeyboardInterrupt) as error:
                if not isinstance(error, Unavailable | Contended):  # which is tried again, or another's work by now
                    self._unblock(old)
                raise
        self._finish()

    def _replace(self, old: str) -> None:
        parts, resource = self._parts, self._parts.resource
        self._lease.check()
        parts.block(old, blocked=True)
        positions = parts.log.positions(resource.topic, resource.group)
        parts.note(old, Marks("complete", committed(positions), backfilled=True, left_at=timestamp(datetime.now(UTC))))
        ends = {position.partition: position.end for position in positions}
        while not self._catchup.reached(ends):
            self._catchup.step(POLL_SECONDS)
        parts.index.refresh(resource, generation=self._target)
        parts.note(self._target, self._marks)
        self._lease.check()
        parts.generations.promote(resource, self._target)

    def _unblock(self, old: str) -> None:
        self._lease.check()
        if self._parts.live().name == old:
            self._parts.block(old, blocked=False)

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
