"""The command service's edge: from HTTP to commands and back. Conventions: RFC 9110, 9457, 7396, 6585."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Mapping
from functools import partial
from typing import Any

import orjson
import uuid_utils
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from twofold.command import body as bodies
from twofold.command import limits
from twofold.command.decide import ANY, Command, replay, reused, taken
from twofold.command.openapi import describe
from twofold.command.passwords import HashPool
from twofold.command.reading import Reading
from twofold.command.writer import Writer, lost, unavailable
from twofold.errors import EngineError, Problem
from twofold.record import UUID
from twofold.resource import FREE, App, CommandSpec, Declaration
from twofold.runtime.batcher import Batcher, Begun
from twofold.runtime.web import CLIENT, Endpoint, Health, Respond, Web, answer, root, service, size
from twofold.store.port import Reply, Row, WriteStore

_TAG = re.compile(r'(W/)?"([\x21\x23-\x7e]*)"')
_TAGS = re.compile(rf"{_TAG.pattern}(?:[ \t]*,[ \t]*{_TAG.pattern})*")
_KEY = re.compile(r'"([\x20\x21\x23-\x7e]{1,255})"|([\x21\x23-\x7e]{1,255})')
_VERSION = re.compile(r"[1-9][0-9]{0,17}")
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
LOOK_LANES = 4
OVERHEAD = 512  # bytes that a command weighs beside its body
Look = tuple[Command, dict[str, bytes]]
Found = tuple[set[str], Reply | Problem | None]


class CommandService:
    """Routes for every resource of an app. `close` answers what was taken."""

    def __init__(self, app: App, store: WriteStore, writer: Writer, health: Health, hashes: HashPool | None = None) -> None:
        self._store, self._writer = store, writer
        self._hashes, self._reading = hashes or HashPool(), Reading()
        self._looks: Batcher[Look, Found] = Batcher("look", self._look, max_items=1, max_waiting=256, lanes=LOOK_LANES)
        routes = [route for resource in app for route in self._routes(resource)]
        self.http: Web = service("twofold command service", routes, lambda: describe(app), health, needs="write store")

    def close(self) -> None:
        self._writer.stop()
        self._looks.stop()
        self._reading.stop()
        self._hashes.close()
        self.http.close()

    def _look(self, items: list[Look]) -> list[Found]:
        return [self._seen(*item) for item in items]

    def _seen(self, command: Command, values: dict[str, bytes]) -> Found:
        """The unique fields whose values are taken, and what is answered to a command that was done before."""
        keys = [command.receipt[0]] if command.receipt else []
        taken, receipts = self._store.look(command.resource, values, keys, command.principal)
        for receipt in receipts.values():
            row = self._store.fetch(command.resource, [receipt.id]).get(receipt.id)
            try:
                return taken, replay(receipt, command, row if isinstance(row, Row) else None)
            except Problem as problem:
                return taken, problem
        return taken, None

    def _routes(self, resource: Declaration) -> list[BaseRoute]:
        one = f"/{resource.name}/{{id}}"
        free = {
            "create": (f"/{resource.name}", "POST", self._create(resource)),
            "replace": (one, "PUT", self._replace(resource)),
            "patch": (one, "PATCH", self._patch(resource)),
            "delete": (one, "DELETE", self._delete(resource)),
        }
        served = [free[name] for name in FREE if name in resource.free]
        secrets = [(f"{one}/{field.name}", "PUT", self._secret(resource, field.name)) for field in resource.secrets]
        domain = [
            (f"{one}/{spec.name}", "POST", self._domain(resource, spec)) for spec in resource.commands.values() if spec.name not in FREE
        ]
        endpoints: dict[str, dict[str, Respond]] = {}
        for path, method, endpoint in [*served, *secrets, *domain]:
            endpoints.setdefault(path, {})[method] = endpoint
        return [Route(path, Endpoint(_by_method(methods)), methods=list(methods)) for path, methods in endpoints.items()]

    def _create(self, resource: Declaration) -> Respond:
        limit = limits.of_resource(resource)

        async def create(request: Request) -> Response:
            body, (state, secrets) = await self._reading.read(request, partial(bodies.creation, resource), limit=limit)
            return await self._new(request, resource, new_id(), body, state, secrets)

        return create

    def _replace(self, resource: Declaration) -> Respond:
        limit = limits.of_resource(resource)

        async def replace(request: Request) -> Response:
            id_, match = _id(request), _if_match(request)
            if request.headers.get("if-none-match") == "*" and "create" in resource.free:
                body, (state, secrets) = await self._reading.read(request, partial(bodies.creation, resource), limit=limit)
                return await self._new(request, resource, id_, body, state, secrets, match=ANY)
            if match is None:
                detail = 'Send If-Match with the version that this replaces (If-Match: "1"), or If-None-Match: * to create.'
                raise Problem(428, "precondition-required", detail)
            body, members = await self._reading.read(request, partial(bodies.members, resource, patch=False), limit=limit)
            return await self._submit(request, _command(request, resource, "replace", id_, match, body, body=members))

        return replace

    def _patch(self, resource: Declaration) -> Respond:
        limit = limits.of_resource(resource)

        async def patch(request: Request) -> Response:
            make = partial(bodies.members, resource, patch=True)
            body, members = await self._reading.read(request, make, "application/merge-patch+json", limit=limit)
            return await self._submit(request, _command(request, resource, "patch", _id(request), _if_match(request), body, body=members))

        return patch

    def _delete(self, resource: Declaration) -> Respond:
        async def delete(request: Request) -> Response:
            return await self._submit(request, _command(request, resource, "delete", _id(request), _if_match(request), None))

        return delete

    def _secret(self, resource: Declaration, name: str) -> Respond:
        async def secret(request: Request) -> Response:
            body, given = await self._reading.read(request, partial(bodies.secret, resource, name))
            command = _command(request, resource, "secret", _id(request), _if_match(request), {**body, name: None})
            return await self._submit(request, command, given)

        return secret

    def _domain(self, resource: Declaration, spec: CommandSpec) -> Respond:
        limit = limits.of_command(spec)

        async def domain(request: Request) -> Response:
            body, (arguments, args) = await self._reading.read(request, partial(bodies.arguments, spec), empty={}, limit=limit)
            public = {key: value for key, value in body.items() if key not in spec.secret_arguments}
            command = _command(request, resource, spec.name, _id(request), _if_match(request), public, arguments=arguments, args=args)
            told = {key: value for key, value in body.items() if key in spec.secret_arguments}
            return await self._submit(request, command, told if spec.secret_arguments else None)

        return domain

    async def _new(
        self,
        request: Request,
        resource: Declaration,
        id_: str,
        body: dict[str, Any],
        state: dict[str, Any],
        secrets: dict[str, str],
        match: frozenset[int] | None = None,
    ) -> Response:
        public = {key: value for key, value in body.items() if key not in secrets}
        command = _command(request, resource, "create", id_, match, public, body=state)
        return await self._submit(request, command, secrets)

    async def _submit(self, request: Request, command: Command, secrets: dict[str, Any] | None = None) -> Response:
        """Answers a command. Nothing is hashed for one that was done before, or that wants a unique value that is taken."""
        reply = await self._early(command, secrets) if secrets is not None else None
        if reply is None:
            if secrets is not None:
                await self._hash(command, secrets)
            reply = await self._written(request, command)
        if reply.seal is not None and not await self._same(reply.seal, command, secrets or {}):
            raise reused()  # the same request, but for its secrets
        return answer(reply.status, reply.body, _addressed(request, reply.headers))

    async def _same(self, seal: str, command: Command, secrets: dict[str, Any]) -> bool:
        """Whether a receipt is of these secrets. None given are others than some."""
        if not seal or not secrets:
            return not seal and not secrets
        return await asyncio.wrap_future(self._hashes.matches(seal, _sealable(command, secrets)))

    async def _early(self, command: Command, secrets: dict[str, Any]) -> Reply | None:
        """A look before an expensive hash: the answer to what was done before, or a Problem for a unique value that is taken."""
        resource = command.resource
        if not command.receipt and not _passwords(command, secrets):
            return None
        values = {unique.name: key for unique in resource.uniques if (key := unique.unique_key(command.body.get(unique.name)))}
        try:
            found, reply = await self._looks.ask((command, values))
        except EngineError as error:
            raise unavailable(error) from error
        if isinstance(reply, Problem):
            raise reply
        if reply is None and found and command.match is None:  # under a given id, the value may be that id's own
            raise taken(min(found))
        return reply

    async def _hash(self, command: Command, secrets: dict[str, Any]) -> None:
        """What the table holds of the secrets, and what a receipt does: of a password alone, that same hash."""
        hashes = {name: await asyncio.wrap_future(self._hashes.submit(secrets[name])) for name in _passwords(command, secrets)}
        if command.name in ("create", "secret"):
            command.secrets = {**secrets, **hashes}
        if command.receipt and secrets:
            alone = hashes.keys() == secrets.keys() and len(hashes) == 1
            seal = next(iter(hashes.values())) if alone else await asyncio.wrap_future(self._hashes.submit(_sealable(command, secrets)))
            command.seal = seal

    async def _written(self, request: Request, command: Command) -> Reply:
        try:
            return await self._writer.ask(command, size(request) + OVERHEAD)
        except asyncio.CancelledError as cancelled:
            if CLIENT in request.scope and isinstance(cancelled.__cause__, Begun):
                raise lost() from None
            raise


def _passwords(command: Command, secrets: dict[str, Any]) -> list[str]:
    """Which of the secrets are stored as hashes; a domain command's are not stored."""
    stored = command.resource.secrets if command.name in ("create", "secret") else ()
    return [field.name for field in stored if field.hashed and field.name in secrets]


def _sealable(command: Command, secrets: dict[str, Any]) -> str:
    """What a receipt holds a hash of: the password, where there is nothing else, or all secrets."""
    if len(secrets) == 1 and (names := _passwords(command, secrets)):
        return str(secrets[names[0]])
    return orjson.dumps(secrets, option=orjson.OPT_SORT_KEYS).decode()


def _addressed(request: Request, headers: Mapping[str, str]) -> Mapping[str, str]:
    """With the address of what is new under the prefix that the service is mounted under."""
    location = headers.get("Location")
    return headers if location is None else {**headers, "Location": f"{root(request.scope)}{location}"}


def _by_method(methods: dict[str, Respond]) -> Respond:
    async def endpoint(request: Request) -> Response:
        return await methods[request.method](request)

    return endpoint


def _command(
    request: Request, resource: Declaration, name: str, id_: str, match: frozenset[int] | None, public: Any, **more: Any
) -> Command:
    """The command, with what every request may carry. `public` is the body without secrets, for the receipt's fingerprint."""
    trace = request.headers.get("traceparent", "")
    _refuse_preconditions(request, name, match)
    return Command(
        resource=resource,
        name=name,
        id=id_,
        event_id=new_id(),
        new_id=new_id,
        match=match,
        receipt=_receipt(request, public),
        traceparent=trace if _TRACEPARENT.fullmatch(trace) else None,
        **more,
    )


def _refuse_preconditions(request: Request, name: str, match: frozenset[int] | None) -> None:
    """A precondition that is not evaluated must not be passed over (RFC 9110, section 13.1)."""
    given = request.headers
    creating = name == "create"
    if "if-none-match" in given and not (creating and match is not None and "if-match" not in given):
        raise Problem(400, "malformed-header", "If-None-Match is for PUT alone, as *, and without If-Match: it creates, and only creates.")
    if creating and match is None and "if-match" in given:
        raise Problem(400, "malformed-header", "If-Match has no meaning where the resource does not exist yet.")


def new_id() -> str:
    return str(uuid_utils.uuid7())


def _id(request: Request) -> str:
    id_: str = request.path_params["id"]
    if not UUID.fullmatch(id_):
        raise Problem(404, "not-found", "There is nothing at this address: an id is a UUID in lower case.")
    return id_


def _if_match(request: Request) -> frozenset[int] | None:
    """The versions that If-Match names. What follows a dot is the query service's and not compared; weak tags match nothing."""
    given = ",".join(request.headers.getlist("if-match"))
    if "if-match" not in request.headers:
        return None
    if given.strip() == "*":
        return ANY
    if not _TAGS.fullmatch(given.strip()):
        raise Problem(400, "malformed-header", 'If-Match should be *, or versions in quotes: If-Match: "7"')
    strong = [tag.split(".")[0] for weak, tag in _TAG.findall(given) if not weak]
    return frozenset(int(version) for version in strong if _VERSION.fullmatch(version))


def _receipt(request: Request, public: Any) -> tuple[str, bytes] | None:
    """The Idempotency-Key, bare or quoted, and the fingerprint of what is asked but for its secrets: a quick hash tells these to whoever
    has the table and tries them out.
    """
    given = request.headers.getlist("idempotency-key")
    if not given:
        return None
    match = _KEY.fullmatch(given[0].strip()) if len(given) == 1 else None
    if match is None:
        raise Problem(400, "malformed-header", "Idempotency-Key should be one string of 1 to 255 printable ASCII characters.")
    conditions = [",".join(request.headers.getlist(name)) or None for name in ("if-match", "if-none-match")]
    path = request.scope["path"].removeprefix(request.scope.get("root_path", ""))  # the same wherever the service is mounted
    asked = [request.method, path, conditions, public]
    return match.group(1) or match.group(2), hashlib.sha256(orjson.dumps(asked, option=orjson.OPT_SORT_KEYS)).digest()
