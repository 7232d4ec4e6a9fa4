"""Each hop at a glance: what is pending, how old, how far behind, how many documents, how many dead letters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twofold.bootstrap import LOG, READ, WRITE, System
from twofold.errors import EngineError
from twofold.rebuild.losses import misplaced
from twofold.resource import Declaration
from twofold.tools.letters import Letters
from twofold.urls import without_password

Status = dict[str, Any]


def status(system: System) -> Status:
    """What `twofold status` tells: the state of every hop, and of what the write store keeps beside its rows."""
    return {**on_the_way(system), "write_store": _asked(lambda: dict(system.outbox.kept()))}


def on_the_way(system: System) -> Status:
    """The state of every hop. A hop whose engine does not answer says so under `error`."""
    return {
        "outbox": _asked(lambda: _outbox(system)),
        "resources": {resource.name: _resource(system, resource) for resource in system.app},
    }


def settled(found: Status) -> bool:
    """Whether nothing is on its way: no record pending, no message unread, every engine answering."""
    return not errors(found) and not any(hop.get("pending") or hop.get("lag") for hop in _hops(found))


def errors(found: Status) -> list[str]:
    return [hop["error"] for hop in _hops(found) if "error" in hop]


def _hops(found: Status) -> list[Status]:
    return [found["outbox"], *(hop for resource in found["resources"].values() for hop in resource.values())]


def _outbox(system: System) -> Status:
    pending, age = system.outbox.backlog()
    return {"pending": pending, "oldest_seconds": round(age, 3)}


def _resource(system: System, resource: Declaration) -> Status:
    return {
        "table": _asked(lambda: {"rows": system.store.count(resource)}),
        "topic": _asked(lambda: _topic(system, resource)),
        "index": _asked(lambda: _index(system, resource)),
        "dead_letters": _asked(lambda: _dead_letters(system, resource)),
    }


def _topic(system: System, resource: Declaration) -> Status:
    positions = system.log.positions(resource.topic, resource.group)
    held, lag = sum(each.end - each.begin for each in positions), sum(each.lag for each in positions)
    found: Status = {"name": resource.topic, "messages": held, "lag": lag}
    if lost := misplaced(resource, positions):
        found["error"] = lost
    return found


def _index(system: System, resource: Declaration) -> Status:
    found = system.index.status(resource)
    return {"generation": found.generation, "documents": found.documents, "tombstones": found.tombstones}


def _dead_letters(system: System, resource: Declaration) -> Status:
    return {"name": resource.dead_letters, "open": Letters(system, resource).count()}


def _asked(ask: Callable[[], Status]) -> Status:
    try:
        return ask()
    except EngineError as error:
        return {"error": str(error)}


def findings(system: System) -> list[tuple[bool, str]]:
    """What `check` tells: engines, versions, durable settings, tables, topics and indices as declared, what topics
    have lost, strangers in the group."""
    urls = {WRITE: system.settings.write_url, LOG: system.settings.log_url, READ: system.settings.read_url}
    found: list[tuple[bool, str]] = []
    for name, url in urls.items():
        found += [(good, f"{name} ({without_password(url)}): {text}") for good, text in _engine(system, name)]
    for resource in system.app:
        lost = [(good, text) for good, text in _lost(system, resource) if not any(text in told for _, told in found)]
        found += [*lost, *_strangers(system, resource)]
    return found


def _engine(system: System, name: str) -> list[tuple[bool, str]]:
    checks: dict[str, Callable[[], list[tuple[bool, str]]]] = {
        WRITE: lambda: [*system.store.check()],  # not opened before it is asked: that may fail
        LOG: lambda: [(True, system.log.check())],
        READ: lambda: [(True, system.index.check())],
    }
    try:
        found = checks[name]()
        missing = system.pending([name])
    except EngineError as error:
        return [(False, str(error))]
    return [*found, (not missing, f"run `twofold migrate`: {', '.join(missing)}" if missing else "as declared")]


def _lost(system: System, resource: Declaration) -> list[tuple[bool, str]]:
    try:
        lost = system.losses().of(resource) or system.losses().suspected(resource)
    except EngineError as error:
        return [(False, str(error))]
    return [(False, lost)] if lost else []


def _strangers(system: System, resource: Declaration) -> list[tuple[bool, str]]:
    try:
        strangers = system.log.strangers(resource.group)
    except EngineError:
        return []  # told above
    if not strangers:
        return [(True, f"the group {resource.group} has no foreign member")]
    names = ", ".join(strangers)
    return [(False, f"the group {resource.group} has members that are not twofold's ({names}): they take messages away from the projector")]
