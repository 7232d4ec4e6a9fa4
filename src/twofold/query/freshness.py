"""Read-your-writes: a read that carries tokens answers once what they name is visible to that kind of read, or says that it is not.

A get sees a version as soon as it is applied, a search after a refresh that began after a get has seen it. Coroutines wait; one thread
looks for all of them together, and one per resource refreshes. A read without a token is not touched.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import chain, groupby, repeat
from typing import Any, NamedTuple

from starlette.requests import Request

from twofold.errors import Overloaded, Problem
from twofold.index.port import ReadStore
from twofold.query.reader import Document, Reader, Target, by_target, living
from twofold.query.refreshes import Refreshes
from twofold.query.tokens import Token, Wish, read
from twofold.resource import Declaration
from twofold.runtime.batcher import Batcher

# Seconds between looks; the last one goes on. What comes is found within 50 ms in the first second, then within a tenth of what was waited.
LOOKS = (0.005, 0.01, 0.02, 0.04, *(0.05,) * 20, *(0.1,) * 10, *(0.2,) * 15, 0.5)
MAX_WAITING = 1024  # tokens that are looked for again and again in one process: four looks at a time
LEAST_SECONDS = 1.0  # for one look and a refresh, also for those who do not want to wait
MAX_IDS = 256  # that one look asks for
Waiting = tuple[asyncio.AbstractEventLoop, asyncio.Timeout]


class Seen(NamedTuple):
    """What a search goes on with: the generation to read ("" for the live one), and headers for its answer."""

    generation: str = ""
    headers: Mapping[str, str] = {}


class View(NamedTuple):
    """One resource at one look."""

    generation: str
    documents: Mapping[str, Document]
    refusals: Mapping[str, int]

    def version(self, id_: str) -> int:
        """That of the document, a tombstone's too; never the engine's own, which a hand edit raises."""
        found = self.documents.get(id_, {}).get("version")
        return found if isinstance(found, int) else 0


@dataclass(slots=True)
class _Sight:
    """What is known of a wish: tokens that are not visible yet, those of them that never will be, and the last views by resource."""

    missing: list[Token]
    refused: list[Token] = field(default_factory=list)
    views: Mapping[str, View] = field(default_factory=dict)
    since: float = field(default_factory=time.monotonic)


class Freshness:
    """Used by the coroutines of the query service."""

    def __init__(self, resources: Mapping[str, Declaration], index: ReadStore, reader: Reader) -> None:
        self._resources, self._index, self._reader = resources, index, reader
        self._looks: Batcher[tuple[Target, tuple[Token, ...]], View] = Batcher("look", self._look, max_weight=MAX_IDS)
        self._refreshes = {resource.name: Refreshes(resource, index) for resource in resources.values()}
        self._waiting: set[Waiting] = set()
        self._tokens = 0  # that are waited for
        self._stopped = False

    async def get(self, request: Request, resource: Declaration, id_: str) -> tuple[Document | None, Mapping[str, str]]:
        """The live document, None where there is none, and headers for the answer. Raises Problem 400 or 503.

        With tokens it is the document that was looked at; and never None for an id whose own token is not visible yet.
        """
        wish = self._wish(request)
        if wish is None:
            return await self._reader.get(resource, id_), {}
        own = Token(resource, id_, 0)  # visible in any case: just looked at
        sight = await self._sight(wish, (own, *wish.tokens))
        view = sight.views.get(resource.name)
        document = living(view.documents.get(id_)) if view else await self._reader.get(resource, id_)
        if document is None and any((each.resource.name, each.id) == (resource.name, id_) for each in sight.missing):
            raise self._problem(wish, sight)
        return document, _headers(wish, sight)

    async def seen(self, request: Request, resource: Declaration) -> Seen:
        """Returns when searches of the resource find what the tokens name. Raises Problem 400 or 503."""
        wish = self._wish(request)
        if wish is None:
            return Seen()
        sight = await self._sight(wish, wish.tokens, resource)
        view = sight.views.get(resource.name)
        return Seen(view.generation if view else "", _headers(wish, sight))

    def release(self) -> None:
        """Whoever waits is told at once that it was in vain, and whoever comes later too. May be called from any thread, and twice."""
        self._stopped = True
        for loop, timeout in tuple(self._waiting):
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(_expire, timeout)

    def stop(self) -> None:
        self.release()
        self._looks.stop()
        for refreshes in self._refreshes.values():
            refreshes.stop()

    def _wish(self, request: Request) -> Wish | None:
        tokens = request.headers.getlist("consistency-token")
        return read(self._resources, tokens, request.headers.getlist("prefer")) if tokens else None

    async def _sight(self, wish: Wish, tokens: Sequence[Token], searched: Declaration | None = None) -> _Sight:
        sight = _Sight(list(wish.tokens))
        try:
            async with self._patience(max(wish.seconds, LEAST_SECONDS)):
                await self._shown(tokens, sight, once=wish.seconds == 0)
                if searched is not None and not sight.missing:
                    await self._found(searched, wish.tokens, sight)
        except TimeoutError:
            pass  # it says itself what it lacks
        except Overloaded:
            if not wish.lenient:
                raise
        if sight.missing and (self._stopped or not wish.lenient):
            raise self._problem(wish, sight)
        return sight

    @asynccontextmanager
    async def _patience(self, seconds: float) -> AsyncIterator[None]:
        """So much time for what is inside; less where `release` is called."""
        async with asyncio.timeout(seconds) as timeout:
            waiting = asyncio.get_running_loop(), timeout
            self._waiting.add(waiting)
            try:
                if self._stopped:
                    raise TimeoutError
                yield
            finally:
                self._waiting.discard(waiting)

    async def _shown(self, tokens: Sequence[Token], sight: _Sight, *, once: bool) -> None:
        """Looks until the documents are as new as the tokens, or one of them will never be. Raises Overloaded where too many wait."""
        await self._look_for(tokens, sight)
        if once or not sight.missing or sight.refused:
            return
        with self._room(len(tokens)):
            for pause in chain(LOOKS, repeat(LOOKS[-1])):
                now = asyncio.get_running_loop().time()
                await asyncio.sleep(pause - now % pause)  # to the next beat of a common clock, so that who waits long looks together
                await self._look_for(tokens, sight)
                if not sight.missing or sight.refused:
                    return

    async def _look_for(self, tokens: Sequence[Token], sight: _Sight) -> None:
        views = sight.views = await self._views(tokens)
        sight.missing = [each for each in tokens if views[each.resource.name].version(each.id) < each.version]
        sight.refused = [each for each in sight.missing if views[each.resource.name].refusals.get(each.id, 0) >= each.version]

    @contextmanager
    def _room(self, tokens: int) -> Iterator[None]:
        """Whoever waits is looked for as often as all others: tokens that nobody was given must not make that dear."""
        if self._tokens + tokens > MAX_WAITING:
            raise Overloaded(f"Reads wait for {MAX_WAITING:,} tokens already. Try again in a moment.")
        self._tokens += tokens
        try:
            yield
        finally:
            self._tokens -= tokens

    async def _views(self, tokens: Sequence[Token]) -> dict[str, View]:
        """One view of each resource that tokens name."""
        parts = [tuple(part) for _, part in groupby(sorted(tokens, key=_name), _name)]
        asked = [self._looks.ask(((part[0].resource, ""), part), len(part)) for part in parts]
        return dict(zip(map(_name, (part[0] for part in parts)), await asyncio.gather(*asked), strict=True))

    async def _found(self, resource: Declaration, tokens: Sequence[Token], sight: _Sight) -> None:
        """Waits until searches of the resource find what the view shows of it."""
        sight.missing = [each for each in tokens if each.resource.name == resource.name]
        if sight.missing:
            view = sight.views[resource.name]
            versions = {each.id: view.version(each.id) for each in sight.missing}
            await self._refreshes[resource.name].found(view.generation, versions)
            sight.missing = []

    def _look(self, items: list[tuple[Target, tuple[Token, ...]]]) -> Sequence[View | BaseException]:
        return by_target(items, self._view)

    def _view(self, target: Target, asked: Sequence[tuple[Token, ...]]) -> list[View]:
        """One view for all who ask at the same time."""
        resource, _ = target
        newest: dict[str, int] = {}
        for token in chain.from_iterable(asked):
            newest[token.id] = max(token.version, newest.get(token.id, 0))
        generation = self._index.live(resource)
        view = View(generation, self._index.get(resource, list(newest), generation=generation), {})
        if behind := [id_ for id_, version in newest.items() if view.version(id_) < version]:
            view = view._replace(refusals=self._index.refused(resource, behind))
        return [view] * len(asked)

    def _problem(self, wish: Wish, sight: _Sight) -> Problem:
        applied = {"Preference-Applied": wish.applied} if wish.applied else {}
        members: dict[str, Any] = {"waited_ms": round(1000 * (time.monotonic() - sight.since)), "missing": list(map(str, sight.missing))}
        if sight.refused and not self._stopped:
            members["missing"] = list(map(str, sight.refused))
            detail = "The projector had to put this version aside, so it is not in the index. The next change of the resource mends that."
            return Problem(503, "projection-refused", detail, headers=applied, **members)
        hint = "" if wish.lenient else " Prefer: handling=lenient takes what is there."
        detail = "The service stops." if self._stopped else f"The index is not there yet.{hint}"
        return Problem(503, "projection-lagging", detail, headers={"Retry-After": "1", **applied}, **members)


def _name(token: Token) -> str:
    return token.resource.name


def _headers(wish: Wish, sight: _Sight) -> dict[str, str]:
    applied = {"Preference-Applied": wish.applied} if wish.applied else {}
    return {**applied, "Consistency-Status": "stale"} if sight.missing else applied


def _expire(timeout: asyncio.Timeout) -> None:
    with suppress(RuntimeError):  # it has ended meanwhile
        timeout.reschedule(0)
