"""A system of the run's own on the engines that are given: its database, topics, groups and indices, removed at the end."""

from __future__ import annotations

import contextlib
import secrets
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote, unquote, urlsplit

from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import DBAPIError

from twofold.bench.derived import APP, NAME, OF, derive
from twofold.bench.processes import Roles, free_port
from twofold.bench.table import Engines
from twofold.bench.wrk import HOST
from twofold.bootstrap import System, load_app
from twofold.errors import SettingsError, TwofoldError
from twofold.resource import App, Declaration
from twofold.settings import Settings
from twofold.urls import scheme, without_password

if TYPE_CHECKING:
    from twofold.index.elastic_client import Client


class Workspace:
    """What one app needs to be measured. Used as a context: made on entering, removed on leaving."""

    def __init__(self, app: str, given: Settings) -> None:
        embedded = [scheme(url) == "sqlite" for url in (given.write_url, given.log_url, given.read_url)]
        if any(embedded) and not all(embedded):
            raise SettingsError("The benchmark measures an app on embedded engines or on real ones: set all three URLs, or none.")
        self.name = f"bench_{secrets.token_hex(4)}"
        self.of, self._given = app, given
        data = given.data.absolute()
        self._data, self._made = data / self.name, [each for each in (data, *data.parents) if not each.exists()]
        self.app: App = derive(load_app(app), self.name)
        self.settings = given.model_copy(update=self._changes())
        self.engines: Engines = "embedded" if all(embedded) else "real"
        self._exit = ExitStack()

    @cached_property
    def system(self) -> System:
        """The same system in this process. With embedded files: before its roles run, and closed by `release`."""
        return System(self.app, self.settings)

    def release(self) -> None:
        """Closes this process's own system, so that a role can have the embedded files."""
        if "system" in self.__dict__:
            self.__dict__.pop("system").close()

    def resource(self, name: str) -> Declaration:
        return self.app.resources[name]

    @property
    def environment(self) -> dict[str, str]:
        """What makes a role serve this system. Other settings stay as they are for the user's own roles."""
        names = ("data", "write_url", "log_url", "read_url", "host", "command_port", "query_port")
        own = {f"TWOFOLD_{name.upper()}": str(getattr(self.settings, name)) for name in names}
        return {**own, "TWOFOLD_APP": APP, OF: self.of, NAME: self.name}

    def roles(self) -> Roles:
        """Its roles; those that are started are stopped before the rest is removed."""
        roles = Roles(self.environment, self.folder)
        self._exit.callback(roles.stop)
        return roles

    @cached_property
    def folder(self) -> Path:
        """For logs and other files."""
        return Path(self._exit.enter_context(tempfile.TemporaryDirectory(prefix="twofold-bench-")))

    def __enter__(self) -> Self:
        try:
            self._create()
            self._exit.callback(self._remove)
            self.system.migrate()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        with unhurried():
            self._exit.close()

    def told(self) -> list[str]:
        """What is made, and where, for people."""
        urls = [without_password(url) for url in (self.settings.write_url, self.settings.log_url, self.settings.read_url)]
        own = [name for each in self.app for name in (each.topic, each.dead_letters, each.group, each.index)]
        return [*urls, f"topics, groups and indices: {', '.join(own)}"]

    def _changes(self) -> dict[str, Any]:
        changed: dict[str, Any] = {"data": self._data, "host": HOST, "command_port": free_port(), "query_port": free_port()}
        for what, file in (("write_url", "write.db"), ("log_url", "log.db"), ("read_url", "read.db")):
            url = getattr(self._given, what)
            if scheme(url) == "sqlite":
                changed[what] = f"sqlite:///{quote(str(self._data / file))}"
            elif scheme(url) == "mysql":
                changed[what] = make_url(url).set(database=self.name).render_as_string(hide_password=False)
        return changed

    def _create(self) -> None:
        """Its removal is registered first: Ctrl-C may come before CREATE DATABASE is answered."""
        if scheme(self.settings.write_url) == "mysql":
            self._exit.callback(_told, lambda: self.sql(f"DROP DATABASE IF EXISTS {self.name}"))
            try:
                self.sql(f"CREATE DATABASE {self.name} CHARACTER SET utf8mb4")
            except DBAPIError as error:
                self._exit.pop_all()  # nothing was made, and whoever may not create may not drop
                raise SettingsError(
                    f"The benchmark writes to a database of its own, which could not be made ({error.orig}). "
                    "Name a user in --write-url who may create and drop databases whose names begin with bench_."
                ) from None

    def sql(self, statement: str) -> None:
        """Outside of any database."""
        url = make_url(self.settings.write_url).set(drivername="mysql+pymysql", database="", query={})
        engine = create_engine(url)
        try:
            with engine.begin() as connection:
                connection.execute(text(statement))
        finally:
            engine.dispose()

    def _remove(self) -> None:
        """Each engine by itself: one that fails must not keep the rest."""
        if scheme(self.settings.log_url) == "kafka":
            _told(self._remove_topics)
        self.release()
        if scheme(self.settings.read_url) != "sqlite":
            _told(self._remove_indices)
        shutil.rmtree(self._data, ignore_errors=True)
        with contextlib.suppress(OSError):  # another run may have put its files there meanwhile
            for folder in self._made:
                folder.rmdir()

    def _remove_topics(self) -> None:
        for each in self.app:
            with contextlib.suppress(TwofoldError):  # there is none where no projector ran
                self.system.log.forget(each.topic, each.group)
        delete_topics(self.settings.log_url, [topic for each in self.app for topic in (each.topic, each.dead_letters)])

    def _remove_indices(self) -> None:
        from twofold.index.elastic_client import path  # noqa: PLC0415 - needs an extra

        client = search_client(self.settings.read_url)
        try:
            _, found = client.send("GET", path(f"{self.name}-*", "_alias"))
            for name in found:
                client.send("DELETE", path(name))
        finally:
            client.close()


def delete_topics(url: str, topics: list[str]) -> None:
    """Those that are not there are passed over."""
    from confluent_kafka import KafkaError, KafkaException  # noqa: PLC0415 - an extra
    from confluent_kafka.admin import AdminClient  # noqa: PLC0415

    admin = AdminClient({"bootstrap.servers": url.partition("://")[2].strip("/"), "log_level": 4})  # warnings: else its end is told too
    for deleted in admin.delete_topics(topics).values():
        try:
            deleted.result(10)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise


def search_client(url: str) -> Client:
    """A client of the read store's engine, for what the port does not offer."""
    from twofold.index.elastic_client import Client  # noqa: PLC0415 - needs an extra

    parts = urlsplit(url)
    user, password = (None if value is None else unquote(value) for value in (parts.username, parts.password))
    engine, _, transport = parts.scheme.partition("+")
    hosts = [f"{transport or 'http'}://{host}" for host in parts.netloc.rpartition("@")[2].split(",")]
    return Client(hosts, "opensearch" if engine == "opensearch" else "elasticsearch", user, password)


@contextmanager
def unhurried() -> Iterator[None]:
    """Ctrl-C is noted, and waits until what was begun is removed."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda *_: print("removing what was made ...", file=sys.stderr, flush=True)) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def interruptible() -> None:
    """SIGTERM is taken as Ctrl-C: what was made is removed."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def _told(remove: Callable[[], object]) -> None:
    try:
        remove()
    except Exception as error:  # noqa: BLE001 - whatever it is, the rest is removed too
        print(f"bench: could not be removed: {error}", file=sys.stderr)


