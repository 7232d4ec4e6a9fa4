"""`--update-by`: what is not there is created, what is there gets the members that the line gives."""

from __future__ import annotations

import pytest
from tests.tools.conftest import Desk

from twofold.command.decide import Command
from twofold.imports import loader
from twofold.imports.updater import OVERTAKEN, Updater

STOCK = "sku,name,stock\nA1,One,1\nA2,Two,2\n"


def test_lines_add_or_change(desk: Desk) -> None:
    assert desk.load("a.csv", STOCK, "--update-by", "sku").tally == "created 2, changed 0, unchanged 0, rejected 0"
    desk.load("b.csv", 'sku,description\nA1,"of wood"\n', "--update-by", "sku")
    ran = desk.load("a.csv", STOCK.replace("One,1", "Uno,1") + "A3,Three,3\n", "--update-by", "sku")
    assert (ran.code, ran.tally) == (0, "created 1, changed 1, unchanged 1, rejected 0")
    assert desk.rows("sku, name, stock, description, version", order="sku") == [
        ("A1", "Uno", 1, "of wood", 3),
        ("A2", "Two", 2, None, 1),
        ("A3", "Three", 3, None, 1),
    ]


def test_again_nothing_is_changed(desk: Desk) -> None:
    for tally in ("created 2, changed 0, unchanged 0, rejected 0", "created 0, changed 0, unchanged 2, rejected 0"):
        assert desk.load("a.csv", STOCK, "--update-by", "sku").tally == tally
    desk.delete_all("products")
    assert desk.load("a.csv", STOCK, "--update-by", "sku").tally == "created 2, changed 0, unchanged 0, rejected 0"


def test_lines_of_one_key_come_one_after_the_other(desk: Desk) -> None:
    lines = "".join(f"{'aA'[number % 2]}1,Name {number},{number}\n" for number in range(20))
    ran = desk.load("a.csv", f"sku,name,stock\n{lines}", "--update-by", "sku")
    assert ran.tally == "created 1, changed 19, unchanged 0, rejected 0"
    assert desk.rows("sku, name, stock, version") == [("A1", "Name 19", 19, 20)]


def test_what_a_line_does_not_give_stays_and_null_is_given(desk: Desk) -> None:
    desk.load("a.csv", "sku,name,description,stock\nA1,One,old,5\n")
    desk.load("b.csv", "sku,description,stock\nA1,,\n", "--update-by", "sku")
    assert desk.rows("name, description, stock") == [("One", None, 5)]
    desk.load("c.ndjson", '{"sku":"A1","description":"new"}\n{"sku":"A1","stock":null}\n', "--update-by", "sku")
    assert desk.rows("name, description, stock") == [("One", "new", 0)]


def test_ids_find_rows_too(desk: Desk) -> None:
    desk.load("a.csv", STOCK)
    ids = [id_ for (id_,) in desk.rows("id", order="sku")]
    new, dead = "01a20945-6fa1-7411-813c-33a4406f2bd5", "01a20945-6fa1-7411-813c-33a4406f2bd6"
    content = f"id,sku,name\n{ids[0]},A1,Uno\n{new},A3,Three\n17,A4,Four\n{ids[1]},A1,Two\n"
    ran = desk.load("b.csv", content, "--update-by", "id")
    assert (ran.code, ran.tally) == (1, "created 1, changed 1, unchanged 0, rejected 2")
    rejects = (desk.folder / "b.rejects.csv").read_text()
    assert "A UUID in lower case" in rejects
    assert "sku: This value is taken." in rejects
    assert desk.rows("id, name", order="sku")[2] == (new, "Three")
    desk.load("c.csv", f"id,sku,name\n{dead},A9,Nine\n", "--update-by", "id")
    desk.delete_all("products")
    assert (
        desk.load("c.csv", f"id,sku,name\n{dead},A9,Nine\n", "--update-by", "id").tally == "created 0, changed 0, unchanged 0, rejected 1"
    )


def test_only_unique_fields_find_rows(desk: Desk) -> None:
    ran = desk.load("a.csv", STOCK, "--update-by", "name")
    assert ran.code == 2
    assert "it takes id or sku" in ran.err
    ran = desk.load("a.ndjson", '{"name":"One"}\n{"sku":7,"name":"One"}\n', "--update-by", "sku")
    assert ran.tally == "created 0, changed 0, unchanged 0, rejected 2"
    ran = desk.load("a.csv", "name,stock\nOne,1\n", "--update-by", "sku")
    assert (ran.code, "sku is missing, which --update-by names" in ran.err) == (2, True)


def test_secrets_of_rows_that_are_there_are_left_and_that_is_said(desk: Desk) -> None:
    desk.load("a.csv", "owner,code\nAnn,first\n", "--update-by", "owner", resource="accounts")
    ran = desk.load("a.csv", "owner,code\nAnn,second\nBea,other\n", "--update-by", "owner", resource="accounts")
    assert ran.tally == "created 1, changed 0, unchanged 1, rejected 0"
    assert "secrets of 1 rows that were there are as they were" in ran.err
    assert desk.rows("owner, code", "accounts", "owner") == [("Ann", "first"), ("Bea", "other")]


def test_guarded_fields_are_set_where_it_is_asked_for(desk: Desk) -> None:
    content = '{"owner":"Ann","code":"x","balance":7}\n'
    assert desk.load("a.ndjson", content, resource="accounts").tally == "created 0, already there 0, rejected 1"
    assert desk.load("a.ndjson", content, "--with-guarded", resource="accounts").tally == "created 1, already there 0, rejected 0"
    assert desk.load("a.ndjson", content.replace("7", "8"), "--update-by", "owner", "--with-guarded", resource="accounts").code == 0
    assert desk.rows("owner, balance", "accounts") == [("Ann", 8)]


@pytest.mark.parametrize("meanwhile", ["changed", "deleted", "created"])
def test_what_others_do_meanwhile_is_seen(desk: Desk, monkeypatch: pytest.MonkeyPatch, meanwhile: str) -> None:
    """Between the look and the change, somebody else comes in: the line is tried again on what is there then."""
    if meanwhile != "created":
        desk.load("a.csv", STOCK)
    rows, times = Updater._rows, []

    def interrupted(self: Updater, keys: object) -> object:
        found = rows(self, keys)  # type: ignore[arg-type]
        if not times:
            body = {"sku": "A1", "name": "other", "description": "theirs", "price": None, "stock": 9, "weight": None}
            full = {**body, "active": True, "tags": [], "shelf": "A"}
            one = desk.rows("id", order="sku")[0][0] if meanwhile != "created" else "01a20945-6fa1-7411-813c-33a4406f2bd5"
            name = {"changed": "patch", "deleted": "delete", "created": "create"}[meanwhile]
            given = {"changed": {"description": "theirs"}, "deleted": {}, "created": full}[meanwhile]
            self._writer.submit(Command(self.resource, name, one, "e", str, body=given)).result()
        times.append(1)
        return found

    monkeypatch.setattr(Updater, "_rows", interrupted)
    ran = desk.load("b.csv", STOCK.replace("One,1", "Uno,7"), "--update-by", "sku")
    assert ran.code == 0
    assert len(times) == 2
    expected = {"changed": ("Uno", 7, "theirs"), "deleted": ("Uno", 7, None), "created": ("Uno", 7, "theirs")}
    assert desk.rows("name, stock, description", order="sku")[0] == expected[meanwhile]
    assert len(desk.rows("id")) == 2


def test_a_store_that_is_away_is_waited_for(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    from twofold.errors import Unavailable
    from twofold.store.sql import SqlStore

    monkeypatch.setattr(loader.time, "sleep", lambda _: None)
    fetch, failures = SqlStore.fetch, [Unavailable("away"), Unavailable("away")]

    def fails(self: SqlStore, *arguments: object) -> object:
        if failures:
            raise failures.pop()
        return fetch(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(SqlStore, "fetch", fails)
    ran = desk.load("a.csv", STOCK, "--update-by", "sku")
    assert ran.tally == "created 2, changed 0, unchanged 0, rejected 0"
    assert ran.err.count("waiting for the write store") == 1
    assert failures == []


@pytest.mark.parametrize("options", [(), ("--update-by", "sku")], ids=["create", "update"])
def test_the_writer_is_asked_again_after_an_outage_and_that_is_said(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
) -> None:
    from twofold.errors import Unavailable
    from twofold.store.sql import SqlStore

    unit, failures = SqlStore.unit, [Unavailable("away")] * 4

    def fails(self: SqlStore) -> object:
        if failures:
            raise failures.pop()
        return unit(self)

    monkeypatch.setattr(SqlStore, "unit", fails)
    ran = desk.load("a.csv", STOCK, *options)
    assert ran.tally.startswith("created 2, ")
    assert ran.err.count("waiting for the write store") == 1
    assert '"reason": "away"' in ran.err
    assert failures == []


def test_an_id_of_another_row_is_a_reject(desk: Desk) -> None:
    """The row is not found by the field, and the id stands in the way of a creation, however often it is tried."""
    desk.load("a.csv", STOCK)
    [(taken,)] = desk.rows("id", order="sku")[:1]
    new = "01a20945-6fa1-7411-813c-33a4406f2bd5"
    content = f"ID,sku,name\n{taken},A8,Eight\n{new},A9,Nine\n{new},A10,Ten\n"
    ran = desk.load("b.csv", content, "--update-by", "sku", "--with-ids", "--columns", "ID=id")
    assert (ran.code, ran.tally) == (1, "created 1, changed 0, unchanged 0, rejected 2")
    rejects = (desk.folder / "b.rejects.csv").read_text()
    assert rejects.count("ID: The id belongs to a row with another sku") == 2
    assert [name for (name,) in desk.rows("name", order="sku")] == ["One", "Two", "Nine"]


def test_a_creation_that_makes_a_taken_value_of_the_field_is_a_reject(desk: Desk) -> None:
    ran = desk.load("a.csv", "code\nAx\nAy\n", "--update-by", "code", resource="slots")
    assert (ran.code, ran.tally) == (1, "created 1, changed 0, unchanged 0, rejected 1")
    assert "code: What a creation makes of it is taken" in (desk.folder / "a.rejects.csv").read_text()


def test_a_row_that_others_change_each_time_is_a_reject(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.load("a.csv", STOCK)
    monkeypatch.setattr(loader.time, "sleep", lambda _: None)
    rows, times = Updater._rows, []

    def overtaken(self: Updater, keys: object) -> object:
        found = rows(self, keys)  # type: ignore[arg-type]
        times.append(1)
        one = desk.rows("id", order="sku")[0][0]
        self._writer.submit(Command(self.resource, "patch", one, "e", str, body={"stock": 100 + len(times)})).result()
        return found

    monkeypatch.setattr(Updater, "_rows", overtaken)
    ran = desk.load("b.csv", STOCK.replace("One,1", "Uno,7"), "--update-by", "sku")
    assert (ran.code, ran.tally) == (1, "created 0, changed 0, unchanged 1, rejected 1")
    assert "Others changed the row each time" in (desk.folder / "b.rejects.csv").read_text()
    assert len(times) == OVERTAKEN
