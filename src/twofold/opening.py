"""`twofold.open`: the roles of an app inside a program of the user's own, in place of `twofold up`, `command`, `query`, `relay` and
`project`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Self

import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

from twofold.resource import App
from twofold.runtime.service import STOP_SECONDS, Service, stop_all

if TYPE_CHECKING:
    from twofold.bootstrap import System
    from twofold.command.passwords import HashPool
    from twofold.runtime.web import Web
    from twofold.settings import Settings

log: Any = structlog.get_logger()
LOOK_SECONDS = 0.1  # how often `run` looks whether it is to end
COMMAND, QUERY = "command", "query"


def open_system(app: App, settings: Settings | None = None) -> OpenSystem:
    """The roles of an app: `with twofold.open(app) as system:` opens its engines, and closes them at the end.

    Without settings they come from the environment, `.env` or `twofold.toml`, as for the command line, when the `with` begins.
    """
    return OpenSystem(app, settings)


def checked(app: App) -> App:
    """The app. Raises TypeError where it is none: a module and a resource are taken for one."""
    if not isinstance(app, App):
        raise TypeError(f"This should be an App, as App(Book) makes one, not {app!r}.")
    return app


class OpenSystem:
    """What `twofold.open` gives. It is open inside a `with`, and can be opened again after it.

    The services may be mounted before. One that is has its engine looked at when the `with` begins, else when it is first asked for:
    that raises Unavailable for an engine that does not answer, and Outdated where `twofold migrate` has something to do. The embedded
    default is migrated at once; where another process has its folder, the `with` raises FolderInUse.
    """

    def __init__(self, app: App, settings: Settings | None = None, hashes: Callable[[], HashPool] | None = None) -> None:
        self._app, self._settings, self._hashes = checked(app), settings, hashes
        self._mounted = {COMMAND: _Mounted(self, COMMAND), QUERY: _Mounted(self, QUERY)}
        self._asked: list[str] = []
        self._opened: Opened | None = None

    @property
    def command_app(self) -> ASGIApp:
        """The command service as an ASGI app."""
        return self._served(COMMAND)

    @property
    def query_app(self) -> ASGIApp:
        """The query service as an ASGI app."""
        return self._served(QUERY)

    def run(self) -> None:
        """Runs relay and projectors, until `stop` or the end of the `with`; in the main thread also until Ctrl-C or SIGTERM.

        Raises what no waiting mends (NeedsRebuild, Outdated, Stalled) once one of them has ended with it; engines that are away are
        waited for. Raises RuntimeError where it runs already.
        """
        self.opened.run()

    def stop(self) -> None:
        """Makes `run` return, or not begin, until the system is opened again. May be called from any thread, and twice."""
        if self._opened is not None:
            self._opened.ending.set()

    @property
    def opened(self) -> Opened:
        """What is behind this in its `with`. Raises RuntimeError outside."""
        if self._opened is None:
            raise RuntimeError("This system is not open. Write `with twofold.open(app) as system:`, or `with system:` in a lifespan.")
        return self._opened

    def __enter__(self) -> Self:
        if self._opened is not None:
            raise RuntimeError("This system is open already.")
        from twofold.settings import Settings, load  # noqa: PLC0415 - whoever declares only needs none of it

        settings = load() if self._settings is None else self._settings
        if not isinstance(settings, Settings):
            raise TypeError(f"Settings should be as twofold.settings.load gives them, not of type {type(settings).__name__}.")
        opened = Opened(self._app, settings, self._hashes)
        try:
            for name in self._asked:
                opened.serve(name)
        except BaseException:
            opened.close()
            raise
        self._opened = opened
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.opened.close()
        finally:
            self._opened = None

    def _served(self, name: str) -> ASGIApp:
        if name not in self._asked:
            self._asked.append(name)
        if self._opened is not None:
            self._opened.serve(name)
        return self._mounted[name]


class _Mounted:
    """A service of a system, whenever that is open: routes are made before, and stay when it is opened again."""

    def __init__(self, system: OpenSystem, name: str) -> None:
        self._system, self._name = system, name

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._system.opened.apps[self._name](scope, receive, send)


class Opened:
    """An app on its engines, from the beginning of a `with` to its end."""

    def __init__(self, app: App, settings: Settings, hashes: Callable[[], HashPool] | None) -> None:
        from twofold.bootstrap import System  # noqa: PLC0415 - as above

        self.system: System = System(app, settings)
        self.apps: dict[str, Web] = {}
        self.services: list[Service] = []  # the relay and projectors, while they run
        self.ending = threading.Event()
        self._hashes = hashes
        self._as_declared: set[str] = set()  # engines that were looked at
        self._begun: list[Service] = []  # relay and projectors; they may run on where a second Ctrl-C meets their stop
        self._closes = ExitStack()
        self._running = threading.Lock()
        self._serving = threading.Lock()
        try:
            self.system.migrate_embedded()
        except BaseException:
            self.system.close()
            raise

    def serve(self, name: str) -> None:
        """Opens a service that is not open yet, once its engine is as declared."""
        from twofold.bootstrap import READ, WRITE  # noqa: PLC0415 - as above

        with self._serving:
            if name not in self.apps:
                self._refuse_pending({WRITE if name == COMMAND else READ})
                self.apps[name] = self._commands() if name == COMMAND else self._queries()

    def _refuse_pending(self, needs: set[str]) -> None:
        self.system.refuse_pending(needs - self._as_declared)
        self._as_declared |= needs

    def _commands(self) -> Web:
        service = self.system.command_service(self._wake, self._hashes() if self._hashes else None)
        purger = self.system.purger()
        purger.start()
        self._closes.callback(stop_all, [purger])
        self._closes.callback(service.close)
        return service.http

    def _queries(self) -> Web:
        service = self.system.query_service()
        self._closes.callback(service.close)
        return service.http

    def _wake(self) -> None:
        for relay in self.services[:1]:
            relay.wake()

    def run(self) -> None:
        from twofold.bootstrap import LOG, READ, WRITE  # noqa: PLC0415 - as above
        from twofold.tools.running import interruptible  # noqa: PLC0415 - as above

        if not self._running.acquire(blocking=False):
            if self.ending.is_set():
                return
            raise RuntimeError("Relay and projectors of this system run already.")
        with ExitStack() as stack:
            stack.callback(self._running.release)
            if self.ending.is_set():
                return
            self._refuse_pending({WRITE, LOG, READ})
            is_main = threading.current_thread() is threading.main_thread()
            interrupted = stack.enter_context(interruptible()) if is_main else lambda: False
            services = [self.system.relay(), *self.system.projectors()]
            stack.callback(self._stop, services)
            self._run(services, interrupted)
        for service in services:
            if service.failure is not None:
                raise service.failure

    def _run(self, services: list[Service], interrupted: Callable[[], bool]) -> None:
        self._begun = services
        for service in services:
            service.start()
        self.services = services
        while not interrupted() and not any(service.ended.is_set() for service in services):
            if self.ending.wait(LOOK_SECONDS):
                return

    def _stop(self, services: list[Service]) -> None:
        self.services = []
        if left := stop_all(services):
            log.error("did not stop in time", services=left)

    def close(self) -> None:
        """Lets relay and projectors finish their step, answers what the services have taken, and closes the engines; not under what
        did not stop in time.
        """
        self.ending.set()
        ended = self._running.acquire(timeout=2 * STOP_SECONDS)
        try:
            self._closes.close()
        finally:
            left = stop_all(self._begun, 0)
            if ended and not left:
                self.system.close()
            else:
                log.error("the engines stay open, since relay and projectors run on", services=left)
