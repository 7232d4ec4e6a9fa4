"""What commands say: one line that is true, with the exit code that is documented."""

from __future__ import annotations

import re
import sqlite3
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from tests.tools.conftest import Desk

from twofold.bootstrap import System
from twofold.settings import load
from twofold.users import app

OPERATIONS = Path(__file__).parents[2] / "docs" / "operations.md"
USER = "name,email,password\nAna,ana@example.com,correct horse\n"


@pytest.fixture
def users(empty_desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.delenv("TWOFOLD_APP")
    assert empty_desk.twofold("demo", "--users", "3").code == 0
    return empty_desk


def test_a_repair_that_did_not_mend_all_does_not_advise_another(users: Desk) -> None:
    with sqlite3.connect(users.folder / "data" / "write.db") as database:
        database.execute("UPDATE user SET username = CAST(x'ff41' AS TEXT), version = 7 WHERE email = (SELECT min(email) FROM user)")
    found = users.twofold("verify", "users", "--deep")
    assert (found.code, "`twofold verify users --deep --repair` mends what differs." in found.out) == (1, True)
    tried = users.twofold("verify", "users", "--deep", "--repair")
    assert tried.code == 1
    assert "the field name does not hold string in the table" in tried.out
    assert "What is left was not mended, for the reasons above." in tried.out
    assert "mends what differs" not in tried.out


def test_status_ends_with_1_where_a_hop_cannot_be_told(users: Desk) -> None:
    assert users.twofold("status").code == 0
    for file in (users.folder / "data").glob("log.db*"):
        file.unlink()
    for arguments in (["status"], ["status", "--json"]):
        ran = users.twofold(*arguments)
        assert (ran.code, "log.db" in ran.out) == (1, True)


def test_no_relay_that_is_alone_says_that_it_leads(users: Desk) -> None:
    assert "relay leads" not in users.twofold("demo", "--users", "4").err
    assert "relay leads" not in users.load("a.csv", USER, resource="users").err


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ('\n{"sku": "b", "na', "The file ends in the middle of the array: what begins in line 3 was not read.\n"),
        ("", "The file ends in the middle of the array, in line 2: the rest is missing.\n"),
    ],
)
def test_an_array_that_ends_early_says_so_with_the_line(desk: Desk, more: str, told: str) -> None:
    ran = desk.load("a.json", f'[\n{{"sku": "a", "name": "A"}},{more}')
    assert (ran.code, ran.tally) == (1, "created 1, already there 0, rejected 0")
    assert ran.err == told


@pytest.mark.parametrize(
    ("name", "content", "arguments", "told"),
    [
        ("a.csv", USER, [], "about 1 passwords"),
        ("a.csv", "name,email\nAna,ana@example.com\n", [], ""),
        ("a.csv", USER.replace("password", "note"), ["--columns", "note=password"], "about 1 passwords"),
        ("a.csv", USER, ["--columns", "password="], ""),
        ("a.ndjson", '{"name": "A", "email": "a@x.de"}\n', [], ""),
        ("a.ndjson", '{"name": "A", "email": "a@x.de", "password": "correct horse"}\n' * 3, [], "about 3 passwords"),
    ],
)
def test_passwords_are_counted_where_the_file_has_them(users: Desk, name: str, content: str, arguments: list[str], told: str) -> None:
    ran = users.load(name, content, *arguments, resource="users")
    assert re.findall(r"(about [\d,]+ passwords)", ran.err) == [told] * bool(told)


def test_what_is_typed_wrongly_is_one_line_with_exit_code_2(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    (desk.folder / "folder.csv").mkdir()
    desk.write("a.csv", "sku,name\n")
    for arguments, told in (
        (["folder.csv"], "folder.csv is a folder"),
        (["no.csv"], "There is no file no.csv"),
        ([""], "FILE is empty"),
        (["a.csv", "--delimiter", ""], "--delimiter should be one character"),
    ):
        ran = desk.twofold("import", "products", *arguments)
        assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1), ran.err
        assert told in ran.err
    for name in ("APP", "DATA", "HOST"):
        with monkeypatch.context() as patch:
            patch.setenv(f"TWOFOLD_{name}", "")
            ran = desk.twofold("status")
        assert (ran.code, ran.err) == (2, f"twofold: TWOFOLD_{name}: this is empty. Give a value, or leave it out for the default.\n")


def test_the_commands_that_work_beside_a_process_are_those_that_are_documented(users: Desk) -> None:
    users.write("a.csv", USER)
    commands = {
        "migrate": [], "check": [], "import": ["users", "a.csv"], "demo": [], "verify": ["users"], "rebuild": ["users"],
        "rollback": ["users"], "generations": ["users"], "drop": ["users", "x"], "dead-letters": ["list", "users"], "up": [],
    }  # fmt: skip
    running = System(app, load())
    try:
        refused = {name for name, more in commands.items() if "is in use already" in users.twofold(name, *more).err}
    finally:
        running.close()
    said = " ".join(OPERATIONS.read_text().split())
    [allowed] = re.findall(r"While `twofold up` has the files of the embedded default, only (.+?) can", said)
    assert re.findall(r"`twofold ([\w-]+)`", allowed) == ["status"]
    assert refused == commands.keys()


@pytest.mark.parametrize("answer", [b'{"site": "mine"}', b"[]", b"<html>", None])
def test_status_beside_a_site_of_ones_own_tells_no_state(users: Desk, monkeypatch: pytest.MonkeyPatch, answer: bytes | None) -> None:
    class Site(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(404 if answer is None else 200)
            self.end_headers()
            self.wfile.write(answer or b"")

        def log_message(self, *_: object) -> None:
            pass

    running = System(app, load())
    with HTTPServer(("127.0.0.1", 0), Site) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("TWOFOLD_COMMAND_PORT", str(server.server_port))
        ran = users.twofold("status")
        server.shutdown()
    running.close()
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert "tells no state: a site that mounts the services has none" in ran.err
