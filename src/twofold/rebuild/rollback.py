"""Back to the generation before, and the end of one that nobody needs any more."""

from __future__ import annotations

from twofold.errors import NeedsRebuild, Outdated, Rejected, SettingsError
from twofold.index.port import Generation
from twofold.rebuild.filling import Filling, patiently
from twofold.rebuild.lease import Lease
from twofold.rebuild.marks import Marks, trimmed
from twofold.rebuild.parts import Parts
from twofold.rebuild.progress import Done, Report


def rollback(parts: Parts, report: Report) -> Done:
    """Goes back to the generation that was live before, with all that happened since. Raises Rejected where there is none, Outdated where
    it is not of this declaration, NeedsRebuild where the log no longer reaches back to what it lacks.
    """
    with Lease(parts) as lease:
        generation, marks = patiently(lambda: _returning(parts), lease)
        return Filling(parts, generation, marks, lease, report=report).run()


def drop(parts: Parts, name: str) -> None:
    """Drops a generation that nobody needs. Raises Rejected for the live one and for one that is being filled, Contended while a rebuild
    or a rollback is at work, which may need it.
    """
    with Lease(parts):
        _dropped(parts, name)


def _dropped(parts: Parts, name: str) -> None:
    found = {each.name: each for each in parts.all()}
    if name not in found:
        raise SettingsError(f"{parts.resource.name} has no generation {name!r}; it has {', '.join(found)}")
    state = Marks.of(found[name].marks).state
    if found[name].live or state in ("filling", "returning"):
        why = "live" if found[name].live else f"being filled; `twofold rebuild {parts.resource.name} --abort` gives that up"
        raise Rejected(f"{name} is {why}.")
    parts.generations.drop(parts.resource, name)


def _returning(parts: Parts) -> tuple[str, Marks]:
    """The generation to go back to, open for writing again, and up to where it is complete."""
    generation, marks = _target(parts)
    if not generation.live:
        _refuse(parts, generation, marks)
        marks.state, marks.backfilled = "returning", True
        parts.note(generation.name, marks)
        parts.block(generation.name, blocked=False)
    return generation.name, marks


def _target(parts: Parts) -> tuple[Generation, Marks]:
    name, found = parts.resource.name, parts.unfinished()
    if found is not None:
        if found[1].state == "returning":
            return found
        raise Rejected(f"A rebuild of {name} was begun. Run `twofold rebuild {name}`, or `twofold rebuild {name} --abort`.")
    left = [(each, Marks.of(each.marks)) for each in parts.all() if not each.live]
    left = [(each, marks) for each, marks in left if marks.state == "complete"]
    if not left:
        raise Rejected(f"There is no generation of {name} to go back to.")
    return max(left, key=lambda one: one[1].left_at)


def _refuse(parts: Parts, generation: Generation, marks: Marks) -> None:
    resource = parts.resource
    if not generation.fits:
        raise Outdated(
            f"{generation.name} is of another declaration than this code's. Run `twofold rollback {resource.name}` with the code that made "
            "it, and then the projectors and query services of that code."
        )
    if gone := trimmed(marks.offsets, parts.log.positions(resource.topic, resource.group)):
        raise NeedsRebuild(
            f"The topic {resource.topic} no longer holds what {generation.name} lacks (partition {gone[0]}). "
            f"Run `twofold rebuild {resource.name}`."
        )
