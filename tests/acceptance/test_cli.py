"""The command line as an operator meets it: help, mistakes, the embedded default, import, demo, signals."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.checks import wait_for
from tests.acceptance.conftest import ROOT
from tests.acceptance.roles import Role, free_port, run


@pytest.fixture
def embedded(tmp_path: Path) -> dict[str, str]:
    return {
        "TWOFOLD_DATA": str(tmp_path / "data"),
        "TWOFOLD_COMMAND_PORT": str(free_port()),
        "TWOFOLD_QUERY_PORT": str(free_port()),
    }


COMMANDS = "up command relay project query migrate status check import demo rebuild rollback drop verify".split()  # noqa: SIM905 - words read best as words


def test_help_answers_everything(tmp_path: Path) -> None:
    whole = run(["--help"], {"COLUMNS": "200"}, tmp_path)

    assert whole.returncode == 0
    assert all(f" {name} " in whole.stdout for name in COMMANDS)
    for name in COMMANDS:
        one = run([name, "--help"], {"COLUMNS": "200"}, tmp_path)
        assert one.returncode == 0
        assert "TWOFOLD_WRITE_URL" in one.stdout


def test_up_serves_and_stops_cleanly(embedded: dict[str, str], tmp_path: Path) -> None:
    command, query = f"http://127.0.0.1:{embedded['TWOFOLD_COMMAND_PORT']}", f"http://127.0.0.1:{embedded['TWOFOLD_QUERY_PORT']}"
    with Role(["up"], embedded, tmp_path) as up:
        made = httpx.post(f"{command}/users", json={"name": "Ana Müller", "email": "ana@example.com", "password": "correct horse"})
        assert made.status_code == 201
        found = _eventually(lambda: httpx.get(f"{query}/users", params={"q": "mul"}).json()["items"])
        assert [item["email"] for item in found] == ["ana@example.com"]
        assert json.loads(run(["status", "--json"], embedded, tmp_path).stdout)["resources"]["users"]["index"]["documents"] == 1
        refused = run(["import", "users", "-"], embedded, tmp_path, stdin="")
        assert refused.returncode == 2
        assert "is in use" in refused.stderr
        assert up.stop() == 0
    assert "Traceback" not in up.log.read_text()


def test_who_waits_for_a_version_does_not_hold_up_the_stop(embedded: dict[str, str], tmp_path: Path) -> None:
    address = "127.0.0.1", int(embedded["TWOFOLD_QUERY_PORT"])
    token = "users/01890000-0000-7000-8000-000000000001@1"
    asked = f"GET /users HTTP/1.1\r\nHost: localhost\r\nConsistency-Token: {token}\r\nPrefer: wait=10\r\n\r\n".encode()
    with Role(["up"], embedded, tmp_path) as up, ExitStack() as opened:
        readers = [opened.enter_context(socket.create_connection(address)) for _ in range(20)]
        for reader in readers:
            reader.sendall(asked)
        time.sleep(1)
        assert select.select(readers, [], [], 0)[0] == []
        begun = time.monotonic()
        assert up.stop() == 0
        assert time.monotonic() - begun < 3  # what a request that runs is given
        for answer in (reader.recv(65_536).decode() for reader in readers):
            assert answer.startswith("HTTP/1.1 503")
            assert '"detail":"The service stops."' in answer


def test_killed_in_the_middle_loses_nothing_on_the_embedded_default(embedded: dict[str, str], tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{embedded['TWOFOLD_COMMAND_PORT']}/{{}}".format("people")
    embedded |= {"TWOFOLD_APP": "tests.acceptance.people:app", "PEOPLE": "people", "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
    query = f"http://127.0.0.1:{embedded['TWOFOLD_QUERY_PORT']}/people"
    acknowledged: set[str] = set()
    for round_ in range(3):
        with Role(["up"], embedded, tmp_path) as up, httpx.Client() as client:
            for number in range(40):
                answer = client.post(url, json={"name": "x", "email": f"r{round_}n{number}@example.com"})
                acknowledged.add(answer.json()["id"])
            up.kill()
    with Role(["up"], embedded, tmp_path) as up:
        _eventually(lambda: httpx.get(query).json()["total"]["value"] == len(acknowledged))
        assert up.stop() == 0


def test_roles_on_sqlite_are_refused(embedded: dict[str, str], tmp_path: Path) -> None:
    for role in ("command", "relay", "project", "query"):
        refused = run([role], embedded, tmp_path)
        assert refused.returncode == 2
        assert "SQLite serves one process" in refused.stderr


def test_workers_on_sqlite_are_refused_with_what_to_do(embedded: dict[str, str], tmp_path: Path) -> None:
    for role in ("command", "query"):
        refused = run([role, "--workers", "2"], embedded, tmp_path)
        assert refused.returncode == 2
        assert "SQLite serves one process" in refused.stderr
        assert "--workers" in refused.stderr
        assert "Run `twofold up`" in refused.stderr
    refused = run(["up"], {**embedded, "TWOFOLD_WORKERS": "2"}, tmp_path)
    assert refused.returncode == 2
    assert "TWOFOLD_WORKERS is 2: leave it out" in refused.stderr


def test_a_port_that_is_taken_is_named(embedded: dict[str, str], tmp_path: Path) -> None:
    with Role(["up"], embedded, tmp_path):
        other = {**embedded, "TWOFOLD_DATA": str(tmp_path / "other")}
        refused = run(["up"], other, tmp_path)
    assert refused.returncode == 2
    assert f"127.0.0.1:{embedded['TWOFOLD_COMMAND_PORT']}" in refused.stderr
    assert "TWOFOLD_COMMAND_PORT" in refused.stderr


def test_one_port_for_both_services_is_refused(embedded: dict[str, str], tmp_path: Path) -> None:
    refused = run(["up", "--command-port", embedded["TWOFOLD_QUERY_PORT"]], embedded, tmp_path)
    assert refused.returncode == 2
    assert refused.stderr.startswith("twofold: TWOFOLD_COMMAND_PORT and TWOFOLD_QUERY_PORT are both ")
    assert refused.stderr.count("\n") == 1


def test_an_ipv6_address_is_served_told_and_asked(embedded: dict[str, str], tmp_path: Path) -> None:
    environment = {**embedded, "TWOFOLD_HOST": "::1"}
    with Role(["up"], environment, tmp_path) as up:
        url = f"http://[::1]:{embedded['TWOFOLD_COMMAND_PORT']}"
        assert f"command service   {url}   documentation {url}/docs" in up.output[0]
        assert httpx.get(f"{url}/livez").status_code == 200
        asked = run(["status", "--json"], environment, tmp_path)
        assert asked.returncode == 0, asked.stderr
        assert json.loads(asked.stdout)["resources"]["users"]["table"]["rows"] == 0
        everywhere = run(["status", "--json"], {**embedded, "TWOFOLD_HOST": "::"}, tmp_path)
        assert everywhere.returncode == 0, everywhere.stderr
        other = {**environment, "TWOFOLD_DATA": str(tmp_path / "other")}
        assert f"Cannot listen on [::1]:{embedded['TWOFOLD_COMMAND_PORT']}: " in run(["up"], other, tmp_path).stderr


def test_mistakes_in_settings_are_one_line(tmp_path: Path) -> None:
    for variable, value in (("TWOFOLD_WRITE_URL", "postgres://x"), ("TWOFOLD_COMMAND_PORT", "many"), ("TWOFOLD_APP", "nowhere:app")):
        refused = run(["migrate"], {variable: value}, tmp_path)
        assert refused.returncode == 2
        assert "Traceback" not in refused.stderr


def test_check_leaves_what_it_is_shown_as_it_is(tmp_path: Path) -> None:
    for variable in ("TWOFOLD_WRITE_URL", "TWOFOLD_LOG_URL", "TWOFOLD_READ_URL"):
        precious = tmp_path / "precious.txt"
        precious.write_text("mine\n")
        precious.chmod(0o644)
        refused = run(["check"], {variable: f"sqlite:///{precious}", "TWOFOLD_DATA": str(tmp_path / "data")}, tmp_path)
        assert refused.returncode == 2
        assert refused.stderr == f"twofold: {precious} is no SQLite database, so it is left alone. Name another file.\n"
        assert (precious.stat().st_mode & 0o777, precious.read_text()) == (0o644, "mine\n")
        assert [path.name for path in tmp_path.iterdir()] == ["precious.txt"]


@pytest.mark.parametrize("folder", ["/etc/hostname", "/proc/x"])
def test_a_folder_that_cannot_be_one_is_one_line(folder: str, tmp_path: Path) -> None:
    for command in (["up"], ["migrate"], ["import", "users", "-"]):
        refused = run(command, {"TWOFOLD_DATA": folder}, tmp_path, stdin="")
        assert refused.returncode == 2
        assert refused.stderr.startswith(f"twofold: The data folder {folder} cannot be used: ")
        assert refused.stderr.count("\n") == 1


SHOP = """
from typing import Annotated
from twofold import App, Keyword, Resource

class Item(Resource, name="items"):
    name: Annotated[str, Keyword()]
    year: {year}

app = App(Item)
"""


def test_what_migrate_has_to_leave_is_an_exit_code_of_its_own(embedded: dict[str, str], tmp_path: Path) -> None:
    """A deploy script goes on only where all is done."""
    shop = {**embedded, "TWOFOLD_APP": "shop:app"}
    (tmp_path / "shop.py").write_text(SHOP.format(year="int = 1"))
    assert run(["migrate"], shop, tmp_path).returncode == 0
    (tmp_path / "shop.py").write_text(SHOP.format(year="Annotated[str, Keyword()] = '1'"))
    for command in ("migrate", "up"):
        refused = run([command], shop, tmp_path)
        assert (refused.returncode, refused.stdout) == (3, "")
        assert "ALTER TABLE items ADD COLUMN year_new" in refused.stderr
    sql = [line for line in refused.stderr.splitlines() if line.endswith(";") or line.startswith("--")]
    with sqlite3.connect(tmp_path / "data" / "write.db", isolation_level=None) as opened:
        opened.executescript("\n".join(sql))
    opened.close()
    left = run(["migrate"], shop, tmp_path)
    assert left.returncode == 3
    assert left.stderr.startswith("twofold: not done: items-000001 was built for another declaration (year was integer, is keyword): ")
    refused = run(["up"], shop, tmp_path)
    assert refused.returncode == 3
    assert "run `twofold rebuild items`" in refused.stderr
    assert run(["rebuild", "items"], shop, tmp_path).returncode == 0
    assert run(["migrate"], shop, tmp_path).returncode == 0


def test_ctrl_c_is_told_as_shells_have_it(embedded: dict[str, str], tmp_path: Path) -> None:
    """Whatever waits: here for an engine that is away."""
    away = {**embedded, "TWOFOLD_WRITE_URL": f"mysql://root@127.0.0.1:{free_port()}/user"}
    file = tmp_path / "people.ndjson"
    file.write_text('{"name": "Ana", "email": "ana@example.com", "password": "correct horse"}\n')
    command = [sys.executable, "-m", "twofold", "import", "users", str(file)]
    process = subprocess.Popen(command, env={**os.environ, **away}, stderr=subprocess.PIPE)
    assert process.stderr is not None
    assert any(b"waiting for an engine" in line for line in process.stderr)
    process.send_signal(signal.SIGINT)
    assert b"Traceback" not in process.communicate(timeout=30)[1]
    assert process.returncode == 130


@pytest.mark.parametrize(("how", "lines"), [(signal.SIGINT, 0), (signal.SIGINT, 60), (signal.SIGTERM, 0)])
def test_ctrl_c_is_heard_while_standard_input_stays_open(embedded: dict[str, str], tmp_path: Path, how: signal.Signals, lines: int) -> None:
    environment = {**os.environ, **embedded, "TWOFOLD_APP": "tests.acceptance.people:app", "PEOPLE": "people"}
    command = [sys.executable, "-m", "twofold", "import", "people", "-", "--format", "csv"]
    pipes: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    store, wanted = Path(embedded["TWOFOLD_DATA"]) / "write.db", min(lines, 50)  # the first batch
    with ExitStack() as stack:
        process = stack.enter_context(subprocess.Popen(command, env=environment, cwd=ROOT, **pipes))
        stack.callback(process.kill)
        assert process.stdin is not None
        assert process.stderr is not None
        if lines:
            process.stdin.write(b"name,email\n" + b"".join(b"P,p%d@example.com\n" % number for number in range(lines)))
            process.stdin.flush()
        wait_for(lambda: rows_of(store) == wanted, 60)
        process.send_signal(how)
        assert process.wait(30) == 130
        told = process.stderr.read().decode()
    assert "Traceback" not in told
    assert (f"interrupted after {wanted} lines: run the same command again to go on" if lines else "nothing was imported") in told
    assert rows_of(store) == wanted


def rows_of(file: Path) -> int:
    """How many people the write store has; -1 where it is not there yet."""
    try:
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
            found: int = database.execute("SELECT count(*) FROM person").fetchone()[0]
            return found
    except sqlite3.OperationalError:
        return -1


def test_settings_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "twofold.toml").write_text(f'data = "{tmp_path}/elsewhere"\n')
    assert run(["migrate"], {}, tmp_path).returncode == 0
    assert (tmp_path / "elsewhere" / "write.db").exists()


def test_an_address_that_others_reach_prints_a_loud_line(embedded: dict[str, str], tmp_path: Path) -> None:
    with Role(["up"], {**embedded, "TWOFOLD_HOST": "0.0.0.0"}, tmp_path) as up:  # noqa: S104 - that is the test
        assert "NOTHING AUTHENTICATES" in up.log.read_text()


def test_import_tells_what_became_of_each_line_and_goes_on(embedded: dict[str, str], tmp_path: Path) -> None:
    phc = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzYWx0$V1Hk8zW3VdQxR1rY1kJb1cJd0S2cN5oYb2cK3h8QyQs"
    lines = [json.dumps({"name": f"P{n}", "email": f"p{n}@example.com", "password": phc}) for n in range(700)]
    lines[5] = '{"name": "broken'
    lines[6] = json.dumps({"name": "", "email": "nobody", "password": phc})
    lines[7] = lines[3]
    (tmp_path / "people.ndjson").write_text("\n".join(lines) + "\n")
    first = run(["import", "users", "people.ndjson"], embedded, tmp_path)
    assert first.returncode == 1, first.stderr
    assert first.stdout.startswith("created 697, already there 0, rejected 3;")
    rejects = [json.loads(line) for line in (tmp_path / "people.rejects.ndjson").read_text().splitlines()]
    assert sorted(reject["_line"] for reject in rejects) == [6, 7, 8]
    assert all(reject["_reason"] for reject in rejects)
    again = run(["import", "users", "people.ndjson"], embedded, tmp_path)
    assert again.stdout.startswith("created 0, already there 697, rejected 3;")
    assert json.loads(run(["status", "--json"], embedded, tmp_path).stdout)["resources"]["users"]["index"]["documents"] == 697


def test_import_of_csv(embedded: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text(
        'name,email,password\n"Müller, Ana",ana@example.com,correct horse battery\nBob,bob@example.com,short\n'
    )
    done = run(["import", "users", "people.csv"], embedded, tmp_path)
    assert done.stdout.startswith("created 1, already there 0, rejected 1;")
    assert "passwords will be hashed" in done.stderr


def test_demo_fills_the_built_in_app(embedded: dict[str, str], tmp_path: Path) -> None:
    done = run(["demo", "--users", "1500"], embedded, tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(run(["status", "--json"], embedded, tmp_path).stdout)
    assert found["outbox"]["pending"] == 0
    assert found["resources"]["users"]["index"]["documents"] == 1500


def test_ctrl_c_ends_an_import_cleanly(embedded: dict[str, str], tmp_path: Path) -> None:
    """A batch is finished, and the next run goes on: nothing is created twice."""
    command = [sys.executable, "-m", "twofold", "demo", "--users", "60000"]
    process = subprocess.Popen(command, env={**os.environ, **embedded}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    log = tmp_path / "data" / "write.db-wal"
    _eventually(lambda: log.exists() and log.stat().st_size > 1_000_000)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert re.search(r"interrupted after \d+ lines: run the same command again to go on", err)
    created = int(out.split()[1].rstrip(","))
    assert 0 < created < 60000
    assert json.loads(run(["status", "--json"], embedded, tmp_path).stdout)["resources"]["users"]["table"]["rows"] == created


def _eventually(found, seconds: float = 15):
    until = time.monotonic() + seconds
    while True:
        if result := found():
            return result
        assert time.monotonic() < until, "this did not come about in time"
        time.sleep(0.05)
