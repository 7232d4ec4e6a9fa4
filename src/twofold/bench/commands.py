"""The suite `commands`: creations at several numbers of connections, patches of rows that exist, a mix, and an import."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from twofold.bench import bodies, client, wrk
from twofold.bench.bodies import Body
from twofold.bench.measure import Plan, Report, Subject, alternate, row
from twofold.bench.processes import Roles
from twofold.bench.table import Row
from twofold.bench.workspace import Workspace
from twofold.errors import EngineError
from twofold.resource import Declaration

SUITE = "commands"
BUSY = 64  # connections of what is measured at one number of them only
HASHING = 16  # connections at most, where each creation hashes a password: who would wait longer than 2 s is refused
EXISTING = 1000
PATCH_TYPE = "application/merge-patch+json"


@dataclass(frozen=True, slots=True)
class Work:
    """What is sent: bodies of one resource."""

    resource: Declaration
    found: Sequence[Body]

    @property
    def path(self) -> str:
        return f"/{self.resource.name}"

    def connections(self, wanted: int) -> int:
        """So many, or as many as a resource with a password bears."""
        return min(wanted, HASHING) if any(field.hashed for field in self.resource.secrets) else wanted

    def encoded(self) -> list[bytes]:
        return [orjson.dumps(body) for body in self.found]

    def posts(self) -> list[bytes]:
        return [wrk.template("POST", self.path, body) for body in self.encoded()]

    def patches(self, ids: Sequence[str]) -> list[bytes]:
        """[] where nothing of the resource can be patched."""
        changes = [bodies.change(self.resource, body) for body in self.found] if "patch" in self.resource.free else []
        sent = [orjson.dumps(change) for change in changes if change]
        return [wrk.template("PATCH", f"{self.path}/{id_}", sent[n % len(sent)], PATCH_TYPE) for n, id_ in enumerate(ids)] if sent else []


def measure(report: Report, workspace: Workspace, roles: Roles, work: Work, plan: Plan) -> None:
    """All rows of the suite for one resource. The command service runs."""
    port, name = workspace.settings.command_port, work.resource.name
    for connections in dict.fromkeys(work.connections(each) for each in plan.connections):
        report.say(f"{SUITE}: POST /{name}, {counted(connections)}")
        samples = alternate({"": Subject(port, work.posts(), roles)}, connections, plan)[""]
        report.add(row(SUITE, f"POST /{name}, {counted(connections)}", samples, engines=workspace.engines))
    busy = work.connections(BUSY)
    ids = client.create(port, work.path, work.encoded(), work.connections(EXISTING))
    if patches := work.patches(ids):
        mixed = [request for post, patch in zip(work.posts(), patches, strict=False) for request in (post, post, patch)]
        for what, templates in ((f"PATCH /{name}", patches), (f"two POSTs to a PATCH /{name}", mixed)):
            figure = f"{what}, {counted(busy)}"
            report.say(f"{SUITE}: {figure}")
            samples = alternate({"": Subject(port, templates, roles)}, busy, plan)[""]
            report.add(row(SUITE, figure, samples, engines=workspace.engines))


def imported(report: Report, workspace: Workspace, work: Work, lines: int, repeats: int) -> None:
    """`twofold import` of a file. With embedded engines, while no role runs."""
    report.say(f"{SUITE}: import of {lines:,} {work.resource.name}")
    found = [_import(workspace, work, lines) for _ in range(repeats)]
    rates, rejected = [rate for rate, _ in found], sum(bad for _, bad in found)
    errors = {"rejected": rejected} if rejected else {}
    report.add(Row(SUITE, f"import of {lines:,} {work.resource.name}", "lines/s", rates, workspace.engines, errors=errors))


def _import(workspace: Workspace, work: Work, lines: int) -> tuple[float, int]:
    digits, encoded = client.Digits(), work.encoded()
    file = workspace.folder / "import.ndjson"
    file.write_bytes(b"\n".join(digits.unique(encoded[number % len(encoded)]) for number in range(lines)))
    command = [sys.executable, "-m", "twofold", "import", work.resource.name, str(file)]
    environment = {**os.environ, **workspace.environment}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603 - twofold itself
    told = re.search(r"created (\d+), already there \d+, rejected (\d+); ([\d.]+) s", done.stdout)
    if told is None:
        raise EngineError(f"twofold import failed:\n{done.stderr[-1000:]}")
    return int(told[1]) / max(float(told[3]), 0.001), int(told[2])


def counted(connections: int) -> str:
    return f"{connections} connection{'s' if connections > 1 else ''}"
