"""What both HTTP services share: bodies with limits, answers, problem+json (RFC 9457), health, documentation."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Callable, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

import orjson
import structlog
import uuid_utils
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from twofold.errors import Problem, Unavailable
from twofold.runtime import strictjson
from twofold.runtime.problems import PROBLEMS
from twofold.telemetry import stack

log: Any = structlog.get_logger()
MAX_BODY = 64 * 1024
JSON = "application/json"
SECURITY = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
Health = Callable[[], dict[str, str | None]]
_DOCS_POLICY = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'"
_DOCS = """<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="docs/static/swagger-ui.css"><div id="swagger-ui"></div>
<script src="docs/static/swagger-ui-bundle.js"></script><script src="docs/start.js"></script></html>"""
_START = 'SwaggerUIBundle({url: "openapi.json", dom_id: "#swagger-ui", deepLinking: true, validatorUrl: null});'


async def read_json(request: Request, content_type: str = JSON) -> Any:
    """The body as strict JSON. Raises Problem 400, 413 or 415."""
    given = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if given != content_type:
        headers = {"Accept-Patch": content_type} if request.method == "PATCH" else {"Accept": content_type}
        raise Problem(415, "unsupported-media-type", f"The Content-Type should be {content_type}.", headers=headers)
    try:
        return strictjson.loads(await read_body(request))
    except strictjson.NotJson as error:
        raise Problem(400, "malformed-json", str(error)) from None


async def read_body(request: Request) -> bytes:
    """The body, read no further than its limit."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > MAX_BODY:
            detail = f"The body should have at most {MAX_BODY // 1024} KiB."
            raise Problem(413, "too-large", detail, headers={"Connection": "close"})
        parts.append(part)
    return b"".join(parts)


def answer(status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Response:
    """A JSON answer, or an empty one."""
    kind = {"Content-Type": JSON} if body else {}
    return Response(body, status, {**SECURITY, **kind, **(headers or {})})


def problem(request: Request, error: Problem) -> Response:
    """The problem as an answer; `instance` is what the log is searched for."""
    instance = f"urn:uuid:{uuid_utils.uuid7()}"
    if error.status >= 500:
        log.warning("answered with an error", status=error.status, code=error.code, path=request.url.path, instance=instance)
    body = {
        "type": f"/problems/{'taken' if error.code.endswith('-taken') else error.code}",
        "title": HTTPStatus(error.status).phrase,
        "status": error.status,
        "detail": error.detail,
        "instance": instance,
        "code": error.code,
        **error.members,
    }
    return Response(orjson.dumps(body), error.status, {**SECURITY, "Content-Type": "application/problem+json", **error.headers})


def service(title: str, routes: list[BaseRoute], openapi: Callable[[], dict[str, Any]], health: Health, needs: str) -> Starlette:
    """An HTTP service: its own routes, health, documentation; every error as problem+json.

    `health` tells of each engine None for good, else what is wrong; the service is ready when the engine `needs` is good.
    """
    described = orjson.dumps(openapi())
    shared: list[BaseRoute] = [
        Route("/", lambda _: answer(200, orjson.dumps({"service": title, "documentation": "/docs", "openapi": "/openapi.json"}))),
        Route("/livez", lambda _: answer(200, b'{"status":"ok"}')),
        Route("/readyz", _readiness(health, needs)),
        Route("/openapi.json", lambda _: answer(200, described)),
        Route("/problems/{code}", _explain),
        Route("/docs", lambda _: HTMLResponse(_DOCS.format(title=title), headers={**SECURITY, "Content-Security-Policy": _DOCS_POLICY})),
        Route("/docs/start.js", lambda _: Response(_START, media_type="text/javascript", headers=SECURITY)),
        Mount("/docs/static", StaticFiles(directory=_swagger())),
    ]
    handlers: dict[Any, Any] = {
        Problem: problem,
        HTTPException: _http_problem,
        ClientDisconnect: lambda request, _: problem(request, Problem(400, "malformed-json", "The body ended before its end.")),
        Unavailable: lambda request, _: problem(request, _overloaded()),
        Exception: _unexpected,
    }
    app = Starlette(routes=[*routes, *shared], exception_handlers=handlers)
    app.router.redirect_slashes = False
    return app


def _readiness(health: Health, needs: str) -> Callable[[Request], Any]:
    async def readyz(_: Request) -> Response:
        found = await asyncio.to_thread(health)
        ready = found.get(needs) is None
        engines = {name: reason or "ok" for name, reason in found.items()}
        return answer(200 if ready else 503, orjson.dumps({"status": "ready" if ready else "not ready", "engines": engines}))

    return readyz


async def _explain(request: Request) -> Response:
    code = request.path_params["code"]
    if code not in PROBLEMS:
        raise HTTPException(404)
    return answer(200, orjson.dumps({"code": code, "meaning": PROBLEMS[code]}))


def _http_problem(request: Request, error: HTTPException) -> Response:
    codes = {404: ("not-found", "There is nothing at this address."), 405: ("method-not-allowed", "This address does not take the method.")}
    code, detail = codes.get(error.status_code, ("malformed-header", "The request cannot be understood."))
    return problem(request, Problem(error.status_code, code, detail, headers=dict(error.headers or {})))


def _overloaded() -> Problem:
    return Problem(503, "overloaded", "Too many requests are waiting. Try again in a moment.", headers={"Retry-After": "1"})


def _unexpected(request: Request, error: Exception) -> Response:
    log.error("request failed", path=request.url.path, error=type(error).__name__, stack=stack(error))
    return problem(request, Problem(500, "internal-error", "The service failed to answer."))


def _swagger() -> Path:
    """Swagger UI's files, found without importing the package that carries them."""
    spec = importlib.util.find_spec("swagger_ui")
    if spec is None or spec.origin is None:
        raise RuntimeError("The package swagger-ui-py is missing.")
    return Path(spec.origin).parent / "static"
