"""What was exported is imported again, and nothing has changed on the way."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.tools.conftest import Desk
from tests.tools.shop import Account, Film, Guest, Product

from twofold import Resource, spreadsheets
from twofold.index.search import Hit
from twofold.query import export as exports
from twofold.users import User

TIME = "2026-11-23T12:00:00.000Z"
TEXTS = [
    "=1+1",
    "+49 30",
    "-5 °C jacket",
    "@home",
    "\tTab",
    "\nLine",
    "'quoted'",
    "'=1",
    "''",
    "a;=1+1",
    "\uff1d1",
    "\uff20a",
    " =1",
    "\ufeff=1",
    "\u200b-1",
    'say "x", y',
    "null",
    "true",
    "1e5",
    "# complete: 7 rows",
    "",
    None,
]
WHOLE = {"stock": 3, "weight": 1e22, "active": False, "price": 150, "tags": ["a,b", 'c"d', "=1"], "shelf": None}


def documents() -> list[dict[str, Any]]:
    return [
        {
            "id": f"01a20945-6fa1-7411-813c-33a4406f2b{number:02x}",
            "version": 3,
            "sku": f"A{number:02}",
            "name": text or f"n{number}",
            "description": text,
            **WHOLE,
            "created_at": TIME,
            "updated_at": TIME,
        }
        for number, text in enumerate(TEXTS)
    ]


def exported(format_: str, found: list[dict[str, Any]], fields: str = "", resource: type[Resource] = Product) -> bytes:
    shape = exports._FORMATS[format_](resource.declaration, frozenset(fields.split(",") if fields else []))
    return shape.head() + shape.rows([Hit(each, None) for each in found]) + shape.end(len(found))


def stored(desk: Desk) -> list[tuple[Any, ...]]:
    return desk.rows("sku, name, description, stock, weight, active, price, tags, shelf", order="sku")


@pytest.mark.parametrize(("format_", "ending"), [("csv", "csv"), ("ndjson", "ndjson")])
def test_an_export_comes_back(desk: Desk, format_: str, ending: str) -> None:
    ran = desk.load(f"out.{ending}", exported(format_, documents()))
    assert (ran.code, ran.tally) == (0, f"created {len(TEXTS)}, already there 0, rejected 0")
    assert "left out, since the store gives them: created_at, id, updated_at, version; --with-ids keeps id and created_at" in ran.err
    tags = '["a,b","c\\"d","=1"]'
    assert stored(desk) == [(f"A{number:02}", text or f"n{number}", text, 3, 1e22, 0, 150, tags, None) for number, text in enumerate(TEXTS)]
    assert desk.rows("count(*)", f"products WHERE created_at <> '{TIME}' AND version = 1", "1") == [(len(TEXTS),)]


@pytest.mark.parametrize("ending", ["csv", "ndjson"])
def test_ids_come_back_where_it_is_asked_for(desk: Desk, ending: str) -> None:
    content = exported(ending, documents())
    ran = desk.load(f"out.{ending}", content, "--with-ids")
    assert (ran.code, "left out, since the store gives them: updated_at, version\n" in ran.err) == (0, True)
    assert desk.rows("id, created_at, version", order="sku") == [(each["id"], TIME, 1) for each in documents()]
    assert desk.rows("count(*)", f"products WHERE updated_at <> '{TIME}'", "1") == [(len(TEXTS),)]
    assert desk.load(f"out.{ending}", content, "--with-ids").tally == f"created 0, already there {len(TEXTS)}, rejected 0"
    again = desk.load(f"other.{ending}", exported(ending, documents()[1:2]), "--with-ids")
    assert again.tally == "created 0, already there 0, rejected 1"
    assert "There is a row with this id already" in (desk.folder / f"other.rejects.{ending}").read_text()
    assert desk.load(f"out.{ending}", content, "--update-by", "id").tally == f"created 0, changed 0, unchanged {len(TEXTS)}, rejected 0"
    assert desk.load(f"out.{ending}", content, "--update-by", "sku").tally == f"created 0, changed 0, unchanged {len(TEXTS)}, rejected 0"


def test_some_fields_come_back(desk: Desk) -> None:
    assert desk.load("out.csv", exported("csv", documents(), "id,version,sku,name")).code == 0
    assert [name for _, name in desk.rows("sku, name", order="sku")] == [text or f"n{number}" for number, text in enumerate(TEXTS)]


def of(resource: type[Resource], count: int = 1, **members: Any) -> bytes:
    """An export of this resource as NDJSON."""
    each = {"id": "01a20945-6fa1-7411-813c-33a4406f2bd5", "version": 3, **members, "created_at": TIME, "updated_at": TIME}
    return exported("ndjson", [each] * count, resource=resource)


def as_csv(ndjson: bytes) -> bytes:
    rows = [json.loads(line) for line in ndjson.splitlines()[:-1]]
    lines = [",".join(rows[0]), *(",".join(map(str, row.values())) for row in rows), f"# complete: {len(rows)} rows"]
    return "\r\n".join(lines).encode()


def as_array(ndjson: bytes) -> bytes:
    return b"[%s]" % b",".join(ndjson.splitlines()[:-1])


SHAPES = [pytest.param("csv", as_csv, id="csv"), pytest.param("ndjson", bytes, id="ndjson"), pytest.param("json", as_array, id="json")]
Shape = Callable[[bytes], bytes]


@pytest.mark.parametrize(("ending", "shape"), SHAPES)
def test_what_an_export_lacks_is_told_before_the_first_row(desk: Desk, ending: str, shape: Shape) -> None:
    content = shape(of(Film, title="Alien", year=1979))
    ran = desk.load(f"a.{ending}", content, resource="films")
    told = "not taken from the export: plot, rating. Rows get their defaults."
    assert (ran.code, ran.tally, ran.err.partition("\n")[0]) == (0, "created 1, already there 0, rejected 0", told)
    ran = desk.load(f"a.{ending}", content, "--update-by", "title", resource="films")
    told = "not taken from the export: plot, rating. Rows that are there keep what they have; new rows get the defaults."
    assert (ran.code, ran.err.partition("\n")[0]) == (0, told)
    whole = shape(of(Product, **{**documents()[0], "id": "x"}))
    assert "not taken from the export" not in desk.load(f"b.{ending}", whole, "--update-by", "sku").err


@pytest.mark.parametrize(("ending", "shape"), SHAPES)
def test_an_export_without_what_every_row_needs_is_refused_once(desk: Desk, ending: str, shape: Shape) -> None:
    desk.load("a.ndjson", '{"sku":"x","name":1}')
    before = (desk.folder / "a.rejects.ndjson").read_text()
    for resource, content, told in (
        ("accounts", of(Account, 3, owner="Ann", balance=7), "code is missing, and every row needs it; secrets are in no export. "),
        ("accounts", of(Account, 3, owner="Ann", balance=7), "balance is changed by commands only: --with-guarded sets it all the same"),
        ("guests", of(Guest, 3, name="Ann Lee"), "'name' is no field."),
        ("guests", of(Guest, 3, name="Ann Lee"), "first is missing, and every row needs it. last is missing, and every row needs it."),
        ("guests", of(Guest, 3, name="Ann Lee"), "An export has what Guest.document makes, and not what is stored."),
    ):
        ran = desk.load(f"a.{ending}", shape(content), resource=resource)
        assert (ran.code, ran.out, told in ran.err, ran.err.count("\n")) == (2, "", True, 1), ran.err
        assert desk.rows("count(*)", resource, "1") == [(0,)]
    assert (desk.folder / "a.rejects.ndjson").read_text() == before


@pytest.mark.parametrize(("ending", "shape"), SHAPES)
def test_an_export_without_secrets_changes_what_is_there(desk: Desk, ending: str, shape: Shape) -> None:
    desk.load("a.csv", "owner,code\nAnn,hush\n", resource="accounts")
    content = shape(of(Account, owner="Ann", balance=7))
    ran = desk.load(f"a.{ending}", content, "--update-by", "owner", "--with-guarded", resource="accounts")
    new = "a line without a row is rejected, since a new one needs code."
    told = f"not taken from the export: code. Rows that are there keep what they have; {new}"
    assert (ran.code, ran.err.partition("\n")[0]) == (0, told)
    assert desk.rows("owner, balance, code", "accounts") == [("Ann", 7, "hush")]


def test_users_come_back_with_their_hashes(empty_desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWOFOLD_APP", "twofold.users:app")
    assert empty_desk.twofold("migrate").code == 0
    lines = as_csv(of(User, name="Ann", email="ann@example.com")).decode().splitlines()
    ran = empty_desk.load("a.csv", "\n".join(lines), resource="users")
    assert (ran.code, "password is missing, and every row needs it; secrets are in no export." in ran.err) == (2, True)
    hashed = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzYWx0$V1Hk8zW3VdQxR1rY1kJb1cJd0S2cN5oYb2cK3h8QyQs"
    ran = empty_desk.load("a.csv", f'{lines[0]},password\n{lines[1]},"{hashed}"\n{lines[2]}\n', resource="users")
    assert (ran.code, empty_desk.rows("username, password", "user")) == (0, [("Ann", hashed)])


@pytest.mark.parametrize("ending", ["csv", "ndjson"])
def test_mended_rejects_of_an_export_are_no_part_of_one(desk: Desk, ending: str) -> None:
    desk.load(f"a.{ending}", exported(ending, [{**documents()[0], "name": "x\0"}, documents()[1]]))
    rejects = desk.folder / f"a.rejects.{ending}"
    rejects.write_text(rejects.read_text().replace("\0", "").replace("\\u0000", ""))
    ran = desk.twofold("import", "products", rejects.name)
    assert (ran.code, ran.tally) == (0, "created 1, already there 0, rejected 0"), ran.err


@pytest.mark.parametrize("ending", ["csv", "ndjson"])
def test_an_export_that_is_cut_or_not_whole_says_so(desk: Desk, ending: str) -> None:
    lines = exported(ending, documents()[:3]).splitlines(keepends=True)
    for content, told in ((lines[:-1], "is missing"), ([*lines[:-2], lines[-1]], "says that it has 3 rows, and 2 were read")):
        ran = desk.load(f"out.{ending}", b"".join(content))
        assert (ran.code, told in ran.err) == (1, True)
    ran = desk.load(f"out.{ending}", b"".join([*lines, lines[-2]]))
    assert (ran.code, "stands behind the line that says that the export is complete" in ran.err) == (1, True)
    assert desk.load(f"empty.{ending}", exported(ending, [])).code == 0


def test_apostrophes_of_others_are_their_own(desk: Desk) -> None:
    desk.load("a.csv", "sku,name\nA1,'=1\nA2,''s\nA3,'-ism'\n")
    assert [name for (name,) in desk.rows("name", order="sku")] == ["'=1", "''s", "'-ism'"]


def test_a_line_like_the_last_one_of_an_export_can_be_a_row(desk: Desk) -> None:
    assert desk.load("a.csv", "name\n# complete: 1 rows\nBea\n", resource="leads").tally == "created 2, already there 0, rejected 0"


@pytest.mark.parametrize(
    ("moment", "told"), [("2999-01-01T00:00:00Z", "in the future"), ("20240131", "with a zone"), ("2024-01-31T12:00:00", "with a zone")]
)
def test_a_time_of_creation_is_a_moment_in_the_past(desk: Desk, moment: str, told: str) -> None:
    content = f"id,sku,name,created_at\n01a20945-6fa1-7411-813c-33a4406f2bd5,A1,One,{moment}\n"
    assert desk.load("a.csv", content, "--with-ids").code == 1
    assert told in (desk.folder / "a.rejects.csv").read_text()


def test_guarded_fields_come_back_where_it_is_asked_for(desk: Desk) -> None:
    content = "id,owner,code,balance,version\n01a20945-6fa1-7411-813c-33a4406f2bd5,Ann,x,7,2\n# complete: 1 rows\n"
    refused = desk.load("a.csv", content, resource="accounts")
    assert (refused.code, "--with-guarded" in refused.err) == (2, True)
    assert desk.load("a.csv", content, "--columns", "balance=", resource="accounts").code == 0
    assert desk.rows("owner, balance", "accounts") == [("Ann", 0)]
    desk.delete_all("accounts")
    assert desk.load("a.csv", content, "--with-guarded", resource="accounts").code == 0
    assert desk.rows("owner, balance", "accounts") == [("Ann", 7)]
    assert Account.declaration.guarded


@pytest.mark.parametrize("text", [text for text in TEXTS if text])
def test_the_guard_of_formulas_can_be_undone(text: str) -> None:
    assert spreadsheets.original(spreadsheets.safe(text)) == text
    assert spreadsheets.original(text) in (text, text[1:])
    assert not spreadsheets.safe(text).lstrip().startswith(("=", "+", "-", "@"))


def test_text_is_in_quotes_and_null_is_nothing(tmp_path: Path) -> None:
    line = exported("csv", [{**documents()[0], "description": None}]).splitlines()[1].decode()
    assert line == (
        f'01a20945-6fa1-7411-813c-33a4406f2b00,3,"A00","\'=1+1",,1.50,3,1e+22,false,"[""a,b"",""c\\""d"",""=1""]",,{TIME},{TIME}'
    )
