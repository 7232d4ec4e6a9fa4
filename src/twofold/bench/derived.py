"""An app like the one to measure, under names of the run's own. Roles load it as `twofold.bench.derived:app`.

The declaration stays as it is, and so does the work; only topics, groups and indices are others. Tables need no other name: they are in
a database of the run's own.
"""

from __future__ import annotations

import os
import types
from typing import Any

from twofold.bootstrap import load_app
from twofold.resource import App, Declaration, Resource

APP = "twofold.bench.derived:app"
OF, NAME = "TWOFOLD_BENCH_OF", "TWOFOLD_BENCH_NAME"


def derive(app: App, name: str) -> App:
    return App(*(_own(resource, name) for resource in app))


def _own(resource: Declaration, name: str) -> type[Resource]:
    names = {what: f"{name}-{getattr(resource, what)}" for what in ("topic", "group", "index")}
    same: dict[str, Any] = {"name": resource.name, "table": resource.table, "partitions": resource.partitions, "commands": resource.free}
    module = {"__module__": resource.cls.__module__, "__doc__": resource.cls.__doc__}
    return types.new_class(resource.cls.__name__, (resource.cls,), {**same, **names}, lambda namespace: namespace.update(module))


def __getattr__(attribute: str) -> App:
    """`app`, made when a role asks for it: of which app, and under which name, is said by the environment."""
    if attribute != "app":
        raise AttributeError(attribute)
    return derive(load_app(os.environ[OF]), os.environ[NAME])
