"""Rejects can be mended and imported; nobody else's file is touched, and no secret is in one."""

from __future__ import annotations

import base64
import csv
import io
import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from tests.tools.conftest import Desk

from twofold.imports.creator import Creator
from twofold.imports.rejects import Rejects

BAD = 'sku,name,price,stock\nA1,One,1,1\nA2,"Two,2,2\nA3,Three,many,3\nA4,,4,4\nA5,Five,5,5,5\n'


def test_rejects_of_csv_are_csv_that_can_be_mended(desk: Desk) -> None:
    ran = desk.load("a.csv", BAD)
    assert (ran.code, ran.tally) == (1, "created 1, already there 0, rejected 4")
    rejects = desk.folder / "a.rejects.csv"
    assert stat.S_IMODE(rejects.stat().st_mode) == 0o600
    head, *table = csv.reader(io.StringIO(rejects.read_text()))
    assert head == ["sku", "name", "price", "stock", "_line", "_reason", "_text", "_bytes"]
    reasons = [row.pop(5) for row in table]
    assert table == [
        ["", "", "", "", "3", 'A2,"Two,2,2', ""],
        ["A3", "Three", "many", "3", "4", "", ""],
        ["A4", "", "4", "4", "5", "", ""],
        ["", "", "", "", "6", "A5,Five,5,5,5", ""],
    ]
    told = ["A quote that is opened here is not closed", "price: ", "name: ", "This may belong to line 3"]
    assert [reason[: len(begin)] for reason, begin in zip(reasons, told, strict=True)] == told
    unmended = desk.twofold("import", "products", "a.rejects.csv")
    assert unmended.tally == "created 0, already there 0, rejected 4"
    mended = (
        rejects.read_text()
        .replace('"A2,""Two,2,2"', '"A2,""Two"",2,2"')
        .replace("many", "3")
        .replace("A4,,", "A4,Four,")
        .replace("5,5,5,5", "5,5,5")
    )
    rejects.write_text(mended.replace("A5,Five,5,5,5", "A5,Five,5,5"))
    again = desk.twofold("import", "products", "a.rejects.csv")
    assert (again.code, again.tally) == (0, "created 4, already there 0, rejected 0")
    assert [name for (name,) in desk.rows("name", order="sku")] == ["One", "Two", "Three", "Four", "Five"]
    assert not (desk.folder / "a.rejects.rejects.csv").exists()


def test_rejects_of_objects_are_objects(desk: Desk) -> None:
    content = '{"ID":"A1","name":"One"}\n{"ID":"A2","name":"Two","stock":"many","weight":1e22}\n{"ID":"A3","name":\n["A4"]\n'
    ran = desk.load("a.jsonl", content, "--columns", "ID=sku")
    assert (ran.code, ran.tally) == (1, "created 1, already there 0, rejected 3")
    rejects = desk.folder / "a.rejects.ndjson"
    first, second, third = [json.loads(line) for line in rejects.read_text().splitlines()]
    assert first == {"ID": "A2", "name": "Two", "stock": "many", "weight": 1e22, "_line": 2, "_reason": first["_reason"]}
    assert first["_reason"].startswith("stock: ")
    assert second["_text"] == '{"ID":"A3","name":'
    assert third["_text"] == '["A4"]'
    rejects.write_text("\n".join(json.dumps(each) for each in ({**first, "stock": 3}, {**second, "_text": '{"ID":"A3","name":"Three"}'})))
    again = desk.twofold("import", "products", "a.rejects.ndjson", "--columns", "ID=sku")
    assert (again.code, again.tally) == (0, "created 2, already there 0, rejected 0")


def test_without_rejects_there_is_no_file(desk: Desk) -> None:
    desk.write("a.rejects.csv", '{"line":3,"reason":"from 0.1","text":""}\n')
    desk.load("a.csv", "sku,name\nA1,\n")
    assert (desk.folder / "a.rejects.csv").exists()
    desk.load("a.csv", "sku,name\nA1,One\n")
    assert sorted(path.name for path in desk.folder.iterdir()) == ["a.csv", "data"]


@pytest.mark.parametrize("kind", ["file", "link", "dangling", "folder", "pipe"])
def test_what_is_no_file_of_rejects_is_left_alone(desk: Desk, kind: str) -> None:
    precious, place = desk.write("precious.txt", "precious"), desk.folder / "a.rejects.csv"
    makers = {
        "file": lambda: place.write_text("precious"),
        "link": lambda: place.symlink_to(precious),
        "dangling": lambda: place.symlink_to(desk.folder / "nowhere"),
        "folder": place.mkdir,
        "pipe": lambda: os.mkfifo(place),
    }
    makers[kind]()
    ran = desk.load("a.csv", "sku,name\nA1,\n")
    assert (ran.code, ran.out) == (2, "")
    assert "is no file of rejects. Name another with --rejects" in ran.err
    assert precious.read_text() == "precious"
    assert not (desk.folder / "nowhere").exists()
    assert [path.name for path in desk.folder.iterdir() if path.name.startswith(".")] == []
    assert desk.twofold("import", "products", "a.csv", "--rejects", "other.csv").code == 1
    assert desk.twofold("import", "products", "a.csv", "--rejects", "a.csv").code == 2
    assert desk.twofold("import", "products", "a.csv", "--rejects", "no/where.csv").code == 2


@pytest.mark.parametrize(
    "content",
    [
        "id,cancel_reason\n1,late\n",
        "id,cancel_reason\n1,_line\n2,_reason\n",
        "_lines,the_reason\n1,2\n",
        '"_line,_reason"\n1\n',
        '{"id":1,"cancel_reason":"late"}\n',
        '{"id":1,"note":"_line _reason"}\n',
        '{"line":1,"station":"Main street"}\n',
        "_reason\n1\n",
        "_line _reason\n",
        "\x00_line,_reason",
    ],
)
@pytest.mark.parametrize("rows", ["A1,One\n", "A1,\n"], ids=["none", "one"])
def test_a_file_that_looks_a_little_like_one_of_rejects_is_left_alone(desk: Desk, content: str, rows: str) -> None:
    place = desk.write("orders.csv", content)
    ran = desk.load("a.csv", f"sku,name\n{rows}", "--rejects", "orders.csv")
    assert (ran.code, ran.out) == (2, "")
    assert "orders.csv exists, and is no file of rejects" in ran.err
    assert place.read_text() == content


@pytest.mark.parametrize(
    "content",
    [
        "sku,_line,_reason,_text,_bytes\n",
        '"_reason";"_line";"sku"\r\n',
        '\ufeff"_line"\t"_reason"\n',
        '"a\nb"|_line|_reason\n',
        "_line~_reason\n",
        '{"sku":"A","_line":1,"_reason":""}\n{"_line":',
        pytest.param('{"sku":"%s","_line":1,"_reason":""}\n' % ("A" * 100_000), id="long"),
        '{"line":3,"reason":"","text":""}\n',
        "",
    ],
)
def test_a_file_of_rejects_is_known_by_its_names(tmp_path: Path, content: str) -> None:
    place = tmp_path / "rejects"
    place.write_text(content)
    Rejects(place, frozenset(), ["sku"], "~").close()
    assert not place.exists()


def test_a_link_that_is_put_there_meanwhile_is_not_followed(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    from twofold.imports import rejects

    precious, place = desk.write("precious.txt", "precious"), desk.folder / "a.rejects.csv"
    close = rejects.Rejects.close

    def late(self: rejects.Rejects) -> None:
        place.symlink_to(precious)
        close(self)

    monkeypatch.setattr(rejects.Rejects, "close", late)
    assert desk.load("a.csv", "sku,name\nA1,\n").code == 1
    assert precious.read_text() == "precious"
    assert place.is_symlink()


@pytest.mark.parametrize("before", ["", "sku,name,price,stock,_line,_reason,_text,_bytes\r\n"])
@pytest.mark.parametrize("refused", [True, False])
def test_a_file_that_is_put_there_meanwhile_is_left_alone(desk: Desk, monkeypatch: pytest.MonkeyPatch, before: str, refused: bool) -> None:
    """As rejects that somebody has mended, or those of another import."""
    place, add = desk.folder / "a.rejects.csv", Creator.take
    if before:
        place.write_text(before)

    def meanwhile(self: Creator, *given: Any) -> None:
        (desk.folder / "new").write_text("mine")
        (desk.folder / "new").rename(place)
        add(self, *given)

    monkeypatch.setattr(Creator, "take", meanwhile)
    ran = desk.load("a.csv", BAD if refused else "sku,name\nA1,One\n")
    assert (ran.code, place.read_text()) == (int(refused), "mine")
    parts = list(desk.folder.glob(".a.rejects.csv.*"))
    assert len(parts) == refused
    for part in parts:
        assert "many" in part.read_text()
        assert ran.err.count(str(part.name)) == 2
        assert "a.rejects.csv was put there or changed meanwhile" in ran.err.replace("\n", " ")


def test_a_file_of_rejects_that_is_mended_meanwhile_is_left_alone(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.load("a.csv", BAD)
    place, add = desk.folder / "a.rejects.csv", Creator.take

    def meanwhile(self: Creator, *given: Any) -> None:
        with place.open("a") as file:
            file.write("mended")
        add(self, *given)

    monkeypatch.setattr(Creator, "take", meanwhile)
    assert desk.load("a.csv", BAD).code == 1
    assert place.read_text().endswith("mended")


def test_secrets_are_left_out_and_that_is_said(desk: Desk) -> None:
    ran = desk.load("a.csv", 'owner,code\n,CANARY-1\nAnn,"CANARY-2\n', resource="accounts")
    assert "secrets are not among them" in ran.err
    text = (desk.folder / "a.rejects.csv").read_text()
    assert "CANARY" not in text + ran.err + ran.out
    assert "left out here, since it may hold a secret" in text
    desk.load("b.ndjson", '{"code":"CANARY-1"}\n{"owner":"Ann","code":"CANARY-2"\n', resource="accounts")
    assert "CANARY" not in (desk.folder / "b.rejects.ndjson").read_text()
    assert desk.load("c.csv", "who,PIN\n,CANARY-1\n", "--columns", "who=owner,PIN=code", resource="accounts").code == 1
    assert "CANARY" not in (desk.folder / "c.rejects.csv").read_text()


def test_bytes_that_are_no_text_can_be_had_again(desk: Desk) -> None:
    desk.load("a.csv", b"sku,name\nA1,B\xe4r\nA2,B\xc3\xa4r\n")
    line = (desk.folder / "a.rejects.csv").read_text().splitlines()[1]
    assert base64.b64decode(line.rpartition(",")[2]) == b"A1,B\xe4r"
    assert desk.twofold("import", "products", "a.rejects.csv").tally == "created 0, already there 0, rejected 1"
    again = (desk.folder / "a.rejects.rejects.csv").read_text().splitlines()[1]
    assert again.rpartition(",")[2] == line.rpartition(",")[2]
    desk.load("b.ndjson", b'{"sku":"A1","name":"B\xe4r"}\n')
    assert base64.b64decode(json.loads((desk.folder / "b.rejects.ndjson").read_text())["_bytes"]) == b'{"sku":"A1","name":"B\xe4r"}'


def test_hashes_that_cannot_be_stored_are_refused(empty_desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of another kind would be hashed as if it were the password; one of huge costs would be paid at each login."""
    monkeypatch.setenv("TWOFOLD_APP", "twofold.users:app")
    tail = "c29tZXNhbHRzYWx0$V1Hk8zW3VdQxR1rY1kJb1cJd0S2cN5oYb2cK3h8QyQs"
    good = f"$argon2id$v=19$m=19456,t=2,p=1${tail}"
    bad = [
        "$2b$12$C6UzMDM.H6dfI/f/IKcEeO7ZQe7tBqZ0kqG0J8b0p9u1rY1kJb1cJ",
        f"$argon2i$v=19$m=19456,t=2,p=1${tail}",
        f"$argon2id$v=19$m=9999999,t=999,p=99${tail}",
        f"$argon2id$v=19$m=19456,t=0,p=1${tail}",
        f"$argon2id$v=19$m=7,t=1,p=1${tail}",
    ]
    lines = [json.dumps({"name": "x", "email": f"a{n}@example.com", "password": each}) for n, each in enumerate([good, *bad])]
    ran = empty_desk.load("a.ndjson", "\n".join(lines), resource="users")
    assert ran.tally == "created 1, already there 0, rejected 5"


def test_the_file_that_is_read_is_not_written_over(desk: Desk) -> None:
    desk.load("a.csv", "sku,name\nA1,\n")
    mended = desk.folder / "a.rejects.csv"
    ran = desk.twofold("import", "products", "a.rejects.csv", "--rejects", str(Path("a.rejects.csv")))
    assert ran.code == 2
    assert "is the file that is read" in ran.err
    assert mended.exists()
