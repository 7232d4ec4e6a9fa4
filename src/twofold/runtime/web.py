"""What both HTTP services share: bodies with limits, answers, problem+json (RFC 9457), health, documentation."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import BaseRoute, Route, Router
from starlette.types import Message, Receive, Scope, Send

from twofold.errors import Overloaded, Problem, Stopping, TwofoldError
from twofold.runtime import strictjson
from twofold.runtime.failures import Failures, instance
from twofold.runtime.looks import EngineLook
from twofold.runtime.problems import PROBLEMS

MAX_BODY = 64 * 1024  # bytes, where an address does not say otherwise
MOST_BODY = 2 << 20  # at any address
CLIENT = "twofold.client"  # in the scope: the Client, where the server knows it
JSON = "application/json"
SECURITY = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
Respond = Callable[[Request], Awaitable[Response]]
Health = Mapping[str, Callable[[], Any]]  # looks at each engine, which raise where it is not well
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_DOCS_POLICY = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'"
_DOCS = """<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="docs/static/favicon-32x32.png"><link rel="stylesheet" href="docs/static/swagger-ui.css"><div id="swagger-ui"></div>
<script src="docs/static/swagger-ui-bundle.js"></script><script src="docs/start.js"></script></html>"""
_SWAGGER, _SWAGGER_FILES = Path(__file__).parent / "swagger", ("swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png")
_START = 'SwaggerUIBundle({url: "openapi.json", dom_id: "#swagger-ui", deepLinking: true, validatorUrl: null});'


async def read_json(request: Request, content_type: str = JSON, empty: Any = None, limit: int = MAX_BODY) -> Any:
    """The body as strict JSON; `empty`, if given, for a body without content. Raises Problem 400, 413 beyond `limit` bytes, or 415."""
    return parsed(await read_typed(request, content_type, limit), empty)


async def read_typed(request: Request, content_type: str, limit: int) -> bytes:
    """The body that is said to be of this type. Raises Problem 413 or 415.

    The type is asked for in any case: it makes a browser ask before it sends what another site's page wants sent.
    """
    given, _, parameters = request.headers.get("content-type", "").lower().partition(";")
    if given.strip() != content_type or parameters.strip() not in ("", "charset=utf-8") or "content-encoding" in request.headers:
        headers = {"Accept-Patch": content_type} if request.method == "PATCH" else {"Accept": content_type}
        detail = f"The Content-Type should be {content_type}, in UTF-8 and without Content-Encoding."
        raise Problem(415, "unsupported-media-type", detail, headers=headers)
    body = await read_body(request, limit)
    request.scope["twofold.size"] = len(body)
    return body


def parsed(body: bytes, empty: Any = None) -> Any:
    """The body as strict JSON, or `empty`. Raises Problem 400."""
    if not body and empty is not None:
        return empty
    try:
        return strictjson.loads(body)
    except strictjson.NotJson as error:
        raise Problem(400, "malformed-json", str(error)) from None


async def read_body(request: Request, limit: int = MAX_BODY) -> bytes:
    """The body, read no further than its limit, and not at all where it is said to be longer."""
    declared = request.headers.get("content-length", "")
    body, more = bytearray(), True
    if declared.isdigit() and int(declared) > limit:
        raise _too_large(limit)
    while more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > limit:
            raise _too_large(limit)
    return bytes(body)


def _too_large(limit: int) -> Problem:
    return Problem(413, "too-large", f"The body should have at most {limit // 1024} KiB.", headers={"Connection": "close"})


def size(request: Request) -> int:
    """Bytes of the body that was read; what a client says of its length is only its word."""
    return int(request.scope.get("twofold.size", 0))


def answer(status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Response:
    """A JSON answer, or an empty one."""
    kind = {"Content-Type": JSON} if body else {}
    return Response(body, status, {**SECURITY, **kind, **(headers or {})})


def root(scope: Scope) -> str:
    """The prefix that the service is mounted under, as addresses have it, never another host's; "" where it has a port of its own."""
    prefix = quote(scope.get("root_path", "").strip("/"), errors="replace")  # half a surrogate has no address
    return f"/{prefix}" if prefix else ""


def problem(error: Problem, prefix: str = "") -> Response:
    """The problem as an answer. Where it has an instance, the log says more under that."""
    body = {
        "type": f"/problems/{'taken' if error.code.endswith('-taken') else error.code}",
        "title": HTTPStatus(error.status).phrase,
        "status": error.status,
        "detail": error.detail,
        "instance": error.instance or instance(),
        "code": error.code,
        **error.members,
    }
    body["type"] = f"{prefix}{body['type']}"
    return Response(orjson.dumps(body), error.status, {**SECURITY, "Content-Type": "application/problem+json", **error.headers})


def overloaded(error: Overloaded) -> Problem:
    return Problem(503, error.code, error.detail, headers={"Retry-After": f"{error.seconds}"})


def service(title: str, routes: list[BaseRoute], openapi: Callable[[], dict[str, Any]], health: Health, needs: str) -> Web:
    """An HTTP service: its own routes, health, documentation; every error as problem+json.

    The service is ready when the engine that it `needs` is well.
    """
    looks = {name: EngineLook(name, check) for name, check in health.items()}
    document = openapi()
    described = orjson.dumps(document)
    docs = {**SECURITY, "Content-Security-Policy": _DOCS_POLICY}
    shared: list[BaseRoute] = [
        Route("/", lambda request: answer(200, _greeting(title, root(request.scope)))),
        Route("/livez", lambda _: answer(200, b'{"status":"ok"}')),
        Route("/readyz", _readiness(looks, needs)),
        Route("/openapi.json", lambda request: answer(200, _mounted(document, root(request.scope)) or described)),
        Route("/problems/{code}", _explain),
        Route("/docs", lambda _: HTMLResponse(_DOCS.format(title=title), headers=docs)),
        Route("/docs/start.js", lambda _: Response(_START, media_type="text/javascript", headers=docs)),
        *(Route(f"/docs/static/{name}", _file(_SWAGGER / name)) for name in _SWAGGER_FILES),
    ]
    return Web([*routes, *shared], list(looks.values()))


def _greeting(title: str, prefix: str) -> bytes:
    return orjson.dumps({"service": title, "documentation": f"{prefix}/docs", "openapi": f"{prefix}/openapi.json"})


def _mounted(document: dict[str, Any], prefix: str) -> bytes:
    """The OpenAPI document of a service under a prefix; nothing without one."""
    return orjson.dumps({**document, "servers": [{"url": prefix}]}) if prefix else b""


class Client:
    """Whoever is at the other end of a connection, and waits for one answer at a time."""

    def __init__(self) -> None:
        self.waits_for: asyncio.Task[Any] | None = None
        self.has_left = False

    def leaves(self) -> None:
        """Work that nobody waits for any more is not done, unless it was begun."""
        self.has_left = True
        if self.waits_for is not None:
            self.waits_for.cancel()


class Endpoint:
    """An endpoint without what Starlette puts around a plain function: `Web` answers what it raises."""

    def __init__(self, respond: Respond) -> None:
        self._respond = respond

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers. The work on that is cancelled where the server sees that the client has left."""
        client: Client = scope.get(CLIENT) or Client()
        client.waits_for = asyncio.current_task()
        try:
            response = await self._respond(Request(scope, receive))
        finally:
            client.waits_for = None
        await response(scope, receive, send)


class Web:
    """Routes, and an answer to whatever they raise. Nothing is raised on to the server, which would log the error's own words; but for a
    cancellation that is not from twofold's own server.

    In place of Starlette's application, whose layers cost more than a command does.
    """

    def __init__(self, routes: Sequence[BaseRoute], looks: Sequence[EngineLook] = ()) -> None:
        self.router = Router(routes, redirect_slashes=False)
        self._failures, self._looks = Failures(), looks

    def close(self) -> None:
        """Ends the threads that look at engines for probes."""
        for look in self._looks:
            look.stop()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope = {**scope, "app": self}  # so that the router raises what it does not find
        begun = False

        async def noted(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            if _CONTROL.search(scope["path"]):  # which Starlette's routes would pass over at their end
                raise HTTPException(404)
            await self.router(scope, receive, noted)
        except (Exception, asyncio.CancelledError) as error:  # whatever it is, the client gets an answer
            if isinstance(error, asyncio.CancelledError) and CLIENT not in scope:
                raise  # what this service is mounted in has cancelled the request, and answers it
            if CLIENT in scope and scope[CLIENT].has_left and isinstance(error, (TwofoldError, asyncio.CancelledError, ClientDisconnect)):
                return  # nobody reads it, and nothing failed
            answered = problem(self._told(scope["path"], error), root(scope))
            if not begun:  # else the server closes the connection, which tells the client that the answer is not whole
                await answered(scope, receive, send)

    def _told(self, path: str, error: BaseException) -> Problem:
        """The error as a problem, which the log has where it is not the client's doing."""
        found = _problem_of(error)
        if found.status >= 500 and not found.instance:
            cause = error if found.status == 500 and found is not error else found.__cause__
            found.instance = self._failures.told("answered with an error", cause, status=found.status, code=found.code, path=path)
        return found


def _problem_of(error: BaseException) -> Problem:
    if isinstance(error, Problem):
        return error
    if isinstance(error, HTTPException):
        return _http_problem(error)
    if isinstance(error, ClientDisconnect):
        return Problem(400, "malformed-json", "The body ended before its end.")
    if isinstance(error, asyncio.CancelledError):  # the service stops, and waits no longer
        error = Stopping()
    if isinstance(error, Overloaded):
        return overloaded(error)
    return Problem(500, "internal-error", "The service failed to answer.")


def _readiness(looks: Mapping[str, EngineLook], needs: str) -> Respond:
    async def readyz(_: Request) -> Response:
        found = dict(zip(looks, await asyncio.gather(*(look.state() for look in looks.values())), strict=True))
        ready = found.get(needs, "ok") == "ok"
        return answer(200 if ready else 503, orjson.dumps({"status": "ready" if ready else "not ready", "engines": found}))

    return readyz


async def _explain(request: Request) -> Response:
    code = request.path_params["code"]
    if code not in PROBLEMS:
        raise HTTPException(404)
    return answer(200, orjson.dumps({"code": code, "meaning": PROBLEMS[code]}))


def _http_problem(error: HTTPException) -> Problem:
    codes = {404: ("not-found", "There is nothing at this address."), 405: ("method-not-allowed", "This address does not take the method.")}
    code, detail = codes.get(error.status_code, ("malformed-header", "The request cannot be understood."))
    return Problem(error.status_code, code, detail, headers=dict(error.headers or {}))


def _file(path: Path) -> Callable[[Request], Response]:
    headers = {**SECURITY, "Content-Security-Policy": _DOCS_POLICY, "Cache-Control": "no-cache"}
    return lambda _: FileResponse(path, headers=headers)
