"""Puts the parts together. The only module that imports adapters; those that not every role needs, when they are needed: SQLAlchemy
and Alembic alone are 20 MB.
"""
# ruff: noqa: PLC0415

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import sys
import traceback
import uuid
from collections.abc import Callable, Iterable
from functools import cached_property, partial
from pathlib import Path
from typing import IO, TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from twofold import topics
from twofold.errors import Outdated, SettingsError, TwofoldError
from twofold.index.port import ReadStore
from twofold.index.sqlite import SqliteIndex
from twofold.log.port import EventLog
from twofold.log.sqlite import SqliteLog
from twofold.projector.projector import Projector
from twofold.rebuild.losses import Losses
from twofold.relay.relay import Relay
from twofold.resource import App, Declaration
from twofold.runtime.datafiles import lock_folder
from twofold.runtime.service import Service
from twofold.runtime.web import Health
from twofold.settings import Settings
from twofold.urls import file_of, scheme

if TYPE_CHECKING:
    from twofold.command.http import CommandService
    from twofold.command.passwords import HashPool
    from twofold.index.elastic import ElasticIndex
    from twofold.query.http import QueryService
    from twofold.rebuild.parts import Parts
    from twofold.store.database import Database
    from twofold.store.outbox import SqlOutbox
    from twofold.store.sql import SqlStore
    from twofold.verify.judge import Sides

WRITE, LOG, READ = "write store", "event log", "read store"


class System:
    """An app on its engines. Each engine is opened when it is first used, and closed by `close`.

    Where `reading`, files of the embedded default are not changed, not even made, and what writes fails.
    """

    def __init__(self, app: App, settings: Settings, *, reading: bool = False) -> None:
        self.app, self.settings, self._reading = app, settings, reading
        locks = (lock_folder(folder, files, reading=reading) for folder, files in _folders(settings).items())
        self._locks: list[IO[str]] = [lock for lock in locks if lock is not None]

    @cached_property
    def _database(self) -> Database:
        from twofold.store.database import Database

        return Database(self.settings.write_url, reading=self._reading)

    @cached_property
    def store(self) -> SqlStore:
        from twofold.store.sql import SqlStore

        return SqlStore(self.app, self._database)

    @cached_property
    def outbox(self) -> SqlOutbox:
        from twofold.store.outbox import SqlOutbox

        return SqlOutbox(self.app, self._database)

    @cached_property
    def log(self) -> EventLog:
        url = self.settings.log_url
        if scheme(url) == "sqlite":
            return SqliteLog(file_of(url), reading=self._reading)
        _require("confluent_kafka", "kafka")
        from twofold.log.kafka import KafkaLog

        return KafkaLog(url.partition("://")[2].strip("/"))

    @cached_property
    def index(self) -> SqliteIndex | ElasticIndex:
        url = urlsplit(self.settings.read_url)
        if url.scheme == "sqlite":
            return SqliteIndex(file_of(self.settings.read_url), reading=self._reading)
        _require("elastic_transport", "elasticsearch")
        from twofold.index.elastic import ElasticIndex

        engine, _, transport = url.scheme.partition("+")
        hosts = [f"{transport or 'http'}://{host}" for host in url.netloc.rpartition("@")[2].split(",")]
        user, password = (unquote(url.username or "") or None), (unquote(url.password or "") or None)
        return ElasticIndex(hosts, engine="opensearch" if engine == "opensearch" else "elasticsearch", user=user, password=password)

    def pending(self, needs: Iterable[str]) -> list[str]:
        """What `migrate` would do to these engines. Raises Unavailable for one that does not answer."""
        found: list[str] = []
        if WRITE in needs:
            from twofold.store import migrate

            found += migrate.pending(self.app, self._database)
        if LOG in needs:
            for resource in self.app:
                found += topics.pending(self.log, resource)
        if READ in needs:
            for resource in self.app:
                found += self.index.pending(resource)
        return found

    def refuse_pending(self, needs: Iterable[str]) -> None:
        """Raises Outdated where `migrate` has something to do, Unavailable for an engine that does not answer."""
        if missing := self.pending(needs):
            raise Outdated(f"The engines are not as the app declares ({', '.join(missing)}). Run `twofold migrate` first.")

    def migrate_embedded(self) -> None:
        """Migrates the embedded default: nobody else can while this process has its files. Leaves other engines alone."""
        settings = self.settings
        if all(scheme(url) == "sqlite" for url in (settings.write_url, settings.log_url, settings.read_url)):
            self.migrate()

    def migrate(self) -> list[str]:
        """Brings all three engines to what the app declares. Returns what was done."""
        from twofold.store import migrate

        done = migrate.migrate(self.app, self._database)
        for resource in self.app:
            documents = self._documents(resource)
            filled = partial(self._filled, resource, documents)
            done += topics.make(self.log, resource, indexed=documents is not None, filled=filled)
            done += self.index.migrate(resource)
        return done

    def left(self) -> list[str]:
        """What `migrate` has to leave to a rebuild, a sentence each."""
        found = []
        for resource in self.app:
            if lost := self.losses().of(resource):
                found.append(lost)
            try:
                self.index.pending(resource)
            except Outdated as error:
                found.append(str(error))
        return found

    def _documents(self, resource: Declaration) -> int | None:
        """How many the index holds, tombstones too; None where there is none."""
        try:
            found = self.index.status(resource)
        except Outdated:
            return None
        return found.documents + found.tombstones

    def _filled(self, resource: Declaration, documents: int | None) -> bool:
        return bool(documents or self.store.count(resource))

    def command_service(self, wake: Callable[[], None] = lambda: None, hashes: HashPool | None = None) -> CommandService:
        """`wake` is called when records are in the outbox."""
        from twofold.command.http import CommandService
        from twofold.command.writer import Writer

        return CommandService(self.app, self.store, Writer(self.store, wake), self.health(WRITE, LOG, READ), hashes)

    def purger(self) -> Service:
        """What removes old receipts; beside each command service."""
        from twofold.command.purger import Purger

        return Purger(self.store)

    def query_service(self) -> QueryService:
        from twofold.query.http import QueryService

        return QueryService(self.app, self.index, self.health(READ))

    def relay(self) -> Relay:
        """The relay. On SQLite there is one at a time, by the lock on the folder: it takes up the lease of one that was killed."""
        return Relay(self.app, self.outbox, self.log, holder="embedded" if self._alone else "")

    def parts(self, resource: Declaration) -> Parts:
        """What a rebuild or a rollback of a resource works with."""
        from twofold.rebuild.parts import Parts
        from twofold.store.leases import SqlLeases

        holder = "embedded" if self._alone else str(uuid.uuid4())
        return Parts(resource, self.store, SqlLeases(self.app, self._database), self.log, self.index, self.index, holder)

    def losses(self) -> Losses:
        """What tells whether topics still hold what the index needs."""
        return Losses(self.store, self.outbox, lambda: self.log, self.index)

    def sides(self) -> Sides:
        """What a verification compares, and the way between."""
        from twofold.verify.judge import Sides

        return Sides(self.store, self.outbox, self.log, self.index, self.index.holdings)

    @property
    def _alone(self) -> bool:
        """Whether no other process can have a lease: a holder of the same name then takes up that of one that was killed."""
        return scheme(self.settings.write_url) == "sqlite"

    def projectors(self) -> list[Projector]:
        return [Projector(resource, self.log, self.index, refresh=self.settings.refresh == "soon") for resource in self.app]

    def health(self, *names: str) -> Health:
        """Looks at engines, which raise where one is not well."""
        return {name: partial(self._check, name) for name in names}

    def _check(self, name: str) -> None:
        engine: SqlStore | EventLog | ReadStore = self.store if name == WRITE else self.log if name == LOG else self.index
        engine.check()

    def close(self) -> None:
        for name in ("log", "index"):
            if name in self.__dict__:
                getattr(self, name).close()
        if "_database" in self.__dict__:
            self._database.dispose()
        for lock in self._locks:
            lock.close()


def load_app(path: str) -> App:
    """The app named as `module:attribute`, looked up from the current folder too. Raises SettingsError."""
    module, _, attribute = path.partition(":")
    if not attribute:
        raise SettingsError(f"--app {path}: write module:attribute, for example shop:app")
    sys.path.insert(0, str(Path.cwd()))
    try:
        loaded = importlib.import_module(module)
    except TwofoldError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a module of the user's raises
        raise SettingsError(f"--app {path}: {_why(module, error)}") from None
    if not hasattr(loaded, attribute):
        raise SettingsError(f"--app {path}: {module} has no {attribute!r}")
    found = getattr(loaded, attribute)
    if not isinstance(found, App):
        told = f"the class {found.__name__}" if isinstance(found, type) else type(found).__name__
        raise SettingsError(f"--app {path}: this is {told}, not a twofold.App: write app = App(…) and name that")
    return found


def _why(module: str, error: Exception) -> str:
    """Why a module cannot be imported, and where in the user's own code."""
    if isinstance(error, ModuleNotFoundError) and error.name and f"{module}.".startswith(f"{error.name}."):
        return f"there is no module {error.name!r}, neither in the current folder nor among those that are installed"
    if isinstance(error, SyntaxError):
        file, line, words = error.filename, error.lineno, error.msg
    else:
        frames = traceback.extract_tb(error.__traceback__)[1:]
        own = [frame for frame in frames if not re.search(r"^<frozen|/site-packages/|/lib/python3\.\d+/", frame.filename)]
        file, line, words = (own or frames)[-1].filename, (own or frames)[-1].lineno, " ".join(str(error).split())
    place = f"{os.path.relpath(file) if file else module}, line {line}"
    return f"{place}: {type(error).__name__}: {words}. To see all of it: python -c 'import {module}'"


def resource_of(app: App, name: str) -> Declaration:
    """The resource of that name. Raises SettingsError with those that there are."""
    if name not in app.resources:
        raise SettingsError(f"There is no resource {name!r}; there is {', '.join(app.resources)}.")
    return app.resources[name]


def _require(package: str, extra: str) -> None:
    if importlib.util.find_spec(package) is None:
        raise SettingsError(f"This engine needs more packages: pip install 'twofold[{extra}]'")


def _folders(settings: Settings) -> dict[Path, list[Path]]:
    """The folders of SQLite files, each of which one process may use, with their files."""
    files = [file_of(url).absolute() for url in (settings.write_url, settings.log_url, settings.read_url) if scheme(url) == "sqlite"]
    return {folder: [file for file in files if file.parent == folder] for folder in sorted({file.parent for file in files})}
