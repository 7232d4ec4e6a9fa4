"""A resource's topics: what there is to make of them, and whether the topic has lost what it held.

A topic that is made anew beside documents or rows has lost something: the group's place then is none that there is, so that the projector
ends with NeedsRebuild, until a rebuild has given the group another one. A group has no place in a topic that is not there yet, and a crash
may come behind its making. So what is under way is noted before, as the group's place in the topic of the dead letters, where nobody reads
by it.
"""

from __future__ import annotations

from collections.abc import Callable

from twofold.errors import Outdated
from twofold.log.port import LOST, EventLog, Position
from twofold.resource import Declaration


def pending(log: EventLog, resource: Declaration) -> list[str]:
    """What `make` would do. Raises Outdated for another count of partitions, as `create` does: it would break the order per key."""
    missing = [*_missing(log, resource, resource.topic, resource.partitions), *_missing(log, resource, resource.dead_letters, 1)]
    return [*missing, f"finish: {told(resource)}"] if _noted(log, resource) else missing


def make(log: EventLog, resource: Declaration, *, indexed: bool, filled: Callable[[], bool]) -> list[str]:
    """Makes what is missing; says what it did. `indexed`: there is an index. `filled`: table or index hold something.

    Raises Unavailable where the group's place has to change while projectors are at work.
    """
    topic, group, dead_letters = resource.topic, resource.group, resource.dead_letters
    missing = _missing(log, resource, topic, resource.partitions)
    done = [*missing, *_missing(log, resource, dead_letters, 1)]
    log.create(dead_letters, 1, kept=True)
    anew = _noted(log, resource)
    if not anew and (missing or not (indexed or lost(log, resource))):  # an index that begins anew needs the log from its beginning
        log.forget(topic, group)
        anew = bool(missing) and filled()
        if anew:
            log.move(dead_letters, group, {0: LOST})
    log.create(topic, resource.partitions)
    if anew:
        log.move(topic, group, dict.fromkeys(range(resource.partitions), LOST))
        log.move(dead_letters, group, {0: 0})
        done.append(told(resource))
    return done


def lost(log: EventLog, resource: Declaration) -> bool:
    """Whether the group's place is none that there is."""
    return any(each.lost for each in _positions(log, resource, resource.topic))


def told(resource: Declaration) -> str:
    return f"topic {resource.topic} begins anew, and the index may lack what was in it: run `twofold rebuild {resource.name}`"


def _noted(log: EventLog, resource: Declaration) -> bool:
    """Whether a `make` has begun that did not come to its end."""
    return any(each.lost for each in _positions(log, resource, resource.dead_letters))


def _missing(log: EventLog, resource: Declaration, topic: str, partitions: int) -> list[str]:
    there = len(_positions(log, resource, topic))
    if there not in (0, partitions):
        log.create(topic, partitions)
    return [] if there else [f"create topic {topic}"]


def _positions(log: EventLog, resource: Declaration, topic: str) -> list[Position]:
    """None where the topic is not there."""
    try:
        return log.positions(topic, resource.group)
    except Outdated:
        return []
