"""Roles as real processes: started until they say that they are ready, stopped by SIGTERM, and what they used. Linux only."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from twofold.bench.wrk import HOST
from twofold.errors import EngineError, SettingsError

READY_SECONDS = 60
STOP_SECONDS = 15
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(slots=True)
class Usage:
    """CPU seconds and peak memory (MiB), by role."""

    cpu: dict[str, float] = field(default_factory=dict)
    rss: dict[str, float] = field(default_factory=dict)


class Role:
    """One process with all that it starts, in a session of its own: Ctrl-C is for whoever runs the benchmark."""

    def __init__(self, name: str, command: Sequence[str], environment: Mapping[str, str], log: Path, folder: Path | None = None) -> None:
        self.name, self._log, self._told = name, log, log.with_suffix(".out")
        with log.open("ab") as errors, self._told.open("wb") as output:
            self._process = subprocess.Popen(  # noqa: S603 - a role of this run
                command, env={**os.environ, **environment}, stdout=output, stderr=errors, cwd=folder, start_new_session=True
            )

    def wait(self) -> None:
        """Returns once it has said a line on standard output. Raises EngineError with the end of its log where it does not."""
        until = time.monotonic() + READY_SECONDS
        while not self._told.stat().st_size:
            if self._process.poll() is not None or time.monotonic() > until:
                raise EngineError(f"{self.name} did not start:\n{self._log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.02)

    def check(self) -> None:
        """Raises EngineError with the end of its log where the process is no more."""
        if self._process.poll() is not None:
            raise EngineError(f"{self.name} ended while it was measured:\n{self._log.read_text(errors='replace')[-2000:]}")

    def pause(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """SIGTERM; SIGKILL where that is not enough."""
        if self._process.poll() is None:
            self.resume()
            self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def cpu(self) -> float:
        return sum(_cpu(pid) for pid in _family(self._process.pid))

    def rss(self) -> float:
        return sum(peak(pid) for pid in _family(self._process.pid))


class Roles:
    """The roles of one system. Those that still run are stopped at the end, whatever happened."""

    def __init__(self, environment: Mapping[str, str], folder: Path) -> None:
        self._environment, self._folder = environment, folder
        self.running: dict[str, Role] = {}

    def start(self, *names: str, module: str = "twofold") -> None:
        """Starts these roles (`command`, `relay`, `project`, `query`, `up`) at the same time, and waits for all."""
        for name in names:
            self.begin(name, module=module)
        for name in names:
            self.running[name].wait()

    def begin(self, name: str, module: str = "twofold") -> Role:
        """Starts a role without waiting."""
        return self.launch(name, [sys.executable, "-m", module, name])

    def launch(self, name: str, command: Sequence[str], environment: Mapping[str, str] = {}, folder: Path | None = None) -> Role:
        """Starts a program under a name, without waiting."""
        role = Role(name, command, {**self._environment, **environment}, self._folder / f"{name}.log", folder)
        self.running[name] = role
        return role

    def stop(self, *names: str) -> None:
        """Stops these, or all."""
        for name in names or list(self.running):
            self.running.pop(name).stop()

    def check(self) -> None:
        """Raises EngineError where one of them has ended by itself."""
        for role in self.running.values():
            role.check()

    @contextmanager
    def used(self, *names: str) -> Iterator[Usage]:
        """What these running roles, or all, use while the block runs; filled in at its end."""
        usage, roles = Usage(), {name: self.running[name] for name in names or self.running}
        before = {name: role.cpu() for name, role in roles.items()}
        yield usage
        self.check()
        usage.cpu.update({name: role.cpu() - before[name] for name, role in roles.items()})
        usage.rss.update({name: role.rss() for name, role in roles.items()})


def require_linux() -> None:
    if not Path("/proc/self/stat").exists():
        raise SettingsError("The benchmark reads what processes use from /proc, which is Linux's.")


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind((HOST, 0))
        port: int = bound.getsockname()[1]
        return port


def _family(pid: int) -> list[int]:
    """The process and all below it."""
    children: list[int] = []
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            children += [int(child) for child in file.read_text().split()]
    return [pid, *(each for child in children for each in _family(child))]


def _cpu(pid: int) -> float:
    """User and system time, with that of children that have ended (proc(5), fields 14 to 17)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(int(ticks) for ticks in fields[11:15]) / _TICKS


def peak(pid: int) -> float:
    """The most memory that a process has had, in MiB."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024
