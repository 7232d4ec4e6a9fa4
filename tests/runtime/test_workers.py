"""Workers: they are started again, stop with their supervisor however it ends, and share an address that nobody else gets."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.acceptance.roles import children, ended

from twofold.errors import SettingsError
from twofold.runtime import workers
from twofold.runtime.process import bind, reserve
from twofold.runtime.workers import LEASH, Worker, take_leash

SECONDS = 20
SUPERVISOR = """
import sys
from twofold import telemetry
from twofold.runtime import workers

telemetry.configure()
workers.STOP_SECONDS = float(sys.argv[2])
workers.STARTS = int(sys.argv[3])
sys.exit(workers.Supervisor(2, [sys.executable, "-c", sys.argv[1]], {}).run(lambda: print("ready", flush=True)))
"""
SERVING = """
import sys
from twofold import telemetry
from twofold.runtime.process import Process
from twofold.runtime.workers import take_leash

telemetry.configure()
leash = take_leash()
sys.exit(Process(services=[leash]).run(leash.serves))
"""
LATE = """
import os, pathlib, time

while os.environ["TWOFOLD_WORKER_NUMBER"] == "2" and not pathlib.Path("go").exists():
    time.sleep(0.01)
"""
HANGING = "import time; from twofold.runtime.workers import take_leash; take_leash().serves(); time.sleep(60)"
FAILING = "raise SystemExit(3)"


class Supervised:
    """A supervisor in a process of its own, with two workers that run a program."""

    def __init__(self, folder: Path, program: str, *, stop_seconds: float = 9.5, starts: int = 1000) -> None:
        self.ready = threading.Event()
        self._log = folder / "log"
        with self._log.open("wb") as log:
            command = [sys.executable, "-c", SUPERVISOR, program, str(stop_seconds), str(starts)]
            self.process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=log, start_new_session=True)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        if self.process.stdout.readline() == b"ready\n":
            self.ready.set()

    def serving(self) -> list[int]:
        assert self.ready.wait(SECONDS), self._log.read_text()
        found = children(self.process.pid)
        assert len(found) == 2
        return found

    def said(self, event: str) -> list[dict[str, Any]]:
        complete = self._log.read_text().rpartition("\n")[0].splitlines()
        return [line for line in map(json.loads, complete) if event in line["event"]]


@pytest.fixture
def supervised(tmp_path: Path) -> Iterator[Callable[..., Supervised]]:
    started: list[Supervised] = []

    def start(program: str = SERVING, **options: Any) -> Supervised:
        started.append(Supervised(tmp_path, program, **options))
        return started[-1]

    yield start
    for each in started:
        try:
            os.killpg(each.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
        finally:
            each.process.wait()


def eventually(condition: Callable[[], Any]) -> None:
    until = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < until, "this did not come about in time"
        time.sleep(0.01)


def test_it_is_ready_when_every_worker_serves(supervised: Callable[..., Supervised], tmp_path: Path) -> None:
    both = supervised(LATE + SERVING)
    eventually(lambda: both.said("a worker serves"))
    assert not both.ready.wait(0.5)
    (tmp_path / "go").touch()
    both.serving()
    assert sorted(line["worker"] for line in both.said("a worker serves")) == [1, 2]


def test_a_worker_is_told_how_many_there_are(supervised: Callable[..., Supervised], tmp_path: Path) -> None:
    """So that they do not hash passwords on all cores each."""
    supervised('import os, pathlib; pathlib.Path(f"of-{os.environ[\'TWOFOLD_WORKER_COUNT\']}").touch()\n' + SERVING).serving()
    assert [path.name for path in tmp_path.glob("of-*")] == ["of-2"]


def test_a_worker_that_is_killed_is_started_again(supervised: Callable[..., Supervised]) -> None:
    both = supervised()
    first, second = both.serving()
    os.kill(first, signal.SIGKILL)
    eventually(lambda: len(both.said("a worker serves")) == 3)
    [told] = both.said("ended unasked")
    assert told["code"] == -signal.SIGKILL
    assert both.said("a worker serves")[-1]["worker"] == told["worker"]
    now = children(both.process.pid)
    assert len(now) == 2
    assert first not in now
    assert second in now


def test_a_worker_that_is_stopped_alone_says_who_it_is_and_is_started_again(supervised: Callable[..., Supervised]) -> None:
    both = supervised()
    pid = both.serving()[0]
    [number] = [line["worker"] for line in both.said("a worker serves") if line["pid"] == pid]
    os.kill(pid, signal.SIGTERM)
    eventually(lambda: len(both.said("a worker serves")) == 3)
    assert [line["worker"] for line in both.said("stopping")] == [number]
    assert [(line["worker"], line["code"]) for line in both.said("ended unasked")] == [(number, 0)]


def test_workers_that_end_at_once_are_started_with_growing_waits(supervised: Callable[..., Supervised]) -> None:
    both = supervised(FAILING)

    def waits() -> list[float]:
        return [line["seconds"] for line in both.said("ended unasked") if line["worker"] == 1]

    eventually(lambda: len(waits()) >= 4)
    for bound, wait in zip((0.1, 0.2, 0.4, 0.8), waits(), strict=False):
        assert bound / 2 <= wait <= bound
    assert not both.ready.is_set()


def test_where_no_worker_can_be_started_it_gives_up(supervised: Callable[..., Supervised]) -> None:
    """So that whoever looks after the supervisor notices."""
    failing = supervised(FAILING, starts=3)
    assert failing.process.wait(SECONDS) == 1
    assert len(failing.said("giving up")) == 1
    assert not failing.ready.is_set()


def test_while_one_worker_serves_it_does_not_give_up(supervised: Callable[..., Supervised]) -> None:
    half = supervised('import os\nif os.environ["TWOFOLD_WORKER_NUMBER"] == "2":\n    raise SystemExit(3)\n' + SERVING, starts=2)
    eventually(lambda: len(half.said("ended unasked")) > 4)
    assert half.process.poll() is None
    assert half.said("giving up") == []


def test_a_worker_that_ran_for_long_is_started_again_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "STEADY_SECONDS", 0.0)
    worker = Worker(1, [sys.executable, "-S", "-c", ""], {})
    for _ in range(5):
        worker._due = 0.0
        worker.tend()
        worker._process.wait(SECONDS)
        worker.tend()
        assert worker._due - time.monotonic() <= 0.1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("send", [os.kill, os.killpg])
def test_a_signal_stops_all_softly(supervised: Callable[..., Supervised], send: Callable[[int, int], None], number: int) -> None:
    """Sent to the supervisor alone, or as a terminal and a service manager do it, to everybody."""
    both = supervised()
    pids = both.serving()
    send(both.process.pid, number)
    assert both.process.wait(SECONDS) == 0
    assert all(map(ended, pids))
    assert not both.said("hard")
    assert not both.said("unasked")


def test_a_second_signal_stops_all_hard(supervised: Callable[..., Supervised]) -> None:
    both = supervised(HANGING)
    pids = both.serving()
    both.process.terminate()
    eventually(lambda: both.said("stopping"))
    both.process.terminate()
    assert both.process.wait(5) == 1
    assert all(map(ended, pids))
    assert sorted(line["pid"] for line in both.said("stopped hard")) == sorted(pids)


def test_a_worker_that_does_not_stop_in_time_is_stopped_hard(supervised: Callable[..., Supervised]) -> None:
    both = supervised(HANGING, stop_seconds=0.3)
    pids = both.serving()
    both.process.terminate()
    assert both.process.wait(5) == 1
    assert all(map(ended, pids))


def test_no_worker_outlives_a_supervisor_that_is_killed(supervised: Callable[..., Supervised]) -> None:
    both = supervised()
    pids = both.serving()
    both.process.kill()
    eventually(lambda: all(map(ended, pids)))


def test_a_worker_whose_supervisor_is_killed_before_it_serves_ends_too(supervised: Callable[..., Supervised], tmp_path: Path) -> None:
    both = supervised(LATE + SERVING)
    eventually(lambda: both.said("a worker serves"))
    pids = children(both.process.pid)
    both.process.kill()
    (tmp_path / "go").touch()
    eventually(lambda: all(map(ended, pids)))


def test_a_process_that_nobody_supervises_has_no_leash(monkeypatch: pytest.MonkeyPatch) -> None:
    assert take_leash() is None
    mine, theirs = socket.socketpair()
    with mine:
        monkeypatch.setenv(LEASH, str(theirs.detach()))
        leash = take_leash()
        assert leash is not None
        assert LEASH not in os.environ
        leash.serves()
        assert mine.recv(1) == b"."
        leash.start()
        assert leash.stop()
        assert leash.failure is None


def test_workers_share_an_address_that_is_reserved() -> None:
    with reserve("127.0.0.1", 0, "TWOFOLD_COMMAND_PORT") as reserved:
        port = reserved.getsockname()[1]
        with bind("127.0.0.1", port, "X", shared=True) as one, bind("127.0.0.1", port, "X", shared=True) as other:
            one.listen()
            other.listen()
            one.close()
            with socket.create_connection(("127.0.0.1", port)) as client:
                accepted, address = other.accept()
                accepted.close()
                assert address == client.getsockname()


def test_nobody_else_gets_an_address_that_is_reserved_even_while_no_worker_listens() -> None:
    with reserve("127.0.0.1", 0, "X") as reserved:
        for get in (bind, reserve):
            with pytest.raises(SettingsError, match=r"Cannot listen .* TWOFOLD_COMMAND_PORT"):
                get("127.0.0.1", reserved.getsockname()[1], "TWOFOLD_COMMAND_PORT")


@pytest.mark.parametrize("shared", [False, True])
def test_an_address_on_which_somebody_listens_is_not_reserved(shared: bool) -> None:
    with bind("127.0.0.1", 0, "X", shared=shared) as other:
        other.listen()
        with pytest.raises(SettingsError, match=r"Cannot listen .* TWOFOLD_COMMAND_PORT"):
            reserve("127.0.0.1", other.getsockname()[1], "TWOFOLD_COMMAND_PORT")


def test_an_address_with_connections_of_before_is_reserved() -> None:
    """As after a quick restart."""
    with bind("127.0.0.1", 0, "X") as before:
        before.listen()
        port = before.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client:
            before.accept()[0].close()  # who closes first keeps the port for a minute
            assert client.recv(1) == b""
    with reserve("127.0.0.1", port, "X") as reserved:
        assert reserved.getsockname()[1] == port
