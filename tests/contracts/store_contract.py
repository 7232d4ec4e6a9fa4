"""The promises of `twofold.store.port.WriteStore`, one test each, for every engine; `test_store.py` binds the engines."""

from __future__ import annotations

import enum
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal, Self
from uuid import UUID

import pytest
import uuid_utils
from mysqld import Stranger, query
from proxy import Proxy
from pydantic import EmailStr, Field
from sqlalchemy import delete, event, insert, make_url, select

from twofold import App, Column, Guarded, Keyword, Password, Places, Refused, Resource, Secret, Text, Unique, command
from twofold.errors import Contended, Rejected, Taken, Unavailable
from twofold.record import Record
from twofold.resource import Declaration
from twofold.store.database import Database
from twofold.store.migrate import migrate
from twofold.store.outbox import SqlOutbox
from twofold.store.port import Doubt, Receipt, Reply, Row, Writes
from twofold.store.sql import SqlStore

PATIENCE = 20.0  # seconds until a test gives up waiting for what should happen
THEN = "2026-01-02T03:04:05.678Z"
LATER = "2026-01-02T03:04:05.679Z"


class Member(Resource, name="members"):
    """Two unique fields, the name of one of them the end of the other's; two secrets; a command of its own."""

    name: Annotated[str, Column("username")]
    email: Annotated[EmailStr, Unique()]
    mail: Annotated[str | None, Unique()] = None
    status: Annotated[Literal["active", "closed"], Guarded()] = "active"
    password: Password
    pin: Secret

    @command(event="closed")
    def close(self) -> Self:
        if self.status == "closed":
            raise Refused("already-closed", "The account is closed.")
        return self.model_copy(update={"status": "closed"})

    @command()
    def rename(self, mail: str) -> Self:
        return self.model_copy(update={"mail": mail})

    @command()
    def crash(self) -> Self:
        raise ZeroDivisionError


class Colour(enum.Enum):
    RED = "red"
    NIGHT_BLUE = "night-blue"


class Sample(Resource, name="samples"):
    """Every kind of field, each also as one that may be missing."""

    short: Annotated[str, Field(max_length=500)]
    long: Annotated[str, Text()]
    word: Annotated[str, Keyword()]
    words: list[str]
    amounts: Annotated[list[Decimal], Places(2)]
    moments: list[datetime]
    whole: int
    ratio: float
    flag: bool
    day: date
    moment: datetime
    price: Annotated[Decimal, Places(2)]
    atoms: Annotated[Decimal, Places(9)]
    ref: UUID
    refs: list[UUID]
    span: timedelta
    spans: list[timedelta]
    choice: Literal["yes", "no"]
    colour: Colour
    short_or_none: Annotated[str | None, Field(max_length=500)]
    words_or_none: list[str] | None
    whole_or_none: int | None
    ratio_or_none: float | None
    flag_or_none: bool | None
    day_or_none: date | None
    moment_or_none: datetime | None
    price_or_none: Annotated[Decimal | None, Places(2)]
    colour_or_none: Colour | None
    ref_or_none: UUID | None
    span_or_none: timedelta | None


APP = App(Member, Sample)
MEMBERS: Declaration = Member.declaration
SAMPLES: Declaration = Sample.declaration
SECRETS = {"password": "$argon2id$hash", "pin": "1234"}

NASTY_TEXT = ["", " ", "a ", "\n\t", "e\u0301", "\u202e", "A", "a", "ß", "ﬁ", "\uff21", "'", '"', "\\", "\\'"]
NASTY_TEXT += ["%", "%s", ":x", "😀", "NULL", "0x1", "1e9"]
NASTY: dict[str, list[Any]] = {
    "short": [*NASTY_TEXT, "😀" * 500],
    "long": [*NASTY_TEXT, "😀" * 501, "ä" * 65_536],
    "word": [*NASTY_TEXT, "😀" * 8191],
    "words": [[], [""], NASTY_TEXT, ["😀" * 300] * 100],
    "amounts": [[], [Decimal(0), Decimal("-0.01"), Decimal("9999999999999999.99")]],
    "moments": [[], [datetime(1001, 1, 1, tzinfo=UTC), datetime(9998, 12, 31, 23, 59, 59, 999000, tzinfo=UTC)]],
    "whole": [0, 1, -1, 2**63 - 1, -(2**63), 2**53 + 1],
    "ratio": [0.0, 1.0, -1.5, 0.1, 1e-300, 1.7976931348623157e308, 2.2250738585072014e-308, 1 / 3, 1e22, 123456789.12345679],
    "flag": [True, False],
    "day": [date(1000, 1, 1), date(2024, 2, 29), date(9999, 12, 31)],
    "moment": [
        datetime(1001, 1, 1, tzinfo=UTC),
        datetime(2026, 3, 29, 1, 30, 0, 1000, tzinfo=UTC),
        datetime(9998, 12, 31, 23, 59, 59, 999000, tzinfo=UTC),
    ],
    "price": [
        Decimal(0),
        Decimal("0.01"),
        Decimal("-0.01"),
        Decimal("9999999999999999.99"),
        Decimal("-9999999999999999.99"),
        Decimal("1E3"),
    ],
    "atoms": [Decimal(0), Decimal("0.000000001"), Decimal("-999999999.999999999")],
    "ref": [UUID(int=0), UUID(int=2**128 - 1), UUID("0190f5c8-7a3e-7c1d-9b52-3f6e8d2a4c10")],
    "refs": [[], [UUID(int=number) for number in range(100)]],
    "span": [timedelta(0), timedelta(milliseconds=-1), timedelta(days=999_999_998), timedelta(days=-999_999_998), timedelta(seconds=1.5)],
    "spans": [[], [timedelta(milliseconds=1), timedelta(days=1)]],
    "choice": ["yes", "no"],
    "colour": list(Colour),
}
OPTIONAL = ("short", "words", "whole", "ratio", "flag", "day", "moment", "price", "colour", "ref", "span")
NASTY |= {f"{name}_or_none": [*NASTY[name], None] for name in OPTIONAL}


def new_id() -> str:
    return str(uuid_utils.uuid7())


def member(email: str = "", version: int = 1, id_: str = "", **state: Any) -> Row:
    id_ = id_ or new_id()
    state = {"name": "Ana", "email": email or f"{id_}@x.de", "mail": None, "status": "active", **state}
    return Row(id_, version, state, THEN, LATER)


def sample(number: int) -> Row:
    """One of many samples: between them they have every value of NASTY."""
    values = {name: values[number % len(values)] for name, values in NASTY.items()}
    return Row(new_id(), 1, SAMPLES.encode(Sample(**values)), THEN, LATER)


def changed(row: Row, state: Any = None, **members: Any) -> Row:
    return Row(row.id, row.version + 1, {**(state or row.state), **members}, row.created_at, LATER)


def created(*rows: Row) -> Writes:
    return Writes(inserts=list(rows), secrets={row.id: SECRETS for row in rows if "email" in row.state})


def record(row: Row, event_type: str = "members.updated", value: bytes | None = b"{}") -> Record:
    return Record(row.id, row.version, event_type, new_id(), THEN, value)


def receipt(key: str, id_: str = "", **more: Any) -> Receipt:
    return Receipt(("", "members", key), bytes(range(32)), 201, id_ or new_id(), 1, **more)


def old_receipt(store: SqlStore, key: str, body: bytes) -> None:
    """A row as twofold 0.1 wrote it."""
    row = {"key": key, "fingerprint": bytes(range(32)), "status": 201, "headers": '{"ETag":"\\"1\\""}', "body": body.decode()}
    with store._database.write() as connection:
        connection.execute(insert(store._tables.receipt).values(**row, created_at=THEN))
        store._database.commit(connection)


def until(happened: Callable[[], Any], patience: float = PATIENCE) -> None:
    deadline = time.monotonic() + patience
    while not happened():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.005)


def emptied(database: Database) -> Database:
    """The database with the tables of APP, and nothing in them."""
    with database.read() as connection:
        there = database.sqlalchemy.has_table(connection, "lease")
    if not there:
        migrate(APP, database)
    tables = [table for table in SqlStore(APP, database)._tables.metadata.sorted_tables if table.name != "fence"]
    with database.write() as connection:
        for table in tables:
            connection.execute(delete(table))
        database.commit(connection)
    return database


def saved(store: SqlStore, writes: Writes, resource: Declaration = MEMBERS) -> Doubt:
    """Saves in a unit of its own, and returns what the unit would be looked up by."""
    with store.unit() as unit:
        unit.save(resource, writes)
        unit.commit()
        return unit.doubt


def loaded(store: SqlStore, *ids: str, resource: Declaration = MEMBERS) -> dict[str, Row]:
    with store.unit() as unit:
        return unit.load(resource, ids).rows


def secrets(store: SqlStore, id_: str) -> dict[str, str]:
    """What no port gives away, read from the table itself."""
    table = store._tables.resources["members"]
    with store._database.read() as connection:
        return dict(connection.execute(select(table.c.password, table.c.pin).where(table.c.id == id_)).one()._mapping)


def hold(stranger: Stranger, *rows: Row) -> None:
    """Inserts rows and does not commit."""
    for row in rows:
        query(
            stranger,
            "INSERT INTO members (id, version, username, email, email_key, status, password, pin, created_at, updated_at)"
            " VALUES (%s, 1, '', '', %s, '', '', '', now(), now())",
            row.id,
            MEMBERS.field("email").unique_key(row.state["email"]),
        )


def through(proxy: Proxy, url: str) -> Iterator[SqlStore]:
    to = make_url(url).set(host="127.0.0.1", port=proxy.port, query={"ssl_disabled": "true"})
    database = emptied(Database(to.render_as_string(hide_password=False)))
    yield SqlStore(APP, database)
    database.dispose()


@contextmanager
def counted(store: SqlStore) -> Iterator[list[tuple[str, Any]]]:
    """The statements that the store sends meanwhile, with their values; many rows in one call are one statement."""
    sent: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
        if not statement.startswith("BEGIN"):
            sent.append((statement, values))

    event.listen(store._database._writer, "before_cursor_execute", note)
    yield sent
    event.remove(store._database._writer, "before_cursor_execute", note)


class StoreContract:
    """Bound by one fixture, `database`: an open database with the tables of APP, empty, closed at the end."""

    @pytest.fixture
    def store(self, database: Database) -> SqlStore:
        return SqlStore(APP, database)

    @pytest.fixture
    def outbox(self, database: Database) -> SqlOutbox:
        return SqlOutbox(APP, database)

    # a unit

    @pytest.mark.parametrize("end", [ZeroDivisionError, None], ids=["an error", "no commit"])
    def test_nothing_of_a_failed_unit_remains(self, store: SqlStore, outbox: SqlOutbox, end: type[Exception] | None) -> None:
        old, gone, new = member(), member(), member()
        saved(store, created(old, gone))

        with suppress(ZeroDivisionError), store.unit() as unit:
            unit.save(MEMBERS, Writes([(gone.id, 2, LATER)], [changed(old, name="Bo")], [new], {new.id: SECRETS}))
            unit.publish([(MEMBERS, record(old))], [receipt("key")])
            if end:
                raise end

        assert loaded(store, old.id, gone.id, new.id) == {old.id: old, gone.id: gone}
        assert outbox.pending(10) == []
        assert store.look(MEMBERS, {}, ["key"]) == (set(), {})
        saved(store, created(new))
        assert not store.settle(unit.doubt)

    def test_how_many_records_were_made_is_what_the_versions_say(self, store: SqlStore) -> None:
        assert store.records(MEMBERS) == 0
        one, other = member(), member("eva@x.de")
        saved(store, created(one, other))
        saved(store, Writes(updates=[changed(one)]))
        saved(store, Writes(deletes=[(other.id, 2, LATER)]))
        assert store.records(MEMBERS) == 2 + 2

    def test_a_statement_that_fails_takes_the_whole_unit_with_it(self, store: SqlStore, outbox: SqlOutbox) -> None:
        first, second = member("ana@x.de"), member("ana@x.de")
        with pytest.raises(Taken), store.unit() as unit:
            unit.publish([(MEMBERS, record(first))], [receipt("key")])
            unit.save(MEMBERS, created(first))
            unit.save(MEMBERS, created(second))

        assert (store.count(MEMBERS), outbox.pending(10)) == (0, [])
        assert store.look(MEMBERS, {}, ["key"]) == (set(), {})

    def test_commit_is_seen_by_all(self, store: SqlStore, outbox: SqlOutbox) -> None:
        row = member()
        with store.unit() as unit:
            unit.save(MEMBERS, created(row))
            unit.publish([(MEMBERS, record(row))], [receipt("key", row.id)])
            unit.commit()

        assert (loaded(store, row.id), store.count(MEMBERS), len(outbox.pending(10))) == ({row.id: row}, 1, 1)
        assert store.look(MEMBERS, {}, ["key"])[1] == {"key": receipt("key", row.id)}

    # load

    def test_load_tells_deleted_from_unknown(self, store: SqlStore) -> None:
        alive, dead, unknown = member(), member(), new_id()
        saved(store, created(alive, dead))
        saved(store, Writes(deletes=[(dead.id, 2, LATER)]))

        with store.unit() as unit:
            found = unit.load(MEMBERS, [alive.id, dead.id, unknown])
            elsewhere = unit.load(SAMPLES, [alive.id, dead.id])

        assert (found.rows, found.busy, found.deleted) == ({alive.id: alive}, frozenset(), {dead.id})
        assert (elsewhere.rows, elsewhere.busy, elsewhere.deleted) == ({}, frozenset(), frozenset())

    def test_load_sees_what_the_unit_saved(self, store: SqlStore) -> None:
        row = member()
        with store.unit() as unit:
            unit.save(MEMBERS, created(row))
            assert unit.load(MEMBERS, [row.id]).rows == {row.id: row}

    def test_load_of_nothing_asks_nothing(self, store: SqlStore) -> None:
        with store.unit() as unit, counted(store) as sent:
            assert unit.load(MEMBERS, []).rows == {}
        assert sent == []

    # unique values

    @pytest.mark.parametrize("same", ["ana@x.de", "ANA@X.DE", "\uff21na@x.de", "\uff41\uff4e\uff41@x.de", " ana@x.de"])
    def test_a_unique_value_is_taken_in_every_form(self, store: SqlStore, same: str) -> None:
        saved(store, created(member("ana@x.de")))
        with pytest.raises(Taken) as error:
            saved(store, created(member(same)))
        assert error.value.field == "email"

    @pytest.mark.parametrize(("one", "other"), [("straße@x.de", "STRASSE@x.de"), ("ﬁn@x.de", "fin@x.de"), ("e\u0301@x.de", "É@x.de")])
    def test_unique_values_compare_by_nfkc_and_case_folding(self, store: SqlStore, one: str, other: str) -> None:
        saved(store, created(member(one)))
        with pytest.raises(Taken):
            saved(store, created(member(other)))

    @pytest.mark.parametrize("how", ["insert", "update"])
    @pytest.mark.parametrize(("field", "rival"), [("email", {"email": "mail_key"}), ("mail", {"mail": "email_key"})])
    def test_taken_names_the_field(self, store: SqlStore, field: str, rival: dict[str, Any], how: str) -> None:
        """Though the message of the engine holds the value, which may look like the other field's index."""
        victim, thief = member("mail_key", mail="email_key"), member()
        saved(store, created(victim, thief) if how == "update" else created(victim))
        with pytest.raises(Taken) as error:
            saved(store, Writes(updates=[changed(thief, **rival)]) if how == "update" else created(changed(thief, **rival)))
        assert error.value.field == field

    def test_taken_names_no_field_for_an_id(self, store: SqlStore) -> None:
        row = member()
        saved(store, created(row))
        with pytest.raises(Taken) as error:
            saved(store, created(member("new@x.de", id_=row.id, name="email_key")))
        assert error.value.field == ""

    def test_no_value_is_not_a_value_that_can_be_taken(self, store: SqlStore) -> None:
        saved(store, created(member(mail=None), member(mail=None)))
        assert store.count(MEMBERS) == 2

    def test_taken_tells_who_has_a_value(self, store: SqlStore) -> None:
        row = member("ana@x.de")
        saved(store, created(row))
        key = MEMBERS.field("email").unique_key
        with store.unit() as unit:
            keys = [key("ANA@x.de"), key("bo@x.de")]
            assert unit.taken(MEMBERS, "email", keys) == {keys[0]: row.id}
            assert unit.taken(MEMBERS, "email", []) == {}

    def test_owners_of_values_are_told_without_a_unit(self, store: SqlStore) -> None:
        """What is committed only, and however many are asked for."""
        rows = [member(f"n{number}@x.de") for number in range(40)]
        saved(store, created(*rows))
        key = MEMBERS.field("email").unique_key
        keys = [key(f"N{number}@x.de") for number in range(60)]
        with store.unit() as unit:
            unit.save(MEMBERS, created(member("n50@x.de")))
            assert store.owners(MEMBERS, "email", keys) == {keys[number]: row.id for number, row in enumerate(rows)}
        assert store.owners(MEMBERS, "email", []) == {}

    def test_an_insert_never_overwrites(self, store: SqlStore) -> None:
        ana = member("ana@x.de", version=7)
        saved(store, created(ana))
        for rival in (member(id_=ana.id), member("ana@x.de")):
            with pytest.raises(Taken):
                saved(store, created(rival))
        assert (loaded(store, ana.id), store.count(MEMBERS)) == ({ana.id: ana}, 1)

    def test_an_update_never_takes_a_value_away(self, store: SqlStore) -> None:
        ana, bo = member("ana@x.de"), member("bo@x.de")
        saved(store, created(ana, bo))
        with pytest.raises(Taken):
            saved(store, Writes(updates=[changed(bo, email="ANA@x.de")]))
        assert loaded(store, ana.id, bo.id) == {ana.id: ana, bo.id: bo}

    def test_deletes_come_before_updates_and_these_before_inserts(self, store: SqlStore) -> None:
        a, b = member("a@x.de"), member("b@x.de")
        saved(store, created(a, b))
        moved, new = changed(b, email="a@x.de"), member("b@x.de")
        saved(store, Writes([(a.id, 2, LATER)], [moved], [new], {new.id: SECRETS}))
        assert loaded(store, a.id, b.id, new.id) == {b.id: moved, new.id: new}

    @pytest.mark.parametrize("what", ["update", "delete", "an update among others"])
    def test_what_is_replaced_has_to_be_there(self, store: SqlStore, what: str) -> None:
        """No lost update where a lock did not hold; nothing of the unit remains."""
        row, others = member(), [member() for _ in range(3)]
        saved(store, created(row, *others))
        saved(store, Writes(updates=[changed(row)]))
        writes = Writes(updates=[changed(row, name="stale"), *map(changed, others[:2])])
        if what == "update":
            writes = Writes(updates=[changed(changed(row), name="stale")], replaces={row.id: 1})
        if what == "delete":
            writes = Writes(deletes=[(row.id, 2, LATER), (others[0].id, 2, LATER)])
        with pytest.raises(Contended, match=r"1 of [123] locked rows were changed by somebody else"):
            saved(store, writes)
        assert loaded(store, row.id, *(each.id for each in others)) == {each.id: each for each in (changed(row), *others)}

    def test_an_update_replaces_the_version_that_it_names(self, store: SqlStore) -> None:
        row = member()
        saved(store, created(row))
        third = changed(changed(row))
        saved(store, Writes(updates=[third], replaces={row.id: 1}))
        saved(store, Writes(deletes=[(row.id, 9, LATER)], replaces={row.id: 3}))
        assert store.count(MEMBERS) == 0

    # receipts, outbox

    def test_receipts_come_back_as_they_were(self, store: SqlStore) -> None:
        given = [receipt("a", seal="$argon2id$"), receipt("b"), receipt("A"), receipt("x" * 255)]
        other = [("somebody", "members", "a"), ("", "samples", "a"), ("", "members", "c")]
        with store.unit() as unit:
            unit.publish([], given)
            unit.commit()
        with store.unit() as unit:
            assert unit.receipts([*other, *(one.key for one in given)]) == {one.key: one for one in given}
            assert unit.receipts([]) == {}

    def test_a_key_belongs_to_who_asks_and_to_a_resource(self, store: SqlStore) -> None:
        keys = [("", "members", "k"), ("ana", "members", "k"), ("", "samples", "k"), ("ana", "samples", "k")]
        given = {key: Receipt(key, bytes([number]) * 32, 200, new_id(), number) for number, key in enumerate(keys, 1)}
        with store.unit() as unit:
            unit.publish([], given.values())
            unit.commit()
        with store.unit() as unit:
            assert unit.receipts(keys) == given
        assert store.look(SAMPLES, {}, ["k"], "ana")[1] == {"k": given["ana", "samples", "k"]}

    def test_receipts_of_the_version_before_are_found(self, store: SqlStore) -> None:
        """They have the client's key alone, and the whole answer."""
        mine, theirs = ("", "members", "k"), ("ana", "samples", "k")
        old_receipt(store, "k", b'{"name":"\xc3\xa4\\u0000%s"}')
        with store.unit() as unit:
            found = unit.receipts([mine, theirs, ("", "members", "other")])
        kept = Reply(201, {"ETag": '"1"'}, b'{"name":"\xc3\xa4\\u0000%s"}')
        assert found == {key: Receipt(key, bytes(range(32)), 201, "", 0, kept=kept) for key in (mine, theirs)}

    def test_a_key_that_looks_like_a_stored_one_finds_nothing_of_anybodys(self, store: SqlStore) -> None:
        with store.unit() as unit:
            unit.publish([], [receipt("k")])
            unit.commit()
        table = store._tables.receipt
        with store._database.read() as connection:
            stored = connection.scalar(select(table.c.key))
        assert store.look(MEMBERS, {}, [str(stored)]) == (set(), {})

    def test_a_seal_goes_with_its_id(self, store: SqlStore) -> None:
        rows = [member(), member()]
        saved(store, created(*rows))
        sealed = [receipt(row.id, row.id, seal="$argon2id$") for row in rows]
        with store.unit() as unit:
            unit.publish([], sealed)
            unit.commit()
        saved(store, Writes(deletes=[(rows[0].id, 2, LATER)]))
        with store.unit() as unit:
            found = unit.receipts([one.key for one in sealed])
        assert [found[one.key].seal for one in sealed] == [None, "$argon2id$"]

    def test_a_receipt_has_a_size_of_its_own(self, store: SqlStore) -> None:
        row = member(name="x" * 400)
        saved(store, created(row))
        with store.unit() as unit:
            unit.publish([], [receipt("k" * 255, row.id, seal="$" * 255)])
            unit.commit()
        with store._database.read() as connection:
            values = connection.execute(select(store._tables.receipt)).one()
        assert sum(len(str(value)) for value in values) < 700

    def test_peek_shows_rows_without_a_lock(self, store: SqlStore) -> None:
        row = member()
        saved(store, created(row))
        with store.unit() as unit:
            assert unit.peek(MEMBERS, [row.id, new_id()]) == {row.id: row}
            assert unit.peek(MEMBERS, []) == {}

    def test_a_second_receipt_of_a_key_is_taken(self, store: SqlStore) -> None:
        with store.unit() as unit:
            unit.publish([], [receipt("key")])
            unit.commit()
        with pytest.raises(Taken) as error, store.unit() as unit:
            unit.publish([], [receipt("key")])
        assert error.value.field == ""

    def test_records_come_back_as_they_were(self, store: SqlStore, outbox: SqlOutbox) -> None:
        given = [
            Record(new_id(), 1, "members.created", new_id(), THEN, '{"name":"😀\\u0000%s\'"}'.encode(), '{"reason":"%"}', "00-ab-cd-01"),
            Record(new_id(), 2**40, "members.deleted", new_id(), LATER, None),
            Record(new_id(), 3, "samples.updated", new_id(), LATER, b"x" * 512 * 1024),
        ]
        owners = [MEMBERS, MEMBERS, SAMPLES]
        with store.unit() as unit:
            unit.publish(zip(owners, given, strict=True), [])
            unit.commit()
        assert [(resource, found) for _, resource, found in outbox.pending(10)] == [
            (owner.name, one) for owner, one in zip(owners, given, strict=True)
        ]

    # what is stored

    def test_every_kind_of_value_comes_back_exactly_after_an_insert(self, store: SqlStore) -> None:
        rows = {row.id: row for row in map(sample, range(max(map(len, NASTY.values()))))}
        saved(store, created(*rows.values()), SAMPLES)
        self._equal(loaded(store, *rows, resource=SAMPLES), rows)

    def test_every_kind_of_value_comes_back_exactly_after_an_update(self, store: SqlStore) -> None:
        numbers = range(max(map(len, NASTY.values())))
        rows = [sample(number) for number in numbers]
        saved(store, created(*rows), SAMPLES)
        for shift in (1, 2):  # in one statement for all, and in one for each
            then = {row.id: changed(row, sample(number + shift).state) for number, row in zip(numbers, rows, strict=True)}
            rows = list(then.values())
            for updates in [list(then.values())] if shift == 1 else [[row] for row in then.values()]:
                saved(store, Writes(updates=updates), SAMPLES)
            self._equal(loaded(store, *then, resource=SAMPLES), then)

    @staticmethod
    def _equal(found: dict[str, Row], expected: dict[str, Row]) -> None:
        assert found.keys() == expected.keys()
        for id_, row in expected.items():
            for name, value in row.state.items():
                assert (found[id_].state[name], type(found[id_].state[name])) == (value, type(value)), name
            assert found[id_] == row

    def test_secrets_are_written_and_never_loaded(self, store: SqlStore) -> None:
        row = member()
        saved(store, created(row))
        assert secrets(store, row.id) == SECRETS
        assert loaded(store, row.id)[row.id].state.keys() == {"name", "email", "mail", "status"}

    def test_an_update_without_secrets_keeps_them(self, store: SqlStore) -> None:
        kept, one, both = member(), member(), member()
        saved(store, created(kept, one, both))
        new = {"password": "another", "pin": "9"}
        updates = [changed(row, name="Bo") for row in (kept, one, both)]
        saved(store, Writes(updates=updates, secrets={one.id: {"pin": "5"}, both.id: new}))

        assert [secrets(store, row.id) for row in (kept, one, both)] == [SECRETS, {**SECRETS, "pin": "5"}, new]
        assert loaded(store, kept.id, one.id, both.id) == {row.id: row for row in updates}

    def test_an_update_keeps_the_time_of_creation(self, store: SqlStore) -> None:
        row = member()
        saved(store, created(row))
        saved(store, Writes(updates=[Row(row.id, 2, row.state, LATER, LATER)]))
        assert loaded(store, row.id)[row.id].created_at == row.created_at

    @pytest.mark.parametrize("letters", [1, 2_000], ids=["small", "more than a MiB"])
    def test_a_thousand_of_everything_in_one_unit(self, store: SqlStore, outbox: SqlOutbox, letters: int) -> None:
        old, gone, new = ([member(name="ä" * (200 + letters)) for _ in range(1000)] for _ in range(3))
        saved(store, created(*old, *gone))
        updates = [changed(row, name="ö" * letters) for row in old]
        with store.unit() as unit:
            writes = Writes([(row.id, 2, LATER) for row in gone], updates, new, {row.id: SECRETS for row in new})
            unit.save(MEMBERS, writes)
            unit.publish([(MEMBERS, record(row, value=b"x" * letters)) for row in new], [receipt(row.id, row.id) for row in new])
            unit.commit()

        assert loaded(store, *(row.id for row in old + gone + new)) == {row.id: row for row in updates + new}
        assert [found.key for _, _, found in outbox.pending(2000)] == [row.id for row in new]

    def test_the_number_of_statements_does_not_depend_on_the_number_of_rows(self, store: SqlStore) -> None:
        numbers = {kind: {self._statements(store, kind, size) for size in (1, 10, 256)} for kind in ("inserts", "updates", "everything")}
        assert numbers == {"inserts": {5}, "updates": {6}, "everything": {13}}

    def _statements(self, store: SqlStore, kind: str, size: int) -> int:
        old, gone = ([member() for _ in range(size)] for _ in range(2))
        new = [] if kind == "updates" else [member() for _ in range(size)]
        saved(store, created(*old, *gone))
        mixed = kind == "everything"
        updates = [] if kind == "inserts" else [changed(row) for row in old]
        writes = Writes([(row.id, 2, LATER) for row in gone] if mixed else [], updates, new, {row.id: SECRETS for row in new})
        receipts = [receipt(new_id()) for _ in range(size)] if mixed else []
        with store.unit() as unit, counted(store) as sent:
            unit.receipts([one.key for one in receipts])
            unit.load(MEMBERS, [row.id for row in updates] + ([new_id()] if mixed else []))
            unit.taken(MEMBERS, "email", [b"x"])
            unit.save(MEMBERS, writes)
            unit.publish([(MEMBERS, record(row)) for row in new + updates], receipts)
            unit.commit()
        return len(sent) + 1

    # settle

    def test_settle_says_done_of_a_unit_that_committed(self, store: SqlStore) -> None:
        assert store.settle(saved(store, created(member())))

    def test_settle_says_not_done_of_a_unit_that_did_not(self, store: SqlStore) -> None:
        with store.unit() as unit:
            unit.save(MEMBERS, created(member()))
        assert not store.settle(unit.doubt)

    # the rest

    def test_look_tells_taken_values_and_receipts(self, store: SqlStore) -> None:
        with store.unit() as unit:
            unit.save(MEMBERS, created(member("ana@x.de", mail="m")))
            unit.publish([], [receipt("key", id_ := new_id())])
            unit.commit()
        values = {name: MEMBERS.field(name).unique_key(value) or b"" for name, value in (("email", "ANA@x.de"), ("mail", "n"))}
        assert store.look(MEMBERS, values, ["key", "other"]) == ({"email"}, {"key": receipt("key", id_)})
        assert store.look(MEMBERS, {}, []) == (set(), {})

    def test_look_is_not_held_up_by_a_unit(self, store: SqlStore) -> None:
        key = MEMBERS.field("email").unique_key("ana@x.de") or b""
        with store.unit() as unit:
            unit.save(MEMBERS, created(member("ana@x.de")))
            assert store.look(MEMBERS, {"email": key}, []) == (set(), {})
            assert store.count(MEMBERS) == 0

    def test_check_finds_the_engine_durable(self, store: SqlStore) -> None:
        found = store.check()
        assert found
        assert all(good and text for good, text in found)

    def test_a_database_may_be_disposed_of_twice(self, store: SqlStore, database: Database) -> None:
        saved(store, created(member()))
        database.dispose()
        database.dispose()

    def test_after_its_database_is_disposed_of_everything_is_unavailable(
        self, store: SqlStore, outbox: SqlOutbox, database: Database
    ) -> None:
        store.count(MEMBERS)
        database.dispose()
        calls: list[Callable[[], Any]] = [
            lambda: store.unit().__enter__(),
            lambda: store.settle(Doubt(new_id())),
            lambda: store.look(MEMBERS, {"email": b"x"}, []),
            lambda: store.count(MEMBERS),
            lambda: store.scan(MEMBERS, "", 1),
            lambda: store.fetch(MEMBERS, [new_id()]),
            store.check,
            lambda: outbox.pending(1),
            lambda: outbox.remove([1]),
            lambda: outbox.lead("me", 1),
            lambda: outbox.resign("me"),
            outbox.backlog,
            store.purge,
        ]
        for call in calls:
            with pytest.raises(Unavailable):
                call()

    def test_units_of_many_threads_take_turns(self, store: SqlStore) -> None:
        def work() -> None:
            for _ in range(10):
                saved(store, created(member()))

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert store.count(MEMBERS) == 40

    # errors

    @pytest.mark.parametrize("how", ["insert", "update"])
    @pytest.mark.parametrize(
        ("field", "value"),
        [("whole", 10**22), ("short", "Geheim\ud800"), ("short", "Geheim" * 100), ("short", None), ("day", "Geheim"), ("moment", "Geheim")],
    )
    def test_what_cannot_be_stored_is_rejected_without_its_value(self, store: SqlStore, field: str, value: Any, how: str) -> None:
        good = sample(0)
        bad = Row(good.id, 2 if how == "update" else 1, {**good.state, field: value}, THEN, LATER)
        if how == "update":
            saved(store, created(good), SAMPLES)
        strict = store._database.dialect.name == "mysql"  # SQLite takes a text of any length in any column
        if strict or value in (None, 10**22, "Geheim\ud800"):
            with pytest.raises(Rejected) as error:
                saved(store, Writes(updates=[bad]) if how == "update" else created(bad), SAMPLES)
            assert "Geheim" not in str(error.value)
            assert loaded(store, good.id, resource=SAMPLES) == ({good.id: good} if how == "update" else {})

    def test_taken_does_not_tell_the_value(self, store: SqlStore) -> None:
        row = member("geheim@x.de")
        saved(store, created(row))
        for writes in (created(member("geheim@x.de")), created(member(id_=row.id))):
            with pytest.raises(Taken) as error:
                saved(store, writes)
            assert "geheim" not in str(error.value)
            assert row.id not in str(error.value)

    def test_a_unit_after_an_error_is_as_new(self, store: SqlStore) -> None:
        row = member()
        saved(store, created(row))
        with pytest.raises(Taken):
            saved(store, created(row))
        saved(store, created(member()))
        assert store.count(MEMBERS) == 2
