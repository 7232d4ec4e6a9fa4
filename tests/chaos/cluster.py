"""The roles as real processes, on engines of our own."""

from __future__ import annotations

import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pymysql

from tests.acceptance.conftest import ROOT
from tests.acceptance.roles import Role, free_port, run
from tests.chaos.plan import ENGINES, ROLES
from tests.private import BOUND, READY_SECONDS, PrivateEngine

NAME = "accounts"
OPTIONS = {"mysql": ["--innodb-buffer-pool-size=64M"]}
PORTS = {"command": "TWOFOLD_COMMAND_PORT", "query": "TWOFOLD_QUERY_PORT"}


class Cluster:
    """Engines and roles end with the thread that starts them, so that is the main thread."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.engines = {name: PrivateEngine(name, folder, *OPTIONS.get(name, [])) for name in ENGINES}
        self.ports = {name: free_port() for name in ROLES if name.partition("-")[0] in PORTS}
        self._environment = {
            "TWOFOLD_WRITE_URL": self.engines["mysql"].url.replace("/user", f"/{NAME}?tls=off"),
            "TWOFOLD_LOG_URL": self.engines["kafka"].url,
            "TWOFOLD_READ_URL": self.engines["elasticsearch"].url,
            "TWOFOLD_APP": "tests.chaos.bank:app",
            "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)]),
            "CHAOS": NAME,
        }
        self.roles = {name: self._role(name) for name in ROLES}

    def prepare(self) -> None:
        with ThreadPoolExecutor() as pool:
            list(pool.map(PrivateEngine.prepare, self.engines.values()))

    def start(self) -> None:
        for engine in self.engines.values():
            engine.spawn()
        for engine in self.engines.values():
            engine.wait()
        with self.mysql() as connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {NAME} CHARACTER SET utf8mb4")
        until = time.monotonic() + READY_SECONDS
        while (migrated := self.twofold("migrate")).returncode:  # an engine that has just begun may be too slow for it
            assert time.monotonic() < until, migrated.stderr

    def twofold(self, *arguments: str):
        return run(list(arguments), self._environment, self.folder)

    def mysql(self, database: str | None = None) -> pymysql.Connection:
        port = self.engines["mysql"].port
        options = {"ssl_disabled": True, "connect_timeout": 3, "read_timeout": 30}
        return pymysql.connect(host="127.0.0.1", port=port, user="root", password="root", database=database, **options)

    def close(self) -> None:
        """Ends what is left, however it is. The logs stay."""
        for role in self.roles.values():
            role.__exit__()
        for engine in self.engines.values():
            engine.kill()
            shutil.rmtree(engine.engine.data, ignore_errors=True)

    def _role(self, name: str) -> Role:
        stage = name.partition("-")[0]
        own = {PORTS[stage]: str(self.ports[name])} if stage in PORTS else {}
        return Role([stage], {**self._environment, **own}, self.folder, name, BOUND)
