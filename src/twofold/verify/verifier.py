"""Compares the table with the index, both read in the order of ids, and mends what differs if asked to.

What differs at first sight is a suspect only: rows and documents are read at different moments, and a write may be on its way. Suspects
are judged in groups, once the pipeline has passed the moment in which they were seen, by what stands there then. Memory holds a page of
each side and a bounded number of groups, however much there is.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from twofold.index import chunks
from twofold.index.port import Held
from twofold.resource import Declaration
from twofold.verify.compare import Truth, drift, is_stray, merge, version_of
from twofold.verify.judge import Judge, Sides, Suspect
from twofold.verify.passing import Moment, Passing
from twofold.verify.result import Result, Tell

PAGE = 1000  # ids of each side
FEW = 16  # documents of the first page, and of one of the largest
PAGE_BYTES = 8 << 20  # what a page of documents should hold, by the size of those before
GROUP = 500  # suspects that are judged together
GROUPS = 8  # that wait while the streams go on
PATIENCE = 60.0  # seconds for the pipeline to pass
LOOK = 0.05  # seconds between looks at it


@dataclass(slots=True)
class Group:
    suspects: list[Suspect]
    moment: Moment = field(default_factory=Moment)
    since: float = field(default_factory=time.monotonic)


def fitting(page: Sequence[Held]) -> int:
    """How many documents like these a page should ask for."""
    return chunks.fitting([each.document for each in page], PAGE_BYTES, most=PAGE, least=FEW)


class Verifier:
    """Runs once. `stopped` is asked now and then whether to end early; `tell` is told of each finding."""

    def __init__(
        self,
        sides: Sides,
        resource: Declaration,
        *,
        deep: bool = False,
        repair: bool = False,
        patience: float = PATIENCE,
        stopped: Callable[[], bool] = lambda: False,
        tell: Tell = lambda _kind, _id: None,
    ) -> None:
        self.result = Result(deep)
        self._sides, self._resource = sides, resource
        self._patience, self._stopped = patience, stopped
        self._passing = Passing(resource, sides.outbox, sides.events)
        self._judge = Judge(sides, resource, self.result, repair=repair, patience=patience, tell=tell)
        self._suspects: list[Suspect] = []
        self._groups: deque[Group] = deque()
        self._stuck = False

    def run(self) -> Iterator[Result]:
        """Yields the result as it grows, and at last the whole."""
        begun = time.monotonic()
        self._sides.index.refresh(self._resource)
        for truth, held in merge(self._truths(), self._held()):
            self._compare(truth, held)
            if self.result.compared % PAGE == 0:
                self.result.seconds = time.monotonic() - begun
                yield self.result
        while (self._suspects or self._groups) and not self._ended():
            self._close_group()
            self._settle(0)
        self.result.seconds = time.monotonic() - begun
        yield self.result

    def _truths(self) -> Iterator[Truth]:
        after = ""
        while not self._ended() and (page := self._sides.store.scan(self._resource, after, PAGE)):
            yield from page
            after = page[-1].id

    def _held(self) -> Iterator[Held]:
        after: Held | None = None
        limit = min(FEW, PAGE)
        while not self._ended():
            page = self._sides.holdings.scan(self._resource, after, limit)
            yield from page
            if len(page) < limit:  # not where there are none: the last one comes again for as long as it is written to
                return
            after, limit = page[-1], fitting(page)

    def _ended(self) -> bool:
        self.result.interrupted = self.result.interrupted or self._stopped()
        return self.result.interrupted

    def _compare(self, truth: Truth | None, held: Held | None) -> None:
        self.result.compared += 1
        self.result.rows += truth is not None
        self.result.documents += held is not None
        if drift(self._resource, truth, held, deep=self.result.deep):
            id_ = truth.id if truth is not None else held.id if held is not None else ""
            self._suspects.append(Suspect(id_, version_of(truth), stray=held is not None and is_stray(held)))
        if len(self._suspects) >= GROUP:
            self._close_group()
            self._settle(GROUPS)

    def _close_group(self) -> None:
        for start in range(0, len(self._suspects), GROUP):
            self._groups.append(Group(self._suspects[start : start + GROUP]))
        self._suspects = []

    def _settle(self, most: int) -> None:
        """Judges the oldest groups until at most that many wait."""
        while len(self._groups) > most and not self._ended():
            group = self._groups[0]
            waits_for = self._wait(group)
            if self._ended():
                return
            self._groups.popleft()
            if waits_for:
                self._judge.undecided(group.suspects, f"the {waits_for} did not pass within {self._patience:.0f} s: does it run?")
            else:
                self._suspects += self._judge.judge(group.suspects)

    def _wait(self, group: Group) -> str:
        """What the group's moment still waits for when patience has ended, which it has after one group that waited in vain."""
        while waits_for := self._passing.waits_for(group.moment):
            if self._stuck or time.monotonic() - group.since > self._patience:
                self._stuck = True
                return waits_for
            if self._ended():
                return waits_for
            time.sleep(LOOK)
        self._stuck = False
        return ""
