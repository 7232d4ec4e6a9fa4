"""The query service's edge: gets and searches over HTTP."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import Any, TypeVar
from urllib.parse import urlencode

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from twofold.errors import EngineError, Outdated, Problem, Rejected
from twofold.index.port import ReadStore
from twofold.index.search import Page, Search
from twofold.query import language
from twofold.query.openapi import describe
from twofold.query.outdated import outdated
from twofold.query.reader import Reader
from twofold.record import UUID
from twofold.resource import App, Declaration
from twofold.runtime.web import Endpoint, Health, Respond, Web, answer, service

CACHE = {"Cache-Control": "private, no-cache"}
T = TypeVar("T")


class QueryService:
    """Routes for every resource of an app."""

    def __init__(self, app: App, index: ReadStore, health: Health) -> None:
        self._reader = Reader(index)
        routes: list[BaseRoute] = []
        for resource in app:
            routes.append(Route(f"/{resource.name}", Endpoint(self._search(resource)), methods=["GET"]))
            routes.append(Route(f"/{resource.name}/{{id}}", Endpoint(self._get(resource)), methods=["GET"]))
        self.http: Web = service("twofold query service", routes, lambda: describe(app), health, needs="read store")

    def close(self) -> None:
        self._reader.stop()

    def _get(self, resource: Declaration) -> Respond:
        async def get(request: Request) -> Response:
            id_: str = request.path_params["id"]
            document = await _read(self._reader.get(resource, id_)) if UUID.fullmatch(id_) else None
            if document is None:
                raise Problem(404, "not-found", f"There is no such {resource.cls.__name__.lower()}.")
            tag = f'"{document["version"]}.{resource.digest}"'
            if _matches(",".join(request.headers.getlist("if-none-match")), tag):
                return answer(304, headers={**CACHE, "ETag": tag})
            return answer(200, orjson.dumps(representation(resource, document)), {**CACHE, "ETag": tag})

        return get

    def _search(self, resource: Declaration) -> Respond:
        async def search(request: Request) -> Response:
            parameters = request.query_params.multi_items()
            asked = language.parse(resource, parameters)
            page = await _read(self._reader.search(resource, asked))
            cursor = _next(asked, page)
            body = {
                "items": [representation(resource, hit.document) for hit in page.hits],
                "total": {"value": page.total, "relation": "eq" if page.exact else "gte"},
                "limit": asked.limit,
                "next_cursor": cursor,
            }
            link = {"Link": f'<{_url(resource, parameters, cursor)}>; rel="next"'} if cursor else {}
            return answer(200, orjson.dumps(body), {**CACHE, **link})

        return search


def representation(resource: Declaration, document: Mapping[str, Any]) -> dict[str, Any]:
    """A document as clients see it: as the command service answers, with defaults for fields that are newer than the document."""
    if document.keys() == resource.members:
        return dict(document)
    own = {field.name: field.unscale(document[field.name]) if field.name in document else field.default for field in resource.indexed}
    times = {"created_at": document["created_at"], "updated_at": document["updated_at"]}
    return {"id": document["id"], "version": document["version"], **own, **times}


async def _read(asked: Awaitable[T]) -> T:
    try:
        return await asked
    except Rejected:
        raise Problem(
            400, "invalid-parameter", "The read store does not take this query. A cursor should be one that this service gave."
        ) from None
    except Outdated as error:
        raise outdated(error) from None
    except EngineError:
        raise Problem(503, "read-store-unavailable", "The read store cannot answer now.", headers={"Retry-After": "1"}) from None


def _matches(given: str, tag: str) -> bool:
    """If-None-Match compares weakly (RFC 9110, section 13.1.2)."""
    return given.strip() == "*" or tag in [each.strip().removeprefix("W/") for each in given.split(",")]


def _next(asked: Search, page: Page) -> str | None:
    return language.cursor(asked, page.last) if page.last and len(page.hits) == asked.limit else None


def _url(resource: Declaration, parameters: list[tuple[str, str]], cursor: str) -> str:
    kept = [(name, value) for name, value in parameters if name != "cursor"]
    return f"/{resource.name}?{urlencode([*kept, ('cursor', cursor)])}"
