"""`twofold status`: asked of the engines, or of the process that has the embedded files open."""

from __future__ import annotations

import urllib.error
import urllib.request
from typing import Any

import orjson

from twofold.bootstrap import System, load_app
from twofold.errors import FolderInUse, SettingsError
from twofold.settings import Settings
from twofold.tools import status as hops
from twofold.urls import authority


def status(settings: Settings) -> dict[str, Any]:
    """The state of every hop; with the embedded default from the running process, if there is one."""
    app = load_app(settings.app)
    if settings.embedded and not settings.data.exists() and not any(settings.model_fields_set & {"write_url", "log_url", "read_url"}):
        raise SettingsError(f"There is no data folder {settings.data}. `twofold up` makes one; TWOFOLD_DATA names another.")
    try:
        system = System(app, settings, reading=True)
    except FolderInUse:
        return _from_running(settings)
    try:
        return hops.status(system)
    finally:
        system.close()


def encoded(system: System) -> bytes:
    return orjson.dumps(hops.status(system))


def lines(found: dict[str, Any]) -> str:
    """For people: one line a hop."""
    told = [f"{name:<24}{_told(found[key])}" for name, key in (("outbox", "outbox"), ("write store", "write_store"))]
    for name, resource in found["resources"].items():
        told += [f"{name + ' ' + hop.replace('_', ' '):<24}{_told(values)}" for hop, values in resource.items()]
    return "\n".join(told)


def failed(found: dict[str, Any]) -> bool:
    """Whether a hop has an error."""
    return bool("error" in found["write_store"] or hops.errors(found))


def _told(values: dict[str, Any]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in values.items())


def _from_running(settings: Settings) -> dict[str, Any]:
    own = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - a service that binds to all addresses is asked at this one
    url = f"http://{authority(own.get(settings.host, settings.host), settings.command_port)}/status"
    try:
        with urllib.request.urlopen(url, timeout=10) as response:
            found = orjson.loads(response.read())
    except (urllib.error.HTTPError, ValueError):
        found = None
    except OSError:
        raise SettingsError(f"The data folder is in use, and nobody answers at {url}. Name the port with TWOFOLD_COMMAND_PORT.") from None
    if not isinstance(found, dict) or not {"outbox", "write_store", "resources"} <= found.keys():
        told = "a site that mounts the services has none; else name the port of `twofold up` with TWOFOLD_COMMAND_PORT"
        raise SettingsError(f"The data folder is in use, and what answers at {url} tells no state: {told}.")
    return found
