"""A client for tests: all four roles of an app in this process, on the embedded default in a temporary folder, behind httpx's verbs."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

from argon2 import PasswordHasher
from starlette.types import Receive, Scope, Send

from twofold.command.passwords import HashPool
from twofold.errors import NotSettled
from twofold.opening import COMMAND, QUERY, Opened, OpenSystem, checked
from twofold.record import identity
from twofold.resource import App
from twofold.settings import Settings
from twofold.tools.letters import Letters

try:
    import httpx
except ModuleNotFoundError:
    raise ImportError("twofold.testing needs httpx: pip install 'twofold[testing]'") from None

__all__ = ["Client"]
MEMORY = Path("/dev/shm")  # noqa: S108 - where there is one, no commit waits for a disk
LOOK_SECONDS = 0.002  # between two looks whether everything has settled
FINISH_SECONDS = 1.0  # for an answer to get to whoever waits for it, once the services are closed
NOT_OPEN = "The services run inside a `with` only: `with Client(app) as client:`."
QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)  # the smallest cost that the library allows


class Client(httpx.Client):
    """An `httpx.Client` whose requests go to the services of an app. They run, with relay and projectors, inside its `with`.

    A request goes to the service that has a route for its path and method; where neither has, to one that has the path. Of what both
    have (`/docs`), or neither, GET and HEAD are for the query service, and all other methods for the command service.

    No setting is read, nothing is left behind, unless the process is killed: then the folder is. Passwords are hashed at the smallest
    cost, by the services of this client only.
    """

    def __init__(self, app: App) -> None:
        self._roles = _Roles(checked(app))
        super().__init__(base_url="http://localhost", transport=self._roles, trust_env=False, timeout=None)

    def settle(self, seconds: float = 10.0) -> None:
        """Returns once searches find all that was committed.

        Raises NotSettled with the reason where they do not after so many seconds, or never will: a role has failed, or a record went to
        the dead letters and no later one of the same id has reached the index.
        """
        until = time.monotonic() + seconds
        opened = self._roles.opened
        while under_way := list(_under_way(opened)):
            failure = self._roles.failure
            if failure is not None or time.monotonic() > until:
                why = f"relay and projectors have ended: {failure}" if failure else f"not searchable after {seconds:g} s"
                raise NotSettled("; ".join([why, *under_way])) from failure
            time.sleep(LOOK_SECONDS)
        if lost := list(_lost(opened)):
            raise NotSettled("; ".join(lost))


class _Roles(httpx.BaseTransport):
    """The four roles, and the way of requests to the services. `failure` is what ended relay and projectors."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._ends = ExitStack()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._taking = threading.Lock()  # else a request could come to a loop that has ended
        self.failure: BaseException | None = None

    def __enter__(self) -> Self:
        with ExitStack() as ends:
            memory = MEMORY if "TMPDIR" not in os.environ and os.access(MEMORY, os.W_OK) else None
            folder = Path(ends.enter_context(TemporaryDirectory(prefix="twofold-", dir=memory)))
            self._system = OpenSystem(self._app, Settings.model_construct(data=folder), _QuickHashes)
            self._services = httpx.ASGITransport(_Both(self._system))
            loop = ends.enter_context(_loop())  # around the services, which answer what they have taken when they are closed
            roles = threading.Thread(target=self._run, name="twofold roles", daemon=True)
            ends.callback(lambda: roles.join() if roles.ident else None)
            ends.enter_context(self._system)
            self._loop = loop
            ends.callback(self._take_nothing_more)
            roles.start()
            self._ends = ends.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._ends.close()

    @property
    def opened(self) -> Opened:
        if self._loop is None:
            raise RuntimeError(NOT_OPEN)
        return self._system.opened

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        with self._taking:
            if self._loop is None:
                raise RuntimeError(NOT_OPEN)
            answer = asyncio.run_coroutine_threadsafe(self._answer(request), self._loop)
        try:
            return answer.result(request.extensions.get("timeout", {}).get("read"))
        except TimeoutError:
            answer.cancel()
            raise httpx.ReadTimeout("The service has not answered in time.", request=request) from None

    def _take_nothing_more(self) -> None:
        with self._taking:
            self._loop = None

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        answer = await self._services.handle_async_request(request)
        return httpx.Response(answer.status_code, headers=answer.headers, stream=httpx.ByteStream(await answer.aread()))

    def _run(self) -> None:
        try:
            self._system.run()
        except BaseException as error:  # noqa: BLE001 - told by `settle`
            self.failure = error


class _Both:
    """Both services as one ASGI app."""

    def __init__(self, system: OpenSystem) -> None:
        self._system = system
        self._apps = {COMMAND: system.command_app, QUERY: system.query_app}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        fits = {name: self._fit(name, scope) for name in self._apps}
        usual = QUERY if scope["method"] in ("GET", "HEAD") else COMMAND
        other = COMMAND if usual == QUERY else QUERY
        await self._apps[other if fits[other] > fits[usual] else usual](scope, receive, send)

    def _fit(self, name: str, scope: Scope) -> int:
        """How a service's routes match: 2 with the method, 1 without, 0 not at all."""
        return max(route.matches(scope)[0].value for route in self._system.opened.apps[name].router.routes)


class _QuickHashes(HashPool):
    """Hashes that cost next to nothing, and protect nothing."""

    def submit(self, password: str) -> Future[str]:
        return self._queued(lambda: QUICK.hash(password))


@contextmanager
def _loop() -> Iterator[asyncio.AbstractEventLoop]:
    """An event loop that runs in a thread, until what it has begun is done."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="twofold services", daemon=True)
    thread.start()
    try:
        yield loop
    finally:
        asyncio.run_coroutine_threadsafe(_finish(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _finish() -> None:
    """Ends what the loop has begun: what does not end by itself is cancelled."""
    if left := asyncio.all_tasks() - {asyncio.current_task()}:
        _, late = await asyncio.wait(left, timeout=FINISH_SECONDS)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)


def _under_way(opened: Opened) -> Iterator[str]:
    """What is committed and not in the index yet, and what holds it up."""
    system = opened.system
    if pending := system.outbox.backlog()[0]:
        yield f"{pending} in the outbox{_trouble(opened, 'relay')}"
    for resource in system.app:
        if lag := sum(each.lag for each in system.log.positions(resource.topic, resource.group)):
            yield f"{lag} in {resource.topic}{_trouble(opened, f'projector {resource.name}')}"


def _trouble(opened: Opened, name: str) -> str:
    return "".join(f" ({service.trouble})" for service in opened.services if service.name == name and service.trouble)


def _lost(opened: Opened) -> Iterator[str]:
    """The dead letters whose version the index has not got, nor a later one, with the reason."""
    for resource in opened.system.app:
        [position] = opened.system.log.positions(resource.dead_letters, resource.group)
        for letter in Letters(opened.system, resource).open() if position.end else ():
            id_, version = identity(letter.message) or ("", 0)
            held = opened.system.index.get(resource, [id_]).get(id_, {}) if id_ else {}
            if held.get("version", 0) < max(version, 1):
                yield f"{resource.name}/{id_}@{version} is a dead letter: {letter.about.get('reason')}"
