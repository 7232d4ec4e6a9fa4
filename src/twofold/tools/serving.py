"""Runs roles: waits for their engines, refuses an old schema, binds, serves, stops."""

from __future__ import annotations

import sys
import time
from socket import socket

import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from twofold.bootstrap import LOG, READ, WRITE, System, load_app
from twofold.errors import Problem, SettingsError, Unavailable
from twofold.runtime.hosts import is_from_here
from twofold.runtime.looks import Look
from twofold.runtime.process import Process, addresses, bind, reserve
from twofold.runtime.retry import Backoff
from twofold.runtime.web import Endpoint, answer
from twofold.runtime.workers import Leash, Supervisor, take_leash
from twofold.settings import Settings
from twofold.tools.report import encoded

log = structlog.get_logger()
NEEDS = {"command": (WRITE,), "relay": (WRITE, LOG), "project": (LOG, READ), "query": (READ,)}
STATUS_SECONDS = 1.0  # for which what `status` found is told again
PORTS = {"command": "command_port", "query": "query_port"}  # what serves HTTP, and may have workers


def serve(settings: Settings, roles: set[str]) -> int:
    """Runs these roles until a signal. Returns the exit code."""
    _refuse(settings, roles)
    leash = take_leash()
    if settings.workers > 1 and roles <= PORTS.keys():
        return _supervise(settings, next(iter(roles)))
    system = System(load_app(settings.app), settings)
    try:
        if leash is None:  # else the supervisor has waited
            wait_for(system, {need for role in roles for need in NEEDS[role]})
        process, sockets = _process(system, settings, roles, leash)
    except BaseException:
        system.close()
        raise
    return process.run(leash.serves if leash else lambda: _greet(settings, roles, sockets))


def _refuse(settings: Settings, roles: set[str]) -> None:
    together = roles == set(NEEDS)
    if together and settings.workers > 1:
        raise SettingsError(
            f"`twofold up` is one process, but TWOFOLD_WORKERS is {settings.workers}: leave it out. On MySQL, Kafka and Elasticsearch or "
            "OpenSearch, `twofold command` and `twofold query` take it, beside `twofold relay` and `twofold project`."
        )
    if together and settings.command_port == settings.query_port != 0:
        raise SettingsError(f"TWOFOLD_COMMAND_PORT and TWOFOLD_QUERY_PORT are both {settings.query_port}: give each service its own port.")
    if settings.embedded and not together:
        raise SettingsError(
            f"SQLite serves one process, so `twofold {next(iter(roles))}` cannot run beside the others on it, nor with --workers. Run "
            "`twofold up`, or choose engines with TWOFOLD_WRITE_URL, TWOFOLD_LOG_URL and TWOFOLD_READ_URL."
        )


def _supervise(settings: Settings, role: str) -> int:
    """Makes sure once of what every worker needs, then keeps workers running, with these settings even if a file changes meanwhile."""
    system = System(load_app(settings.app), settings)
    try:
        wait_for(system, set(NEEDS[role]))
    finally:
        system.close()
    field = PORTS[role]
    with reserve(settings.host, getattr(settings, field), f"TWOFOLD_{field.upper()}") as reserved:
        given = settings.model_copy(update={"workers": 1, field: reserved.getsockname()[1]})
        environment = {f"TWOFOLD_{name.upper()}": str(value) for name, value in given}
        supervisor = Supervisor(settings.workers, [sys.executable, "-m", "twofold", role], environment)
        return supervisor.run(lambda: _greet(settings, {role}, [reserved]))


def wait_for(system: System, needs: set[str]) -> None:
    """Waits for engines that are away, and says for what. Raises Outdated where `migrate` has something to do.

    The embedded default is migrated at once: nobody else can do it while this process has its files.
    """
    system.migrate_embedded()
    backoff, told = Backoff(), ""
    while True:
        try:
            return system.refuse_pending(needs)
        except Unavailable as error:
            if str(error) != told:
                told = str(error)
                log.warning("waiting for an engine", needs=sorted(needs), reason=told)
            time.sleep(backoff.next())


def _process(system: System, settings: Settings, roles: set[str], leash: Leash | None) -> tuple[Process, list[socket]]:
    process = Process(closes=[system.close], services=[leash] if leash else [])
    shared = leash is not None
    relay = system.relay() if "relay" in roles else None
    if relay:
        process.services.append(relay)
    if "project" in roles:
        process.services += system.projectors()
    if "command" in roles:
        command = system.command_service(relay.wake) if relay else system.command_service()
        process.services.append(system.purger())
        if settings.embedded:
            command.http.router.routes.insert(0, Route("/status", _status(system), methods=["GET"]))
        process.servers.append((command.http, bind(settings.host, settings.command_port, "TWOFOLD_COMMAND_PORT", shared=shared)))
        process.drains.append(("command service", command.close))
    if "query" in roles:
        query = system.query_service()
        process.servers.append((query.http, bind(settings.host, settings.query_port, "TWOFOLD_QUERY_PORT", shared=shared)))
        process.releases.append(query.freshness.release)
        process.drains.append(("query service", query.close))
    return process, [bound for _, bound in process.servers]


def _status(system: System) -> Endpoint:
    """Another process cannot open the embedded files, so `twofold status` asks here. What counts all rows is for this machine alone, and
    is done once a second at most.
    """
    look = Look("status", lambda: encoded(system), keep=STATUS_SECONDS)

    async def status(request: Request) -> Response:
        if not is_from_here(request):
            raise Problem(404, "not-found", "There is nothing at this address.")
        return answer(200, await look.begun())

    return Endpoint(status)


def _greet(settings: Settings, roles: set[str], sockets: list[socket]) -> None:
    """What to try next, on a terminal or for whoever reads stdout."""
    lines = []
    urls = dict(zip([role for role in ("command", "query") if role in roles], addresses(sockets), strict=True))
    for role, url in urls.items():
        lines.append(f"{role} service   {url}   documentation {url}/docs")
    if roles == set(NEEDS) and settings.app == "twofold.users:app":
        body = """{"name": "Ana", "email": "ana@example.com", "password": "correct horse"}"""
        lines.append(f"try             curl -i {urls['command']}/users -H 'Content-Type: application/json' -d '{body}'")
        lines.append(f"and             curl '{urls['query']}/users?q=an'")
    print("\n".join(lines or [f"{', '.join(sorted(roles))} running"]), flush=True)
    sys.stdout.flush()
