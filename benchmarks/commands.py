"""Commands on MySQL: creations, patches, a mix, conflicts, an import; and creations with a password, bounded by its hash."""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from benchmarks.run import USERS, Run
from twofold.bench import commands, wrk
from twofold.bench.client import Client
from twofold.bench.commands import BUSY, Work, counted
from twofold.bench.measure import Sample, Subject, alternate, row
from twofold.bench.processes import Roles
from twofold.bench.workspace import Workspace
from twofold.errors import EngineError

TAKEN = {"name": "Ana Taken", "email": "taken@example.com"}
EVERY = 100  # so many creations hold one conflict
SLACK = 3  # conflicts more or fewer in a sample: where it begins and ends in the hundred, and what is on its way at its end


def measure(run: Run) -> None:
    plan = run.sizes.plan
    with run.system() as (workspace, roles, work):
        roles.start("command")
        commands.measure(run.report, workspace, roles, work, plan)
        conflicts(run, workspace, roles, work)
        commands.imported(run.report, workspace, work, run.sizes.imported, plan.repeats)
    with run.system(USERS) as (workspace, roles, work):
        roles.start("command")
        run.report.say("commands: POST /users with argon2id")
        subject = Subject(workspace.settings.command_port, work.posts(), roles)
        samples = alternate({"": subject}, commands.HASHING, plan)[""]
        run.report.add(row("commands", f"POST /users with argon2id, {commands.counted(commands.HASHING)}", samples))


def conflicts(run: Run, workspace: Workspace, roles: Roles, work: Work) -> None:
    """Creations of which some cannot be: what shares a transaction with them must not pay for it."""
    figure = f"POST /{work.resource.name}, {counted(BUSY)}, one address in a hundred taken"
    run.report.say(f"{commands.SUITE}: {figure}")
    port, taken = workspace.settings.command_port, orjson.dumps(TAKEN)
    _take(port, work, taken)
    subject = Subject(port, mixed(work.posts(), wrk.template("POST", work.path, taken)), roles)
    samples = alternate({"": subject}, BUSY, run.sizes.plan)[""]
    found = run.report.add(row(commands.SUITE, figure, samples, engines=workspace.engines))
    found.errors = {kind: count for kind, count in found.errors.items() if kind != "409"} | astray(samples)


def mixed(posts: Sequence[bytes], taken: bytes) -> list[bytes]:
    return [taken if number % EVERY == 0 else post for number, post in enumerate(posts)]


def astray(samples: Sequence[Sample]) -> dict[str, int]:
    """Conflicts more or fewer than one in a hundred answers: those alone are errors."""
    off = [abs(load.statuses.get(409, 0) - sum(load.statuses.values()) / EVERY) for load in (sample.load for sample in samples)]
    found = sum(round(each) for each in off if each > SLACK)
    return {"conflicts astray": found} if found else {}


def _take(port: int, work: Work, body: bytes) -> None:
    client = Client(port)
    try:
        status, answer = client.send("POST", work.path, body)
    finally:
        client.close()
    if status != 201:
        raise EngineError(f"POST {work.path}: {status} {answer[:300].decode(errors='replace')}")
