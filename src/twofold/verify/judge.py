"""From suspects to findings, by what stands there once the pipeline has passed; and what is done about them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from twofold.documents import of_row
from twofold.index.port import Held, Holdings, Operation, ReadStore
from twofold.log.port import EventLog
from twofold.record import Unreadable
from twofold.resource import Declaration
from twofold.store.port import Outbox, WriteStore
from twofold.verify.compare import Kind, Truth, drift, version_in, version_of
from twofold.verify.result import Result, Tell

CHANGING = "rows that change all the time"


@dataclass(frozen=True, slots=True)
class Sides:
    """What is compared, and the way between."""

    store: WriteStore
    outbox: Outbox
    events: EventLog
    index: ReadStore
    holdings: Holdings


@dataclass(frozen=True, slots=True)
class Suspect:
    """An id that may have drifted, and the row's version when that was seen. `stray`: what was seen has another `id` inside. `since` is
    when it was seen first. `mended`: the kind that was found and treated, `trouble` why that may have failed.
    """

    id: str
    version: int
    stray: bool = False
    since: float = field(default_factory=time.monotonic)
    mended: Kind | None = None
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """Drift, and what stood there when it was judged."""

    id: str
    kind: Kind
    truth: Truth | None
    held: Held | None


class Judge:
    """Notes in `result` what it finds. `patience`: for so many seconds a row may go on changing."""

    def __init__(self, sides: Sides, resource: Declaration, result: Result, *, repair: bool, patience: float, tell: Tell) -> None:
        self._sides, self._resource, self._result = sides, resource, result
        self._repair, self._patience, self._tell = repair, patience, tell

    def judge(self, suspects: Sequence[Suspect]) -> list[Suspect]:
        """Judges suspects whose moment has passed. Returns those that are to be judged again: changed since, or just mended."""
        ids = [suspect.id for suspect in suspects]
        held = self._sides.holdings.held(self._resource, ids)  # first: no document can be newer than its row then
        truths = self._sides.store.fetch(self._resource, ids)
        findings: list[Finding] = []
        again: list[Suspect] = []
        for suspect in suspects:
            truth, now = truths.get(suspect.id), held.get(suspect.id)
            kind = drift(self._resource, truth, now, deep=self._result.deep)
            if kind is None or _is_settled(suspect, truth, now, kind):
                self._fine(suspect)
            elif version_of(truth) != suspect.version and not _was_passed_over(suspect, now):
                again += self._changed(replace(suspect, version=version_of(truth)))
            elif suspect.mended:
                self._result.reasons.add(suspect.trouble or f"{suspect.mended} again after it was mended")
            else:
                findings.append(Finding(suspect.id, kind, truth, now))
        self._note(findings)
        return again + (self._mended(findings) if self._repair and findings else [])

    def undecided(self, suspects: Sequence[Suspect], reason: str) -> None:
        self._result.reasons.add(reason)
        for suspect in suspects:
            if suspect.mended is None:  # else it counts as not mended already
                self._result.undecided.add(suspect.id)

    def _changed(self, suspect: Suspect) -> Iterator[Suspect]:
        """A row that has changed is judged anew from there, unless it does so all the time."""
        if time.monotonic() - suspect.since < self._patience:
            yield suspect
        else:
            self.undecided([suspect], CHANGING)

    def _fine(self, suspect: Suspect) -> None:
        if suspect.mended:
            self._result.drift[suspect.mended].mended += 1

    def _note(self, findings: Sequence[Finding]) -> None:
        refused = self._sides.index.refused(self._resource, [each.id for each in findings if each.truth]) if findings else {}
        for each in findings:
            tally = self._result.drift[each.kind]
            tally.add(each.id)
            tally.refused += each.truth is not None and refused.get(each.id, 0) >= each.truth.version
            self._tell(each.kind, each.id)

    def _mended(self, findings: Sequence[Finding]) -> list[Suspect]:
        """Puts right what was found, and nothing else. What was written since then is left alone."""
        troubles: dict[str, str] = {}
        operations: list[Operation] = []
        for each in findings:
            if each.truth is not None:
                try:
                    operations.append(of_row(self._resource, each.truth))
                except Unreadable as error:
                    troubles[each.id] = str(error)
        seen = {each.id: each.held for each in findings if each.held is not None}
        orphans = [seen[each.id] for each in findings if each.truth is None]
        outcomes = [*self._sides.holdings.restore(self._resource, operations, seen), *self._sides.holdings.remove(self._resource, orphans)]
        ids = [*(operation.id for operation in operations), *(orphan.id for orphan in orphans)]
        troubles |= {id_: outcome.reason for id_, outcome in zip(ids, outcomes, strict=True)}
        return [Suspect(each.id, version_of(each.truth), mended=each.kind, trouble=troubles[each.id]) for each in findings]


def _is_settled(suspect: Suspect, truth: Truth | None, held: Held | None, kind: Kind) -> bool:
    """Whether what was suspected is over, though the index is behind a row that has changed again."""
    if truth is None or held is None:
        return False
    if suspect.stray and suspect.mended is None:
        return True  # the row is a suspect of its own
    version = version_in(held) or 0
    return kind == "stale" and held.gate == version and suspect.version < version < truth.version


def _was_passed_over(suspect: Suspect, held: Held | None) -> bool:
    """Whether the index lacks even the version that the pipeline has passed: then it is no matter of waiting."""
    return suspect.version > 0 and (held is None or (version_in(held) or 0) < suspect.version)
