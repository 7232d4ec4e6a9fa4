"""The peer: the two programs of the article that twofold started from, on the same engines, in the same run.

They run as they are, logs and all, in a copy whose addresses and names are those of this run. Their service publishes before it answers,
so twofold's relay runs beside its service here.
"""

from __future__ import annotations

import contextlib
import re
import secrets
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from sqlalchemy import make_url

from benchmarks import end_to_end
from benchmarks.run import Run
from twofold.bench.client import Client, Digits
from twofold.bench.commands import Work, counted
from twofold.bench.measure import Subject, alternate, row
from twofold.bench.processes import Roles, free_port
from twofold.bench.table import Row
from twofold.bench.workspace import Workspace, delete_topics, search_client
from twofold.bench.wrk import MARK, template
from twofold.bootstrap import System
from twofold.errors import EngineError, SettingsError, Unavailable

SUITE = "peer"
BODY = {"name": "Ana Müller", "email": f"ana.{MARK}@example.com", "password": "correct horse"}
TABLE = "CREATE TABLE {}.user (id BIGINT AUTO_INCREMENT PRIMARY KEY, username VARCHAR(255), email VARCHAR(255), password VARCHAR(255))"
READY_SECONDS = 30.0
LEAVE_SECONDS = 40.0  # until a consumer that was stopped counts as gone
LOOK_SECONDS = 0.25


def measure(run: Run) -> None:
    if run.seed is None:
        raise SettingsError("The suite peer needs the folder of the peer's programs: make bench SEED=folder")
    if run.sustained is None:
        end_to_end.measure(run)
    with run.system() as (workspace, roles, work), Peer(run, workspace, roles) as peer:
        roles.start("command", "relay")
        consumed = 0.0
        for connections in sorted(run.sizes.plan.connections, reverse=True):
            _posts(run, peer, workspace, roles, work, connections)
            consumed = consumed or peer.consumed(run.sizes.consumer_seconds)
    run.report.add(Row(SUITE, "its consumer", "documents/s", [consumed]))
    run.report.add(Row(SUITE, "sustained end to end", "commands/s", [run.sustained or 0.0], peer=[consumed]))


def _posts(run: Run, peer: Peer, workspace: Workspace, roles: Roles, work: Work, connections: int) -> None:
    run.report.say(f"{SUITE}: POST, {counted(connections)}, by turns")
    subjects = {
        "peer": Subject(peer.port, [template("POST", "/users", BODY)], roles, ("its service",)),
        "twofold": Subject(workspace.settings.command_port, work.posts(), roles, ("command", "relay")),
    }
    samples = alternate(subjects, connections, run.sizes.plan)
    figure = f"POST, {counted(connections)}"
    run.report.add(row(SUITE, figure, samples["twofold"], peer=samples["peer"]))
    run.report.add(row(SUITE, f"its {figure}", samples["peer"]))


class Peer:
    """The two programs, with a database, a topic, a group and an index of their own."""

    def __init__(self, run: Run, workspace: Workspace, roles: Roles) -> None:
        self._run, self._workspace, self._roles = run, workspace, roles
        self.port, self._name = free_port(), f"bench_{secrets.token_hex(4)}"
        self._folder = workspace.folder / "peer"
        self._search = search_client(workspace.settings.read_url)

    def __enter__(self) -> Self:
        try:
            self._install()
            self._create()
            self._roles.launch("its service", ["node", "command.mjs"], folder=self._folder).wait()
            self._until_ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        running = [name for name in ("its service", "its consumer") if name in self._roles.running]
        if running:
            self._roles.stop(*running)

    def consumed(self, seconds: int) -> float:
        """Documents a second that its consumer indexes, from the first on; then it is stopped."""
        self._run.report.say(f"{SUITE}: its consumer, {seconds} s")
        self._roles.launch("its consumer", ["node", "consumer.mjs"], folder=self._folder)
        until = time.monotonic() + READY_SECONDS
        while not (first := self._indexed()):
            self._roles.check()
            if time.monotonic() > until:
                raise EngineError("The peer's consumer indexes nothing.")
            time.sleep(LOOK_SECONDS)
        begun = time.monotonic()
        time.sleep(seconds)
        rate = (self._indexed() - first) / (time.monotonic() - begun)
        self._roles.stop("its consumer")
        return rate

    def _indexed(self) -> int:
        _, answer = self._search.send("GET", f"/{self._index}/_stats/indexing")
        count: int = answer["_all"]["primaries"]["indexing"]["index_total"]
        return count

    @property
    def _index(self) -> str:
        return f"{self._name}-users"

    def _install(self) -> None:
        """A copy with this run's addresses and names."""
        self._run.report.say(f"{SUITE}: npm install")
        self._folder.mkdir()
        url = make_url(self._workspace.settings.write_url)
        log, read = (url_.partition("://")[2] for url_ in (self._workspace.settings.log_url, self._workspace.settings.read_url))
        common = [
            (r"brokers: \[.*?\]", f"brokers: {log.strip('/').split(',')}"),
            (r"'users-topic'", f"'{self._name}-topic'"),
        ]
        own = {
            "command.mjs": [
                (r"listen\(3000", f"listen({self.port}"),
                (r"host: '.*?'", f"host: '{url.host}', port: {url.port or 3306}"),
                (r"user: '.*?'", f"user: '{url.username}'"),
                (r"password: '.*?'", f"password: '{url.password or ''}'"),
                (r"database: '.*?'", f"database: '{self._name}'"),
            ],
            "consumer.mjs": [
                (r"groupId: '.*?'", f"groupId: '{self._name}-group'"),
                (r"node: '.*?'", f"node: 'http://{read}'"),
                (r"index: 'users'", f"index: '{self._index}'"),
            ],
        }
        for file, changes in own.items():
            (self._folder / file).write_text(_changed(self._source(file), file, [*common, *changes]))
        (self._folder / "package.json").write_text(self._source("package.json"))
        done = subprocess.run(["npm", "install", "--silent"], cwd=self._folder, capture_output=True, text=True, check=False)  # noqa: S607
        if done.returncode:
            raise SettingsError(f"npm install failed for the peer:\n{(done.stderr or done.stdout)[-1000:]}")

    def _source(self, file: str) -> str:
        try:
            return (self._run.seed or Path()).joinpath(file).read_text()
        except OSError as error:
            raise SettingsError(f"SEED: {file} cannot be read: {error.strerror}") from None

    def _create(self) -> None:
        """Each thing is removed at the end of the whole run: Kafka counts a consumer that was stopped as a member for half a minute."""
        system, later = System(self._workspace.app, self._run.real), self._run.later
        sql, topic, group = self._workspace.sql, f"{self._name}-topic", f"{self._name}-group"
        later.callback(self._search.close)
        later.callback(system.close)
        later.callback(sql, f"DROP DATABASE IF EXISTS {self._name}")
        sql(f"CREATE DATABASE {self._name} CHARACTER SET utf8mb4")
        sql(TABLE.format(self._name))
        later.callback(delete_topics, self._run.real.log_url, [topic])
        system.log.create(topic, 4)
        later.callback(_patiently, lambda: system.log.forget(topic, group))
        later.callback(self._search.send, "DELETE", f"/{self._index}", expect=(404,))
        self._search.send("PUT", f"/{self._index}")

    def _until_ready(self) -> None:
        """Its service listens before it has its connections."""
        client, digits, until = Client(self.port), Digits(), time.monotonic() + READY_SECONDS
        body = template("POST", "/users", BODY).partition(b"\r\n\r\n")[2]
        answer: Any = None
        while answer != 201:
            if time.monotonic() > until:
                raise EngineError(f"The peer's service does not create: {answer}")
            with contextlib.suppress(OSError):
                answer, _ = client.send("POST", "/users", digits.unique(body))
            time.sleep(0.1)
        client.close()


def _changed(text: str, file: str, changes: list[tuple[str, str]]) -> str:
    for pattern, replacement in changes:
        text, count = re.subn(pattern, lambda _, new=replacement: new, text)  # type: ignore[misc]
        if not count:
            raise SettingsError(f"SEED: {file} holds nothing like {pattern}; it is not the program that this benchmark knows.")
    return text


def _patiently(forget: Callable[[], None]) -> None:
    """A group is forgotten once its members count as gone."""
    until = time.monotonic() + LEAVE_SECONDS
    while True:
        try:
            forget()
        except Unavailable:
            if time.monotonic() > until:
                raise
            time.sleep(1)
        else:
            return
