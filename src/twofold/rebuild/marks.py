"""How far a generation is: what is noted beside it, so that whoever comes next goes on from there. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from twofold.log.port import Position


@dataclass(slots=True)
class Marks:
    """`state` is "filling" while a rebuild fills the generation, "returning" while a rollback brings it up to date, "complete" when it
    holds all that stands before `offsets` in the log, and "" where nothing is noted. `after` is the last id of the backfill so far.
    `skipped` are offsets that the group goes on at, of partitions that no longer reach back to where it was. `left_at` is when another
    generation took this one's place.
    """

    state: str = ""
    offsets: dict[int, int] = field(default_factory=dict)
    after: str = ""
    backfilled: bool = False
    documents: int = 0
    skipped: dict[int, int] = field(default_factory=dict)
    left_at: str = ""

    def to_json(self) -> dict[str, Any]:
        return {
            "state": self.state,
            "offsets": {str(partition): offset for partition, offset in self.offsets.items()},
            "backfilled_to": self.after,
            "backfilled": self.backfilled,
            "documents": self.documents,
            "skipped": {str(partition): offset for partition, offset in self.skipped.items()},
            "left_at": self.left_at,
        }

    @classmethod
    def of(cls, noted: Mapping[str, Any]) -> Marks:
        return cls(
            noted.get("state", ""),
            _numbers(noted.get("offsets", {})),
            noted.get("backfilled_to", ""),
            noted.get("backfilled", False),
            noted.get("documents", 0),
            _numbers(noted.get("skipped", {})),
            noted.get("left_at", ""),
        )


def beginning(positions: Iterable[Position]) -> Marks:
    """Where the replay of a new generation begins: per partition the lower of the group's committed offset and the log's end.

    Of a partition that no longer holds the group's next message, its end will do, since rows and tombstones that the backfill
    reads from now on are as new as everything before it; the group then goes on from there.
    """
    offsets: dict[int, int] = {}
    skipped: dict[int, int] = {}
    for position in positions:
        offsets[position.partition] = min(position.committed or 0, position.end)
        if offsets[position.partition] < position.begin or (position.committed or 0) > position.end:
            offsets[position.partition] = skipped[position.partition] = position.end
    return Marks("filling", offsets, skipped=skipped)


def committed(positions: Iterable[Position]) -> dict[int, int]:
    """The offsets up to which the generation is complete that the group writes to."""
    return {position.partition: position.committed or 0 for position in positions}


def trimmed(offsets: Mapping[int, int], positions: Iterable[Position]) -> list[int]:
    """The partitions that no longer reach back to these offsets."""
    return [position.partition for position in positions if not position.begin <= offsets.get(position.partition, 0) <= position.end]


def _numbers(noted: Mapping[str, int]) -> dict[int, int]:
    return {int(partition): offset for partition, offset in noted.items()}
