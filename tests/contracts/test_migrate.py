"""Tables follow the declaration: what only adds is done, anything else is refused with SQL to review, nothing is ever dropped."""

from __future__ import annotations

import enum
import re
import sqlite3
import threading
import types
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from mysqld import Stranger, connect, query
from pydantic import Field
from sqlalchemy import text
from store_contract import LATER, THEN, new_id

from twofold import App, Column, Keyword, Password, Places, Resource, Secret, Unique
from twofold.errors import Contended, DeclarationError, Outdated, Rejected, Taken
from twofold.store.database import Database
from twofold.store.migrate import migrate, pending
from twofold.store.port import Row, Writes
from twofold.store.sql import SqlStore

RUNTIME = {"outbox", "unit", "tombstone", "receipt", "lease", "fence", "column_kind"}
ADMITTED = "admit writers of things as declared here"
TEXTS = ["", " ", "Z", "it's", '"', ":x::", "%s%%", "\\", "\\'", "😀\n", "now()", "NULL"]


class Size(enum.Enum):
    SMALL = "small"
    X_LARGE = "x-large"


def app(**fields: tuple[Any, ...]) -> App:
    """An app of one resource, `things`, with these fields: annotation, and default if it has one."""

    def body(namespace: dict[str, Any]) -> None:
        namespace["__module__"] = __name__
        namespace["__annotations__"] = {name: field[0] for name, field in fields.items()}
        namespace.update({name: field[1] for name, field in fields.items() if len(field) > 1})

    return App(types.new_class("Thing", (Resource,), {"name": "things"}, body))


def store(app: App, database: Database, **state: Any) -> Row:
    """Saves a thing with this state."""
    row = Row(new_id(), 1, state, THEN, LATER)
    with SqlStore(app, database).unit() as unit:
        unit.save(app.resources["things"], Writes(inserts=[row]))
        unit.commit()
    return row


def states(app: App, database: Database, *rows: Row) -> list[Any]:
    with SqlStore(app, database).unit() as unit:
        found = unit.load(app.resources["things"], [row.id for row in rows]).rows
        return [found[row.id].state for row in rows]


def run(database: Database, sql: str) -> list[Any]:
    with database.write() as connection:
        result = connection.execute(text(sql))
        found = list(result) if result.returns_rows else []
        connection.commit()
        return found


def execute(database: Database, refusal: str) -> None:
    """Runs the SQL of a refusal as an operator would, with the engine's own tools: as it stands."""
    script = refusal.partition(":\n")[2]
    if database.dialect.name != "mysql":
        opened = sqlite3.connect(str(run(database, "PRAGMA database_list")[0][2]), isolation_level=None)
        opened.executescript(script)
        opened.close()
        return
    with connect(url(database)) as connection:
        for statement in script.splitlines():
            if not statement.startswith("--"):
                query(connection, statement)
        connection.commit()


def trigger(database: Database) -> str:
    return "INSERT INTO seen VALUES (NEW.a)" if database.dialect.name == "mysql" else "BEGIN INSERT INTO seen VALUES (NEW.a); END"


class Cases:
    """Bound by one fixture, `database`, which is empty."""

    def test_it_creates_all_tables(self, database: Database) -> None:
        done = migrate(app(name=(Annotated[str, Unique()],)), database)
        assert set(done) == {f"create table {name}" for name in RUNTIME | {"things"}}
        with database.read() as connection:
            assert set(database.sqlalchemy.get_table_names(connection)) == RUNTIME | {"things"}
            indexes = {index["name"]: index["unique"] for index in database.sqlalchemy.get_indexes(connection, "things")}
        assert indexes == {"things_name_key": 1}

    def test_a_second_time_it_does_nothing(self, database: Database) -> None:
        things = app(**EVERYTHING)
        assert migrate(things, database)
        assert pending(things, database) == []
        assert migrate(things, database) == []

    def test_pending_tells_what_it_does(self, database: Database) -> None:
        versions = [app(a=(int,)), app(a=(int,), b=(int, 1), c=(Annotated[str | None, Unique()], None))]
        for things in versions:
            told = pending(things, database)
            assert pending(things, database) == told
            assert migrate(things, database) == told
            assert pending(things, database) == []
        columns = ["add column things.b", "add column things.c", "add column things.c_key"]
        assert told == [*columns, "create index things_c_key on things", "admit writers of things as declared here"]

    def test_a_new_resource_is_a_new_table(self, database: Database) -> None:
        class Other(Resource, name="others"):
            name: str

        things = app(a=(int,))
        migrate(things, database)
        both = App(Other, *(declaration.cls for declaration in things))
        assert migrate(both, database) == ["create table others"]

    def test_a_new_field_with_a_default_has_it_in_rows_that_exist(self, database: Database) -> None:
        before, after = app(a=(int,)), app(a=(int,), b=(str, "new"), c=(int | None, None), d=(int | None, 7))
        migrate(before, database)
        old = store(before, database, a=1)
        migrate(after, database)
        new = store(after, database, a=2, b="own", c=3, d=None)
        assert states(after, database, old, new) == [{"a": 1, "b": "new", "c": None, "d": 7}, {"a": 2, "b": "own", "c": 3, "d": None}]

    def test_a_new_unique_field_is_empty_and_then_unique(self, database: Database) -> None:
        before, after = app(a=(int,)), app(a=(int,), b=(Annotated[str | None, Unique()], None))
        migrate(before, database)
        old = [store(before, database, a=n) for n in range(2)]
        migrate(after, database)
        assert states(after, database, *old) == [{"a": n, "b": None} for n in range(2)]
        store(after, database, a=3, b="x")
        with pytest.raises(Taken, match="The value of b is taken"):
            store(after, database, a=4, b="X")

    def test_every_default_comes_back_from_the_table(self, database: Database) -> None:
        before, after = app(a=(int,)), app(a=(int,), **EVERYTHING)
        migrate(before, database)
        old = store(before, database, a=1)
        migrate(after, database)
        found = states(after, database, old)[0]
        for field in after.resources["things"].public[1:]:
            assert (found[field.name], type(found[field.name])) == (field.default, type(field.default)), field.name
        assert pending(after, database) == []

    def test_every_default_comes_back_from_a_table_that_it_creates(self, database: Database) -> None:
        things = app(**EVERYTHING)
        migrate(things, database)
        row = Row(new_id(), 1, {}, THEN, LATER)
        run(database, f"INSERT INTO things (id, version, created_at, updated_at) VALUES ('{row.id}', 1, '2026-01-02', '2026-01-02')")
        found = states(things, database, row)[0]
        assert found == {field.name: field.default for field in things.resources["things"].public}

    # refusals

    @pytest.mark.parametrize(
        ("before", "after", "sql"),
        [
            ({}, {"b": (int,)}, r"ALTER TABLE things ADD COLUMN b BIGINT (DEFAULT 0 NOT NULL|NOT NULL DEFAULT 0)"),
            (
                {},
                {"b": (Annotated[str, Unique()],)},
                r"ADD COLUMN b_key (VARBINARY\(320\) NOT NULL DEFAULT \(X''\)|BLOB DEFAULT \(X''\) NOT NULL)",
            ),
            ({"b": (str | None, None)}, {"b": (Annotated[str | None, Unique()], None)}, r"ALTER TABLE things ADD COLUMN b_key"),
            ({"b": (int, 1)}, {"b": (str, "x")}, r"MODIFY b .*LONGTEXT|ADD COLUMN b_new TEXT"),
            ({"b": (int | None, None)}, {"b": (int, 1)}, r"MODIFY b BIGINT NOT NULL|ADD COLUMN b_new BIGINT DEFAULT 1 NOT NULL"),
            (
                {"b": (Annotated[str, Field(max_length=10)], "")},
                {"b": (Annotated[str, Field(max_length=20)], "")},
                r"(MODIFY b|ADD COLUMN b_new) .*VARCHAR\(20\)",
            ),
            ({"b": (Annotated[Decimal, Places(2)], Decimal(0))}, {"b": (float, 0.0)}, r"(MODIFY b|ADD COLUMN b_new) .*DOUBLE"),
        ],
    )
    def test_what_does_not_only_add_is_refused_with_sql(self, database: Database, before: Any, after: Any, sql: str) -> None:
        migrate(app(a=(int,), **before), database)
        things = app(a=(int,), **after)
        for call in (pending, migrate):
            with pytest.raises(Outdated, match="does not change by itself") as error:
                call(things, database)
            assert re.search(sql, str(error.value)), str(error.value)

    def test_a_refusal_leaves_everything_as_it_was(self, database: Database) -> None:
        migrate(app(a=(int,)), database)
        with pytest.raises(Outdated):
            migrate(app(a=(int,), fine=(int, 1), b=(int,)), database)
        assert migrate(app(a=(int,)), database) == []
        assert migrate(app(a=(int,), fine=(int, 1)), database) == ["add column things.fine", ADMITTED]

    @pytest.mark.parametrize(
        ("before", "after", "old", "new"),
        [
            ({}, {"b": (int,)}, {}, {"b": 0}),
            ({}, {"b": (Annotated[str, Field(max_length=10)],)}, {}, {"b": ""}),
            ({}, {"b": (str,), "c": (list[str],), "d": (bool,)}, {}, {"b": "", "c": [], "d": False}),
            ({}, {"b": (Literal["hard", "soft"],)}, {}, {"b": "hard"}),
            ({}, {"b": (datetime,), "c": (date,)}, {}, {"b": "1970-01-01T00:00:00.000Z", "c": "1970-01-01"}),
            ({}, {"b": (Annotated[Decimal, Places(2)],), "c": (float,)}, {}, {"b": "0.00", "c": 0.0}),
            ({"b": (int, 1)}, {"b": (str, "x")}, {"b": 5}, {"b": "5"}),
            ({"b": (str, "x")}, {"b": (int, 1)}, {"b": "5"}, {"b": 5}),
            ({"b": (int, 1)}, {"b": (float, 0.5)}, {"b": 5}, {"b": 5.0}),
            ({"b": (int | None, None)}, {"b": (int, 1)}, {"b": None}, {"b": 1}),
            ({"b": (int | None, None)}, {"b": (int, 1)}, {"b": 7}, {"b": 7}),
            ({"b": (str | None, None)}, {"b": (str,)}, {"b": None}, {"b": ""}),
            ({"b": (str | None, None)}, {"b": (Annotated[str, Field(max_length=9)], "it's")}, {"b": None}, {"b": "it's"}),
            ({"b": (int,)}, {"b": (int | None, None)}, {"b": 7}, {"b": 7}),
            ({"b": (Annotated[str, Field(max_length=10)],)}, {"b": (Annotated[str, Field(max_length=20)],)}, {"b": "ä's"}, {"b": "ä's"}),
            ({"b": (Annotated[str, Unique()],)}, {"b": (Annotated[str, Unique(), Field(max_length=70)],)}, {"b": "x"}, {"b": "x"}),
            ({"b": (Annotated[Decimal, Places(2)],)}, {"b": (Annotated[Decimal, Places(3)],)}, {"b": "-1.50"}, {"b": "-1.500"}),
            ({"b": (Annotated[Decimal, Places(3)],)}, {"b": (Annotated[Decimal, Places(2)],)}, {"b": "-1.500"}, {"b": "-1.50"}),
            ({"b": (int,)}, {"b": (Annotated[Decimal, Places(2)],)}, {"b": 7}, {"b": "7.00"}),
            ({"b": (Annotated[Decimal, Places(2)] | None, None)}, {"b": (int | None, None)}, {"b": "-7.00"}, {"b": -7}),
            ({"b": (Annotated[Decimal, Places(2)],)}, {"b": (float,)}, {"b": "1.50"}, {"b": 1.5}),
            ({"b": (float,)}, {"b": (Annotated[Decimal, Places(2)],)}, {"b": 1.5}, {"b": "1.50"}),
            ({"b": (float,)}, {"b": (int,)}, {"b": 2.6}, {"b": 3}),
            ({"b": (float,)}, {"b": (Annotated[Decimal, Places(2)],)}, {"b": 0.1}, {"b": "0.10"}),
            ({"b": (int | None, None)}, {"c": (int | None, None)}, {"b": 7}, {"c": 7}),
            ({"b": (str, "x")}, {"c": (str, "x")}, {"b": "kept"}, {"c": "kept"}),
            ({"b": (list[str],)}, {"b": (list[float],)}, {"b": []}, {"b": []}),
            ({"b": (int,)}, {"c": (int,)}, {"b": 7}, {"c": 7}),
            ({"b": (Annotated[str, Unique()],)}, {"c": (Annotated[str, Unique()],)}, {"b": "x"}, {"c": "x"}),
            ({"b": (int,), "c": (str,)}, {"d": (str,), "e": (int,)}, {"b": 7, "c": "x"}, {"d": "x", "e": 7}),
            ({"b": (int,), "c": (int,)}, {"d": (int,)}, {"b": 7, "c": 8}, {"d": 0}),
            ({"b": (int,)}, {}, {"b": 7}, {}),
            ({"b": (int,)}, {"c": (Annotated[str, Column("select")],)}, {"b": 7}, {"c": ""}),
        ],
    )
    def test_the_sql_of_a_refusal_can_be_run_and_loses_nothing(
        self, database: Database, before: Any, after: Any, old: Any, new: Any
    ) -> None:
        migrate(app(a=(int,), **before), database)
        rows = [store(app(a=(int,), **before), database, a=1, **old)]
        things = app(a=(int,), **after)
        with pytest.raises(Outdated, match="does not change by itself") as error:
            migrate(things, database)
        execute(database, str(error.value))
        migrate(things, database)
        assert pending(things, database) == []
        assert states(things, database, *rows) == [{"a": 1, **new}]
        other = {name: "y" if value == "x" else value for name, value in new.items()}  # where it is unique
        assert states(things, database, store(things, database, a=2, **other)) == [{"a": 2, **other}]

    @pytest.mark.parametrize(
        ("before", "after", "old"),
        [
            ((list[str],), (int,), ["a", "b"]),
            ((int,), (list[int],), 7),
            ((list[str],), (str,), ["a"]),
            ((Annotated[Decimal, Places(2)],), (str,), "1.50"),
            ((str,), (Annotated[Decimal, Places(2)],), "1.50"),
            ((datetime,), (date,), "2026-01-02T00:00:00.000Z"),
            ((Secret,), (str,), None),
        ],
    )
    def test_the_sql_does_not_run_where_no_copy_makes_the_values(self, database: Database, before: Any, after: Any, old: Any) -> None:
        """Neither does it say afterwards that they are what is declared."""
        was, things = app(a=(int,), b=before), app(a=(int,), b=after)
        migrate(was, database)
        if old is not None:
            row = store(was, database, a=1, b=old)
        for _ in range(2):
            with pytest.raises(Outdated, match=r"-- values of things.b are of the kind .* which no copy makes of them") as error:
                migrate(things, database)
            assert "-- UPDATE column_kind" in str(error.value)
            execute(database, str(error.value))
        if old is not None:
            assert states(was, database, row) == [{"a": 1, "b": old}]

    def test_a_changed_column_keeps_what_others_made(self, database: Database) -> None:
        migrate(app(a=(int,), b=(int, 1)), database)
        store(app(a=(int,), b=(int, 1)), database, a=1, b=5)
        run(database, "CREATE TABLE seen (a BIGINT)")
        run(database, "CREATE INDEX by_b ON things (b, a)")
        run(database, "ALTER TABLE things ADD COLUMN note BIGINT DEFAULT 3")
        run(database, f"CREATE TRIGGER noted AFTER INSERT ON things FOR EACH ROW {trigger(database)}")
        things = app(a=(int,), b=(float, 1.0))
        with pytest.raises(Outdated) as error:
            migrate(things, database)
        execute(database, str(error.value))
        assert migrate(things, database) == [ADMITTED]
        store(things, database, a=2, b=0.5)
        assert run(database, "SELECT a FROM seen") == [(2,)]
        assert sorted(run(database, "SELECT note, b FROM things")) == [(3, 0.5), (3, 5.0)]
        with database.read() as connection:
            assert "by_b" in {index["name"] for index in database.sqlalchemy.get_indexes(connection, "things")}

    # what is there and not declared

    def test_a_field_that_is_gone_stays_in_the_table(self, database: Database) -> None:
        before, after = app(a=(int,), b=(str, "x"), c=(int | None, None)), app(a=(int,))
        migrate(before, database)
        old = store(before, database, a=1, b="kept", c=2)
        assert migrate(after, database) == [ADMITTED]
        store(after, database, a=2)
        assert states(before, database, old) == [{"a": 1, "b": "kept", "c": 2}]

    def test_a_required_field_that_is_gone_would_refuse_every_new_row(self, database: Database) -> None:
        """Its column wants a value that nobody gives any more."""
        migrate(app(a=(int,), b=(int,)), database)
        for call in (pending, migrate):
            with pytest.raises(Outdated, match=r"MODIFY b BIGINT NULL|ADD COLUMN b_new BIGINT;"):
                call(app(a=(int,)), database)

    def test_a_resource_that_is_gone_keeps_its_table(self, database: Database) -> None:
        class Other(Resource, name="others"):
            name: str

        things = app(a=(int,))
        migrate(things, database)
        row = store(things, database, a=1)
        migrate(App(Other), database)
        assert pending(App(Other), database) == []
        assert states(things, database, row) == [{"a": 1}]

    def test_what_others_added_is_left_alone(self, database: Database) -> None:
        things = app(a=(int,), b=(str, "x"))
        migrate(things, database)
        for sql in (
            "CREATE TABLE report (id INTEGER PRIMARY KEY, note VARCHAR(20))",
            "CREATE INDEX by_a ON things (a)",
            "ALTER TABLE things ADD COLUMN note VARCHAR(20)",
        ):
            run(database, sql)
        assert pending(things, database) == []
        store(things, database, a=1, b="x")

    def test_two_at_once_both_succeed(self, database: Database) -> None:
        versions = app(a=(int,)), app(a=(int,), b=(int, 1))
        for things in versions:
            others = [database] if database.dialect.name != "mysql" else [database, Database(url(database))]
            start = threading.Barrier(len(others))

            def one(other: Database, things: App = things, start: threading.Barrier = start) -> None:
                start.wait()
                migrate(things, other)

            with ThreadPoolExecutor() as pool:
                list(pool.map(one, others))
            assert pending(things, database) == []
            for other in others[1:]:
                other.dispose()


def url(database: Database) -> str:
    return database._writer.url.set(drivername="mysql").render_as_string(hide_password=False)


class TestSqlite(Cases):
    @pytest.fixture
    def database(self, tmp_path: Path) -> Iterator[Database]:
        database = Database(f"sqlite:///{tmp_path}/write.db")
        yield database
        database.dispose()


WIDEST: list[tuple[dict[str, tuple[Any, int]], Any]] = [  # how many of each, and what is too much then
    ({"a": (Annotated[str, Field(max_length=500)], 32), "b": (Annotated[str, Field(max_length=325)], 1), "c": (bool, 2)}, bool),
    ({"a": (str, 196)}, str),
    ({"a": (list[str], 100), "b": (Annotated[str, Field(max_length=10)], 96)}, list[int]),
    ({"a": (str | None, 188), "b": (Annotated[str, Unique()], 1), "c": (int, 28), "d": (bool, 6)}, bool),
    ({"a": (Password, 63)}, Annotated[str, Field(max_length=300)]),
]


@pytest.mark.engine
class TestMysql(Cases):
    @pytest.fixture
    def database(self, mysql: str) -> Iterator[Database]:
        with connect(mysql) as admin:
            query(admin, "SET foreign_key_checks = 0")
            for (table,) in query(admin, "SHOW TABLES"):
                query(admin, f"DROP TABLE `{table}`")
        database = Database(mysql)
        yield database
        database.dispose()

    def test_keys_and_comments_of_others_are_left_alone(self, database: Database) -> None:
        things = app(a=(int,), b=(Annotated[str, Field(max_length=20)], "x"))
        migrate(things, database)
        for sql in (
            "CREATE TABLE place (id BIGINT PRIMARY KEY)",
            "ALTER TABLE things ADD CONSTRAINT somewhere FOREIGN KEY (a) REFERENCES place (id)",
            "ALTER TABLE things COMMENT = 'ours', MODIFY a BIGINT NOT NULL COMMENT 'where'",
            "ALTER TABLE things ADD CONSTRAINT positive CHECK (a > 0)",
        ):
            run(database, sql)
        assert pending(things, database) == []

    def test_it_does_not_wait_for_a_table_in_use(self, database: Database, stranger: Stranger) -> None:
        """An ALTER TABLE that waits holds up everybody who comes after it."""
        migrate(app(a=(int,)), database)
        query(stranger, "SELECT * FROM things")
        with pytest.raises(Contended):
            migrate(app(a=(int,), b=(int, 1)), database)
        stranger.rollback()
        assert migrate(app(a=(int,), b=(int, 1)), database) == ["add column things.b", ADMITTED]

    @pytest.mark.parametrize(("parts", "more"), WIDEST)
    def test_what_a_row_does_not_hold_is_refused_where_it_is_declared(
        self, database: Database, parts: dict[str, tuple[Any, int]], more: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fields = {f"{name}{number}": (annotation,) for name, (annotation, count) in parts.items() for number in range(count)}
        with pytest.raises(DeclarationError, match="a row of MySQL"):
            app(**fields, more=(more,))
        with monkeypatch.context() as patch:
            patch.setattr("twofold.resource.refuse_wide", lambda *_: None)
            wider = app(**fields, more=(more,))
        with pytest.raises(Rejected, match="MySQL error 1118"):
            migrate(wider, database)
        assert "create table things" in migrate(app(**fields), database)

    def test_a_change_of_a_column_keeps_its_default(self, database: Database) -> None:
        migrate(app(a=(Annotated[str, Field(max_length=10)], "it's")), database)
        with pytest.raises(Outdated, match=r"MODIFY a VARCHAR\(20\) .*NOT NULL DEFAULT 'it''s'"):
            migrate(app(a=(Annotated[str, Field(max_length=20)], "it's")), database)


EVERYTHING: dict[str, tuple[Any, ...]] = {
    "whole": (int, -(2**63)),
    "large": (int, 2**63 - 1),
    "ratio": (float, 1e-7),
    "huge": (float, 1.7976931348623157e308),
    "yes": (bool, True),
    "no": (bool, False),
    "day": (date, date(2024, 2, 29)),
    "moment": (datetime, datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)),
    "price": (Annotated[Decimal, Places(2)], Decimal("-1.50")),
    "none": (Annotated[Decimal | None, Places(2)], None),
    "choice": (Literal["it's", "%"], "it's"),
    "size": (Size, Size.X_LARGE),
    "renamed": (Annotated[str, Column("select"), Field(max_length=9)], "x"),
    "words": (list[str], Field(default_factory=lambda: list(TEXTS))),
    "prices": (Annotated[list[Decimal], Places(2)], Field(default_factory=lambda: [Decimal("1.50"), Decimal(-2)])),
    "empty": (list[int], Field(default_factory=list)),
    "moments": (list[datetime], Field(default_factory=lambda: [datetime(2026, 1, 2, tzinfo=UTC)])),
    "all_texts": (str, "".join(TEXTS)),
    **{f"long{number}": (str, words) for number, words in enumerate(TEXTS)},
    **{f"short{number}": (Annotated[str, Field(max_length=20)], words) for number, words in enumerate(TEXTS)},
    **{f"key{number}": (Annotated[str, Keyword(), Field(max_length=20)], words) for number, words in enumerate(TEXTS[:4])},
}
