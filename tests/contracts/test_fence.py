"""Two versions of one program on one table: from the first command that the newer one takes, the older one's writers are refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import orjson
import pytest
from mysqld import connect, database, waiting
from store_contract import new_id, until
from structlog.testing import capture_logs

from twofold import App, Resource
from twofold.command.decide import Command
from twofold.command.writer import Writer
from twofold.documents import of_row, operation
from twofold.errors import Outdated, Problem
from twofold.resource import Declaration
from twofold.store import fence
from twofold.store.database import Database
from twofold.store.migrate import migrate, pending
from twofold.store.outbox import SqlOutbox
from twofold.store.port import Reply
from twofold.store.sql import SqlStore

OUTDATED = (503, "declaration-outdated")


class Old(Resource, name="things"):
    name: str


class New(Resource, name="things"):
    name: str
    stock: int = 0


class Other(Resource, name="others"):
    name: str


class Else(Resource, name="others"):
    name: str
    stock: int = 0


class Program:
    """A version of an app, as a command service of its own."""

    def __init__(self, database: Database, *classes: type[Resource]) -> None:
        self.app, self.database = App(*classes), database
        self.store, self.outbox = SqlStore(self.app, database), SqlOutbox(self.app, database)
        self.writer = Writer(self.store)

    def ask(self, *commands: Command) -> list[Any]:
        answers = self.writer.run(commands)
        told = [each for each in answers if isinstance(each, Problem | Reply)]
        return [(each.status, each.code) if isinstance(each, Problem) else each.status for each in told]

    def command(self, kind: str, id_: str, resource: str = "things", /, **body: Any) -> Command:
        declaration = self.app.resources[resource]
        state = {field.name: field.default for field in declaration.public} if kind == "create" else {}
        return Command(declaration, kind, id_, new_id(), new_id, body={**state, **body})

    def migrate(self) -> list[str]:
        return migrate(self.app, self.database)

    @property
    def things(self) -> Declaration:
        return self.app.resources["things"]


class Cases:
    """Bound by one fixture, `connect`: opens an empty database, the same at each call."""

    @pytest.fixture
    def start(self, connect: Callable[[], Database]) -> Iterator[Callable[..., Program]]:
        with ExitStack() as stack, capture_logs():

            def start(*classes: type[Resource]) -> Program:
                program = Program(connect(), *classes)
                stack.callback(program.database.dispose)
                return program

            yield start

    def test_a_new_declaration_takes_over_with_its_first_command(self, start: Callable[..., Program]) -> None:
        old, new, id_ = start(Old), start(New), new_id()
        old.migrate()
        assert old.ask(old.command("create", id_, name="a")) == [201]
        assert new.migrate() == ["add column things.stock", "admit writers of things as declared here"]
        assert old.ask(old.command("patch", id_, name="b")) == [200]  # no row has anything yet that this does not know
        assert new.ask(new.command("patch", id_, stock=5)) == [200]
        assert old.ask(old.command("patch", id_, name="c"), old.command("create", new_id(), name="d")) == [OUTDATED] * 2
        assert new.ask(new.command("patch", id_, name="e")) == [200]

        row = new.store.fetch(new.things, [id_])[id_]
        documents = {record.version: orjson.loads(operation(new.things, record).document) for _, _, record in new.outbox.pending(10)}
        assert documents[4] == orjson.loads(of_row(new.things, row).document)
        assert documents[4]["stock"] == 5
        assert new.store.count(new.things) == 1

    def test_what_was_refused_tells_why(self, start: Callable[..., Program]) -> None:
        old, new = start(Old), start(New)
        old.migrate()
        new.migrate()
        new.ask(new.command("create", new_id(), name="a"))
        with capture_logs() as logs:
            for _ in range(3):
                old.ask(old.command("create", new_id(), name="a"))
        assert [line["event"] for line in logs] == ["writes are refused"]
        assert "a newer declaration of things is in use" in logs[0]["reason"]
        with pytest.raises(Outdated, match="a newer declaration of things is in use"):
            old.store.check()
        new.store.check()

    def test_a_program_that_was_replaced_does_not_start_again(self, start: Callable[..., Program]) -> None:
        old, new = start(Old), start(New)
        old.migrate()
        new.migrate()
        assert pending(old.app, old.database) == []
        new.ask(new.command("create", new_id(), name="a"))
        assert pending(old.app, old.database) == ["admit writers of things as declared here"]

    def test_who_wants_to_go_back_says_so_with_migrate(self, start: Callable[..., Program]) -> None:
        old, new = start(Old), start(New)
        old.migrate()
        new.migrate()
        new.ask(new.command("create", new_id(), name="a"))
        assert old.migrate() == ["admit writers of things as declared here"]
        assert new.ask(new.command("create", new_id(), name="b")) == [201]  # until the older one takes over
        assert old.ask(old.command("create", new_id(), name="c")) == [201]
        assert new.ask(new.command("create", new_id(), name="d")) == [OUTDATED]

    def test_a_declaration_that_was_not_migrated_is_not_let_in(self, start: Callable[..., Program]) -> None:
        old, new = start(Old), start(New)
        new.migrate()
        assert old.ask(old.command("create", new_id(), name="a")) == [OUTDATED]
        assert new.ask(new.command("create", new_id(), name="a")) == [201]

    def test_another_resource_goes_on(self, start: Callable[..., Program]) -> None:
        old, new = start(Old, Other), start(New, Other)
        old.migrate()
        new.migrate()
        new.ask(new.command("create", new_id(), name="a"))
        asked = [old.command("create", new_id(), resource, name="b") for resource in ("others", "things", "others")]
        assert old.ask(*asked) == [201, OUTDATED, 201]

    def test_a_unit_of_several_resources_makes_sure_of_each(self, start: Callable[..., Program]) -> None:
        new = start(New, Other)
        new.migrate()
        assert new.ask(*(new.command("create", new_id(), resource, name="b") for resource in ("others", "things"))) == [201, 201]

    def test_a_store_without_the_fence_says_what_to_run(self, start: Callable[..., Program]) -> None:
        program = start(Old)
        program.migrate()
        with program.database.write() as connection:
            connection.exec_driver_sql("DROP TABLE fence")
            program.database.commit(connection)
        assert program.ask(program.command("create", new_id(), name="a")) == [OUTDATED]
        assert program.migrate() == ["create table fence", "admit writers of things as declared here"]
        assert program.ask(program.command("create", new_id(), name="a")) == [201]


class TestSqlite(Cases):
    @pytest.fixture
    def connect(self, tmp_path: Any) -> Callable[[], Database]:
        database = Database(f"sqlite:///{tmp_path}/write.db")
        return lambda: database


@pytest.mark.engine
class TestMysql(Cases):
    @pytest.fixture
    def connect(self) -> Iterator[Callable[[], Database]]:
        with database() as url:
            yield lambda: Database(f"{url}?ssl_disabled=true")

    def test_migrate_beside_a_unit_that_comes_the_other_way_is_no_deadlock(self, start: Callable[..., Program]) -> None:
        old, new = start(Old, Other), start(New, Else)
        old.migrate()
        with ThreadPoolExecutor() as pool, connect(old.database._url) as stranger, old.store.unit() as unit:
            unit._begin(old.app.resources["others"])
            migrated = pool.submit(new.migrate)
            until(lambda: waiting(stranger, 1) or migrated.done())
            unit._begin(old.things)
            unit.commit()
            done = migrated.result()
        assert done[-2:] == ["admit writers of things as declared here", "admit writers of others as declared here"]
        assert new.ask(new.command("create", new_id(), name="a")) == [201]

    def test_migrate_waits_for_a_unit_longer_than_for_a_lock(self, start: Callable[..., Program], monkeypatch: pytest.MonkeyPatch) -> None:
        old, new, tries = start(Old), start(New), []
        old.migrate()
        original = fence._note
        monkeypatch.setattr(fence, "_note", lambda *given: (tries.append(given), original(*given)))
        with ThreadPoolExecutor() as pool, old.store.unit() as unit:
            unit._begin(old.things)
            migrated = pool.submit(new.migrate)
            until(lambda: len(tries) > 1 or migrated.done())
            unit.commit()
            assert migrated.result() == ["add column things.stock", "admit writers of things as declared here"]

    def test_a_unit_of_the_old_one_that_is_open_is_waited_for(self, start: Callable[..., Program]) -> None:
        """Neither goes on beside the other: the new one's first unit is decided after the old one's last."""
        old, new = start(Old), start(New)
        old.migrate()
        new.migrate()
        with old.store.unit() as unit:
            unit.publish([], [])
            unit._begin(old.things)
            assert new.ask(new.command("create", new_id(), name="a")) == [(503, "row-locked")]
            unit.commit()
        assert new.ask(new.command("create", new_id(), name="a")) == [201]
