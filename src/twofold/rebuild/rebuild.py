"""Makes a resource's index anew, from the table and the log, while everybody goes on reading and writing.

The next generation is filled from the table while it replays the log from where the projector's group stood, or earlier. When it is
nearly level, it takes the old one's place (`swap.py`). What was done is noted beside the generation, so that a rebuild that was
killed is gone on with by the next one.
"""

from __future__ import annotations

from twofold.errors import Outdated, Rejected
from twofold.index.port import Generation
from twofold.rebuild.filling import Filling, patiently
from twofold.rebuild.lease import Lease
from twofold.rebuild.marks import Marks, beginning
from twofold.rebuild.parts import Parts
from twofold.rebuild.progress import Done, Report

ROOM = 1.2  # times the size of the live generation


def rebuild(parts: Parts, report: Report, rate: float = 0) -> Done:
    """Begins a rebuild, or goes on with one. Raises Rejected where there is no room for another generation."""
    with Lease(parts) as lease:
        generation, marks = patiently(lambda: _begun(parts), lease)
        return Filling(parts, generation, marks, lease, rate=rate, report=report).run()


def abort(parts: Parts) -> str:
    """Gives up a rebuild or a rollback that was not ended, and lifts the block. Returns what was done, in words."""
    with Lease(parts) as lease:
        return str(patiently(lambda: _aborted(parts), lease))


def _begun(parts: Parts) -> tuple[str, Marks]:
    """The generation to fill, and how far it is."""
    name = parts.resource.name
    found = parts.unfinished()
    if found is None:
        return _created(parts)
    generation, marks = found
    if marks.state == "returning":
        raise Rejected(f"A rollback to {generation.name} was begun. Run `twofold rollback {name}`, or `twofold rebuild {name} --abort`.")
    if not generation.fits:
        raise Outdated(
            f"{generation.name} was begun with another declaration. Run `twofold rebuild {name} --abort`, then `twofold rebuild {name}`."
        )
    return generation.name, marks


def _created(parts: Parts) -> tuple[str, Marks]:
    resource = parts.resource
    live = parts.live()
    room = parts.generations.room()
    if room is not None and room < ROOM * live.size:
        raise Rejected(
            f"There is no room for another generation of {resource.index}: {live.name} has {_megabytes(live.size)}, and "
            f"{_megabytes(room)} are free. Make room, for example by `twofold drop {resource.name}` of an old one."
        )
    marks = beginning(parts.log.positions(resource.topic, resource.group))
    return parts.generations.create(resource, marks.to_json()), marks


def _aborted(parts: Parts) -> str:
    found = parts.unfinished()
    live = parts.live().name
    if found is None:
        parts.block(live, blocked=False)
        return f"There was nothing to give up. {live} is live."
    generation, marks = found
    if generation.live:
        command = "rebuild" if marks.state == "filling" else "rollback"
        raise Rejected(f"{live} is live already. Run `twofold {command} {parts.resource.name}` to end it.")
    parts.block(live, blocked=False)
    if marks.state == "filling":
        parts.generations.drop(parts.resource, generation.name)
        return f"{generation.name} is dropped. {live} is live."
    _left(parts, generation, marks)
    return f"{generation.name} is left as it is. {live} is live."


def _left(parts: Parts, generation: Generation, marks: Marks) -> None:
    parts.block(generation.name, blocked=True)
    marks.state = "complete"
    parts.note(generation.name, marks)


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"
