"""Brokers of Kafka that tests may pause, on the program that `dev.engines` has installed."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path

from dev.engines.kafka import Kafka
from dev.engines.settings import EngineError

_START_SECONDS = 100


class _Broker(Kafka):
    """One of several: broker and controller."""

    def __init__(self, folder: Path, number: int, ports: tuple[int, int], voters: str, replicas: int) -> None:
        self.number, self._folder, self._ports, self._voters, self._replicas = number, folder, ports, voters, replicas
        self._installed = Kafka().program

    @property
    def home(self) -> Path:
        return self._folder / f"kafka-{self.number}"

    @property
    def program(self) -> Path:
        return self._installed

    @property
    def port(self) -> int:
        return self._ports[0]

    @property
    def ports(self) -> dict[str, int]:
        return dict(zip(("broker", "controller"), self._ports, strict=True))

    def _properties(self, folder: Path) -> dict[str, str | int | Path]:
        own = {"node.id": self.number, "controller.quorum.voters": self._voters, "offsets.topic.replication.factor": self._replicas}
        return super()._properties(folder) | own | {"log.cleaner.enable": "false"}


class Brokers:
    """A cluster of our own. Ends with us, however we end."""

    def __init__(self, folder: Path, count: int) -> None:
        ports = _free(2 * count)
        pairs = list(zip(ports[::2], ports[1::2], strict=True))
        voters = ",".join(f"{number}@127.0.0.1:{controller}" for number, (_, controller) in enumerate(pairs, 1))
        self._brokers = [_Broker(folder, number, pair, voters, count) for number, pair in enumerate(pairs, 1)]
        self._processes: list[subprocess.Popen[bytes]] = []
        self.servers = ",".join(f"127.0.0.1:{broker}" for broker, _ in pairs)

    def start(self) -> None:
        """Raises EngineError where Kafka is not installed, or does not start."""
        bound = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
        for broker in self._brokers:
            if not broker.program.exists():
                raise EngineError(f"there is no Kafka in {broker.program}")
            broker.home.mkdir(parents=True)
            broker.prepare()
            with (broker.home / "kafka.log").open("wb") as log:
                command = [*bound, *broker.command()]
                self._processes.append(subprocess.Popen(command, cwd=broker.home, stdout=log, stderr=log, stdin=subprocess.DEVNULL))
        until = time.monotonic() + _START_SECONDS
        while not all(broker.answers() for broker in self._brokers):
            if time.monotonic() > until or any(process.poll() is not None for process in self._processes):
                raise EngineError(f"Kafka did not start: see {self._brokers[0].home}/kafka.log")
            time.sleep(0.1)

    def pause(self, number: int) -> None:
        os.kill(self._processes[number].pid, signal.SIGSTOP)

    def resume(self, number: int) -> None:
        os.kill(self._processes[number].pid, signal.SIGCONT)

    def kill(self) -> None:
        for process in self._processes:
            process.kill()
            process.wait()


def _free(count: int) -> list[int]:
    with ExitStack() as held:
        sockets = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [each.getsockname()[1] for each in sockets]
