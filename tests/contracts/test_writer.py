"""Group commit on real stores: one answer per command, each true, whatever the neighbours or the engine do."""

from __future__ import annotations

import random
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any

import orjson
import pytest
from mysqld import Private, Stranger, connect, query, waiting
from proxy import Proxy
from sqlalchemy import event, make_url, select
from store_contract import (
    APP,
    MEMBERS,
    SAMPLES,
    SECRETS,
    counted,
    emptied,
    hold,
    loaded,
    member,
    new_id,
    old_receipt,
    sample,
    through,
    until,
)
from structlog.testing import capture_logs
from test_store import fail_at_commit

from twofold.command import writer as writing
from twofold.command.decide import ANY, Command, Ledger
from twofold.command.writer import Answer, Writer
from twofold.errors import Contended, Problem
from twofold.record import Record
from twofold.resource import Declaration
from twofold.runtime.batcher import LATER
from twofold.runtime.failures import Failures
from twofold.store.database import Database
from twofold.store.outbox import SqlOutbox
from twofold.store.port import Reply, Tombstone, Writes
from twofold.store.sql import SqlStore, SqlUnit


def command(name: str, id_: str, **more: Any) -> Command:
    return Command(MEMBERS, name, id_, new_id(), new_id, **more)


def create(email: str = "", id_: str = "", **more: Any) -> Command:
    row = member(email, id_=id_)
    return command("create", row.id, body=dict(row.state), secrets=SECRETS, **more)


def patch(id_: str, body: dict[str, Any], **more: Any) -> Command:
    return command("patch", id_, body=body, **more)


def keyed(key: str, request: int = 0) -> dict[str, Any]:
    return {"receipt": (key, bytes([request]) * 32)}


def rename(id_: str, mail: str) -> Command:
    return command("rename", id_, arguments=MEMBERS.commands["rename"].arguments(mail=mail))


def _twin(kind: str, id_: str, mail: str, key: str) -> Command:
    """One of two commands that ask for the same thing."""
    one, same = {"match": frozenset([1]), **keyed(key)}, uuid_of(key, id_)
    if kind == "patch":
        return patch(id_, {"name": "Bo"}, **one)
    if kind == "replace":
        return command("replace", id_, body={"name": "Bo", "email": mail}, **one)
    if kind == "secret":
        return command("secret", id_, secrets={"pin": "5678"}, **one)
    if kind == "close":
        return command("close", id_, arguments=MEMBERS.commands["close"].arguments(), **keyed(key))
    if kind == "put":
        return create(mail, id_=same, match=ANY, **keyed(key))
    return command("delete", id_, **keyed(key)) if kind == "delete" else create(mail if "unique" in kind else "", **keyed(key))


def _run_into(answers: list[Answer], writer: Writer, one: Command) -> None:
    answers += writer.run([one])


def uuid_of(*names: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, " ".join(names)))


@contextmanager
def before_statement(store: SqlStore, which: int | str) -> Iterator[Callable[[Callable[[], Any]], None]]:
    """Calls what is handed in before the statement of that number, or each that begins so; never behind the first row or record."""
    number, calls, over = 0, [], False

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        nonlocal number, over
        if statement.startswith(which) if isinstance(which, str) else number == which and not over:
            for call in calls:
                call()
        number += 1
        over = over or statement.startswith(("INSERT INTO members", "INSERT INTO outbox"))

    event.listen(store._database._writer, "before_cursor_execute", note)
    yield calls.append
    event.remove(store._database._writer, "before_cursor_execute", note)


def told(answers: Sequence[Answer]) -> list[Any]:
    """Status and, of a problem, its code."""
    return [(a.status, a.code) if isinstance(a, Problem) else a.status if isinstance(a, Reply) else a for a in answers]


def outcome(writer: Writer, one: Command) -> Any:
    try:
        return told([writer.submit(one).result(30)])[0]
    except Problem as problem:
        return told([problem])[0]


def records(outbox: SqlOutbox) -> dict[str, list[Record]]:
    lines = defaultdict(list)
    for _, _, record in outbox.pending(100_000):
        lines[record.key].append(record)
    return lines


def check_consistent(store: SqlStore, outbox: SqlOutbox) -> None:
    """Every row is as its newest record says, every deleted id's newest record is a tombstone, versions are 1, 2, 3, … per key."""
    lines = records(outbox)
    tables, newest = store._tables, {}
    for key, line in lines.items():
        assert [record.version for record in line] == list(range(1, len(line) + 1))
        newest[key] = line[-1]
    with store._database.read() as connection:
        alive = set(connection.scalars(select(tables.resources["members"].c.id)))
        graves = dict(connection.execute(select(tables.tombstone.c.id, tables.tombstone.c.version)).all())
    rows = {id_: row for some in chunks(sorted(alive)) for id_, row in loaded(store, *some).items()}
    assert {key for key, record in newest.items() if not record.deleted} == rows.keys()
    assert {key: record.version for key, record in newest.items() if record.deleted} == graves
    for id_, row in rows.items():
        state = {"id": id_, "version": row.version, **row.state, "created_at": row.created_at, "updated_at": row.updated_at}
        assert orjson.loads(newest[id_].value or b"") == state


def chunks(ids: list[str], size: int = 500) -> Iterator[list[str]]:
    return (ids[start : start + size] for start in range(0, len(ids), size))


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with capture_logs():
        yield


@contextmanager
def running(store: SqlStore) -> Iterator[Writer]:
    writer = Writer(store)
    yield writer
    writer.stop()


class Cases:
    """Bound by one fixture, `database`."""

    @pytest.fixture
    def store(self, database: Database) -> SqlStore:
        return SqlStore(APP, database)

    @pytest.fixture
    def outbox(self, database: Database) -> SqlOutbox:
        return SqlOutbox(APP, database)

    @pytest.fixture
    def writer(self, store: SqlStore, outbox: SqlOutbox) -> Iterator[Writer]:
        with running(store) as writer:
            yield writer
        check_consistent(store, outbox)

    def test_a_taken_value_is_refused_alone(self, writer: Writer, store: SqlStore) -> None:
        ana, rival, neighbour, late = create("ana@x.de"), create("ANA@x.de"), create(), create("ana@x.de")
        assert told(writer.run([ana])) == [201]
        assert told(writer.run([rival, neighbour, late])) == [(409, "email-taken"), 201, (409, "email-taken")]
        assert loaded(store, ana.id, rival.id)[ana.id].state["email"] == "ana@x.de"
        assert store.count(MEMBERS) == 2

    def test_a_value_that_a_neighbour_took_is_refused(self, writer: Writer) -> None:
        assert told(writer.run([create("ana@x.de"), create("ANA@x.de"), create()])) == [201, (409, "email-taken"), 201]

    def test_a_value_that_only_the_index_knows_to_be_taken_is_refused_alone(self, writer: Writer) -> None:
        """A command of the app makes the value: nobody could look it up."""
        ana, bo, cy = create(), create(), create()
        writer.run([ana, bo, cy])
        answers = writer.run([rename(ana.id, "m"), rename(bo.id, "n"), patch(cy.id, {"name": "Cy"})])
        assert told(answers) == [200, 200, 200]
        answers = writer.run([create(), rename(ana.id, "N"), patch(cy.id, {"name": "Di"}), create()])
        assert told(answers) == [201, (409, "mail-taken"), 200, 201]

    def test_a_taken_id_is_refused_alone_and_its_row_kept(self, writer: Writer, store: SqlStore) -> None:
        ana = create("ana@x.de")
        writer.run([ana])
        answers = writer.run([create("eve@x.de", id_=ana.id, match=ANY), create()])
        assert told(answers) == [(412, "exists"), 201]
        assert loaded(store, ana.id)[ana.id].state["email"] == "ana@x.de"

    def test_a_value_is_free_once_its_owner_is_deleted_in_the_same_batch(self, writer: Writer) -> None:
        ana = create("ana@x.de")
        writer.run([ana])
        again, third = create("ana@x.de"), create("ana@x.de")
        answers = writer.run([command("delete", ana.id), again, third, command("delete", again.id), create("ana@x.de")])
        assert told(answers) == [204, 201, (409, "email-taken"), 204, 201]

    def test_what_is_created_and_deleted_in_one_batch_costs_one_unit(self, writer: Writer, store: SqlStore, outbox: SqlOutbox) -> None:
        old, new, put = create(), create(**keyed("k")), create(match=ANY)
        writer.run([old])
        with counted(store) as sent:
            asked = [new, put, patch(put.id, {"name": "Bo"}), *(command("delete", one.id) for one in (new, put, old)), create()]
            assert told(writer.run(asked)) == [201, 201, 200, 204, 204, 204, 201]
        assert sum(statement.startswith("INSERT INTO unit") for statement, _ in sent) == 1
        found = store.fetch(MEMBERS, [new.id, put.id, old.id])
        assert {id_: one.version for id_, one in found.items() if isinstance(one, Tombstone)} == {new.id: 2, put.id: 3, old.id: 2}
        assert [record.deleted for record in records(outbox)[new.id]] == [False, True]

    def test_no_seal_is_kept_of_what_is_deleted_in_the_same_batch(self, writer: Writer, store: SqlStore) -> None:
        old, gone = create(), create(**keyed("gone"), seal="$argon2id$gone")
        writer.run([old])
        changed = command("secret", old.id, secrets={"pin": "5"}, **keyed("pin"), seal="$argon2id$pin")
        kept = create(**keyed("kept"), seal="$argon2id$kept")
        writer.run([changed, gone, kept, command("delete", old.id), command("delete", gone.id)])
        with store.unit() as unit:
            found = unit.receipts([key for one in (changed, gone, kept) if (key := one.key)])
        assert [found[one.key].seal for one in (changed, gone, kept) if one.key] == [None, None, "$argon2id$kept"]

    def test_values_change_hands_in_one_batch(self, writer: Writer) -> None:
        a, b, c = (create(f"{name}@x.de") for name in "abc")
        writer.run([a, b, c])
        turns = [patch(a.id, {"email": "d@x.de"}), patch(b.id, {"email": "a@x.de"}), patch(c.id, {"email": "b@x.de"})]
        for order in (turns, [patch(c.id, {"email": "c@x.de"}), patch(b.id, {"email": "b@x.de"}), patch(a.id, {"email": "a@x.de"})]):
            assert told(writer.run(order)) == [200, 200, 200]

    def test_commands_on_one_row_see_each_other(self, writer: Writer, outbox: SqlOutbox) -> None:
        ana = create()
        steps = [ana, *(patch(ana.id, {"name": f"{n}"}, match=frozenset({n + 1})) for n in range(3)), command("close", ana.id)]
        steps += [command("close", ana.id), command("delete", ana.id), patch(ana.id, {"name": "x"})]
        answers = writer.run(steps)
        assert told(answers) == [201, 200, 200, 200, 200, (409, "already-closed"), 204, (410, "deleted")]
        assert [record.type.rpartition(".")[2] for record in records(outbox)[ana.id]] == ["created", *["updated"] * 3, "closed", "deleted"]

    def test_a_batch_of_several_resources(self, writer: Writer, store: SqlStore) -> None:
        row = sample(0)
        other = Command(SAMPLES, "create", row.id, new_id(), new_id, body=dict(row.state))
        batch = [create(), other, create(), Command(SAMPLES, "delete", row.id, new_id(), new_id)]
        assert told(writer.run(batch[:3])) == [201, 201, 201]
        assert store.count(SAMPLES) == 1
        assert told(writer.run(batch[3:])) == [204]

    def test_units_of_several_resources_lock_them_in_one_order(self, writer: Writer, store: SqlStore) -> None:
        """Or two of them could wait for each other."""
        orders = []
        for turn in (1, -1):
            with counted(store) as sent:
                writer.run([create(), Command(SAMPLES, "delete", new_id(), new_id(), new_id)][::turn])
            orders.append([[name for name in ("members", "samples") if name in str(values)] for told, values in sent if "fence" in told])
        assert orders == [[["members"], ["samples"]]] * 2

    def test_a_key_used_twice_in_a_batch_does_its_command_once(self, writer: Writer, store: SqlStore) -> None:
        first, again, other = create("a@x.de", **keyed("k")), create("a@x.de", **keyed("k")), create("b@x.de", **keyed("k", 1))
        answers = writer.run([first, again, other, create()])
        assert told(answers) == [201, 201, (422, "idempotency-key-reused"), 201]
        assert isinstance(answers[0], Reply)
        assert isinstance(answers[1], Reply)
        assert answers[1].body == answers[0].body
        assert answers[1].headers == {**answers[0].headers, "Idempotent-Replayed": "true"}
        later = writer.run([create("a@x.de", **keyed("k"))])[0]
        assert later == answers[1]
        assert store.count(MEMBERS) == 2

    def test_a_refusal_leaves_no_receipt(self, writer: Writer) -> None:
        ana = create("ana@x.de")
        writer.run([ana])
        assert told(writer.run([create("ana@x.de", **keyed("k"))])) == [(409, "email-taken")]
        writer.run([command("delete", ana.id)])
        assert told(writer.run([create("ana@x.de", **keyed("k"))])) == [201]

    def test_a_command_that_changes_nothing_leaves_a_receipt(self, writer: Writer) -> None:
        """Or it would be done, a second time asked, after somebody else's change."""
        ana = create()
        writer.run([ana])
        same = patch(ana.id, {"name": "Ana"}, **keyed("k"))
        assert told(writer.run([same])) == [200]
        writer.run([patch(ana.id, {"name": "Bo"})])
        answer = writer.run([same])[0]
        assert isinstance(answer, Reply)
        assert (answer.headers["Idempotent-Replayed"], orjson.loads(answer.body)["name"]) == ("true", "Bo")

    def test_the_answer_to_a_repeated_command_is_the_first_as_long_as_the_resource_stays(self, writer: Writer) -> None:
        one = create()
        asked = [
            create(id_=one.id, email=str(one.body["email"]), **keyed("create")),
            patch(one.id, {"name": "Bo"}, **keyed("patch")),
            patch(one.id, {"name": "Bo"}, **keyed("nothing")),
            command("replace", one.id, body={"name": "Cy", "email": f"{new_id()}@x.de"}, **keyed("replace")),
            command("secret", one.id, secrets={"pin": "5"}, **keyed("secret")),
            command("close", one.id, arguments=MEMBERS.commands["close"].arguments(), **keyed("close")),
            command("delete", one.id, **keyed("delete")),
        ]
        for each in asked:
            first, again = writer.run([each])[0], writer.run([each])[0]
            assert isinstance(first, Reply)
            assert again == Reply(first.status, {**first.headers, "Idempotent-Replayed": "true"}, first.body, seal="")

    def test_a_repeated_creation_is_answered_under_the_first_id(self, writer: Writer, store: SqlStore) -> None:
        first, other = create("ana@x.de", **keyed("k")), create("ana@x.de", **keyed("k"))
        answers = [writer.run([each])[0] for each in (first, other)]
        assert all(isinstance(answer, Reply) for answer in answers)
        assert [orjson.loads(answer.body)["id"] for answer in answers if isinstance(answer, Reply)] == [first.id] * 2
        assert store.count(MEMBERS) == 1

    def test_what_has_moved_on_is_answered_as_it_is_now(self, writer: Writer) -> None:
        """The receipt keeps no body; version, ETag and token say which version is shown."""
        first = create("ana@x.de", **keyed("create"))
        changed = patch(first.id, {"name": "Bo"}, **keyed("patch"))
        writer.run([first])
        writer.run([changed])
        writer.run([patch(first.id, {"name": "Cy"})])
        shown = {"ETag": '"3"', "Consistency-Token": f"members/{first.id}@3", "Idempotent-Replayed": "true"}
        for asked, status, more in ((create("ana@x.de", **keyed("create")), 201, {"Location": f"/members/{first.id}"}), (changed, 200, {})):
            answer = writer.run([asked])[0]
            assert isinstance(answer, Reply)
            assert (answer.status, answer.headers) == (status, shown | more)
            assert {name: orjson.loads(answer.body)[name] for name in ("name", "version")} == {"name": "Cy", "version": 3}

    def test_what_is_deleted_is_neither_done_again_nor_shown(self, writer: Writer, store: SqlStore) -> None:
        first = create("ana@x.de", **keyed("k"))
        assert told(writer.run([first, command("delete", first.id)])) == [201, 204]
        answer = writer.run([create("ana@x.de", **keyed("k"))])[0]
        assert told([answer]) == [(410, "deleted")]
        assert (store.count(MEMBERS), "ana" in str(answer)) == (0, False)

    def test_a_receipt_of_the_version_before_is_answered_as_it_was_kept(self, writer: Writer, store: SqlStore) -> None:
        old_receipt(store, "k", b'{"id":"1"}')
        answer = writer.run([create(receipt=("k", bytes(range(32))))])[0]
        assert answer == Reply(201, {"ETag": '"1"', "Idempotent-Replayed": "true"}, b'{"id":"1"}')
        assert told(writer.run([create(**keyed("k"))])) == [(422, "idempotency-key-reused")]
        assert store.count(MEMBERS) == 0

    def test_one_key_is_another_for_another_resource_and_another_who_asks(self, writer: Writer, store: SqlStore) -> None:
        row = sample(0)
        other = Command(SAMPLES, "create", row.id, new_id(), new_id, body=dict(row.state), **keyed("k"))
        assert told(writer.run([create(**keyed("k")), other, create(**keyed("k"), principal="ana"), create(**keyed("k"))])) == [201] * 4
        assert (store.count(MEMBERS), store.count(SAMPLES)) == (2, 1)
        writer.run([Command(SAMPLES, "delete", row.id, new_id(), new_id)])  # or it would be missed among the members

    def test_time_never_runs_backwards(self, writer: Writer, store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
        """Not even where another machine, whose clock is ahead, changed the resource before."""
        one = create()
        times = ["2040-01-01T00:00:00.000Z", "2030-01-01T00:00:00.000Z", "2041-01-01T00:00:00.000Z", "2030-01-01T00:00:00.000Z"]
        asked = [one, patch(one.id, {"name": "Bo"}), patch(one.id, {"name": "Cy"}), command("delete", one.id)]
        for each, now in zip(asked, times, strict=True):
            monkeypatch.setitem(writing.load.__globals__, "timestamp", lambda _, now=now: now)
            writer.run([each])
            if each.name == "patch":
                assert loaded(store, one.id)[one.id].updated_at == max(times[:2] if now < times[2] else times)
        grave = store.fetch(MEMBERS, [one.id])[one.id]
        assert isinstance(grave, Tombstone)
        assert grave.deleted_at == times[2]

    def test_an_error_that_nobody_expected_is_told_to_those_that_it_met(
        self, writer: Writer, store: SqlStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What was committed beside them is told as done."""
        ana, bo = create(), create()
        writer.run([ana, bo])
        writer.run([rename(ana.id, "m")])
        last, unit = create(), Writer._unit

        def failing(writer: Writer, commands: Sequence[Command]) -> list[Answer]:
            if list(commands) == [last]:
                raise ZeroDivisionError
            return unit(writer, commands)

        monkeypatch.setattr(Writer, "_unit", failing)
        first, refused, failed = create(), rename(bo.id, "m"), last
        answers = writer.run([first, refused, failed])
        assert told(answers[:2]) == [201, (409, "mail-taken")]
        assert isinstance(answers[2], ZeroDivisionError)
        assert loaded(store, first.id, last.id).keys() == {first.id}

    def test_what_fails_behind_a_commit_makes_no_error_of_it(self, store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
        """Whoever is told of commits may fail; it is logged, and not at each."""
        monkeypatch.setattr(writing, "_FAILURES", Failures())
        one, calls = create(), []

        def broken() -> None:
            calls.append(loaded(store, one.id)[one.id].version)
            raise RuntimeError("nobody is there")

        writer = Writer(store, broken)
        with capture_logs() as logs:
            answers = [outcome(writer, each) for each in (one, patch(one.id, {"name": "Bo"}))]
        writer.stop()
        assert (answers, calls) == ([201, 200], [1, 2])
        assert [(line["event"], line["log_level"]) for line in logs] == [("a commit was not told on", "error")]

    def test_a_connection_that_breaks_behind_a_commit_makes_no_error_of_it(self, writer: Writer, store: SqlStore) -> None:
        def broken(*_: Any) -> None:
            raise OSError("gone")

        ana = create()
        event.listen(store._database._writer.pool, "reset", broken)
        try:
            assert told(writer.run([ana])) == [201]
            assert told(writer.run([patch(ana.id, {"name": "Bo"}), create()])) == [200, 201]
        finally:
            event.remove(store._database._writer.pool, "reset", broken)
        assert loaded(store, ana.id)[ana.id].version == 2

    def test_locks_that_do_not_hold_stop_their_own_commands_only(
        self, writer: Writer, store: SqlStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Not for long either: what fails twice in this way fails again."""
        bad = [create(), create()]
        writer.run(bad)
        original = Ledger.writes

        def changed(ledger: Ledger, resource: Declaration) -> Writes:
            writes = original(ledger, resource)
            writes.replaces.update({one.id: 99 for one in bad if one.id in writes.replaces})
            return writes

        monkeypatch.setattr(Ledger, "writes", changed)
        with counted(store) as sent:
            answers = told(writer.run([create(), patch(bad[0].id, {"name": "Bo"}), patch(bad[1].id, {"name": "Bo"}), create()]))
        assert answers == [201, (503, "row-locked"), (503, "row-locked"), 201]
        assert sum(statement.startswith("INSERT INTO unit") for statement, _ in sent) == 2 + 2 * (2 + 1 + 2)

    def test_a_command_that_is_broken_fails_alone(self, writer: Writer) -> None:
        ana, bo = create(), create()
        assert told(writer.run([ana, bo])) == [201, 201]
        answers = writer.run([command("crash", ana.id), patch(ana.id, {"name": "Bo"}), command("crash", bo.id), create()])
        assert told(answers) == [(500, "command-broken"), 200, (500, "command-broken"), 201]

    @pytest.mark.parametrize("value", [2**63, None])
    def test_a_command_that_the_store_refuses_fails_alone(self, writer: Writer, value: Any) -> None:
        """What passed validation and should not have."""
        row = sample(0)
        poison = Command(SAMPLES, "create", row.id, new_id(), new_id, body={**row.state, "whole": value})
        assert told(writer.run([create(), poison, create()])) == [201, (422, "refused-by-store"), 201]

    def test_one_bad_command_among_many_costs_few_transactions(self, writer: Writer, store: SqlStore) -> None:
        """A client that repeats it must not turn the commit of 256 commands into 256."""
        ana, bo = create(), create()
        writer.run([ana, bo])
        writer.run([rename(ana.id, "m")])
        with counted(store) as sent:
            answers = told(writer.run([*(create() for _ in range(100)), rename(bo.id, "m"), *(create() for _ in range(155))]))
        assert (answers.count(201), answers[100]) == (255, (409, "mail-taken"))
        assert sum(statement.startswith("INSERT INTO unit") for statement, _ in sent) < 30

    def test_unique_values_are_looked_up_only_after_one_was_taken(self, writer: Writer, store: SqlStore) -> None:
        def looked_up(*commands: Command) -> int:
            with counted(store) as sent:
                writer.run(commands)
            return sum("email_key" in statement for statement, _ in sent if statement.startswith("SELECT"))

        assert looked_up(create("ana@x.de")) == 0
        assert looked_up(create("ana@x.de"), create()) == 1  # tried, looked up, and tried again
        assert looked_up(create()) == 1
        writer._wary_until = 0.0
        assert looked_up(create()) == 0

    @pytest.mark.parametrize("wary", [False, True])
    def test_a_value_that_a_row_of_the_batch_holds_is_given_up_in_order(self, writer: Writer, outbox: SqlOutbox, wary: bool) -> None:
        ana = create("ana@x.de")
        assert told(writer.run([ana])) == [201]
        writer._wary_until = time.monotonic() + 60 if wary else 0.0
        moved = patch(ana.id, {"email": "other@x.de"})
        assert told(writer.run([create("ana@x.de"), moved, create("ana@x.de")])) == [(409, "email-taken"), 200, 201]

    def test_no_answer_leaves_before_the_commit(self, store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
        reached, go, commit = threading.Event(), threading.Event(), SqlUnit.commit

        def slow(unit: SqlUnit) -> None:
            reached.set()
            assert go.wait(10)
            commit(unit)

        monkeypatch.setattr(SqlUnit, "commit", slow)
        with running(store) as writer:
            futures = [writer.submit(one) for one in (create(), patch(new_id(), {"name": "x"}))]
            assert reached.wait(10)
            assert not any(future.done() for future in futures)
            go.set()
            assert futures[0].result(10).status == 201
            with pytest.raises(Problem):
                futures[1].result(10)

    def test_the_number_of_statements_does_not_depend_on_the_number_of_commands(self, writer: Writer, store: SqlStore) -> None:
        numbers = defaultdict(set)
        for size in (1, 10, 256):
            old = [create() for _ in range(size)]
            for name, batch in {
                "creates": old,
                "patches": [patch(one.id, {"name": new_id()}) for one in old],
                "everything": [
                    each
                    for one in old
                    for each in (create(**keyed(new_id())), patch(one.id, {"email": f"{new_id()}@y.de"}), patch(new_id(), {}))
                ],
                "deletes": [command("delete", one.id) for one in old],
            }.items():
                with counted(store) as sent:
                    writer.run(batch)
                numbers[name].add(len(sent) + 1)
        assert numbers == {"creates": {4}, "patches": {5}, "deletes": {7}, "everything": {9}}

    def test_of_many_that_want_one_value_one_gets_it(self, writers: list[Writer], store: SqlStore, outbox: SqlOutbox) -> None:
        with ThreadPoolExecutor(32) as pool:
            answers = list(pool.map(lambda n: outcome(writers[n % len(writers)], create("ana@x.de")), range(100)))
        assert (answers.count(201), answers.count((409, "email-taken"))) == (1, 99)
        check_consistent(store, outbox)

    def test_of_many_that_want_one_id_one_gets_it(self, writers: list[Writer], store: SqlStore, outbox: SqlOutbox) -> None:
        id_ = new_id()
        with ThreadPoolExecutor(32) as pool:
            answers = list(pool.map(lambda n: outcome(writers[n % len(writers)], create(f"{n}@x.de", id_=id_, match=ANY)), range(100)))
        assert (answers.count(201), answers.count((412, "exists"))) == (1, 99)
        check_consistent(store, outbox)

    def test_of_many_with_one_key_one_is_done(self, writers: list[Writer], store: SqlStore, outbox: SqlOutbox) -> None:
        with ThreadPoolExecutor(32) as pool:
            answers = list(pool.map(lambda n: outcome(writers[n % len(writers)], create(**keyed("k"))), range(50)))
        assert answers == [201] * 50
        assert store.count(MEMBERS) == 1
        check_consistent(store, outbox)

    def test_many_mixed_commands_leave_rows_and_records_in_step(self, writers: list[Writer], store: SqlStore, outbox: SqlOutbox) -> None:
        lock, ids = threading.Lock(), [new_id() for _ in range(20)]
        answers: dict[Any, int] = defaultdict(int)

        def work(seed: int) -> None:
            dice, writer = random.Random(seed), writers[seed % len(writers)]
            for _ in range(125):
                id_, mail = dice.choice(ids), f"{dice.randrange(40)}@x.de"
                fresh = new_id()
                kinds = [
                    create(mail, id_=fresh),
                    create(mail, id_=id_, match=ANY),
                    patch(id_, {"name": new_id()}),
                    patch(id_, {"email": mail}),
                    rename(id_, mail),
                    command("close", id_),
                    command("secret", id_, secrets={"pin": mail}),
                    command("crash", id_),
                    create(f"{fresh}@x.de", id_=fresh, **keyed(mail)),
                ]
                one = dice.choices([*kinds, command("delete", id_)], [10, 10, 10, 10, 1, 10, 10, 1, 10, 2])[0]
                found = outcome(writer, one)
                with lock:
                    answers[found] += 1
                    if found == 201:
                        ids.append(one.id)

        with ThreadPoolExecutor(16) as pool:
            list(pool.map(work, range(16)))
        check_consistent(store, outbox)
        assert sum(answers.values()) == 2000
        assert not any(isinstance(found, tuple) and found[0] == 503 for found in answers)


class TestSqlite(Cases):
    @pytest.fixture
    def database(self, sqlite_database: Database) -> Database:
        return sqlite_database

    @pytest.fixture
    def writers(self, store: SqlStore) -> Iterator[list[Writer]]:
        with running(store) as writer:
            yield [writer]


    @pytest.mark.parametrize("done", [True, False])
    def test_a_commit_with_an_io_error_is_done_exactly_once(self, writer: Writer, monkeypatch: pytest.MonkeyPatch, done: bool) -> None:
        ana, failures = create(), 1
        dialect = writer._store._database.sqlalchemy  # type: ignore[attr-defined]
        commit = dialect.do_commit

        def sometimes(connection: Any) -> None:
            nonlocal failures
            failures -= 1
            fail_at_commit(done, connection) if failures == 0 else commit(connection)

        monkeypatch.setattr(dialect, "do_commit", sometimes)
        assert told(writer.run([ana])) == [201]
        failures = 1
        assert told(writer.run([patch(ana.id, {"name": "Bo"})])) == [200]

    def test_a_commit_whose_outcome_no_later_one_tells_is_unknown(self, writer: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
        new = create(**keyed("k"))
        with monkeypatch.context() as broken:
            broken.setattr(writer._store._database.sqlalchemy, "do_commit", partial(fail_at_commit, True))  # type: ignore[attr-defined]
            assert told(writer.run([new])) == [(503, "outcome-unknown")]
        answer = writer.run([new])[0]
        assert isinstance(answer, Reply)
        assert (answer.status, answer.headers["Idempotent-Replayed"]) == (201, "true")


@pytest.mark.engine
class TestMysql(Cases):
    @pytest.fixture
    def database(self, mysql_database: Database) -> Database:
        return mysql_database

    @pytest.fixture
    def writers(self, mysql: str, store: SqlStore) -> Iterator[list[Writer]]:
        """Those of two processes."""
        other = SqlStore(APP, Database(mysql))
        with running(store) as one, running(other) as two:
            yield [one, two]
        other._database.dispose()

    # the same request at two processes, at the same time

    @pytest.mark.parametrize("wary", [False, True])
    @pytest.mark.parametrize("kind", ["patch", "replace", "delete", "secret", "close", "create", "create with a unique value", "put"])
    def test_of_two_with_one_key_neither_is_refused(self, mysql: str, store: SqlStore, outbox: SqlOutbox, kind: str, wary: bool) -> None:
        """The second process does the command before each statement of the first, up to the one that writes the record."""
        other = SqlStore(APP, Database(mysql))
        one, two = Writer(store), Writer(other)
        for place in range(10):
            mail = f"{new_id()}@x.de"
            old = create()
            one.run([old])
            twins = [_twin(kind, old.id, mail, f"{kind} {place}") for _ in range(2)]
            twins[0].deadline = twins[1].deadline = time.monotonic() + 60
            one._wary_until = time.monotonic() + 60 if wary else 0.0
            answers: list[Answer] = []
            with before_statement(store, place) as interrupt:
                interrupt(partial(_run_into, answers, two, twins[1]))
                mine = one.run([twins[0]])[0]
            mine = one.run([twins[0]])[0] if mine is LATER else mine  # as the batcher does
            if not answers:
                assert place > 1
                break
            done = {"delete": 204, "secret": 204}.get(kind, 201 if kind.startswith(("create", "put")) else 200)
            theirs = [two.run([twins[1]])[0] if answers[0] is LATER else answers[0]]
            assert told([mine, *theirs]) == [done, done], place
            assert len(records(outbox)[twins[0].id]) + len(records(outbox)[twins[1].id]) <= 4
        other._database.dispose()
        check_consistent(store, outbox)

    def test_a_value_that_changes_hands_meanwhile_is_no_reason_to_refuse_what_was_done(self, mysql: str, store: SqlStore) -> None:
        """Taken by somebody, then free, then taken by the same command at another process."""
        other = SqlStore(APP, Database(mysql))
        one, two = Writer(store), Writer(other)
        owner, twins = create("ana@x.de"), [create("ana@x.de", **keyed("k")) for _ in range(2)]
        one.run([owner])
        tries: list[Any] = []

        def meanwhile() -> None:
            tries.append(0)
            if len(tries) == 2:
                assert told(two.run([command("delete", owner.id), twins[1]])) == [204, 201]

        with before_statement(store, "INSERT INTO members") as interrupt:
            interrupt(meanwhile)
            one._wary_until = 0.0
            original = one._unit

            def freed(commands: Sequence[Command]) -> list[Answer]:
                if len(tries) == 1:
                    two.run([patch(owner.id, {"email": "bo@x.de"})])
                return original(commands)

            one._unit = freed  # type: ignore[method-assign]
            answer = one.run([twins[0]])[0]
        other._database.dispose()
        assert told([answer]) == [201]
        assert isinstance(answer, Reply)
        assert answer.headers["Idempotent-Replayed"] == "true"
        assert len(tries) == 2

    def test_an_id_that_was_made_and_deleted_meanwhile_is_refused(self, mysql: str, store: SqlStore, outbox: SqlOutbox) -> None:
        other, one, done = SqlStore(APP, Database(mysql)), create(match=ANY), []
        with before_statement(store, "INSERT INTO members") as interrupt:
            interrupt(lambda: done or done.extend(Writer(other).run([create(id_=one.id, match=ANY), command("delete", one.id)])))
            answers = Writer(store).run([one, create()])
        other._database.dispose()
        assert (told(done), told(answers)) == ([201, 204], [(410, "deleted"), 201])
        check_consistent(store, outbox)

    @pytest.mark.parametrize("place", ["INSERT INTO tombstone", "INSERT INTO outbox"])
    def test_an_id_that_one_makes_and_deletes_and_another_makes_too(
        self, mysql: str, store: SqlStore, outbox: SqlOutbox, stranger: Stranger, place: str
    ) -> None:
        """Before its tombstone is there, and between that and the commit: never a row and a tombstone."""
        other, one, done = SqlStore(APP, Database(mysql)), create(match=ANY), []
        rival, pool = create(id_=one.id, match=ANY), ThreadPoolExecutor()

        def meanwhile() -> None:
            if not done:
                done.append(pool.submit(Writer(other).run, [rival]))
                until(lambda: done[0].done() or waiting(stranger, 1))

        with pool, before_statement(store, place) as interrupt:
            interrupt(meanwhile)
            answers = told(Writer(store).run([one, command("delete", one.id)]))
        theirs = told(done[0].result())
        other._database.dispose()
        first = place == "INSERT INTO tombstone"
        assert (answers, theirs) == (([(412, "exists"), 204], [201]) if first else ([201, 204], [(410, "deleted")]))
        check_consistent(store, outbox)

    # rows that somebody else has locked

    def test_a_locked_row_delays_its_own_commands_only(self, writer: Writer, stranger: Stranger) -> None:
        held, free = create(), create()
        writer.run([held, free])
        query(stranger, "SELECT id FROM members WHERE id = %s FOR UPDATE", held.id)

        first, second = (writer.submit(patch(held.id, {"name": name})) for name in ("first", "second"))
        for _ in range(3):
            assert outcome(writer, patch(free.id, {"name": new_id()})) == 200
        assert not first.done()
        stranger.rollback()
        assert sorted(each.result(5).headers["ETag"] for each in (first, second)) == ['"2"', '"3"']

    def test_a_command_waits_two_seconds_for_a_locked_row(self, writer: Writer, stranger: Stranger) -> None:
        held = create()
        writer.run([held])
        query(stranger, "SELECT id FROM members WHERE id = %s FOR UPDATE", held.id)
        began = time.monotonic()
        assert outcome(writer, command("delete", held.id)) == (503, "row-locked")
        assert 1.9 < time.monotonic() - began < 3
        stranger.rollback()
        assert outcome(writer, command("delete", held.id)) == 204

    def test_a_value_that_somebody_has_not_committed_is_waited_for(self, writer: Writer, stranger: Stranger) -> None:
        hold(stranger, member("ana@x.de"))
        waiter = writer.submit(create("ana@x.de"))
        until(lambda: waiting(stranger, 1))
        stranger.rollback()
        assert waiter.result(10).status == 201

    def test_a_value_that_somebody_does_not_commit_stops_its_own_command_only(self, writer: Writer, stranger: Stranger) -> None:
        email = f"{new_id()}@x.de"  # not one that was deleted a moment ago: InnoDB locks the gap beside that too
        hold(stranger, member(email))
        answers = writer.run([create(), create(email), create()])
        stranger.rollback()
        assert told(answers) == [201, (503, "row-locked"), 201]

    def test_a_deadlock_is_run_again(self, writer: Writer, stranger: Stranger, monkeypatch: pytest.MonkeyPatch) -> None:
        unit, errors = Writer._unit, []

        def watched(writer: Writer, commands: Sequence[Command]) -> list[Answer]:
            try:
                return unit(writer, commands)
            except Contended as error:
                errors.append(str(error))
                raise

        monkeypatch.setattr(Writer, "_unit", watched)
        first, second = f"{new_id()}@x.de", f"{new_id()}@x.de"
        hold(stranger, *(member() for _ in range(20)), member(second))  # the one with fewer changes is the victim
        with ThreadPoolExecutor() as pool:
            answers = pool.submit(writer.run, [create(first), create(second)])
            until(lambda: waiting(stranger, 1))
            hold(stranger, member(first))
            stranger.rollback()
            assert told(answers.result()) == [201, 201]
        assert "1213" in errors[0]


@pytest.mark.engine
class TestMysqlThroughABadNetwork:
    @pytest.fixture
    def proxy(self, mysql: str) -> Iterator[Proxy]:
        to = make_url(mysql)
        proxy = Proxy(to.host or "", to.port or 3306)
        yield proxy
        proxy.close()

    @pytest.fixture
    def store(self, mysql: str, proxy: Proxy) -> Iterator[SqlStore]:
        yield from through(proxy, mysql)

    @pytest.fixture
    def outbox(self, store: SqlStore) -> SqlOutbox:
        return SqlOutbox(APP, store._database)

    @pytest.fixture
    def writer(self, store: SqlStore, outbox: SqlOutbox) -> Iterator[Writer]:
        with running(store) as writer:
            yield writer
        check_consistent(store, outbox)

    @pytest.mark.parametrize("trouble", ["lose_commit", "lose_answer", "race_commit"])
    def test_a_commit_of_unknown_outcome_is_done_exactly_once(self, writer: Writer, proxy: Proxy, outbox: SqlOutbox, trouble: str) -> None:
        ana = create()
        writer.run([ana])
        for version in range(2, 7):
            new = create(**keyed(new_id()))
            getattr(proxy, trouble)()
            answers = writer.run([patch(ana.id, {"name": new_id()}), new, patch(new_id(), {"name": "x"})])
            assert told(answers) == [200, 201, (404, "not-found")]
            assert isinstance(answers[0], Reply)
            assert answers[0].headers["ETag"] == f'"{version}"'
        assert len(records(outbox)[ana.id]) == 6

    def test_an_outcome_that_cannot_be_had_is_told_and_a_key_finds_out(self, writer: Writer, proxy: Proxy, store: SqlStore) -> None:
        ana = create()
        writer.run([ana])
        new = create(**keyed("k"))
        proxy.die_at_commit()
        answers = writer.run([new, patch(ana.id, {"name": "x"}), patch(new_id(), {"name": "x"})])
        assert told(answers) == [(503, "outcome-unknown")] * 3
        proxy.mend()
        assert told(writer.run([new])) == [201]
        assert store.count(MEMBERS) == 2

    def test_a_store_that_was_away_needs_no_restart(self, writer: Writer, proxy: Proxy) -> None:
        assert outcome(writer, create()) == 201
        proxy.cut()
        for _ in range(3):
            assert outcome(writer, create()) == (503, "write-store-unavailable")
        proxy.mend()
        assert outcome(writer, create()) == 201

    def test_a_connection_that_was_lost_meanwhile_is_nobodys_trouble(self, writer: Writer, proxy: Proxy) -> None:
        assert outcome(writer, create()) == 201
        proxy.cut()
        proxy.mend()
        assert outcome(writer, create()) == 201


@pytest.mark.engine
class TestServerInTrouble:
    @pytest.fixture
    def store(self, private_mysql: str) -> Iterator[SqlStore]:
        database = emptied(Database(private_mysql))
        yield SqlStore(APP, database)
        database.dispose()

    @pytest.fixture
    def writer(self, store: SqlStore) -> Iterator[Writer]:
        with running(store) as writer:
            yield writer
        check_consistent(store, SqlOutbox(APP, store._database))

    def test_what_was_answered_is_there_after_the_servers_death(self, writer: Writer, store: SqlStore, private: Private) -> None:
        """Commands go on while the server is killed; each that was told 201 is there, and its record."""
        answers: dict[str, Any] = {}
        stop = threading.Event()

        def work() -> None:
            while not stop.is_set():
                one = create()
                answers[one.id] = outcome(writer, one)

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        try:
            until(lambda: len(answers) > 200)
            private.kill()
            until(lambda: (503, "write-store-unavailable") in list(answers.values()))
        finally:
            private.start()
            done = len(answers)
            until(lambda: list(answers.values())[done:].count(201) > 50)
            stop.set()
            for thread in threads:
                thread.join()
        promised = {id_ for id_, found in answers.items() if found == 201}
        there = {id_ for some in chunks(sorted(answers)) for id_ in loaded(store, *some)}
        unknown = {id_ for id_, found in answers.items() if found == (503, "outcome-unknown")}
        assert promised <= there <= promised | unknown

    def test_a_server_that_becomes_read_only_and_back_needs_no_restart(self, writer: Writer, private: Private) -> None:
        assert outcome(writer, create()) == 201
        private.do("SET GLOBAL super_read_only = ON")
        try:
            assert outcome(writer, create()) == (503, "write-store-unavailable")
        finally:
            private.do("SET GLOBAL super_read_only = OFF", "SET GLOBAL read_only = OFF")
        assert outcome(writer, create()) == 201

    def test_a_backup_that_locks_all_tables_is_waited_for(self, writer: Writer, private: Private) -> None:
        with connect(private.url) as admin:
            query(admin, "FLUSH TABLES WITH READ LOCK")
            first = writer.submit(create())
            until(lambda: query(admin, "SELECT 1 FROM information_schema.processlist WHERE state LIKE 'Waiting for global read lock%%'"))
        assert first.result(10).status == 201
