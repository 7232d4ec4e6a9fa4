"""An HTTP server of a process: uvicorn's, without its signal handling, and with an end that leaves no request without an answer."""

from __future__ import annotations

import asyncio
import resource
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, cast

import structlog
import uvicorn
from starlette.types import ASGIApp

from twofold.runtime.protocol import Protocol, Shared

log: Any = structlog.get_logger()
HTTP_SECONDS = 3.0  # for requests that run when the process is told to stop
IDLE_SECONDS = 1.0  # of these, for which a connection that is kept is told that the service stops, should it ask
LAST_SECONDS = 0.5  # of these, for the answers to requests that are not done by then
BACKLOG = 2048
MOST_CONNECTIONS = 10_000  # some 6 KB each, and 100 KB while a request is read
_STEP = 0.02


def descriptors(servers: int) -> int:
    """How many connections each of so many servers may have; the limit of descriptors is raised as far as is allowed, and a quarter is
    left for files and engines.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft = hard
    except (ValueError, OSError):
        log.warning("the limit of descriptors stays as it is", limit=soft)
    most = MOST_CONNECTIONS if soft == resource.RLIM_INFINITY else (soft - max(64, soft // 4)) // max(1, servers)
    return max(1, min(MOST_CONNECTIONS, most))


class Server(uvicorn.Server):
    """Serves one app. The process handles signals for all its servers, and sets `should_exit`."""

    def __init__(self, app: ASGIApp, most: int = MOST_CONNECTIONS) -> None:
        self._shared = Shared(most)
        super().__init__(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                server_header=False,
                lifespan="off",
                proxy_headers=False,
                timeout_keep_alive=30,
                http=cast(type[asyncio.Protocol], partial(Protocol, shared=self._shared)),
                ws="none",
                backlog=BACKLOG,
            )
        )

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def on_tick(self, counter: int) -> bool:
        if counter % 10 == 0:  # about once a second
            now = asyncio.get_running_loop().time()
            for connection in self._open():
                connection.look(now)
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Takes no new connections. What runs is answered; what comes on connections that are kept is refused with a 503. What is not
        done in time is cancelled, and answered with what is known of it.
        """
        for server in self.servers:
            server.close()
        for bound in sockets or []:
            bound.close()
        self._shared.stopping = True
        for connection in self._open():
            connection.stop()
        begun = time.monotonic()
        while self.server_state.connections and time.monotonic() < begun + HTTP_SECONDS - LAST_SECONDS:
            if time.monotonic() > begun + IDLE_SECONDS:
                self._close_idle()
            await asyncio.sleep(_STEP)
        self._close_idle()
        await self._end(begun + HTTP_SECONDS)

    async def _end(self, until: float) -> None:
        for connection in self._open():
            connection.cut()
        for task in list(self.server_state.tasks):
            task.cancel()
        while (self.server_state.tasks or self.server_state.connections) and time.monotonic() < until:  # noqa: ASYNC110 - uvicorn has no event
            await asyncio.sleep(_STEP)

    def _close_idle(self) -> None:
        for connection in self._open():
            connection.close_idle()

    def _open(self) -> list[Protocol]:
        return cast(list[Protocol], list(self.server_state.connections))
