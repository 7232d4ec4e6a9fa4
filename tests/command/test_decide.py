"""What each command does to what is there, without any engine."""

# ruff: noqa: RUF012 - Pydantic copies defaults

from __future__ import annotations

import copy
import sys
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from itertools import count
from typing import Annotated, Any, Literal, Self

import orjson
import pytest
from pydantic import Field

from twofold import Context, Guarded, Keyword, Password, Places, Refused, Resource, Secret, Text, Unique, command
from twofold.command.decide import ANY, Command, Ledger, decide
from twofold.errors import Problem
from twofold.record import Record
from twofold.resource import Declaration
from twofold.store.port import Reply, Row
from twofold.users import User

THEN, NOW = "2026-01-01T00:00:00.000Z", "2026-01-31T12:00:00.000Z"
ANA = {"name": "Ana", "email": "ana@example.com"}
USERS = User.declaration


class Ticket(Resource, name="tickets"):
    """A bit of everything that commands can do, and can do wrong."""

    title: Annotated[str, Text(), Field(max_length=20)]
    seat: Annotated[str | None, Unique()] = None
    price: Annotated[Decimal, Places(2), Guarded()] = Decimal(0)
    status: Annotated[Literal["new", "paid"], Guarded()] = "new"
    paid_on: Annotated[date | None, Guarded()] = None
    payer: Annotated[str | None, Guarded(), Keyword()] = None
    numbers: Annotated[list[int], Guarded()] = []
    key: Secret = Secret("none")
    pin: Password

    @command(event="paid")
    def pay(self, price: Decimal, ctx: Context) -> Self:
        if self.status == "paid":
            raise Refused("already-paid", "It was paid.")
        return self.model_copy(update={"status": "paid", "price": price, "paid_on": ctx.now.date(), "payer": ctx.principal})

    @command()
    def touch(self) -> Self:
        return self

    @command()
    def count_up(self, number: int) -> Self:
        self.numbers.append(number)
        if number < 0:
            raise Refused("negative", "No.")
        return self

    @command()
    def break_(self, update: dict[str, Any]) -> Self:
        return self.model_copy(update=update)

    @command()
    def forget(self) -> Self:
        return None  # type: ignore[return-value]

    @command()
    def grow(self) -> Self:
        return self.model_copy(update={"numbers": [2**62] * 1000, "payer": "x" * 8000})


class Guest(Resource, name="guests"):
    """Every free command is replaced."""

    name: str
    visits: Annotated[int, Guarded()] = 0

    @command()
    def create(self, ctx: Context) -> Self:
        return self.model_copy(update={"name": f"{self.name} of {ctx.now.year}"})

    @command()
    def replace(self, new: Self) -> Self:
        return new.model_copy(update={"visits": self.visits + 1})

    @command()
    def patch(self, new: Self) -> Self:
        if new.name == "nobody":
            raise Refused("nobody", "A guest has a name.")
        return new

    @command()
    def delete(self) -> None:
        if self.visits:
            raise Refused("regular", "A regular is not forgotten.")


TICKETS, GUESTS = Ticket.declaration, Guest.declaration
NEW_TICKET = {"title": "Opera", "seat": None, "price": "0.00", "status": "new", "paid_on": None, "payer": None, "numbers": []}
IDS = (f"00000000-0000-7000-8000-{number:012d}" for number in count(1))


def ask(name: str, id_: str, body: Mapping[str, Any] | None = None, *, resource: Declaration = USERS, **more: Any) -> Command:
    return Command(resource, name, id_, f"event of {id_}", lambda: next(IDS), body=body or {}, **more)


def call(name: str, id_: str, **arguments: Any) -> Command:
    spec = TICKETS.commands[name]
    return ask(
        name,
        id_,
        resource=TICKETS,
        arguments=spec.arguments(**arguments),
        args=orjson.dumps(arguments, default=str).decode(),
        principal="ana",
    )


def ledger_of(*rows: Row, resource: Declaration = USERS) -> Ledger:
    """A unit that has loaded these rows, and who owns their unique values."""
    ledger = Ledger(NOW)
    for row in rows:
        ledger.before[(resource.name, row.id)] = ledger.rows[(resource.name, row.id)] = row
        for unique in resource.uniques:
            if (key := unique.unique_key(row.state[unique.name])) is not None:
                ledger.owners[(resource.name, unique.name, key)] = row.id
    return ledger


def row_of(state: Mapping[str, Any] = ANA, version: int = 1) -> Row:
    return Row(next(IDS), version, dict(state), THEN, THEN)


def refusal(ledger: Ledger, asked: Command) -> Problem:
    """The Problem, after a look that the ledger is as it was."""
    before = copy.deepcopy(ledger)
    with pytest.raises(Problem) as problem:
        decide(ledger, asked)
    assert ledger == before
    return problem.value


def code(ledger: Ledger, asked: Command) -> str:
    return refusal(ledger, asked).code


def records(ledger: Ledger) -> list[Record]:
    return [record for _, record in ledger.records]


class TestCreate:
    def test_it_is_version_1_and_says_where(self) -> None:
        ledger, id_ = Ledger(NOW), next(IDS)
        reply = decide(ledger, ask("create", id_, ANA, secrets={"password": "$hash"}))
        assert (reply.status, orjson.loads(reply.body)) == (201, {"id": id_, "version": 1, **ANA, "created_at": NOW, "updated_at": NOW})
        assert reply.headers == {"ETag": '"1"', "Consistency-Token": f"users/{id_}@1", "Location": f"/users/{id_}"}

    def test_the_row_is_inserted_with_its_secrets(self) -> None:
        ledger, id_ = Ledger(NOW), next(IDS)
        decide(ledger, ask("create", id_, ANA, secrets={"password": "$hash"}))
        writes = ledger.writes(USERS)
        assert writes.inserts == [Row(id_, 1, ANA, NOW, NOW)]
        assert (writes.secrets, writes.updates, writes.deletes) == ({id_: {"password": "$hash"}}, [], [])

    def test_the_record_holds_the_public_state_and_nothing_secret(self) -> None:
        ledger, id_ = Ledger(NOW), next(IDS)
        reply = decide(ledger, ask("create", id_, ANA, secrets={"password": "$hash"}, traceparent="00-trace"))
        (record,) = records(ledger)
        assert record == Record(id_, 1, "users.created", f"event of {id_}", NOW, reply.body, None, "00-trace")

    def test_an_id_that_exists_is_not_created_again(self) -> None:
        row = row_of(version=3)
        problem = refusal(ledger_of(row), ask("create", row.id, ANA, match=ANY))
        assert (problem.status, problem.code, problem.members) == (412, "exists", {"version": 3})

    def test_a_deleted_id_is_never_given_out_again(self) -> None:
        ledger, id_ = Ledger(NOW), next(IDS)
        ledger.deleted.add(("users", id_))
        assert code(ledger, ask("create", id_, ANA, match=ANY)) == "deleted"

    def test_a_taken_value_is_not_repeated(self) -> None:
        problem = refusal(ledger_of(row_of()), ask("create", next(IDS), {**ANA, "email": "ANA@example.com"}, secrets={"password": "x"}))
        assert (problem.status, problem.code) == (409, "email-taken")
        assert "example" not in repr((problem.detail, problem.members, problem.headers)).lower()


class TestReplaceAndPatch:
    def test_a_replacement_is_the_next_version(self) -> None:
        row = row_of(version=7)
        ledger = ledger_of(row)
        reply = decide(ledger, ask("replace", row.id, {"name": "Anna", "email": "anna@example.com"}, match=frozenset({7})))
        assert (reply.status, reply.headers["ETag"]) == (200, '"8"')
        assert ledger.writes(USERS).updates == [Row(row.id, 8, {"name": "Anna", "email": "anna@example.com"}, THEN, NOW)]
        assert [(record.type, record.version, record.value) for record in records(ledger)] == [("users.updated", 8, reply.body)]

    def test_a_replacement_without_an_optional_member_takes_its_default(self) -> None:
        row = row_of({**NEW_TICKET, "seat": "A1", "price": "9.00"})
        ledger = ledger_of(row, resource=TICKETS)
        decide(ledger, ask("replace", row.id, {"title": "Ballet"}, resource=TICKETS))
        assert ledger.rows[("tickets", row.id)].state == {**NEW_TICKET, "title": "Ballet", "price": "9.00"}

    def test_a_replacement_must_be_whole(self) -> None:
        row = row_of()
        problem = refusal(ledger_of(row), ask("replace", row.id, {"name": "Anna"}))
        assert (problem.status, problem.members["errors"][0]["pointer"]) == (422, "/email")

    def test_a_patch_changes_what_it_names(self) -> None:
        row = row_of()
        ledger = ledger_of(row)
        decide(ledger, ask("patch", row.id, {"name": "Anna"}))
        assert ledger.rows[("users", row.id)].state == {**ANA, "name": "Anna"}

    def test_null_removes_what_may_be_missing(self) -> None:
        row = row_of({**NEW_TICKET, "seat": "A1"})
        ledger = ledger_of(row, resource=TICKETS)
        decide(ledger, ask("patch", row.id, {"seat": None}, resource=TICKETS))
        assert ledger.rows[("tickets", row.id)].state["seat"] is None

    @pytest.mark.parametrize("name", ["patch", "replace"])
    def test_a_change_that_changes_nothing_is_no_change(self, name: str) -> None:
        row = row_of(version=5)
        ledger = ledger_of(row)
        reply = decide(ledger, ask(name, row.id, ANA))
        assert (reply.status, reply.headers["ETag"], orjson.loads(reply.body)["updated_at"]) == (200, '"5"', THEN)
        assert (ledger.records, ledger.writes(USERS).updates) == ([], [])

    @pytest.mark.parametrize("name", ["patch", "replace", "delete", "secret"])
    def test_who_is_not_there_is_not_found_whatever_is_asked(self, name: str) -> None:
        assert code(Ledger(NOW), ask(name, next(IDS), match=frozenset({9}))) == "not-found"

    @pytest.mark.parametrize(
        ("name", "expected"), [("patch", "deleted"), ("replace", "deleted"), ("secret", "deleted"), ("delete", "not-found")]
    )
    def test_who_was_deleted_is_gone_whatever_is_asked(self, name: str, expected: str) -> None:
        ledger, id_ = Ledger(NOW), next(IDS)
        ledger.deleted.add(("users", id_))
        assert code(ledger, ask(name, id_, match=frozenset({9}))) == expected

    @pytest.mark.parametrize("name", ["patch", "replace", "delete", "secret"])
    @pytest.mark.parametrize("match", [frozenset({1}), frozenset({3, 8}), frozenset()])
    def test_another_version_is_told(self, name: str, match: frozenset[int]) -> None:
        row = row_of(version=2)
        problem = refusal(ledger_of(row), ask(name, row.id, {"name": "Anna"}, match=match))
        assert (problem.status, problem.code, problem.members) == (412, "version-mismatch", {"version": 2})

    @pytest.mark.parametrize("match", [None, ANY, frozenset({2}), frozenset({1, 2})])
    def test_the_right_version_and_any_version_will_do(self, match: frozenset[int] | None) -> None:
        row = row_of(version=2)
        assert decide(ledger_of(row), ask("patch", row.id, {"name": "Anna"}, match=match)).headers["ETag"] == '"3"'


class TestSecret:
    def test_a_new_password_is_a_new_version_of_the_same_state(self) -> None:
        row = row_of()
        ledger = ledger_of(row)
        reply = decide(ledger, ask("secret", row.id, secrets={"password": "$new"}))
        assert (reply.status, reply.body, reply.headers["ETag"]) == (204, b"", '"2"')
        writes, (record,) = ledger.writes(USERS), records(ledger)
        assert (writes.updates, writes.secrets) == ([Row(row.id, 2, ANA, THEN, NOW)], {row.id: {"password": "$new"}})
        assert (record.type, record.version, orjson.loads(record.value or b"")["email"]) == ("users.updated", 2, "ana@example.com")
        assert "$new" not in repr(record)

    def test_of_two_in_one_batch_the_last_is_kept(self) -> None:
        row = row_of()
        ledger = ledger_of(row)
        for secret in ("$one", "$two"):
            decide(ledger, ask("secret", row.id, secrets={"password": secret}))
        assert ledger.writes(USERS).secrets == {row.id: {"password": "$two"}}
        assert [record.version for record in records(ledger)] == [2, 3]


class TestDelete:
    def test_it_leaves_a_grave_with_the_next_version(self) -> None:
        row = row_of(version=4)
        ledger = ledger_of(row)
        reply = decide(ledger, ask("delete", row.id))
        assert (reply.status, reply.body, reply.headers) == (204, b"", {"Consistency-Token": f"users/{row.id}@5"})
        writes, (record,) = ledger.writes(USERS), records(ledger)
        assert (writes.deletes, writes.updates, writes.inserts) == ([(row.id, 5, NOW)], [], [])
        assert (record.type, record.version, record.value, record.deleted) == ("users.deleted", 5, None, True)

    def test_a_second_delete_finds_nobody(self) -> None:
        row = row_of()
        ledger = ledger_of(row)
        decide(ledger, ask("delete", row.id))
        assert code(ledger, ask("delete", row.id)) == "not-found"

    def test_what_comes_after_it_in_the_batch_finds_it_gone(self) -> None:
        row = row_of()
        ledger = ledger_of(row)
        decide(ledger, ask("delete", row.id))
        for name in ("patch", "replace", "secret", "create"):
            assert code(ledger, ask(name, row.id, ANA, match=ANY)) == "deleted"

    def test_created_and_deleted_in_one_batch_is_a_grave_and_two_records(self) -> None:
        ledger, id_ = Ledger(NOW), next(IDS)
        decide(ledger, ask("create", id_, ANA, secrets={"password": "$hash"}))
        decide(ledger, ask("delete", id_))
        writes = ledger.writes(USERS)
        assert (writes.deletes, writes.inserts, writes.updates, writes.secrets) == ([(id_, 2, NOW)], [], [], {})
        assert [record.type for record in records(ledger)] == ["users.created", "users.deleted"]


class TestNeighbours:
    """Commands of one batch see what those before them did."""

    def test_of_two_that_want_one_value_the_first_has_it(self) -> None:
        ledger = Ledger(NOW)
        decide(ledger, ask("create", next(IDS), ANA))
        assert code(ledger, ask("create", next(IDS), {**ANA, "name": "Other"})) == "email-taken"

    def test_a_value_that_was_given_up_is_free(self) -> None:
        row = row_of()
        ledger = ledger_of(row)
        decide(ledger, ask("patch", row.id, {"email": "new@example.com"}))
        assert decide(ledger, ask("create", next(IDS), ANA)).status == 201
        assert code(ledger, ask("create", next(IDS), {**ANA, "email": "new@example.com"})) == "email-taken"

    def test_the_value_of_who_was_deleted_is_free(self) -> None:
        row = row_of()
        ledger = ledger_of(row)
        decide(ledger, ask("delete", row.id))
        assert decide(ledger, ask("create", next(IDS), ANA)).status == 201

    def test_a_value_in_another_form_is_still_ones_own(self) -> None:
        row = row_of()
        assert decide(ledger_of(row), ask("patch", row.id, {"email": "Ana@example.com"})).status == 200

    def test_no_value_is_never_taken(self) -> None:
        ledger = Ledger(NOW)
        for _ in range(2):
            assert decide(ledger, ask("create", next(IDS), NEW_TICKET, resource=TICKETS)).status == 201

    def test_the_same_value_in_another_resource_is_another_value(self) -> None:
        ledger = ledger_of(row_of({**NEW_TICKET, "seat": "ana@example.com"}), resource=TICKETS)
        assert decide(ledger, ask("create", next(IDS), ANA)).status == 201

    def test_versions_go_on_without_a_gap(self) -> None:
        ledger, id_ = Ledger(NOW), next(IDS)
        decide(ledger, ask("create", id_, ANA))
        for name in ("Anna", "Anne", "Ann"):
            decide(ledger, ask("patch", id_, {"name": name}))
        assert [record.version for record in records(ledger)] == [1, 2, 3, 4]
        assert [row.version for row in ledger.writes(USERS).inserts] == [4]

    def test_a_version_that_a_neighbour_made_old_does_not_match(self) -> None:
        row = row_of()
        ledger = ledger_of(row)
        decide(ledger, ask("patch", row.id, {"name": "Anna"}, match=frozenset({1})))
        assert code(ledger, ask("patch", row.id, {"name": "Anne"}, match=frozenset({1}))) == "version-mismatch"

    def test_what_was_only_looked_at_is_not_written(self) -> None:
        ledger = ledger_of(row_of())
        writes = ledger.writes(USERS)
        assert (writes.inserts, writes.updates, writes.deletes, writes.secrets) == ([], [], [], {})


class TestReceipts:
    def test_the_same_key_gets_the_same_answer(self) -> None:
        ledger, id_ = Ledger(NOW), next(IDS)
        first = decide(ledger, ask("create", id_, ANA, receipt=("key", b"asked")))
        again = decide(ledger, ask("create", next(IDS), ANA, receipt=("key", b"asked")))
        assert again == Reply(first.status, {**first.headers, "Idempotent-Replayed": "true"}, first.body, seal="")
        assert (len(ledger.records), len(ledger.new_receipts)) == (1, 1)

    def test_the_same_key_for_another_request_is_refused(self) -> None:
        ledger = Ledger(NOW)
        decide(ledger, ask("create", next(IDS), ANA, receipt=("key", b"asked")))
        assert code(ledger, ask("create", next(IDS), ANA, receipt=("key", b"something else"))) == "idempotency-key-reused"

    def test_a_replay_comes_before_everything_else(self) -> None:
        row = row_of()
        ledger = ledger_of(row)
        decide(ledger, ask("delete", row.id, receipt=("key", b"asked"), match=frozenset({1})))
        again = decide(ledger, ask("delete", row.id, receipt=("key", b"asked"), match=frozenset({1})))
        assert (again.status, again.headers["Idempotent-Replayed"]) == (204, "true")

    def test_a_refusal_leaves_no_receipt(self) -> None:
        ledger = ledger_of(row_of())
        assert code(ledger, ask("create", next(IDS), ANA, receipt=("key", b"asked"))) == "email-taken"
        assert ledger.new_receipts == []

    def test_a_change_that_changes_nothing_leaves_a_receipt(self) -> None:
        row = row_of()
        ledger = ledger_of(row)
        decide(ledger, ask("patch", row.id, ANA, receipt=("key", b"asked")))
        assert [receipt.key for receipt in ledger.new_receipts] == [("", "users", "key")]


class TestDomainCommands:
    @pytest.fixture
    def ticket(self) -> Row:
        return row_of(NEW_TICKET)

    @pytest.fixture
    def ledger(self, ticket: Row) -> Ledger:
        return ledger_of(ticket, resource=TICKETS)

    def test_the_method_leads_to_the_next_state(self, ticket: Row, ledger: Ledger) -> None:
        reply = decide(ledger, call("pay", ticket.id, price=Decimal("9.5")))
        body = orjson.loads(reply.body)
        assert reply.status == 200
        assert {**NEW_TICKET, "status": "paid", "price": "9.50", "paid_on": "2026-01-31", "payer": "ana"}.items() <= body.items()

    def test_its_event_and_arguments_travel(self, ticket: Row, ledger: Ledger) -> None:
        decide(ledger, call("pay", ticket.id, price=Decimal("9.5")))
        assert [(record.type, record.args) for record in records(ledger)] == [("tickets.paid", '{"price":"9.5"}')]

    def test_its_refusal_is_a_conflict_in_its_words(self, ticket: Row, ledger: Ledger) -> None:
        decide(ledger, call("pay", ticket.id, price=Decimal(1)))
        problem = refusal(ledger, call("pay", ticket.id, price=Decimal(2)))
        assert (problem.status, problem.code, problem.detail) == (409, "already-paid", "It was paid.")
        assert problem.members["type"] == "/problems/refused"

    def test_a_command_that_changes_nothing_is_an_event_all_the_same(self, ticket: Row, ledger: Ledger) -> None:
        assert decide(ledger, call("touch", ticket.id)).headers["ETag"] == '"2"'

    @pytest.mark.parametrize(
        ("update", "pointer"),
        [
            ({"status": "lost"}, "/status"),
            ({"statsu": "paid"}, "/statsu"),
            ({"price": "0.001"}, "/price"),
            ({"price": Decimal(10) ** 17}, "/price"),
            ({"price": None}, "/price"),
            ({"title": "x" * 21}, "/title"),
            ({"title": "zero\0byte"}, "/title"),
            ({"numbers": [2**63]}, "/numbers"),
            ({"id": "another"}, "/id"),
            ({"version": 99}, "/version"),
        ],
    )
    def test_a_result_is_validated_like_input(self, ticket: Row, ledger: Ledger, update: dict[str, Any], pointer: str) -> None:
        problem = refusal(ledger, call("break_", ticket.id, update=update))
        assert (problem.status, problem.members["errors"][0]["pointer"]) == (422, pointer)
        assert {str(value) for value in update.values()}.isdisjoint(repr(problem.members).split())

    @pytest.mark.parametrize(
        "asked", [("break_", {"update": {"pin": "secret"}}), ("break_", {"update": {"key": "secret"}}), ("forget", {})]
    )
    def test_secrets_and_nothing_are_no_results(self, ticket: Row, ledger: Ledger, asked: tuple[str, dict[str, Any]]) -> None:
        before = copy.deepcopy(ledger)
        with pytest.raises(TypeError, match=r"Ticket\.(break_|forget) (set a secret|returned NoneType)"):
            decide(ledger, call(asked[0], ticket.id, **asked[1]))
        assert ledger == before

    def test_secrets_are_not_in_self(self, ticket: Row, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
        seen: list[Any] = []
        monkeypatch.setattr(Ticket, "touch", lambda self: seen.append((self.pin, self.key)) or self)
        decide(ledger, call("touch", ticket.id))
        assert seen == [(None, None)]

    def test_what_a_command_did_before_it_refused_is_undone(self, ticket: Row, ledger: Ledger) -> None:
        assert code(ledger, call("count_up", ticket.id, number=-1)) == "negative"
        assert ledger.rows[("tickets", ticket.id)].state["numbers"] == []

    def test_a_list_that_was_changed_in_place_is_a_change(self, ticket: Row, ledger: Ledger) -> None:
        for number in (1, 2):
            decide(ledger, call("count_up", ticket.id, number=number))
        assert [orjson.loads(record.value or b"")["numbers"] for record in records(ledger)] == [[1], [1, 2]]

    def test_what_is_too_large_for_the_log_is_refused(self, ticket: Row, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys.modules[decide.__module__], "MAX_VALUE", 20_000)
        assert (refusal(ledger, call("grow", ticket.id)).status, code(ledger, call("grow", ticket.id))) == (422, "too-large")


class TestFreeCommandsOfOnesOwn:
    def test_create_makes_the_state(self) -> None:
        ledger = Ledger(NOW)
        decide(ledger, ask("create", next(IDS), {"name": "Ana", "visits": 0}, resource=GUESTS))
        assert [row.state for row in ledger.writes(GUESTS).inserts] == [{"name": "Ana of 2026", "visits": 0}]

    def test_replace_and_patch_get_what_is_asked_for(self) -> None:
        row = row_of({"name": "Ana", "visits": 0})
        ledger = ledger_of(row, resource=GUESTS)
        decide(ledger, ask("replace", row.id, {"name": "Anna"}, resource=GUESTS))
        decide(ledger, ask("patch", row.id, {"name": "Anne"}, resource=GUESTS))
        assert ledger.rows[("guests", row.id)].state == {"name": "Anne", "visits": 1}
        assert [record.type for record in records(ledger)] == ["guests.updated", "guests.updated"]

    def test_patch_and_delete_may_refuse(self) -> None:
        row = row_of({"name": "Ana", "visits": 3})
        ledger = ledger_of(row, resource=GUESTS)
        assert code(ledger, ask("patch", row.id, {"name": "nobody"}, resource=GUESTS)) == "nobody"
        assert code(ledger, ask("delete", row.id, resource=GUESTS)) == "regular"


def test_a_batch_of_many_leaves_exactly_one_write_per_row() -> None:
    """However commands and refusals are mixed, each row is written once and each record's version follows the one before."""
    ledger, ids = Ledger(NOW), [next(IDS) for _ in range(5)]
    for number, (id_, name) in enumerate(_mixture(ids)):
        body = {"name": f"Name {number}", "email": f"{number % 7}@example.com"}
        try:
            decide(ledger, ask(name, id_, body, match=ANY))
        except Problem:
            continue
    writes = ledger.writes(USERS)
    written = [row.id for row in writes.inserts] + [id_ for id_, _, _ in writes.deletes]
    assert len(written) == len(set(written))
    for id_ in ids:
        versions = [record.version for record in records(ledger) if record.key == id_]
        assert versions == list(range(1, len(versions) + 1))
    emails = [row.state["email"] for row in writes.inserts]
    assert len(emails) == len(set(emails))


def _mixture(ids: list[str]) -> Iterator[tuple[str, str]]:
    for number in range(200):
        yield ids[number * 3 % len(ids)], ("create", "patch", "patch", "replace", "delete")[number % 11 % 5 if number > 150 else number % 4]
