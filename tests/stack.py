"""An app on the embedded default, whole and in process: HTTP goes in by ASGI, records move when `settle` is called."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import httpx

from twofold.bootstrap import System
from twofold.resource import App
from twofold.settings import load

JSON = {"Content-Type": "application/json"}
PATCH = {"Content-Type": "application/merge-patch+json"}


class Http:
    """Requests to an ASGI app; those given together run at the same time."""

    def __init__(self, app: Any) -> None:
        self._app = app

    def __call__(self, method: str, url: str, **options: Any) -> httpx.Response:
        return self.together([(method, url, options)])[0]

    def together(self, requests: Sequence[tuple[str, str, dict[str, Any]]]) -> list[httpx.Response]:
        async def send() -> list[httpx.Response]:
            transport = httpx.ASGITransport(self._app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                return await asyncio.gather(*(client.request(method, url, **options) for method, url, options in requests))

        return asyncio.run(send())

    def post(self, url: str, json: Any, **headers: str) -> httpx.Response:
        return self("POST", url, json=json, headers=_named(headers))

    def put(self, url: str, json: Any, **headers: str) -> httpx.Response:
        return self("PUT", url, json=json, headers=_named(headers))

    def patch(self, url: str, json: Any, **headers: str) -> httpx.Response:
        return self("PATCH", url, json=json, headers={**PATCH, **_named(headers)})

    def delete(self, url: str, **headers: str) -> httpx.Response:
        return self("DELETE", url, headers=_named(headers))

    def get(self, url: str, params: Any = None, **headers: str) -> httpx.Response:
        return self("GET", url, params=params, headers=_named(headers))


class Stack:
    """Both services of an app, and the way between them."""

    def __init__(self, app: App, folder: Path, *, migrated: bool = False) -> None:
        self.system = System(app, load(data=folder))
        if not migrated:
            self.system.migrate()
        self._relay, self._projectors = self.system.relay(), self.system.projectors()
        self.commands, self.queries = self.system.command_service(), self.system.query_service()
        self.command, self.query = Http(self.commands.http), Http(self.queries.http)

    def settle(self) -> None:
        """Every command so far is in the index."""
        while self.system.outbox.backlog()[0]:
            self._relay.step()
        for resource, projector in zip(self.system.app, self._projectors, strict=True):
            while any(position.lag for position in self.system.log.positions(resource.topic, resource.group)):
                projector.step()

    def close(self) -> None:
        self.commands.close()
        self.queries.close()
        for projector in self._projectors:
            projector.close()
        self.system.close()


async def chunks(size: int, count: int, sent: list[int]) -> AsyncIterator[bytes]:
    """A body without a length; `sent` notes what was asked for."""
    for _ in range(count):
        sent.append(size)
        yield b"x" * size


def _named(headers: dict[str, str]) -> dict[str, str]:
    """`if_match` is If-Match."""
    return {name.replace("_", "-"): value for name, value in headers.items()}
