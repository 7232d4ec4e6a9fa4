"""A process that runs services and HTTP servers until a signal, and ends them in order."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
import uvloop
from starlette.types import ASGIApp

from twofold.errors import SettingsError
from twofold.runtime import interpreter
from twofold.runtime.hosts import LocalHosts, is_loopback
from twofold.runtime.server import Server, descriptors
from twofold.runtime.service import Service, stop_all
from twofold.urls import authority

log: Any = structlog.get_logger()
LOOP_SECONDS = 6.0  # for the loops after that: together below the 10 s that supervisors give


@dataclass(slots=True)
class Process:
    """What one process runs. `releases` let go of requests that wait, before those that run are waited for; `drains` finish what was taken,
    under their name; `closes` are called when nothing runs any more.
    """

    services: list[Service] = field(default_factory=list)
    servers: list[tuple[ASGIApp, socket.socket]] = field(default_factory=list)
    releases: list[Callable[[], None]] = field(default_factory=list)
    drains: list[tuple[str, Callable[[], None]]] = field(default_factory=list)
    closes: list[Callable[[], None]] = field(default_factory=list)

    def run(self, ready: Callable[[], None] = lambda: None) -> int:
        """Runs until SIGINT or SIGTERM, or until a service fails. Returns the exit code."""
        interpreter.tune()
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(self._run(ready))
        finally:
            left = self._finish()
        failed = [service.name for service in self.services if service.failure is not None]
        if left:
            log.error("did not stop in time", services=left)
        return 1 if failed or left else 0

    async def _run(self, ready: Callable[[], None]) -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, _stop, stop, signal.Signals(number).name)
        for service in self.services:
            service.start()
        most = descriptors(len(self.servers))
        servers = [Server(LocalHosts(app) if _is_local(bound) else app, most) for app, bound in self.servers]
        tasks = [asyncio.create_task(server.serve([bound])) for server, (_, bound) in zip(servers, self.servers, strict=True)]
        while not all(server.started for server in servers):  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.01)
        ready()
        await self._until(stop)
        for release in self.releases:
            release()
        for server in servers:
            server.should_exit = True
        await asyncio.gather(*tasks)

    async def _until(self, stop: asyncio.Event) -> None:
        """Waits for the signal, or for a service that ended by itself."""
        while not stop.is_set() and not any(service.ended.is_set() for service in self.services):
            try:
                await asyncio.wait_for(stop.wait(), 0.2)
            except TimeoutError:
                continue

    def _finish(self) -> list[str]:
        deadline = time.monotonic() + LOOP_SECONDS
        drains = [threading.Thread(target=drain, name=name, daemon=True) for name, drain in self.drains]
        for thread in drains:
            thread.start()
        left = stop_all(self.services, LOOP_SECONDS)
        for thread in drains:
            thread.join(max(0.0, deadline - time.monotonic()))
        left += [thread.name for thread in drains if thread.is_alive()]
        if not left:
            for close in self.closes:
                close()
        return left


def bind(host: str, port: int, variable: str, *, shared: bool = False) -> socket.socket:
    """A socket to listen with; where `shared`, one of several. Raises SettingsError where the address is not to be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, int(shared))
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        where = authority(host, port)
        raise SettingsError(f"Cannot listen on {where}: {error.strerror}. Choose another with {variable} or TWOFOLD_HOST.") from None
    if not _is_local(bound) and not shared:  # those who share have reserved it first
        log.warning("NOTHING AUTHENTICATES YET: whoever reaches this address can read and write everything", host=host, port=port)
    return bound


def reserve(host: str, port: int, variable: str) -> socket.socket:
    """A socket that keeps an address for those who share it, and does not listen. Raises SettingsError as `bind` does.

    A shared one would be had beside others of the same user that are shared as well, so it is bound alone first. Without SO_REUSEADDR
    afterwards, others are refused even while no worker listens.
    """
    with bind(host, port, variable) as alone:
        port = alone.getsockname()[1]
    reserved = bind(host, port, variable, shared=True)
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
    return reserved


def _is_local(bound: socket.socket) -> bool:
    return is_loopback(bound.getsockname()[0])


def addresses(sockets: Sequence[socket.socket]) -> list[str]:
    """The URL of each socket."""
    return [f"http://{authority(*bound.getsockname()[:2])}" for bound in sockets]


def _stop(stop: asyncio.Event, name: str) -> None:
    """The first signal stops softly. A second one ends the process at once."""
    if stop.is_set():
        log.warning("stopped hard by a second signal")
        sys.stderr.flush()
        os._exit(1)
    log.info("stopping", signal=name)
    stop.set()
