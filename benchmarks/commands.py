"""Commands on MySQL: creations, patches, a mix, an import; and creations with a password, bounded by its hash."""

from __future__ import annotations

from benchmarks.run import USERS, Run
from twofold.bench import commands
from twofold.bench.measure import Subject, alternate, row


def measure(run: Run) -> None:
    plan = run.sizes.plan
    with run.system() as (workspace, roles, work):
        roles.start("command")
        commands.measure(run.report, workspace, roles, work, plan)
        commands.imported(run.report, workspace, work, run.sizes.imported, plan.repeats)
    with run.system(USERS) as (workspace, roles, work):
        roles.start("command")
        run.report.say("commands: POST /users with argon2id")
        subject = Subject(workspace.settings.command_port, work.posts(), roles)
        samples = alternate({"": subject}, HASHED, plan)[""]
        run.report.add(row("commands", f"POST /users with argon2id, {commands.counted(HASHED)}", samples))


HASHED = 16  # connections: a hash takes tens of milliseconds, and who would wait longer than 2 s is refused
