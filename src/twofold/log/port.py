"""The event log's port: topics of messages, in order per key, read by groups.

Adapters translate their driver's errors into `twofold.errors`; they never retry and never reconnect in a loop.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

# Where a group stands that has lost its place: no topic ends so far, so that whoever polls meets NeedsRebuild, whatever is published.
LOST = 1 << 62


@dataclass(slots=True)  # not frozen: see Record
class Message:
    """What a topic holds; nobody changes it. `partition` and `offset` are set on messages that were polled."""

    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()
    partition: int = -1
    offset: int = -1


@dataclass(frozen=True, slots=True)
class Position:
    """One partition as a group sees it: the first offset still there, the group's committed one, the next one written."""

    partition: int
    begin: int
    committed: int | None
    end: int

    @property
    def lost(self) -> bool:
        """Whether the group stands behind the end: what it read is not what is there."""
        return (self.committed or 0) > self.end

    @property
    def trimmed(self) -> bool:
        """Whether the group's next message is no longer there."""
        return (self.committed or 0) < self.begin

    @property
    def lag(self) -> int:
        return self.end - (self.begin if self.lost else max(self.begin, self.committed or 0))


class Subscription(Protocol):
    """One member of a group. Used by one thread, but for `close`."""

    def poll(self, limit: int, timeout: float) -> list[Message]:
        """Up to `limit` messages, in order per partition, and no more than some 8 MiB; waits up to `timeout` seconds for the first.

        A new group starts at the log's beginning. `limit=0` keeps the membership alive and returns nothing.
        Raises NeedsRebuild where the log no longer holds the group's next message.
        """

    def commit(self, messages: Sequence[Message]) -> None:
        """These messages are done with: a later member of the group does not get them. What is not committed comes again.

        Messages of partitions that were taken away since the poll are passed over.
        """

    def close(self) -> None:
        """Leaves the group. A poll that waits in another thread returns. May be called twice."""


class Replay(Protocol):
    """A topic from given offsets on, read by nobody's group. Used by one thread."""

    def poll(self, limit: int, timeout: float) -> list[Message]:
        """As a subscription's. Raises NeedsRebuild where the log no longer holds the next message."""

    def offsets(self) -> dict[int, int]:
        """By partition, the offset of the next message: everything before was polled."""

    def close(self) -> None:
        """Frees everything. May be called twice."""


class EventLog(Protocol):
    """Topics. Safe to use from several threads."""

    def create(self, topic: str, partitions: int, *, kept: bool = False) -> None:
        """The topic exists with that many partitions, or Outdated is raised: a changed count would break the order.

        It keeps messages for a week; one that is `kept`, however old they are, as long as there are not too many.
        """

    def publish(self, topic: str, messages: Sequence[Message]) -> list[str | None]:
        """Per message, None once it is durable, else why it may not be.

        Messages of one key are stored in the order given; behind one that failed, none of its key is stored.
        Returns only when every message has its answer. Raises Outdated for a topic that is not there.
        """

    def subscribe(self, topic: str, group: str) -> Subscription:
        """A member of `group`; groups are independent of each other."""

    def replay(self, topic: str, offsets: Mapping[int, int]) -> Replay:
        """Reads every partition from its offset on; one that is not named, from its beginning. Groups notice nothing."""

    def positions(self, topic: str, group: str) -> list[Position]:
        """Each partition's state for a group; Outdated for a topic that is not there."""

    def forget(self, topic: str, group: str) -> None:
        """The group begins anew, at the log's beginning. Raises Unavailable while it has members."""

    def move(self, topic: str, group: str, offsets: Mapping[int, int]) -> None:
        """The group goes on at these offsets, forward or back. Raises Unavailable while it has members."""

    def strangers(self, group: str) -> list[str]:
        """The client ids of the group's members that are not twofold's."""

    def check(self) -> str:
        """One line on the engine and its version. Raises Unavailable where it does not answer."""

    def close(self) -> None:
        """Frees everything. May be called twice."""
