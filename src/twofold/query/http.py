"""The query service's edge: gets, searches, suggestions and exports over HTTP."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Mapping
from typing import Any, TypeVar
from urllib.parse import urlencode

import orjson
import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from twofold.errors import EngineError, Outdated, Problem, Rejected, Unfit
from twofold.index.port import ReadStore
from twofold.index.search import Page
from twofold.query import answer as answers
from twofold.query import body, capabilities, language, suggest
from twofold.query.answer import representation
from twofold.query.asking import Asking
from twofold.query.export import Exports
from twofold.query.freshness import Freshness
from twofold.query.openapi import describe
from twofold.query.outdated import outdated
from twofold.query.parameters import Parameters
from twofold.query.reader import Reader
from twofold.record import UUID
from twofold.resource import App, Declaration
from twofold.runtime.web import Endpoint, Health, Respond, Web, answer, read_json, root, service

log: Any = structlog.get_logger()
MAX_LINK = 4096  # bytes: many a proxy takes 8 KB for all headers of an answer; next_cursor says the same
CACHE = {"Cache-Control": "private, no-cache"}
T = TypeVar("T")


class QueryService:
    """Routes for every resource of an app."""

    def __init__(self, app: App, index: ReadStore, health: Health) -> None:
        self._index = index
        self._asking = Asking()
        self._reader = Reader(index)
        self._exports = Exports(index)
        self.freshness = Freshness(app.resources, index, self._reader)
        routes: list[BaseRoute] = [Route("/capabilities", Endpoint(self._capabilities(app)), methods=["GET"])]
        for resource in app:
            routes += self._routes(resource)
        self.http: Web = service("twofold query service", routes, lambda: describe(app), health, needs="read store")

    def _routes(self, resource: Declaration) -> list[BaseRoute]:
        """Fixed paths before those with an id."""
        path = f"/{resource.name}"
        return [
            Route(path, Endpoint(self._search(resource)), methods=["GET"]),
            Route(f"{path}/search", Endpoint(self._search_by_body(resource)), methods=["POST"]),
            Route(f"{path}/suggest", Endpoint(self._suggest(resource)), methods=["GET"]),
            Route(f"{path}/export", Endpoint(self._export(resource)), methods=["GET"]),
            Route(f"{path}/{{id}}", Endpoint(self._get(resource)), methods=["GET"]),
        ]

    def close(self) -> None:
        self._exports.stop()
        self.freshness.stop()
        self._reader.stop()
        self._asking.stop()
        self.http.close()

    def _get(self, resource: Declaration) -> Respond:
        async def get(request: Request) -> Response:
            id_: str = request.path_params["id"]
            if id_ == "search":
                raise Problem(405, "method-not-allowed", "A search with a body is a POST.", headers={"Allow": "POST"})
            document, told = await _read(self.freshness.get(request, resource, id_)) if UUID.fullmatch(id_) else (None, {})
            if document is None:
                raise Problem(404, "not-found", f"There is no such {resource.cls.__name__.lower()}.", headers=dict(told))
            tag = f'"{document["version"]}.{resource.digest}"'
            if _matches(",".join(request.headers.getlist("if-none-match")), tag):
                return answer(304, headers={**CACHE, **told, "ETag": tag})
            return answer(200, orjson.dumps(representation(resource, document)), {**CACHE, **told, "ETag": tag})

        return get

    def _search(self, resource: Declaration) -> Respond:
        async def search(request: Request) -> Response:
            parameters = request.query_params.multi_items()
            found, headers = await self._found(request, resource, parameters)
            cursor = found["next_cursor"]
            link = f'<{root(request.scope)}{_url(resource, parameters, cursor)}>; rel="next"' if cursor else ""
            links = {"Link": link} if 0 < len(link) <= MAX_LINK else {}
            return answer(200, orjson.dumps(found), {**CACHE, **headers, **links})

        return search

    def _search_by_body(self, resource: Declaration) -> Respond:
        async def search(request: Request) -> Response:
            if request.url.query:
                raise Problem(400, "invalid-parameter", "Parameters of this address are members of the body; it takes none behind a ?.")
            parameters = body.parameters(resource, await read_json(request))
            found, headers = await self._found(request, resource, parameters)
            return answer(200, orjson.dumps(found), {**CACHE, **headers})

        return search

    async def _found(self, request: Request, resource: Declaration, parameters: Parameters) -> tuple[dict[str, Any], Mapping[str, str]]:
        """The page that parameters ask for as JSON, and headers for it."""
        began = time.perf_counter()
        asked = await self._asking.read(language.read, resource, parameters)
        capabilities.refuse_unsupported(self._index, capabilities.used(asked.search))
        seen = await _read(self.freshness.seen(request, resource))
        page = await _read(self._reader.search(resource, asked.search, seen.generation))
        found = answers.answer_of(resource, asked, page)
        found["took_ms"] = round((time.perf_counter() - began) * 1000)
        return found, seen.headers

    def _suggest(self, resource: Declaration) -> Respond:
        async def suggested(request: Request) -> Response:
            asked = suggest.read(resource, request.query_params.multi_items())
            capabilities.refuse_unsupported(self._index, ["suggest"])
            seen = await _read(self.freshness.seen(request, resource))
            page = await _read(self._reader.search(resource, asked.search, seen.generation)) if asked.search.text else Page()
            return answer(200, orjson.dumps(suggest.answer_of(asked, page)), {**CACHE, **seen.headers})

        return suggested

    def _export(self, resource: Declaration) -> Respond:
        async def export(request: Request) -> Response:
            asked = await self._asking.read(language.read_export, resource, request.query_params.multi_items())
            capabilities.refuse_unsupported(self._index, ["export"])
            seen = await _read(self.freshness.seen(request, resource))
            return await _read(self._exports.begin(resource, asked, seen.headers, request.client.host if request.client else ""))

        return export

    def _capabilities(self, app: App) -> Respond:
        async def capable(_: Request) -> Response:
            return answer(200, orjson.dumps(capabilities.describe(app, self._index)), CACHE)

        return capable


async def _read(asked: Awaitable[T]) -> T:
    try:
        return await asked
    except Unfit as error:
        raise Problem(400, "invalid-parameter", f"This search is not answered: {error}.") from None
    except Rejected as error:  # in the words of a driver or an engine
        log.warning("the read store does not take a query", reason=str(error))
        raise Problem(400, "invalid-parameter", "The read store does not take this query; the log of the service has its reason.") from None
    except Outdated as error:
        raise outdated(error) from None
    except EngineError as error:
        raise Problem(503, "read-store-unavailable", "The read store cannot answer now.", headers={"Retry-After": "1"}) from error


def _matches(given: str, tag: str) -> bool:
    """If-None-Match compares weakly (RFC 9110, section 13.1.2)."""
    return given.strip() == "*" or tag in [each.strip().removeprefix("W/") for each in given.split(",")]


def _url(resource: Declaration, parameters: Parameters, cursor: str) -> str:
    """The path of the page behind the cursor, which takes the place of an offset."""
    kept = [(name, value) for name, value in parameters if name not in ("cursor", "offset")]
    return f"/{resource.name}?{urlencode([*kept, ('cursor', cursor)])}"
