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
        samples = alternate({"": subject}, commands.HASHING, plan)[""]
        run.report.add(row("commands", f"POST /users with argon2id, {commands.counted(commands.HASHING)}", samples))
