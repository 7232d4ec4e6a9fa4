"""Both benchmarks as they are run: every suite gives its rows without an error, and nothing stays behind. Times are not looked at."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from benchmarks.targets import OVERALL, TARGETS
from confluent_kafka.admin import AdminClient
from dev import wrk as installed
from tests import engines
from tests.pipeline.systems import connect

from twofold.bench import wrk
from twofold.bench.wrk import MARK, template

ROOT = Path(__file__).parents[2]
NUMBER = re.compile(r"\d[\d,]*")
PARTS = {
    "writes": (["commands", "end-to-end", "drain"], {"commands", "end to end", "drain"}, "real"),
    "reads": (["queries", "growth", "neighbours"], {"queries", "growth", "neighbours"}, "real"),
    "read side": (["reading", "rebuild"], {"reading", "rebuild"}, "real"),
    "embedded": (["embedded"], {"commands", "end to end", "queries"}, "embedded"),
}


@pytest.fixture
def environment() -> dict[str, str]:
    """The real engines, and wrk on the path."""
    engines.need(engines.MYSQL, engines.KAFKA, engines.ELASTICSEARCH)
    own = {
        "TWOFOLD_WRITE_URL": f"{engines.MYSQL}/user",
        "TWOFOLD_LOG_URL": f"kafka://{engines.KAFKA}",
        "TWOFOLD_READ_URL": engines.ELASTICSEARCH.replace("http", "elasticsearch", 1),
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "src")]),
        "PATH": os.pathsep.join([str(installed.folder()), os.environ["PATH"]]),
    }
    return {**os.environ, **own}


@pytest.mark.engine
@pytest.mark.alone
@pytest.mark.parametrize("part", PARTS)
def test_every_suite_gives_its_rows(part: str, environment: dict[str, str], tmp_path: Path) -> None:
    chosen, suites, column = PARTS[part]
    output = tmp_path / "bench.json"
    command = [sys.executable, "-m", "benchmarks", "--quick", "--json", str(output), "--data", str(tmp_path / "data"), "--suites", *chosen]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False, timeout=110)
    assert done.returncode == 0, done.stderr[-3000:]
    found = orjson.loads(output.read_bytes())
    assert found["quick"] is True
    rows = found["rows"]
    assert {row["suite"] for row in rows} == {*suites, OVERALL}
    assert {row["engines"] for row in rows} == {column}
    assert [row for row in rows if row["errors"]] == []
    assert [row for row in rows if row["figure"] != "errors" and row["figure"] != "lost or doubled events" and not row["value"]] == []
    judged = {(suite, _plain(figure)) for suite, figure, engines_ in TARGETS if engines_ == column and suite in suites}
    assert judged - {(row["suite"], _plain(row["figure"])) for row in rows} == set()  # a target whose figure nobody measures
    assert all(suite in done.stdout for suite in suites)
    assert not (tmp_path / "data").exists()


def _plain(figure: str) -> str:
    """Without numbers: a quick pass has others."""
    return NUMBER.sub("N", figure)


@pytest.mark.engine
@pytest.mark.alone
def test_an_interrupted_run_leaves_nothing_behind(environment: dict[str, str], tmp_path: Path) -> None:
    options = ["--quick", "--app", "examples.accounts:app", "--output", str(tmp_path / "bench.json")]
    command = [sys.executable, "-m", "twofold", "bench", *options]
    process = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    told = ""
    for line in process.stderr:
        told += line
        if "queries: accounts, search" in line:  # roles run, rows are there, wrk is running
            process.send_signal(signal.SIGINT)
            break
    shown, rest = process.communicate(timeout=60)
    assert process.returncode == 130, told + rest
    assert "get by id" in shown
    name = re.findall(r"bench_[0-9a-f]{8}", told)[0]
    assert _left(name) == []


def _left(name: str) -> list[str]:
    """What bears the run's name on the engines, and its processes."""
    with connect() as connection, connection.cursor() as cursor:
        cursor.execute("SHOW DATABASES LIKE %s", (f"{name}%",))
        found = [str(row[0]) for row in cursor.fetchall()]
    topics = AdminClient({"bootstrap.servers": engines.KAFKA}).list_topics(timeout=10).topics
    found += [topic for topic in topics if topic.startswith(name)]
    found += list(httpx.get(f"{engines.ELASTICSEARCH}/{name}*").json())
    return found + [file.parent.name for file in Path("/proc").glob("[0-9]*/environ") if name.encode() in _content(file)]


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:  # gone meanwhile
        return b""


class Listener(BaseHTTPRequestHandler):
    """Answers 201, and 409 to a body that it has seen."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(409 if body in self.server.bodies else 201)  # type: ignore[attr-defined]
        self.server.bodies.append(body)  # type: ignore[attr-defined]
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ThreadingHTTPServer]:
    monkeypatch.setenv("PATH", os.pathsep.join([str(installed.folder()), os.environ["PATH"]]))
    with ThreadingHTTPServer(("127.0.0.1", 0), Listener) as server:
        server.bodies = []  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.engine
@pytest.mark.alone
def test_wrk_sends_values_that_occur_once_at_the_rate_that_is_asked_for(server: ThreadingHTTPServer) -> None:
    templates = [template("POST", "/people", {"name": name, "email": f"{MARK}@example.com", "again": MARK}) for name in "ab"]
    load = wrk.run(server.server_port, templates, connections=4, seconds=2, rate=50)
    assert load.failures == {}
    assert 80 <= load.done <= 110
    bodies = [orjson.loads(body) for body in server.bodies]  # type: ignore[attr-defined]
    assert {body["name"] for body in bodies} == {"a", "b"}
    assert all(body["email"] == f"{body['again']}@example.com" and body["again"] != MARK for body in bodies)


@pytest.mark.engine
@pytest.mark.alone
def test_wrk_stops_at_a_count_and_counts_refusals(server: ThreadingHTTPServer) -> None:
    load = wrk.run(server.server_port, [template("POST", "/people", {"always": "the same"})], connections=1, seconds=30, count=20)
    assert load.seconds < 10
    assert load.statuses[201] == 1
    assert load.failures == {"409": load.statuses[409]}
    assert load.requests in range(20, 23)
