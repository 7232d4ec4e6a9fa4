"""What a second import does: what is there is not made again, and what is not there is never said to be."""

from __future__ import annotations

import pytest
from tests.tools.conftest import Desk

from twofold.bootstrap import System
from twofold.command.decide import Command
from twofold.command.writer import Writer
from twofold.imports import creator

PEOPLE = "name,city\nAnn,Oslo\nBea,Rome\nCid,Lima\n"


def test_the_same_file_into_another_resource_is_another_import(desk: Desk) -> None:
    assert desk.load("people.csv", PEOPLE, resource="leads").tally == "created 3, already there 0, rejected 0"
    assert desk.load("people.csv", PEOPLE, resource="contacts").tally == "created 3, already there 0, rejected 0"
    assert desk.load("copy.csv", PEOPLE, resource="leads").tally == "created 0, already there 3, rejected 0"
    assert [len(desk.rows("id", table)) for table in ("leads", "contacts")] == [3, 3]


def test_what_was_deleted_since_is_created_anew(desk: Desk) -> None:
    desk.load("people.csv", PEOPLE, resource="leads")
    desk.delete_all("leads")
    assert desk.load("people.csv", PEOPLE, resource="leads").tally == "created 3, already there 0, rejected 0"
    assert desk.load("people.csv", PEOPLE, resource="leads").tally == "created 0, already there 3, rejected 0"
    assert len(desk.rows("id", "leads")) == 3
    desk.delete_all("leads")
    assert desk.load("people.csv", PEOPLE, resource="leads").tally == "created 3, already there 0, rejected 0"


def test_a_file_that_has_grown_creates_what_is_new(desk: Desk) -> None:
    desk.load("people.csv", PEOPLE, resource="leads")
    grown = desk.load("people.csv", f"{PEOPLE}Dan,Bern\n", resource="leads")
    assert grown.tally == "created 1, already there 3, rejected 0"
    assert [name for (name,) in desk.rows("name", "leads", "name")] == ["Ann", "Bea", "Cid", "Dan"]


def test_a_line_that_was_changed_is_a_new_one(desk: Desk) -> None:
    desk.load("people.csv", PEOPLE, resource="leads")
    assert (
        desk.load("people.csv", PEOPLE.replace("Cid,Lima", "Cid,Cusco"), resource="leads").tally == "created 1, already there 2, rejected 0"
    )


def test_another_file_with_an_equal_line_in_the_same_place_is_another(desk: Desk) -> None:
    desk.load("people.csv", PEOPLE, resource="leads")
    assert desk.load("people.csv", PEOPLE.replace("Ann", "Eva"), resource="leads").tally == "created 3, already there 0, rejected 0"


def test_standard_input_goes_on_too(desk: Desk) -> None:
    lines = b'\xef\xbb\xbf{"name":"Ann"}\n{"name":"Bea"}\n'
    assert desk.twofold("import", "leads", "-", stdin=lines).tally == "created 2, already there 0, rejected 0"
    more = desk.twofold("import", "leads", "-", stdin=lines + b'{"name":"Cid"}\n')
    assert more.tally == "created 1, already there 2, rejected 0"


def test_clients_cannot_take_the_keys_of_an_import(desk: Desk) -> None:
    from twofold.command import http

    assert not http._KEY.fullmatch(creator.KEY + "a")
    assert not creator.KEY.isascii()


def test_a_secret_is_in_no_key(desk: Desk) -> None:
    """It could be guessed from there, by whoever reads the receipts."""
    desk.load("a.csv", "owner,code\nAnn,first\n", resource="accounts")
    assert desk.load("a.csv", "owner,code\nAnn,second\n", resource="accounts").tally == "created 0, already there 1, rejected 0"


def test_demo_makes_what_is_missing(empty_desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = empty_desk
    monkeypatch.setenv("TWOFOLD_APP", "twofold.users:app")
    assert desk.twofold("demo", "--users", "5").tally == "created 5, changed 0, unchanged 0, rejected 0"
    assert desk.twofold("demo", "--users", "7").tally == "created 2, changed 0, unchanged 5, rejected 0"
    desk.delete_all("users")
    assert desk.twofold("demo", "--users", "5").tally == "created 5, changed 0, unchanged 0, rejected 0"
    assert len(desk.rows("id", "user")) == 5


def test_demo_makes_nothing_in_the_folder_of_another_app(desk: Desk) -> None:
    desk.load("people.csv", PEOPLE, resource="leads")
    refused = desk.twofold("demo", "--users", "5")
    assert (refused.code, refused.out) == (2, "")
    assert "tests.tools.shop:app" in refused.err
    assert desk.rows("name", "sqlite_master WHERE name = 'user'", "name") == []


def test_a_key_over_http_is_not_taken_for_an_import(desk: Desk) -> None:
    """The former keys could be guessed, and sent."""
    import hashlib

    former = [f"import:{hashlib.sha256(PEOPLE.encode()).hexdigest()}:{number}" for number in (2, 3, 4)]

    def command(system: System, writer: Writer) -> None:
        resource = system.app.resources["leads"]
        for number, key in enumerate(former):
            state = {"name": "somebody", "city": "else"}
            created = Command(
                resource, "create", f"00000000-0000-7000-8000-00000000000{number}", "e", str, body=state, receipt=(key, b"\0" * 32)
            )
            writer.submit(created).result()

    desk.with_writer(command)
    assert desk.load("people.csv", PEOPLE, resource="leads").tally == "created 3, already there 0, rejected 0"
