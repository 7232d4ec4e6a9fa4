"""Several processes that serve one address, and the supervisor that keeps them running. It serves nothing itself.

Each worker is on a leash, a pair of sockets: over it the worker says that it serves, and when it ends the worker stops softly. So no worker
outlives its supervisor, not even one that was killed. A signal would not do: who stops a whole group of processes sends one to each of
them already, and a second signal ends a process at once.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import structlog

from twofold.runtime import cores
from twofold.runtime.process import LOOP_SECONDS
from twofold.runtime.retry import Backoff
from twofold.runtime.server import HTTP_SECONDS
from twofold.runtime.service import Service
from twofold.telemetry import WORKER

log: Any = structlog.get_logger()
LEASH = "TWOFOLD_LEASH"  # variable with the worker's end, a file descriptor
LOOK_SECONDS = 0.1
STEADY_SECONDS = 10.0  # a worker that ran for so long is started again soon
STARTS = 10  # in vain, one after the other and up to 5 s apart, with no worker that serves: then nothing but a person will mend it
STOP_SECONDS = HTTP_SECONDS + LOOP_SECONDS + 0.5  # what a worker may take, and still below the 10 s that supervisors give


class Leash(Service):
    """The worker's end. As a service of its process it ends it when the supervisor lets go or is no more."""

    def __init__(self, end: socket.socket) -> None:
        super().__init__("leash")
        self._end = end

    def serves(self) -> None:
        with suppress(OSError):  # without a supervisor the next step ends the process
            self._end.send(b".")

    def step(self) -> float:
        with suppress(OSError):
            self._end.recv(1)
        self.stopping.set()
        return 0

    def unblock(self) -> None:
        with suppress(OSError):
            self._end.shutdown(socket.SHUT_RDWR)


def take_leash() -> Leash | None:
    """The leash of this process, where a supervisor started it. Processes that it starts itself have none."""
    given = os.environ.pop(LEASH, None)
    return Leash(socket.socket(fileno=int(given))) if given else None


class Worker:
    """One of the processes, as its supervisor sees it."""

    def __init__(self, number: int, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self.number, self.serves, self.in_vain = number, False, 0
        self._command, self._environment = command, environment
        self._process: subprocess.Popen[bytes] | None = None
        self._leash: socket.socket
        self._backoff, self._begun, self._due = Backoff(), 0.0, 0.0

    def tend(self) -> None:
        """Starts the process where there is none, after a wait that grows each time it ended unasked."""
        now = time.monotonic()
        if self._process is None:
            if now >= self._due:
                self._begun = now
                self._process = self._start()
        elif self._process.poll() is not None:
            self._ended(self._process.returncode, now)
        elif not self.serves:
            self._hear(self._process.pid)

    def release(self) -> subprocess.Popen[bytes] | None:
        """Lets go: the process, which is returned if there is one, stops softly."""
        if self._process is not None:
            self._leash.close()
        return self._process

    def _start(self) -> subprocess.Popen[bytes]:
        self._leash, end = socket.socketpair()
        self._leash.setblocking(False)
        told = {WORKER: str(self.number), LEASH: str(end.fileno())}
        with end:
            environment = {**os.environ, **self._environment, **told}
            return subprocess.Popen(self._command, env=environment, stdin=subprocess.DEVNULL, pass_fds=[end.fileno()])  # noqa: S603 - ours

    def _ended(self, code: int, now: float) -> None:
        if now - self._begun > STEADY_SECONDS:
            self._backoff.reset()
        self.in_vain = 0 if self.serves else self.in_vain + 1
        wait = self._backoff.next()
        log.error("a worker ended unasked and is started again", worker=self.number, code=code, seconds=round(wait, 2))
        self._leash.close()
        self._process, self.serves, self._due = None, False, now + wait

    def _hear(self, pid: int) -> None:
        with suppress(BlockingIOError):
            self.serves = self._leash.recv(1) != b""
            if self.serves:
                log.info("a worker serves", worker=self.number, pid=pid)


class Supervisor:
    """Keeps `count` processes of one command running until a signal."""

    def __init__(self, count: int, command: Sequence[str], environment: Mapping[str, str]) -> None:
        told = {**environment, cores.WORKERS: str(count)}
        self._workers = [Worker(number, command, told) for number in range(1, count + 1)]
        self._signals: list[int] = []

    def run(self, ready: Callable[[], None]) -> int:
        """Runs until SIGINT or SIGTERM, or until no worker can be started. Returns the exit code.

        `ready` is called once, when every worker serves.
        """
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda number, _: self._signals.append(number))
        told = False
        while not self._signals:
            for worker in self._workers:
                worker.tend()
            if not told and all(worker.serves for worker in self._workers):
                told = True
                ready()
            if self._is_hopeless():
                log.error("giving up: no worker serves, and none can be started", starts=STARTS)
                self._stop()
                return 1
            time.sleep(LOOK_SECONDS)
        log.info("stopping", signal=signal.Signals(self._signals[0]).name)
        return self._stop()

    def _is_hopeless(self) -> bool:
        """While one serves the others are tried on: half a service is more than none."""
        return not any(worker.serves for worker in self._workers) and all(worker.in_vain >= STARTS for worker in self._workers)

    def _stop(self) -> int:
        """Softly; what still runs when a second signal comes, or when the time is over, at once."""
        processes = [process for worker in self._workers if (process := worker.release()) is not None]
        until = time.monotonic() + STOP_SECONDS
        while any(process.poll() is None for process in processes) and len(self._signals) <= 1 and time.monotonic() < until:
            time.sleep(LOOK_SECONDS / 10)
        for process in processes:
            if process.poll() is None:
                log.warning("a worker is stopped hard", pid=process.pid)
                process.kill()
        codes = {process.wait() for process in processes}
        return 0 if codes <= {0} else 1
