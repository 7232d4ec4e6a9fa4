"""What goes to wrk and what comes back, without running it."""

from __future__ import annotations

from pathlib import Path

import pytest

from twofold.bench import wrk
from twofold.bench.client import Digits
from twofold.bench.wrk import MARK, Load
from twofold.errors import EngineError, SettingsError

TOLD = """Running 2s test @ http://127.0.0.1:3000
  1 threads and 64 connections
Requests/sec:   1000.00

{"requests": 2010, "microseconds": 2000000, "p50": 1500, "p99": 20250, "max": 31000, "statuses": {"201": 2000, "503": 7, "409": 1},\
 "errors": {"connect": 0, "read": 2, "write": 0, "timeout": 0}}
"""


def test_a_run_is_read() -> None:
    load = wrk.parse(TOLD)
    assert (load.requests, load.seconds, load.p50, load.p99, load.longest) == (2010, 2.0, 1.5, 20.25, 31.0)


def test_the_rate_counts_successes_and_failures_are_told_by_kind() -> None:
    load = wrk.parse(TOLD)
    assert load.rate == 1000
    assert load.failures == {"409": 1, "503": 7, "read": 2}


def test_a_run_without_an_answer_has_no_rate() -> None:
    assert Load(0, 0.0, 0, 0, 0).rate == 0


def test_a_template_is_a_whole_request() -> None:
    body = {"email": f"{MARK}@example.com"}
    head, _, sent = wrk.template("POST", "/people", body).partition(b"\r\n\r\n")
    assert head.splitlines()[0] == b"POST /people HTTP/1.1"
    assert f"Content-Length: {len(sent)}".encode() in head
    assert sent == b'{"email":"7700000000000077@example.com"}'
    assert wrk.template("GET", "/people/1") == b"GET /people/1 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


def test_the_script_is_told_what_the_run_is() -> None:
    lua = wrk.script(Path('/a "b"/templates'), 12_345_678, rate=500, count=10)
    assert lua.startswith(f'TEMPLATES = "/a \\"b\\"/templates"\nMARK = "{MARK}"\nSALT = "12345678"\nRATE = 500\nCOUNT = 10\n')


def test_only_a_paced_run_delays() -> None:
    """wrk calls `delay` wherever the script has one, which costs."""
    assert "RATE = 0\n" in wrk.script(Path("t"), 1)
    assert "if RATE > 0 then\n  function delay()" in wrk.script(Path("t"), 1)


def test_digits_take_the_place_of_the_mark_and_occur_once() -> None:
    digits = Digits()
    found = {digits.unique(b"a" + MARK.encode() + b"z") for _ in range(100)}
    assert len(found) == 100
    assert all(len(each) == 18 and each[1:-1].isdigit() and each[1:2] != b"0" for each in found)


def test_a_missing_wrk_is_told_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(SettingsError, match="apt install wrk"):
        wrk.program()


def _program(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    file = folder / "wrk"
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o700)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_a_run_that_fails_is_told_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _program(tmp_path, "echo unable to connect; echo refused; exit 1", monkeypatch)
    with pytest.raises(EngineError, match=r"^wrk failed: unable to connect refused$"):
        wrk.run(9, [], connections=1, seconds=1)


def test_a_run_that_does_not_end_is_told_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _program(tmp_path, "exec sleep 60", monkeypatch)
    monkeypatch.setattr(wrk, "GRACE_SECONDS", -0.9)
    with pytest.raises(EngineError, match=r"^wrk did not end within 0 s$"):
        wrk.run(9, [], connections=1, seconds=1)
