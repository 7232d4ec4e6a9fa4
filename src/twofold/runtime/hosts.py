"""Which hosts a request names, and which one it comes from."""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from twofold.errors import Problem
from twofold.runtime.web import problem

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(:\d{1,5})?")


class LocalHosts:
    """Refuses requests for other hosts than this machine: a site that points its name here must not read what is served here.

    And those that a page of another site makes: it cannot read the answers, but their work would be done. Its links may be followed.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        host = next((value for name, value in scope["headers"] if name == b"host"), b"localhost")
        if is_local(host) and not is_cross_site(scope):
            await self._app(scope, receive, send)
        elif is_local(host):
            detail = "A page of another site may link to this service, and nothing else."
            await problem(Problem(403, "cross-site", detail))(scope, receive, send)
        else:
            detail = "This service is bound to this machine and answers to localhost and its addresses (127.0.0.1) only."
            await problem(Problem(421, "misdirected", detail))(scope, receive, send)


def is_cross_site(scope: Scope) -> bool:
    """Whether a browser says that another site's page wants this, for something else than to show it in a tab of its own."""
    told = {name: value for name, value in scope["headers"] if name.startswith(b"sec-fetch-")}
    followed = told.get(b"sec-fetch-mode") == b"navigate" and told.get(b"sec-fetch-dest") == b"document"
    return told.get(b"sec-fetch-site") == b"cross-site" and not followed


@lru_cache(256)
def is_local(host: bytes) -> bool:
    """Whether a Host header, with or without a port, is `localhost` or a loopback address."""
    match = _HOST.fullmatch(host.decode("latin-1").lower())
    if match is None:
        return False
    name = match.group(1).removesuffix(".").strip("[]")
    return name == "localhost" or is_loopback(name)


def is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def is_from_here(request: Request) -> bool:
    """Whether a request comes from this machine, or from a proxy on it."""
    client, server = request.client, request.scope.get("server")
    return client is not None and (is_loopback(client.host) or (server is not None and client.host == server[0]))
