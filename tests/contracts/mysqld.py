"""MySQL for tests: databases of their own on a server that others use too, and a whole server that may be broken."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import pymysql
import pytest
from dev.engines.settings import EngineError
from sqlalchemy import URL, make_url
from tests.private import PrivateEngine

Stranger = pymysql.connections.Connection
SHARED = os.environ.get("TWOFOLD_TEST_MYSQL", "mysql://root:root@127.0.0.1:3306")


@contextmanager
def database(server: str = SHARED) -> Iterator[str]:
    """The URL of an empty database of a server, dropped at the end. Where the server is away tests are skipped, and fail in CI."""
    url = make_url(server).set(database=f"contract_{uuid.uuid4().hex[:12]}")
    try:
        admin = connect(server)
    except pymysql.Error as error:
        _missing(f"MySQL does not answer at {url.host}:{url.port}: {error}")
    with admin:
        query(admin, f"CREATE DATABASE {url.database} CHARACTER SET utf8mb4")
    yield url.render_as_string(hide_password=False)
    with connect(server) as admin:
        query(admin, "SET lock_wait_timeout = 20")
        query(admin, f"DROP DATABASE {url.database}")


def connect(url: str | URL, **options: Any) -> Stranger:
    """A connection of somebody else's, in transactions of READ COMMITTED."""
    to = make_url(url)
    return pymysql.connect(
        host=to.host or "",
        port=to.port or 3306,
        user=to.username,
        password=to.password or "",
        database=to.database or None,
        init_command="SET transaction_isolation = 'READ-COMMITTED'",
        read_timeout=30,
        ssl_disabled=True,
        **options,
    )


def query(connection: Stranger, sql: str, *values: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values or None)
        return list(cursor.fetchall())


@pytest.fixture(scope="module")
def mysql() -> Iterator[str]:
    """An empty database on the shared server, without TLS, which takes ten times as long to connect."""
    with database() as url:
        yield f"{url}?ssl_disabled=true"


@pytest.fixture(scope="session")
def private(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Private]:
    """A server that tests may break, and mend before they end."""
    server = Private(tmp_path_factory.mktemp("engines"))
    yield server
    server.kill()


@pytest.fixture
def private_mysql(private: Private) -> Iterator[str]:
    """An empty database on the server of our own."""
    with database(private.url) as url:
        yield url


@pytest.fixture
def stranger(mysql: str) -> Iterator[Stranger]:
    """A connection of somebody who is not twofold."""
    with connect(mysql) as connection:
        yield connection


def waiting(stranger: Stranger, count: int) -> bool:
    """Whether so many transactions of this database wait for a lock."""
    sql = (
        "SELECT count(*) FROM performance_schema.data_lock_waits w JOIN performance_schema.data_locks l"
        " ON l.engine_lock_id = w.requesting_engine_lock_id WHERE l.object_schema = database()"
    )
    return bool(query(stranger, sql)[0][0] >= count)


class Private(PrivateEngine):
    """A mysqld of our own."""

    def __init__(self, folder: Path) -> None:
        super().__init__("mysql", folder, "--innodb-buffer-pool-size=64M")
        try:
            self.prepare()
        except EngineError as error:
            _missing(f"There is no mysqld to start: {error}")
        self.start()

    @property
    def url(self) -> str:
        return f"mysql://root:root@127.0.0.1:{self.port}"

    def start(self) -> None:
        self.spawn()
        self.wait()

    def do(self, *statements: str) -> None:
        with connect(self.url) as admin:
            for statement in statements:
                query(admin, statement)


def _missing(reason: str) -> NoReturn:
    """A skip on a laptop, a failure in CI."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
