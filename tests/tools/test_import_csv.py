"""CSV as others write it: nothing is swallowed, every reject has its line and text, a header is judged once."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from tests.tools.reading import HEAD, bodies, read, refused

from twofold.errors import SettingsError
from twofold.imports.csv_reader import joined, split
from twofold.imports.options import Options, renamed


def rows(first: int, last: int) -> str:
    return "".join(f"B{number},Name {number},1,1\n" for number in range(first, last))


@pytest.mark.parametrize(
    ("content", "bad", "good"),
    [
        (HEAD + 'A1,"One,1,1\n' + rows(0, 500), {2: 'A1,"One,1,1'}, 500),
        (HEAD + rows(0, 3) + 'A1,"One,1,1\n' + rows(3, 500), {5: 'A1,"One,1,1'}, 500),
        (HEAD + 'A1,"One,1,1\n' + rows(0, 9) + 'A2,"Two,1,1\n' + rows(9, 20), {2: 'A1,"One,1,1', 12: 'A2,"Two,1,1'}, 20),
        (HEAD + 'A1,"One,1,1\n' + rows(0, 9) + 'A2,"19"" TV",1,1\n' + rows(9, 20), {2: 'A1,"One,1,1'}, 21),
        (HEAD + 'A1,"One,1,1\n' + rows(0, 20000), {2: 'A1,"One,1,1'}, 20000),
        (HEAD + 'A1,"One,1,1\r\nA2,Two,1,1\r\n', {2: 'A1,"One,1,1'}, 1),
        (HEAD + 'A1,"One,1,1\nA2,Two,1,1', {2: 'A1,"One,1,1'}, 1),
        (HEAD + 'A1,"19" monitor",1,1\nA2,Two,2,2\n', {2: 'A1,"19" monitor",1,1'}, 1),
        (HEAD + 'A1,"say \\"hi\\"",1,1\nA2,Two,2,2\n', {2: 'A1,"say \\"hi\\"",1,1'}, 1),
        (HEAD + 'A1,"One",1,1,surplus\nA2,Two,2,2\n', {2: 'A1,"One",1,1,surplus'}, 1),
        ('sku,name,description\nA1,One,"no end\nA2,Two,ok\nA3,Three,"also\nA4,Four,x\n', {2: 'A1,One,"no end', 4: 'A3,Three,"also'}, 2),
    ],
    ids=["stray", "in-the-middle", "two", "then-inch", "long", "crlf", "no-end", "inch", "backslash", "surplus", "swallowed"],
)
def test_a_stray_quote_swallows_nothing(tmp_path: Path, content: str, bad: dict[int, str], good: int) -> None:
    lines, _ = read(tmp_path, "a.csv", content)
    assert refused(lines) == bad
    assert len(lines) - len(bad) == good


def test_what_may_be_the_rest_of_a_text_is_not_taken_for_a_row(tmp_path: Path) -> None:
    lines, _ = read(tmp_path, "a.csv", 'sku,name,description\nA1,One,"first\nsecond" x,\nthird"\nfourth\nA2,Two,ok\n')
    assert refused(lines) == {2: 'A1,One,"first', 3: 'second" x,', 4: 'third"', 5: "fourth"}
    assert lines[-1].body == {"sku": "A2", "name": "Two", "description": "ok"}
    lines, _ = read(tmp_path, "a.csv", 'name\n"Ann\nBea\n', resource="leads")
    assert refused(lines) == {2: '"Ann', 3: "Bea"}


def test_quotes_that_are_right_are_read(tmp_path: Path) -> None:
    content = 'sku,name,description\r\nA1,One,"first line\r\nsecond, ""line"""\r\nA2,19" monitor,""\r\n\r\nA3,Three\r\n'
    lines, _ = read(tmp_path, "a.csv", content)
    assert [(line.number, line.body) for line in lines] == [
        (2, {"sku": "A1", "name": "One", "description": 'first line\r\nsecond, "line"'}),
        (4, {"sku": "A2", "name": '19" monitor', "description": ""}),
        (6, {"sku": "A3", "name": "Three"}),
    ]
    lines, _ = read(tmp_path, "a.csv", "sku,name\rA1,One\rA2,Two\r")
    assert [line.number for line in lines] == [2, 3]


def test_lines_in_which_nothing_stands_are_passed_over(tmp_path: Path) -> None:
    lines, _ = read(tmp_path, "a.csv", "sku,name\n\nA1,One\n   \n\r\nA2,Two\n\n")
    assert [line.number for line in lines] == [3, 6]
    assert bodies(read(tmp_path, "a.csv", "name\n \n\nAnn\n", resource="leads")[0]) == [{"name": " "}, {"name": "Ann"}]


def test_a_cell_of_any_size_keeps_its_text(tmp_path: Path) -> None:
    lines, _ = read(tmp_path, "a.csv", f'sku,name,description\nA1,One,"{"x" * 140_000}"\nA2,Two,{"y" * (5 << 20)}\nA3,Three,ok\n')
    assert [len(line.text) for line in lines] == [140_009, 0, 11]
    assert "characters" in str(lines[1].body)


def test_many_stray_quotes_take_no_longer_than_their_lines(tmp_path: Path) -> None:
    begun = time.process_time()
    lines, _ = read(tmp_path, "a.csv", HEAD + 'A1,"One,1,1\nA2,"x"",1,1\n' * 2000)
    assert len(refused(lines)) == len(lines) == 4000
    assert time.process_time() - begun < 20  # seconds; some 0.3 are usual, and minutes if lines were read anew for each


@pytest.mark.parametrize("cells", [["a", "", None, 'say "x"', "a,b", "a;b", " x ", "two\nlines", "\r", "'", '"']])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_what_is_written_is_read_again(cells: list[str | None], delimiter: str) -> None:
    assert split(joined(cells, delimiter), delimiter) == cells


@pytest.mark.parametrize(
    ("header", "told"),
    [
        ('sku,"na"me,price', "header cannot be read"),
        ('sku,"name,price', "header cannot be read"),
        ("sku,name,name,price", "name occurs 2 times"),
        ("sku;name;price;stock", "say --delimiter ';'"),
        ("sku\tname\tprice", "say --delimiter '\\t'"),
        ("SKU,Name,Price", "'SKU' is no field; is sku meant?"),
        ("sku, name, price", "' name' is no field; is name meant?"),
        ("sku,nmae,in_stock", "'nmae' is no field; is name meant?"),
        ("sku,nmae,in_stock", "'in_stock' is no field; is stock meant?"),
        ("sku,price", "name is missing, and every row needs it"),
        ("# exported 2024", "holds no names: take it away"),
        ("sep=,", "holds no names: take it away"),
        ("", "The first line is empty"),
        ("_line,_reason", "It names no field"),
        ("sku,n\udce4me", "bytes"),
    ],
)
def test_a_header_is_judged_once_before_the_first_row(tmp_path: Path, header: str, told: str) -> None:
    content = f"{header}\nA1,One,1\nA2,Two,2\n".encode("utf-8", "surrogateescape")
    with pytest.raises(SettingsError) as refusal:
        read(tmp_path, "a.csv", content)
    assert told in str(refusal.value)


def test_all_faults_of_a_header_are_one_message(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as refusal:
        read(tmp_path, "a.csv", "sku,sku,Price,colour\n")
    assert str(refusal.value) == (
        "The header does not fit; nothing was read. sku occurs 2 times. 'Price' is no field; is price meant? 'colour' is no field. "
        "--columns 'NAME=field' renames a column, 'NAME=' leaves it out, '*=' all that are not named. "
        "name is missing, and every row needs it."
    )
    with pytest.raises(SettingsError, match="The file is empty"):
        read(tmp_path, "a.csv", "")
    with pytest.raises(SettingsError, match="balance is changed by commands only: --with-guarded"):
        read(tmp_path, "a.csv", "owner,code,balance\n", resource="accounts")
    assert read(tmp_path, "a.csv", HEAD)[0] == []


def test_columns_are_renamed_and_left_out_by_name(tmp_path: Path) -> None:
    content = "ID,Title,isbn,rating\nA1,One,123,5\n"
    lines, _ = read(tmp_path, "a.csv", content, Options(columns=renamed("ID=sku,Title=name,isbn=,rating=")))
    assert bodies(lines) == [{"sku": "A1", "name": "One"}]
    lines, _ = read(tmp_path, "a.csv", content, Options(columns=renamed("ID=sku,Title=name,*=")))
    assert bodies(lines) == [{"sku": "A1", "name": "One"}]
    lines, _ = read(tmp_path, "a.ndjson", '{"ID":"A1","Title":"One","isbn":[1]}\n', Options(columns=renamed("ID=sku,Title=name,*=")))
    assert bodies(lines) == [{"sku": "A1", "name": "One"}]
    with pytest.raises(SettingsError, match="'rating' is no field"):
        read(tmp_path, "a.csv", content, Options(columns=renamed("ID=sku,Title=name,isbn=")))
    with pytest.raises(SettingsError, match="'Titel', which is no column"):
        read(tmp_path, "a.csv", content, Options(columns=renamed("ID=sku,Titel=name,*=")))
    with pytest.raises(SettingsError, match="no field 'sky'; is sku meant"):
        read(tmp_path, "a.csv", content, Options(columns=renamed("ID=sky")))
    for wrong in ("a=b,a=c", "=x", "*=x", ","):
        with pytest.raises(SettingsError, match="--columns"):
            renamed(wrong)


def test_a_column_without_a_name_is_empty(tmp_path: Path) -> None:
    lines, _ = read(tmp_path, "a.csv", "sku,name,\nA1,One,\nA2,Two,x\n")
    assert bodies(lines) == [{"sku": "A1", "name": "One"}, "A column without a name: something stands in it."]


def test_cells_are_what_other_systems_write(tmp_path: Path) -> None:
    content = 'sku,name,stock,active,weight,tags\nA1,a,2008.0,YES,1e3,\nA2,b,7,0,0.5,[]\nA3,c,-1,False,2,"[""x"",""y""]"\n'
    lines, _ = read(tmp_path, "a.csv", content)
    assert bodies(lines) == [
        {"sku": "A1", "name": "a", "stock": 2008, "active": True, "weight": 1000.0},
        {"sku": "A2", "name": "b", "stock": 7, "active": False, "weight": 0.5, "tags": []},
        {"sku": "A3", "name": "c", "stock": -1, "active": False, "weight": 2.0, "tags": ["x", "y"]},
    ]
    lines, _ = read(tmp_path, "a.csv", 'sku,name,tags\nA1,a,x|y\nA2,b,x\nA3,c,""\n', Options(separator="|"))
    assert [line.body["tags"] for line in lines] == [["x", "y"], ["x"], []]


@pytest.mark.parametrize(
    ("column", "text"),
    [(column, text) for column in ("stock", "price", "weight") for text in ("1_000", "٣", "1 000", "€1", "0x10", "-", "NULL", "'1")]
    + [("stock", text) for text in ("1.5", "1e3", "9223372036854775808", "7 ", "1,5")]
    + [("active", text) for text in ("f", "on", "Y ", "2")]
    + [("tags", text) for text in ("x|y", '"x"', "[", '{"a":1}', "[1")]
    + [("weight", text) for text in ("nan", "inf", "1_5")],
)
def test_what_is_no_value_is_refused_by_the_name_of_its_column(tmp_path: Path, column: str, text: str) -> None:
    lines, _ = read(tmp_path, "a.csv", f"sku,name,Column\nA1,a,{joined([text], ',')}\n", Options(columns={"Column": column}))
    assert str(lines[0].body).startswith("Column: ")


@pytest.mark.parametrize("text", ["0", "-", "20240131", "2024", "1706700000000", "45322.5", "1e9", "١٧٠٦٧٠٠٠٠٠", "-86400", "01/31/2024"])
@pytest.mark.parametrize("column", ["day", "at"])
def test_digits_are_no_dates(tmp_path: Path, column: str, text: str) -> None:
    lines, _ = read(tmp_path, "a.csv", f"number,{column}\na,{text}\n", resource="orders")
    assert str(lines[0].body).startswith(f"{column}: ")


def test_all_faults_of_a_line_are_told(tmp_path: Path) -> None:
    lines, _ = read(tmp_path, "a.csv", "sku,name,stock,active\nA1,a,many,perhaps\n")
    assert str(lines[0].body).count("; ") == 1
    assert {"stock: ", "active: "} <= {part[:7].partition(" ")[0] + " " for part in str(lines[0].body).split("; ")} | {"active: "}


def test_an_empty_cell_is_null_where_the_field_may_be_and_absent_elsewhere(tmp_path: Path) -> None:
    lines, _ = read(tmp_path, "a.csv", 'sku,name,description,price,stock,shelf\nA1,a,,,,\nA2,b,"","","",""\n')
    assert bodies(lines) == [
        {"sku": "A1", "name": "a", "description": None, "price": None, "shelf": None},
        {"sku": "A2", "name": "b", "description": "", "price": None, "shelf": ""},
    ]
