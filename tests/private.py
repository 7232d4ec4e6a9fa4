"""Engines of our own, on the programs that `dev.engines` installs: tests may kill and pause them, and mend them again."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from dev.engines.__main__ import ENGINES
from dev.engines.engine import Engine

from tests.acceptance.roles import free_port

READY_SECONDS = 120
JAVA = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"  # less work at the start; what lives for minutes never gains by more
BOUND = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []  # ends with the thread that starts it, however that ends


def apart(name: str, folder: Path) -> Engine:
    """The engine of `dev.engines` with a folder and ports of its own. Its program is the one that others use too."""
    port, controller = free_port(), free_port()
    places = {
        "home": folder / name,
        "program": ENGINES[name].program,
        "port": port,
        "ports": {"port": port, "controller": controller} if name == "kafka" else {"port": port},
    }
    return type(name, (type(ENGINES[name]),), places)()


class PrivateEngine:
    """One process, which ends with the thread that started it, however that ends: start it from the main thread.

    `prepare` installs what is missing and may run in any thread. Raises EngineError where that cannot be.
    """

    def __init__(self, name: str, folder: Path, *options: str) -> None:
        self.name, self.engine = name, apart(name, folder)
        self.port, self._options = self.engine.port, options
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return self.engine.url

    @property
    def log(self) -> Path:
        return self.engine.home / "log" / f"{self.name}.log"

    def prepare(self) -> None:
        self.engine.install()
        self.engine.prepare()

    def spawn(self) -> None:
        """Returns at once."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        command = [*BOUND, *self.engine.command(), *self._options]
        with self.log.open("ab") as log:
            environment = {**os.environ, "JAVA_TOOL_OPTIONS": JAVA}
            self._process = subprocess.Popen(command, cwd=self.engine.home, env=environment, stdout=log, stderr=log, start_new_session=True)

    def wait(self) -> None:
        until = time.monotonic() + READY_SECONDS
        while not self.engine.ready():
            assert self.alive, f"{self.name} ended: {self.log.read_text(errors='replace')[-2000:]}"
            assert time.monotonic() < until, f"{self.name} does not answer: {self.log.read_text(errors='replace')[-2000:]}"
            time.sleep(0.1)

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """Ends the engine as a crash does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def pause(self) -> None:
        self._send(signal.SIGSTOP)

    def resume(self) -> None:
        self._send(signal.SIGCONT)

    def _send(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)
