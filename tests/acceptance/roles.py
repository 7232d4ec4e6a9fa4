"""The real command line in subprocesses: started, waited for, killed, stopped."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

READY_SECONDS = 60


class Role:
    """One `twofold` process that can be started again on the same port."""

    def __init__(
        self, arguments: list[str], environment: dict[str, str], folder: Path, name: str = "", launcher: Sequence[str] = ()
    ) -> None:
        self.arguments, self.environment, self.folder = arguments, environment, folder
        self.process: subprocess.Popen[str] | None = None
        self.output: list[str] = []
        self.name, self._launcher = name or arguments[0], launcher
        self.log = folder / f"{self.name}.log"

    def start(self) -> None:
        """Returns once the process says on stdout that it serves."""
        ready = self.spawn()
        assert ready.wait(READY_SECONDS), f"{self.name} did not start:\n{self.log.read_text()[-3000:]}"
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text()[-3000:]

    def spawn(self) -> threading.Event:
        """Returns at once. The event is set when the process says something, or ends."""
        ready = threading.Event()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*self._launcher, sys.executable, "-m", "twofold", *self.arguments],
                env={**os.environ, **self.environment},
                cwd=self.folder,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        threading.Thread(target=self._read, args=(self.process.stdout, ready), daemon=True).start()
        return ready

    def _read(self, stream: Any, ready: threading.Event) -> None:
        for line in stream:
            self.output.append(line)
            ready.set()
        ready.set()

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def stop(self) -> int:
        """SIGTERM, and the exit code, which has to come within 10 s."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(10)

    def workers(self) -> list[int]:
        assert self.process is not None
        return children(self.process.pid)

    def __enter__(self) -> Role:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.process is not None and self.process.poll() is None:
            self.kill()


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def ended(pid: int) -> bool:
    """Whether a process that is not ours has ended. Nobody may have asked yet how."""
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z"


def run(arguments: list[str], environment: dict[str, str], folder: Path, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    """One command, to its end."""
    command = [sys.executable, "-m", "twofold", *arguments]
    return subprocess.run(
        command, env={**os.environ, **environment}, cwd=folder, input=stdin, capture_output=True, text=True, timeout=110, check=False
    )


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port: int = bound.getsockname()[1]
        return port
