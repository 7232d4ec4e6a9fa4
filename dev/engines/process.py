"""One detached process with a pid file, never signalled unless it is still ours."""

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .settings import EngineError

STOP_SECONDS = 60


@dataclass(frozen=True)
class Process:
    """The process of one engine, known by its id and the moment of its start."""

    home: Path

    @property
    def log(self) -> Path:
        """Return the file that gets everything the process prints."""
        return self.home / "log" / f"{self.home.name}.log"

    @property
    def pid(self) -> int | None:
        """Return the id of the living process, or None when there is none of ours."""
        try:
            pid, started = self._pid_file.read_text().split()
        except (OSError, ValueError):
            return None
        return int(pid) if _start_of(pid) == started else None

    @property
    def paused(self) -> bool:
        """Tell whether the process is stopped by SIGSTOP."""
        return self._status_field("State").startswith("T")

    @property
    def megabytes(self) -> int:
        """Return the resident memory of the process."""
        return int((self._status_field("VmRSS") or "0 kB").split()[0]) // 1024

    @property
    def seconds(self) -> float | None:
        """Return how long ago the process was started."""
        if self.pid is None:
            return None
        return time.time() - self._pid_file.stat().st_mtime

    def spawn(self, command: Sequence[str]) -> None:
        """Start the command in a session of its own, so that it outlives this shell."""
        self._rotate_log()
        with self.log.open("wb") as log:
            child = subprocess.Popen(
                command,
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._pid_file.write_text(f"{child.pid} {_start_of(child.pid)}\n")

    def send(self, number: signal.Signals) -> None:
        """Send a signal, if the process is alive and ours."""
        pid = self.pid
        if pid is not None:
            os.kill(pid, number)

    def stop(self) -> None:
        """End the process in good order, or by force when it does not end in time."""
        self.send(signal.SIGTERM)
        self.send(signal.SIGCONT)  # a paused process sees SIGTERM only after this
        if not self._gone_within(STOP_SECONDS):
            self.kill()

    def pause(self) -> None:
        """Freeze the process."""
        self.send(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a frozen process go on."""
        self.send(signal.SIGCONT)

    def kill(self) -> None:
        """End the process at once, as a power cut would."""
        self.send(signal.SIGKILL)
        if not self._gone_within(STOP_SECONDS):
            raise EngineError(f"process {self.pid} does not end")

    @property
    def _pid_file(self) -> Path:
        return self.home / "pid"

    def _rotate_log(self) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        if self.log.exists():
            self.log.replace(self.log.with_suffix(".log.1"))

    def _status_field(self, field: str) -> str:
        try:
            lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        except OSError:
            return ""
        values = dict(line.split(":", 1) for line in lines)
        return values.get(field, "").strip()

    def _gone_within(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while self.pid is not None and time.monotonic() < deadline:
            time.sleep(0.05)
        return self.pid is None


def _start_of(pid: int | str) -> str | None:
    """Return the moment a living process started at, in clock ticks since the boot."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()  # the name in front may contain spaces
    return None if fields[0] == "Z" else fields[19]
