"""Formats by their endings, compressed or not, from standard input; one sentence where a file is not what it should be."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from tests.tools.conftest import Desk
from tests.tools.reading import HEAD, bodies, read, refused

from twofold.errors import SettingsError
from twofold.imports import objects
from twofold.imports.lines import Damaged
from twofold.imports.options import Options, format_named

CSV = b"sku,name\nA1,One\n"
TSV = b"sku\tname\nA1\tOne\n"
OBJECT = b'{"sku":"A1","name":"One"}\n'
ARRAY = b'\n[ {"sku":"A1","name":"One"} ]\n'


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", CSV),
        ("a.CSV", CSV),
        ("a.tsv", TSV),
        ("a.ndjson", OBJECT),
        ("a.JSONL", OBJECT),
        ("a.json", ARRAY),
        ("a.csv.gz", gzip.compress(CSV, mtime=0)),
        ("a.NDJSON.GZ", gzip.compress(OBJECT, mtime=0)),
        ("a.json.gz", gzip.compress(ARRAY, mtime=0)),
        ("bom.csv", b"\xef\xbb\xbf" + CSV),
        ("bom.ndjson", b"\xef\xbb\xbf" + OBJECT),
        ("bom.json", b"\xef\xbb\xbf" + ARRAY),
    ],
)
def test_a_format_is_told_by_the_ending(tmp_path: Path, name: str, content: bytes) -> None:
    assert bodies(read(tmp_path, name, content)[0]) == [{"sku": "A1", "name": "One"}]


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.csv", gzip.compress(CSV, mtime=0), "is compressed by gzip"),
        ("a.csv.gz", CSV, "is not gzip"),
        ("a.csv", CSV.decode().encode("utf-16"), "say --encoding utf-16"),
        ("a.ndjson", OBJECT.decode().encode("utf-16-le"), "say --encoding utf-16"),
        ("a.csv", b"PK\x03\x04rest", "a workbook"),
        ("a.ndjson", b"SQLite format 3\0", "an SQLite database"),
        ("a.csv", ARRAY, "looks like JSON. Say --format json"),
        ("a.csv", OBJECT, "looks like JSON. Say --format ndjson"),
        ("a.ndjson", ARRAY, "an array of JSON, and NDJSON is one object a line. Say --format json"),
        ("a.ndjson", CSV, "does not begin with an object"),
        ("a.json", OBJECT, "is not an array of JSON. If it is one object a line, say --format ndjson"),
        ("a.json", b"", "is not an array"),
        ("a.txt", CSV, "the ending does not tell what the file is. Say it with --format"),
    ],
)
def test_another_thing_is_one_sentence(tmp_path: Path, name: str, content: bytes, told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        read(tmp_path, name, content)


def test_formats_delimiters_and_encodings_can_be_said(tmp_path: Path) -> None:
    assert bodies(read(tmp_path, "a.txt", CSV, Options(format="csv"))[0]) == [{"sku": "A1", "name": "One"}]
    assert bodies(read(tmp_path, "a.csv", CSV.replace(b",", b";"), Options(delimiter=";"))[0]) == [{"sku": "A1", "name": "One"}]
    named = {"sku": "A1", "name": "B\u00e4r \u20ac"}
    for encoding in ("cp1252", "utf-16", "utf-16-le"):
        content = "sku,name\nA1,B\u00e4r \u20ac\n".encode(encoding)
        assert bodies(read(tmp_path, "a.csv", content, Options(encoding=encoding))[0]) == [named]
    with pytest.raises(SettingsError, match="no such encoding"):
        read(tmp_path, "a.csv", CSV, Options(encoding="klingon"))
    with pytest.raises(SettingsError, match="no such encoding"):
        read(tmp_path, "a.csv", CSV, Options(encoding="base64"))
    with pytest.raises(SettingsError, match="--delimiter"):
        read(tmp_path, "a.csv", CSV, Options(delimiter="||"))
    with pytest.raises(SettingsError, match="--format xml: choose csv"):
        format_named("xml")


def test_bytes_of_another_encoding_are_refused_by_line(tmp_path: Path) -> None:
    lines, _ = read(tmp_path, "a.csv", HEAD.encode() + b"A1,B\xe4r,1,1\nA2,ok,1,1\n")
    assert refused(lines) == {2: "A1,B\udce4r,1,1"}
    assert "--encoding" in bodies(lines)[0]
    lines, _ = read(tmp_path, "a.ndjson", b'{"sku":"A1","name":"B\xe4r"}\n{"sku":"A2","name":"ok"}\n')
    assert list(refused(lines)) == [1]


@pytest.mark.parametrize("piece", [1, 3, 1 << 16])
def test_an_array_is_read_element_by_element(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piece: int) -> None:
    monkeypatch.setattr(objects, "PIECE", piece)
    content = '[\n {"sku":"x,]}\\"[\\\\","tags":["a",["b"]]},\n\n {"sku":"b","sku":"c"},7,\n [1],{"sku":"d"}\n]\n'
    lines, _ = read(tmp_path, "a.json", content)
    assert [line.number for line in lines] == [2, 4, 4, 5, 5]
    assert [line.body for line in lines if isinstance(line.body, dict)] == [{"sku": 'x,]}"[\\', "tags": ["a", ["b"]]}, {"sku": "d"}]
    assert refused(lines) == {4: '{"sku":"b","sku":"c"}'}  # as everywhere, a member may not occur twice
    assert [line.body for line in lines[2:4]] == [7, [1]]


@pytest.mark.parametrize("end", ["", "]]", "] x", '{"a":"]'])
def test_an_array_that_ends_wrongly_says_from_where_on_it_was_not_read(tmp_path: Path, end: str) -> None:
    with pytest.raises(Damaged, match=r"(not|nothing was) read|the rest is missing"):
        read(tmp_path, "a.json", f'[{{"sku":"A1","name":"One"}},\n{end}')


def test_an_array_is_imported_up_to_where_it_is_damaged(desk: Desk) -> None:
    ran = desk.load("a.json", b'[{"sku":"A1","name":"One"},\n{"sku":"A2","name":"Two"},\n{"sku":')
    assert (ran.code, ran.tally) == (1, "created 2, already there 0, rejected 0")
    assert "line 2 was not read" in ran.err or "line 3 was not read" in ran.err


def test_a_compressed_file_that_is_cut_says_so(desk: Desk) -> None:
    rows = "".join(f"A{number},Name {number * 7919 % 10007}\n" for number in range(3000))
    ran = desk.load("a.csv.gz", gzip.compress(f"sku,name\n{rows}".encode())[:-200])
    assert ran.code == 1
    assert "cannot be read" in ran.err
    assert "Traceback" not in ran.err


@pytest.mark.parametrize("name", ["a.csv.gz", "a.ndjson.gz"])
def test_a_compressed_file_that_is_damaged_from_the_start_says_so(desk: Desk, name: str) -> None:
    ran = desk.load(name, gzip.compress(b"sku,name\n" * 100)[:10] + b"\xff" * 50)
    assert (ran.code, ran.out, "damaged" in ran.err or "not gzip" in ran.err, ran.err.count("\n")) == (2, "", True, 1)


def test_standard_input_takes_a_format(desk: Desk) -> None:
    ran = desk.twofold("import", "products", "-", "--format", "csv", stdin=b"\xef\xbb\xbf" + CSV)
    assert (ran.code, ran.tally) == (0, "created 1, already there 0, rejected 0")
    assert desk.twofold("import", "products", "-", stdin=CSV).code == 2


def test_a_refusal_does_nothing(desk: Desk) -> None:
    for arguments in (["no.csv"], ["a.csv", "--update-by", "name"], ["a.csv", "--columns", "x"], ["a.csv", "--delimiter", '"']):
        desk.write("a.csv", CSV)
        ran = desk.twofold("import", "products", *arguments)
        assert (ran.code, ran.out) == (2, "")
        assert len(ran.err.splitlines()) == 1
    assert sorted(path.name for path in desk.folder.iterdir()) == ["a.csv", "data"]


def test_numbers_keep_their_members(tmp_path: Path) -> None:
    content = json.dumps({"sku": "A1", "name": "One", "description": "a\u2028b\x85c"}, ensure_ascii=False)
    assert bodies(read(tmp_path, "a.ndjson", f"{content}\r\n\n")[0])[0]["description"] == "a\u2028b\x85c"
