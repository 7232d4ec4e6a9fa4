"""The checker finds each violation, and none where there is none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.chaos.checker import check
from tests.chaos.history import Answer, Sent
from tests.chaos.ideal import Bank, bank
from tests.chaos.operations import Operation
from tests.chaos.world import SECRETS, TRACEBACK, Record, holding

Spoil = Callable[[Bank], None]
REFUSED = Answer(409, "insufficient-funds")


@pytest.fixture
def made() -> Bank:
    return bank()


def of(made: Bank, kind: str, *, done: bool = True) -> Sent:
    """The last operation of this kind on an account that is there still."""
    return [each for each in made.sent if each.operation.kind == kind and bool(each.done) == done and each.id in made.world.rows][-1]


def record_of(made: Bank, sent: Sent) -> Record:
    assert sent.done
    return next(record for record in made.world.records if (record.key, record.version) == (sent.id, sent.done.version))


def test_nothing_is_found_where_nothing_is_wrong(made: Bank) -> None:
    kinds = {each.operation.kind for each in made.sent if each.done}
    assert kinds == {"create", "put", "patch", "replace", "deposit", "withdraw", "secret", "delete"}
    codes = {each.refused.code for each in made.sent if each.refused}
    assert codes == {"handle-taken", "version-mismatch", "insufficient-funds", "deleted"}
    assert any(each.operation.then for each in made.sent if each.done)
    assert check(made.sent, made.world) == []


def test_what_is_allowed_is_not_found(made: Bank) -> None:
    """Records come again; and what was not answered for certain may have been done or not."""
    made.world.records += made.world.records[-50:]
    assert check(made.sent, made.world) == []
    for kind in ("deposit", "secret"):
        of(made, kind).answers[:] = [None]
    undone = Operation("undone", "deposit", "shared-1", amount=5)
    made.sent.append(Sent(undone, made.ids["shared-1"], [None]))
    on_shared = next(each for each in made.sent if each.operation.then and each.done)
    on_shared.answers[:] = [replace(answer, version=10**6, replayed=True) for answer in on_shared.answers if answer]
    found = check(made.sent, made.world)
    assert len(found) == 3
    assert all("not answered for certain" in line for line in found)


def lose_the_last(made: Bank) -> None:
    """An acknowledged operation is nowhere; table and index are as if it had not been sent."""
    record = record_of(made, of(made, "deposit"))
    made.world.records = [each for each in made.world.records if each.key != record.key or each.version < record.version]
    _rest_on_the_log(made, record.key)


def do_it_twice(made: Bank) -> None:
    sent = of(made, "deposit")
    made.world.records.append(_next_record(made, sent, balance=sent.operation.amount))
    _rest_on_the_log(made, sent.id)


def do_what_was_refused(made: Bank) -> None:
    sent = next(each for each in made.sent if each.operation.expected is None and not each.done)
    made.world.records.append(_next_record(made, sent, balance=-sent.operation.amount))
    _rest_on_the_log(made, sent.id)


def refuse_what_was_done(made: Bank) -> None:
    of(made, "withdraw").answers[:] = [REFUSED]


def tell_twins_apart(made: Bank) -> None:
    of(made, "withdraw").answers.append(REFUSED)


def refuse_for_another_reason(made: Bank) -> None:
    next(each for each in made.sent if each.operation.expected == "version-mismatch").answers[:] = [Answer(404, "not-found")]


def answer_the_same_with_another_body(made: Bank) -> None:
    answers = of(made, "create").answers
    assert answers[0]
    answers.append(replace(answers[0], body="{}"))


def leave_a_gap(made: Bank) -> None:
    third = next(record for record in made.world.records if record.version == 3)
    made.world.records = [each for each in made.world.records if (each.key, each.version) != (third.key, 2)]


def swap_two(made: Bank) -> None:
    records = made.world.records
    at = next(number for number, record in enumerate(records) if record.version == 2)
    before = next(number for number, record in enumerate(records) if record.key == records[at].key)
    records[at], records[before] = records[before], records[at]


def change_a_record(made: Bank) -> None:
    record = record_of(made, of(made, "patch"))
    made.world.records.append(replace(record, value={**(record.value or {}), "handle": "other"}))


def make_up_a_record(made: Bank) -> None:
    sent = of(made, "deposit")
    made.world.records.append(replace(_next_record(made, sent, balance=1), args={"amount": 1, "memo": "nobody"}))
    _rest_on_the_log(made, sent.id)


def give_a_version_twice(made: Bank) -> None:
    sent = of(made, "deposit")
    made.sent.append(Sent(sent.operation, sent.id, sent.answers))


def tell_another_version(made: Bank) -> None:
    sent = next(each for each in made.sent if each.operation.kind == "deposit" and each.operation.leaves is None)
    sent.answers[:] = [replace(answer, version=10**6) for answer in sent.answers if answer]


def delete_without_a_record(made: Bank) -> None:
    made.world.records = [record for record in made.world.records if record.type != "deleted"]


def keep_another_balance(made: Bank) -> None:
    for state in (made.world.rows, made.world.documents):
        state[made.ids["shared-1"]]["balance"] += 1


def count_wrongly(made: Bank) -> None:
    (record_of(made, of(made, "deposit")).value or {})["balance"] += 1


def run_a_clock_backwards(made: Bank) -> None:
    (record_of(made, of(made, "patch")).value or {})["updated_at"] = ""


def leave_the_table_behind(made: Bank) -> None:
    for state in (made.world.rows, made.world.documents):
        state[of(made, "patch").id]["version"] -= 1


def leave_the_index_behind(made: Bank) -> None:
    made.world.documents[of(made, "patch").id]["note"] = "older"


def miss_a_document(made: Bank) -> None:
    del made.world.documents[of(made, "patch").id]


def keep_a_deleted_document(made: Bank) -> None:
    gone = next(id_ for id_, document in made.world.documents.items() if document.get("deleted"))
    made.world.documents[gone] = {"id": gone, "version": 1, "handle": "gone", "note": "", "balance": 0}


def lose_a_tombstone(made: Bank) -> None:
    made.world.tombstones.popitem()


def share_a_handle(made: Bank) -> None:
    one, other = list(made.world.rows)[:2]
    for state in (made.world.rows, made.world.documents):
        state[one]["handle"] = state[other]["handle"]


def put_one_aside(made: Bank) -> None:
    made.world.letters = 1


def let_a_secret_out(made: Bank) -> None:
    made.world.leaks = holding([("the topic", "{}"), ("command-1.log", "only-the-write-store-knows-c1n1")], *SECRETS)


def fail_in_a_log(made: Bank) -> None:
    made.world.tracebacks = holding([("relay-1.log", f"{TRACEBACK}:")], TRACEBACK)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lose_the_last, "which is not in the log"),
        (do_it_twice, "done 2 times"),
        (do_what_was_refused, "was refused, is in the log"),
        (refuse_what_was_done, "was refused, is in the log"),
        (tell_twins_apart, "under one key 200 and 409 insufficient-funds"),
        (refuse_for_another_reason, "404 not-found, version None, instead of version-mismatch"),
        (answer_the_same_with_another_body, "answers under one key differ"),
        (leave_a_gap, "in the log right after"),
        (swap_two, "version 2 in the log right after 0"),
        (change_a_record, "with two contents"),
        (make_up_a_record, "deposit nobody, nobody was told of, is in the log"),
        (give_a_version_twice, "was given to 2 operations"),
        (keep_another_balance, "acknowledged are"),
        (count_wrongly, "instead of"),
        (run_a_clock_backwards, "was updated at"),
        (leave_the_table_behind, "the table has"),
        (leave_the_index_behind, "the index has"),
        (miss_a_document, "the index has None"),
        (keep_a_deleted_document, "the index's tombstones has None"),
        (lose_a_tombstone, "the tombstones has None"),
        (share_a_handle, "2 rows have this handle"),
        (put_one_aside, "1 dead letters"),
        (let_a_secret_out, "a secret stands in command-1.log"),
        (fail_in_a_log, "a traceback stands in relay-1.log"),
        (tell_another_version, "in the log as"),
        (delete_without_a_record, "acknowledged as version"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_each_violation_is_found(made: Bank, spoil: Spoil, words: str) -> None:
    spoil(made)
    found = check(made.sent, made.world)
    assert any(words in line for line in found), found


def _next_record(made: Bank, sent: Sent, balance: int) -> Record:
    row = made.world.rows[sent.id]
    value: dict[str, Any] = {"id": sent.id, **row, "version": row["version"] + 1, "balance": row["balance"] + balance, "updated_at": "z"}
    args = {"amount": sent.operation.amount, "memo": sent.operation.mark}
    return Record(sent.id, row["version"] + 1, sent.operation.kind, value, args)


def _rest_on_the_log(made: Bank, key: str) -> None:
    last = [record for record in made.world.records if record.key == key][-1].value or {}
    made.world.rows[key] = {name: last[name] for name in ("version", "handle", "note", "balance")}
    made.world.documents[key] = dict(last)
