"""What a generation is filled from, and what becomes of that which it cannot take. Pure."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from tests.rebuild.fakes import NOW, USERS, deletion, key, message, row

from twofold.documents import read_message
from twofold.log.port import Message
from twofold.log.port import Position as At
from twofold.rebuild import sources
from twofold.rebuild.marks import Marks, beginning, trimmed
from twofold.rebuild.sources import from_messages, from_rows, letter
from twofold.record import Unreadable
from twofold.store.port import Tombstone


def nothing(_: Any) -> dict[str, Any]:
    raise AssertionError("nothing was to be fetched")


def test_of_an_id_the_newest_version_is_taken() -> None:
    items = from_messages(USERS, [message(0, 1), message(0, 3), message(1, 1), message(0, 2), deletion(1, 2)], nothing)
    assert {id_: (operation.version, operation.deleted) for id_, (operation, _) in items.newest.found.items()} == {
        key(0): (3, False),
        key(1): (2, True),
    }


@pytest.mark.parametrize("junk", [Message(None, None), Message(b"bo", b"{}"), Message(b"\xff", b"\xff"), Message(key(7).encode(), b"{}")])
def test_what_is_no_record_is_passed_over(junk: Message) -> None:
    asked: list[str] = []
    items = from_messages(USERS, [junk, message(0)], lambda ids: asked.extend(ids) or {})  # type: ignore[func-returns-value]
    assert (list(items.newest.found), items.refused, len(asked)) == ([key(0)], [], 1)


def test_a_row_of_which_no_document_can_be_made_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def made(resource: Any, one: Any) -> Any:
        raise Unreadable("the document cannot be made")

    monkeypatch.setattr(sources, "of_row", made)
    items = from_rows(USERS, [row(0, 4)])
    assert (items.newest.found, [(each.id, each.version, each.reason) for each in items.refused]) == (
        {},
        [(key(0), 4, "the document cannot be made")],
    )


def test_a_refused_row_is_a_letter_that_can_be_tried_again() -> None:
    for each in (row(0, 4), Tombstone(key(1), 5, NOW)):
        [(made, source)] = from_rows(USERS, [each]).newest.found.values()
        again = read_message(USERS, letter(USERS, source))
        assert (again.id, again.version, again.deleted) == (made.id, made.version, made.deleted)
        assert orjson.loads(again.document) == orjson.loads(made.document)
    assert letter(USERS, message(2)) == message(2)


def test_marks_survive_json() -> None:
    marks = Marks("filling", {0: 3, 1: 0}, key(4), True, 12, {1: 9}, NOW)
    assert Marks.of(orjson.loads(orjson.dumps(marks.to_json()))) == marks
    assert Marks.of({}) == Marks()


@pytest.mark.parametrize(
    ("position", "begins", "skips"),
    [
        (At(0, 0, None, 5), 0, None),
        (At(0, 0, 3, 5), 3, None),
        (At(0, 3, 3, 5), 3, None),
        (At(0, 5, 5, 5), 5, None),
        (At(0, 0, 5, 5), 5, None),
        (At(0, 4, 3, 5), 5, 5),
        (At(0, 4, None, 5), 5, 5),
        (At(0, 0, 9, 5), 5, 5),
    ],
)
def test_the_replay_begins_where_the_group_stands_or_at_the_end_where_that_is_gone(position: At, begins: int, skips: int | None) -> None:
    marks = beginning([position])
    assert (marks.offsets, marks.skipped) == ({0: begins}, {} if skips is None else {0: skips})


def test_what_is_gone_is_told_by_partition() -> None:
    positions = [At(0, 2, None, 9), At(1, 0, None, 3), At(2, 1, None, 1)]
    assert trimmed({0: 2, 1: 3, 2: 1}, positions) == []
    assert trimmed({0: 1, 1: 4}, positions) == [0, 1, 2]
