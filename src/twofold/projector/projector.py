"""From the log to the index: poll, keep the newest version per key, one bulk request, judge each item, commit offsets last.

Under load the next batch is made ready while the bulk of the one before runs. An operation that the index may take later is tried
again, in smaller bulks, while polls with nothing asked for keep the group's membership. One that the index will never take goes to
the dead letters with its reason; where the poll has an older version of its key, that is applied in its place. The stream goes on.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as StillRunning
from functools import partial
from typing import Any

import structlog

from twofold.errors import Unavailable
from twofold.index.port import Operation, Outcome, ReadStore, Verdict
from twofold.letters import bury, versions
from twofold.log.port import EventLog, Message, Subscription
from twofold.projector.batch import Batch, Tried, read
from twofold.projector.refresher import Refresher
from twofold.resource import Declaration
from twofold.runtime.batcher import Batcher
from twofold.runtime.retry import Backoff
from twofold.runtime.service import Service

log: Any = structlog.get_logger()
BATCH = 2000
BUSY = 500  # a poll that returns as many messages is heavy load
SLICE_SECONDS = 0.25  # of a wait in which it is looked whether the service is to stop
LAST_SECONDS = 2.0  # that a bulk has to end once the service is to stop
LONG_SECONDS = 5.0  # of a bulk, after which polls keep the membership


class Projector(Service):
    """One member of a resource's group. Several share the topic's partitions. Without `refresh` the index does that by itself."""

    def __init__(self, resource: Declaration, events: EventLog, index: ReadStore, *, refresh: bool = True) -> None:
        super().__init__(f"projector {resource.name}")
        self._resource, self._events, self._index = resource, events, index
        self._subscription: Subscription | None = None
        self._batches: deque[Batch] = deque()  # the one that is applied, and the one that is made ready meanwhile
        self._bulks: Batcher[list[Operation], Tried] = Batcher("bulk", self._bulk, max_items=1)
        self._refresher = Refresher(partial(index.refresh, resource) if refresh else lambda: None)

    def step(self) -> float:
        """A batch that could not be finished is held, and taken up again by the next step."""
        if self._subscription is None:
            self._subscription = self._events.subscribe(self._resource.topic, self._resource.group)
        if not self._batches:
            self._take(self._subscription, max(0.001, self._refresher.seconds(SLICE_SECONDS)))
        if self._batches:
            self._project(self._subscription, self._batches[0])
            self._batches.popleft()
            self._refresher.applied()
        self._refresher.step()
        return 0

    def close(self) -> None:
        self._bulks.stop(LAST_SECONDS / 2)
        self._refresher.stop(LAST_SECONDS / 2)
        if self._batches:
            log.info("left for the next start", service=self.name, messages=sum(len(batch.messages) for batch in self._batches))
        if self._subscription is not None:
            self._subscription.close()

    def _take(self, subscription: Subscription, seconds: float) -> None:
        if messages := subscription.poll(BATCH, seconds):
            self._batches.append(read(self._resource, messages))

    def _project(self, subscription: Subscription, batch: Batch) -> None:
        tried = self._begun(batch)
        if len(batch.messages) >= BUSY and len(self._batches) == 1:
            self._take(subscription, 0)
        if batch.undeclared:  # raises Outdated where the index knows such a field, and this code is the older one
            self._index.pending(self._resource)
        while True:
            batch.judge(self._applied(subscription, batch.newest.operations, self._answer(subscription, tried)))
            if not batch.newest.found:
                break
            if self.stopping.is_set():  # a poll may hold many versions that are refused, one after the other
                raise Unavailable("stopped while older versions were asked for")
            subscription.poll(0, 0)
            tried = self._begun(batch)
        if batch.letters:
            self._bury(sorted(batch.letters, key=lambda letter: (letter[0].partition, letter[0].offset)))
        if len(self._batches) > 1:
            self._begun(self._batches[1])
        subscription.commit(batch.messages)

    def _bury(self, letters: Sequence[tuple[Message, str]]) -> None:
        if refused := versions(letters):  # noted first: a try that is repeated leaves the same notes, but more letters
            self._index.refuse(self._resource, refused)
        bury(self._resource, self._events, letters)
        log.warning("dead letters", service=self.name, count=len(letters), first=letters[0][1])

    def _begun(self, batch: Batch) -> Future[Tried]:
        """The index's first answer to a batch, in time; asked once, and once more after an error."""
        if batch.tried is None or (batch.tried.done() and batch.tried.exception() is not None):
            batch.tried = self._bulks.submit(batch.newest.operations)
        return batch.tried

    def _bulk(self, bulks: list[list[Operation]]) -> list[Tried]:
        return [self._try(operations) for operations in bulks]

    def _try(self, operations: list[Operation]) -> Tried:
        if not operations:
            return [], None
        try:
            outcomes = self._index.apply(self._resource, operations)
        except Unavailable as error:
            return [], str(error)
        reasons = [outcome.reason for outcome in outcomes if outcome.verdict is Verdict.UNAVAILABLE]
        return outcomes, f"{len(reasons)} of {len(outcomes)} operations: {reasons[0]}" if reasons else None

    def _applied(self, subscription: Subscription, operations: list[Operation], tried: Tried) -> Sequence[Outcome]:
        """A final outcome for each. Goes on until the index has answered; gives up only when the service is stopped."""
        (outcomes, trouble), final = tried, dict[str, Outcome]()
        if trouble is None:
            return outcomes
        left, size, backoff = operations, len(operations), Backoff()
        while True:
            answered = zip(left, outcomes, strict=False)
            final |= {each.id: outcome for each, outcome in answered if outcome.verdict is not Verdict.UNAVAILABLE}
            left = [each for each in left if each.id not in final]
            self.report(trouble)
            if trouble is None:
                size *= 2
                backoff.reset()
            else:
                size = max(1, size // 2)
                self._stand_by(subscription, backoff.next())
            if not left:
                return [final[each.id] for each in operations]
            outcomes, trouble = self._answer(subscription, self._bulks.submit(left[:size]))

    def _answer(self, subscription: Subscription, tried: Future[Tried]) -> Tried:
        """Waits for a bulk; not for long once the service is to stop, since the index may not answer at all."""
        begun, last = time.monotonic(), float("inf")
        while True:
            try:
                return tried.result(SLICE_SECONDS)
            except StillRunning:
                if tried.done():  # meanwhile, or with an error of that kind
                    return tried.result()
                now = time.monotonic()
            if self.stopping.is_set():
                last = min(last, now + LAST_SECONDS)
            if now >= last:
                raise Unavailable("stopped while waiting for the index")
            if now - begun > LONG_SECONDS:
                subscription.poll(0, 0)

    def _stand_by(self, subscription: Subscription, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if self.stopping.is_set():
                raise Unavailable("stopped while waiting for the index")
            subscription.poll(0, min(left, SLICE_SECONDS))
