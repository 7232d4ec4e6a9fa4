"""Clients that send the planned operations, and repeat under its Idempotency-Key whatever was not answered for certain."""

from __future__ import annotations

import http.client
import math
import random
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import orjson

from tests.chaos.history import Answer, History, Sent
from tests.chaos.operations import Operation

NEEDLE = "only-the-write-store-knows"  # part of every password
ANSWER_SECONDS = 3.0  # after which a client asks again, while the first request may still be on its way
AGAIN_SECONDS, AGAIN_AT_MOST = 0.05, 1.0  # until a client asks again, at first and at most
THINK_SECONDS = 0.08
LATE = ("projection-lagging", "read-store-unavailable", "overloaded", "declaration-outdated")
STOPS = "shutting-down"  # of a role that was asked to end
Request = tuple[str, str, dict[str, str], Any]
Answered = tuple[int, dict[str, str], bytes]


@dataclass
class Limits:
    """When clients end. An operation that has begun goes on to its answer, until `give_up_at`."""

    stopping: threading.Event = field(default_factory=threading.Event)
    give_up_at: float = math.inf


class Wire:
    """A kept connection to one service, for one thread."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._http: http.client.HTTPConnection | None = None

    def __call__(self, method: str, path: str, headers: dict[str, str], body: Any = None) -> Answered:
        """Raises OSError or HTTPException where nothing was answered."""
        sent = dict(headers)
        if body is not None:
            sent["Content-Type"] = "application/merge-patch+json" if method == "PATCH" else "application/json"
        if self._http is None:
            self._http = http.client.HTTPConnection("127.0.0.1", self._port, timeout=ANSWER_SECONDS)
        try:
            self._http.request(method, path, None if body is None else orjson.dumps(body), sent)
            answer = self._http.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        except (OSError, http.client.HTTPException):
            self._http.close()
            self._http = None
            raise


class Client:
    """Sends one operation after the other."""

    def __init__(self, name: str, ports: Sequence[int], history: History, source: Iterator[Operation]) -> None:
        self._path, self._history, self._source = f"/{name}", history, source
        self._wires = [[Wire(port) for port in ports] for _ in range(2)]  # its own, and its twin's
        self._twin = ThreadPoolExecutor(1)

    def run(self, limits: Limits) -> None:
        while not limits.stopping.wait(THINK_SECONDS):
            operation: Operation | None = next(self._source)
            while operation is not None:
                operation = operation.then if self.perform(operation, limits) else None

    def close(self) -> None:
        self._twin.shutdown()

    def perform(self, operation: Operation, limits: Limits) -> bool:
        """Whether it was done."""
        history = self._history
        creates = operation.kind in ("create", "put")
        if history.doubtful & {operation.account, operation.leans_on} or not (creates or operation.account in history.ids):
            return False
        id_ = operation.id if creates else history.ids[operation.account]
        if operation.kind == "delete":
            history.deleting.add(id_)
        sent = Sent(operation, id_, self._answers(operation, id_, limits))
        if sent.done and operation.repeated:
            sent.answers.append(self._settled(operation, id_, limits))
        if sent.done and operation.kind == "create":
            sent.id = orjson.loads(sent.done.body)["id"]
        history.note(sent)
        return sent.done is not None

    def _answers(self, operation: Operation, id_: str, limits: Limits) -> list[Answer | None]:
        if operation.twin is None:
            return [self._settled(operation, id_, limits)]
        other = self._twin.submit(self._settled, operation, id_, limits, twin=True)
        return [self._settled(operation, id_, limits), other.result()]

    def _settled(self, operation: Operation, id_: str, limits: Limits, *, twin: bool = False) -> Answer | None:
        """The same request to one command service after the other until an answer leaves nothing open."""
        if twin and operation.twin:
            time.sleep(operation.twin)  # as close as the plan says
        request, service = _request(operation, self._path, id_), operation.service ^ twin
        pause = AGAIN_SECONDS
        while True:
            answer = self._tried(operation, service, request, twin=twin)
            if answer is not None or time.monotonic() > limits.give_up_at:
                return answer
            time.sleep(pause)
            service, pause = service ^ 1, min(2 * pause, AGAIN_AT_MOST)

    def _tried(self, operation: Operation, service: int, request: Request, *, twin: bool) -> Answer | None:
        told = {"mark": operation.mark, "service": service + 1, "twin": twin}
        began = time.monotonic()
        try:
            status, headers, body = self._wires[twin][service](*request)
        except (OSError, http.client.HTTPException) as error:
            self._history.event("no answer", **told, error=repr(error), took=round(time.monotonic() - began, 3))
            return None
        code = "" if status < 400 else _code(body)
        self._history.event("answer", **told, status=status, code=code, took=round(time.monotonic() - began, 3))
        if status > 503 or 500 <= status < 503 or (status == 503 and not code):
            self._history.complain(f"{operation.mark}: {status} from command-{service + 1}: {body[:300]!r}")
        if status >= 500:
            return None
        return Answer(status, code, _version(headers), body.decode() if status < 400 else "", "idempotent-replayed" in headers)


def _request(operation: Operation, path: str, id_: str) -> Request:
    one, kind, mark = f"{path}/{id_}", operation.kind, operation.mark
    note, password = {"note": mark}, {"password": f"{NEEDLE}-{mark}"}
    new = {"handle": operation.handle, **note, **password}
    method, target, body = {
        "create": ("POST", path, new),
        "put": ("PUT", one, new),
        "patch": ("PATCH", one, note),
        "replace": ("PUT", one, {"handle": operation.handle, **note}),
        "secret": ("PUT", f"{one}/password", password),
        "delete": ("DELETE", one, None),
    }.get(kind, ("POST", f"{one}/{kind}", {"amount": operation.amount, "memo": mark}))
    headers = {"Idempotency-Key": mark}
    if operation.version is not None:
        headers["If-Match"] = f'"{operation.version}"'
    if kind == "put":
        headers["If-None-Match"] = "*"
    return method, target, headers, body


def _version(headers: dict[str, str]) -> int | None:
    found = headers.get("consistency-token", "").rpartition("@")[2]
    return int(found) if found else None


def _code(body: bytes) -> str:
    try:
        return str(orjson.loads(body)["code"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return ""


class Reader:
    """Asks for what was just written, with its token: the answer is not older, or says that it is late."""

    def __init__(self, name: str, ports: Sequence[int], history: History, seed: int) -> None:
        self._name, self._history, self._draw = name, history, random.Random(seed)
        self._wires = [Wire(port) for port in ports]

    def run(self, limits: Limits) -> None:
        while not limits.stopping.wait(THINK_SECONDS):
            tokens = self._history.tokens
            if tokens and not self._read(*tokens[-1 - self._draw.randrange(min(20, len(tokens)))]):
                limits.stopping.wait(AGAIN_AT_MOST)

    def _read(self, id_: str, version: int) -> bool:
        """Whether there was an answer."""
        headers = {"Consistency-Token": f"{self._name}/{id_}@{version}"}
        service = self._draw.randrange(len(self._wires))
        try:
            status, _, body = self._wires[service]("GET", f"/{self._name}/{id_}", headers)
        except (OSError, http.client.HTTPException):
            self._history.read("no answer")
            return False
        code = _code(body) if status == 503 else ""
        if code in (*LATE, STOPS):
            self._history.read("no answer" if code == STOPS else "late")
            return code in LATE
        fine = orjson.loads(body)["version"] >= version if status == 200 else status == 404 and id_ in self._history.deleting
        if not fine:
            self._history.complain(f"{id_}@{version} read from query-{service + 1}: {status} {body[:300]!r}")
        self._history.read("fine" if fine else "old")
        return True
