"""`twofold verify` as an operator meets it: what it says, its exit codes, its file, its metrics, Ctrl-C."""

from __future__ import annotations

import json
import signal
import socket
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.roles import Role, free_port, run

USERS = 300
KINDS = ("missing", "stale", "orphaned", "different", "undecided")


@pytest.fixture
def filled(tmp_path: Path) -> dict[str, str]:
    """The embedded default with USERS users; its environment."""
    environment = {"TWOFOLD_DATA": str(tmp_path / "data")}
    assert run(["demo", "--users", str(USERS)], environment, tmp_path).returncode == 0
    return environment


def damage(folder: Path) -> dict[str, str]:
    """Kind by id."""
    connection = sqlite3.connect(folder / "data" / "read.db")
    with connection:
        gone, edited, raised = [row[0] for row in connection.execute("SELECT id FROM doc_users ORDER BY id LIMIT 3")]
        connection.execute("DELETE FROM doc_users WHERE id = ?", (gone,))
        connection.execute("UPDATE doc_users SET document = json_set(document, '$.name', 'Eve') WHERE id = ?", (edited,))
        connection.execute("UPDATE doc_users SET version = 9 WHERE id = ?", (raised,))
        connection.execute("INSERT INTO doc_users (id, version, deleted, document) VALUES ('orphan', 1, 0, '{}')")
    connection.close()
    return {gone: "missing", edited: "different", raised: "different", "orphan": "orphaned"}


def test_it_tells_what_differs_and_mends_it(filled: dict[str, str], tmp_path: Path) -> None:
    fine = run(["verify", "users", "--deep"], filled, tmp_path)
    assert (fine.returncode, fine.stdout.splitlines()[-1]) == (0, "Table and index of users agree.")
    damaged = damage(tmp_path)

    found = run(["verify", "users", "--deep", "--ids", "found.txt"], filled, tmp_path)
    assert found.returncode == 1
    assert f"{USERS} rows and {USERS} documents compared, with their contents" in found.stdout
    assert "missing    1: " in found.stdout
    assert "different  2: " in found.stdout
    assert "orphaned   1: orphan" in found.stdout
    assert found.stdout.splitlines()[-1].endswith("do not agree. `twofold verify users --deep --repair` mends what differs.")
    assert {line.split()[1]: line.split()[0] for line in (tmp_path / "found.txt").read_text().splitlines()} == damaged

    told = run(["verify", "users", "--json"], filled, tmp_path)
    assert told.returncode == 1
    document = json.loads(told.stdout)
    assert {kind: each["count"] for kind, each in document["drift"].items()} == {"missing": 1, "stale": 0, "orphaned": 1, "different": 1}
    assert (document["rows"], document["agrees"], document["deep"]) == (USERS, False, False)

    mended = run(["verify", "users", "--deep", "--repair"], filled, tmp_path)
    assert (mended.returncode, mended.stdout.splitlines()[-1]) == (0, "Table and index of users agree now.")
    assert "different  2 (2 mended): " in mended.stdout
    assert run(["verify", "users", "--deep"], filled, tmp_path).returncode == 0


def test_mistakes_are_told_in_one_line(tmp_path: Path) -> None:
    environment = {"TWOFOLD_DATA": str(tmp_path / "data")}
    for arguments, words in (
        (["verify", "people"], "There is no resource 'people'; there is users."),
        (["verify", "users", "--watch", "--json"], "neither with --ids nor with --json"),
        (["verify", "users", "--ids", "no/such/folder"], "--ids no/such/folder: No such file or directory"),
        (["verify", "users", "--port", "9464"], "--every and --port are for --watch"),
        (["verify", "users", "--every", "600"], "--every and --port are for --watch"),
        (["verify"], "Missing argument"),
    ):
        done = run(arguments, environment, tmp_path)
        assert done.returncode == 2, arguments
        assert words in " ".join(done.stderr.split()), done.stderr
        assert "Traceback" not in done.stderr


def test_a_taken_port_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = run(["verify", "users", "--watch", "--port", port], {"TWOFOLD_DATA": str(tmp_path / "data")}, tmp_path)
    assert done.returncode == 2
    assert f"Cannot listen on 127.0.0.1:{port}" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_watch_serves_metrics_until_it_is_stopped(filled: dict[str, str], tmp_path: Path, number: signal.Signals) -> None:
    damage(tmp_path)
    port = free_port()
    url = f"http://127.0.0.1:{port}/metrics"
    with Role(["verify", "users", "--watch", "--every", "1", "--port", str(port)], filled, tmp_path) as watching:
        assert watching.output == [f"watching users every 1 s; metrics at {url}\n"]
        first = _eventually(lambda: _figures(url, "twofold_verified_timestamp_seconds"))
        drift = {kind: count for labels, count in _figures(url, "twofold_drift").items() for kind in KINDS if f'kind="{kind}"' in labels}
        assert drift == {"missing": 1, "stale": 0, "orphaned": 1, "different": 1, "undecided": 0}
        assert all(rate > 0 for rate in _figures(url, "twofold_verify_rows_per_second").values())
        assert _eventually(lambda: _figures(url, "twofold_verified_timestamp_seconds") != first)
        assert watching.process is not None
        watching.process.send_signal(number)
        assert watching.process.wait(10) == 0
    log = [json.loads(line) for line in watching.log.read_text().splitlines()]
    runs = [line for line in log if line["event"] == "verified"]
    assert len(runs) >= 2
    assert (runs[0]["level"], runs[0]["missing"], runs[0]["rows"]) == ("warning", 1, USERS)


def _figures(url: str, name: str) -> dict[str, float]:
    text = httpx.get(url).text
    lines = [line.removeprefix(name) for line in text.splitlines() if line.startswith(f"{name}{{")]
    return {labels.strip("{}"): float(value) for labels, value in (line.rsplit(" ", 1) for line in lines)}


def _eventually(ask: Callable[[], Any]) -> Any:
    until = time.monotonic() + 20
    while not (found := ask()):
        assert time.monotonic() < until
        time.sleep(0.1)
    return found
