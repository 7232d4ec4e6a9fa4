"""Makes the planned faults happen, and does what a supervisor does: a role that has ended is started again."""

from __future__ import annotations

import math
import os
import signal
import time
from collections.abc import Iterable
from contextlib import suppress

import pymysql

from tests.acceptance.roles import Role
from tests.chaos.cluster import NAME, Cluster
from tests.chaos.history import History
from tests.chaos.plan import Fault

LOOK_SECONDS = 0.05
STOP_SECONDS = 10.0 + 2.0  # docs/operations.md promises 10 s; the rest is for a machine that is starved
UP_SECONDS = 150.0
GIVE_UP = "in vain"  # the last words of a role that gives up, with exit code 1, for its supervisor to start another
UNFINISHED = "did not stop in time"  # the last words of one that ends although a call to an engine has not come back
TAIL = 2000  # characters of a log that are told
AGAIN_SECONDS = 1.0  # until a role that ended unasked is started again


class Supervisor:
    """All of it on the thread that calls: engines end with the thread that starts them."""

    def __init__(self, cluster: Cluster, history: History) -> None:
        self._cluster, self._history = cluster, history
        self._asked: dict[str, float] = {}  # role -> when it was sent SIGTERM
        self._early: set[str] = set()  # roles that were sent it before they said anything: they may not have heard of it yet
        self._down: set[str] = set()  # roles that a fault killed and keeps away
        self._away: set[str] = set()  # engines that a fault has killed or paused
        self._held_up: set[str] = set()  # roles that were sent SIGTERM while an engine was away, or before it was back
        self._due: dict[str, float] = {}  # roles that ended unasked -> when they are started again
        self._ready = {name: role.spawn() for name, role in cluster.roles.items()}
        self._closing = False
        self.gave_up: list[str] = []

    def carry_out(self, faults: Iterable[Fault], seconds: float) -> None:
        """All faults of a round, each at its time, until the round is over and all faults are undone."""
        begun = time.monotonic()
        steps = [(fault.at, "begin", fault) for fault in faults] + [(fault.at + fault.seconds, "end", fault) for fault in faults]
        for at, what, fault in sorted(steps, key=lambda step: step[:2]):
            self.tend(begun + at)
            self._history.event(f"fault: {what}", kind=fault.kind, target=fault.target, planned=at)
            getattr(self, f"_{what}")(fault)
        self.tend(begun + seconds)

    def heal(self) -> None:
        """Returns once every engine answers and every role says that it runs."""
        until = time.monotonic() + UP_SECONDS
        while waiting := self._waited_for():
            self.tend(time.monotonic() + LOOK_SECONDS)
            if time.monotonic() > until:
                return self._history.complain(f"{', '.join(waiting)}: not up {UP_SECONDS:.0f} s after the last fault")
        return self._history.event("healed")

    def _waited_for(self) -> list[str]:
        engines = [name for name, engine in self._cluster.engines.items() if not (engine.alive and engine.engine.ready())]
        return [*engines, *(name for name in self._cluster.roles if not self._up(name))]

    def tend(self, until: float) -> None:
        """Looks after the roles until then."""
        while True:
            for name, role in self._cluster.roles.items():
                self._look_after(name, role)
            if (left := until - time.monotonic()) <= 0:
                return
            time.sleep(min(LOOK_SECONDS, left))

    def stop(self) -> None:
        """SIGTERM to every role, as at a clean end."""
        self._closing = True
        for name in self._cluster.roles:
            self._terminate(name)
        while self._asked:
            self.tend(time.monotonic() + LOOK_SECONDS)

    def _up(self, name: str) -> bool:
        return self._running(name) and self._ready[name].is_set() and name not in self._asked

    def _running(self, name: str) -> bool:
        process = self._cluster.roles[name].process
        return process is not None and process.poll() is None

    def _look_after(self, name: str, role: Role) -> None:
        if self._running(name):
            if time.monotonic() - self._asked.get(name, time.monotonic()) > STOP_SECONDS:
                self._history.complain(f"{name}: had not ended {STOP_SECONDS:.0f} s after SIGTERM")
                role.kill()
        elif name in self._asked:
            self._ended(name, role)
        elif name not in self._down and name not in self._due:
            self._unasked(name, role)
        elif time.monotonic() > self._due.get(name, math.inf):
            del self._due[name]
            self._spawn(name)

    def _ended(self, name: str, role: Role) -> None:
        """After SIGTERM."""
        code = role.process.returncode if role.process else None
        waited = code == 1 and UNFINISHED in _tail(role) and (self._away or name in self._held_up)  # for an answer of that engine
        if code != 0 and not waited and not (code == -signal.SIGTERM and name in self._early):
            self._history.complain(f"{name}: exit code {code} after SIGTERM; {_tail(role)}")
        del self._asked[name]
        self._held_up.discard(name)
        if self._closing:
            self._down.add(name)
        else:
            self._spawn(name)

    def _unasked(self, name: str, role: Role) -> None:
        code = role.process.returncode if role.process else None
        self._history.event("ended unasked", role=name, code=code, log=_tail(role))
        if code == 1 and GIVE_UP in _tail(role):
            self.gave_up.append(name)
        else:
            self._history.complain(f"{name}: ended unasked, exit code {code}; {_tail(role)}")
        self._due[name] = time.monotonic() + AGAIN_SECONDS

    def _spawn(self, name: str) -> None:
        self._ready[name] = self._cluster.roles[name].spawn()

    def _begin(self, fault: Fault) -> None:
        engine = self._cluster.engines.get(fault.target)
        if fault.kind == "cut":
            self._cut()
        elif engine is not None:
            self._away.add(fault.target)
            self._held_up |= self._asked.keys()
            (engine.kill if fault.kind == "kill" else engine.pause)()
        elif fault.kind == "term":
            self._terminate(fault.target)
        elif self._running(fault.target) and fault.target not in self._asked:
            self._strike(fault)

    def _strike(self, fault: Fault) -> None:
        role = self._cluster.roles[fault.target]
        if fault.kind == "kill":
            self._down.add(fault.target)
            role.kill()
        elif role.process is not None:
            os.kill(role.process.pid, signal.SIGSTOP)

    def _end(self, fault: Fault) -> None:
        engine, role = self._cluster.engines.get(fault.target), self._cluster.roles.get(fault.target)
        if engine is not None and fault.kind in ("kill", "pause"):
            self._away.discard(fault.target)
            (engine.spawn if fault.kind == "kill" else engine.resume)()
        elif role is not None and fault.kind == "kill" and fault.target in self._down:
            self._down.remove(fault.target)
            self._spawn(fault.target)
        elif role is not None and fault.kind == "pause" and role.process is not None and self._running(fault.target):
            os.kill(role.process.pid, signal.SIGCONT)

    def _terminate(self, name: str) -> None:
        role = self._cluster.roles[name]
        if self._running(name) and name not in self._asked and role.process is not None:
            self._asked[name] = time.monotonic()
            if self._away:
                self._held_up.add(name)
            (self._early.discard if self._ready[name].is_set() else self._early.add)(name)
            role.process.send_signal(signal.SIGTERM)

    def _cut(self) -> None:
        """Ends every connection of the app's, wherever it is in a transaction. A server that is away has none."""
        with suppress(pymysql.Error), self._cluster.mysql() as connection, connection.cursor() as cursor:
            cursor.execute("SELECT id FROM information_schema.processlist WHERE db = %s", (NAME,))
            for [number] in cursor.fetchall():
                with suppress(pymysql.Error):
                    cursor.execute(f"KILL {number}")


def _tail(role: Role) -> str:
    return role.log.read_text(errors="replace")[-TAIL:] if role.log.exists() else ""
