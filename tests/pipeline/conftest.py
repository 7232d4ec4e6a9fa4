"""A system on each set of engines, with tables, topics and indices of its own."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import httpx
import pymysql
import pytest
from confluent_kafka.admin import AdminClient
from tests import engines
from tests.pipeline.steps import Pipeline

from twofold import App, Column, Keyword, Resource, Text, Unique
from twofold.bootstrap import System
from twofold.settings import load

REAL = ("elasticsearch", "opensearch")


def make_app(name: str) -> App:
    class Person(Resource, name=name, table="person"):
        name: Annotated[str, Text(), Keyword(), Column("full_name")]
        email: Annotated[str, Keyword(), Text(), Unique()]
        note: str | None = None

    return App(Person)


def real_settings(name: str, read: str) -> dict[str, str]:
    url = engines.ELASTICSEARCH if read == "elasticsearch" else engines.OPENSEARCH
    engines.need(engines.MYSQL, engines.KAFKA, url)
    return {
        "write_url": f"{engines.MYSQL}/{name}",
        "log_url": f"kafka://{engines.KAFKA}",
        "read_url": f"{read}://{url.removeprefix('http://')}",
    }


@pytest.fixture(params=["embedded", *(pytest.param(engine, marks=pytest.mark.engine) for engine in REAL)])
def system(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[System]:
    name = f"t{uuid.uuid4().hex[:12]}"
    app = make_app(name)
    if request.param == "embedded":
        system = System(app, load(data=tmp_path / "data"))
        system.migrate()
        yield system
        system.close()
        return
    settings = real_settings(name, request.param)
    with database(name):
        system = System(app, load(**settings))
        system.migrate()
        yield system
        system.close()
    remove(name, request.param)


def remove(name: str, read: str) -> None:
    """Topics and indices of a test do not stay behind."""
    admin = AdminClient({"bootstrap.servers": engines.KAFKA})
    for deleted in admin.delete_topics([f"{name}-topic", f"{name}-topic.dlq"]).values():
        deleted.exception(10)
    url = engines.ELASTICSEARCH if read == "elasticsearch" else engines.OPENSEARCH
    for index in httpx.get(f"{url}/{name}-*/_settings?flat_settings&expand_wildcards=all").json():
        httpx.delete(f"{url}/{index}")


@pytest.fixture
def pipeline(system: System) -> Iterator[Pipeline]:
    pipeline = Pipeline(system)
    yield pipeline
    pipeline.writer.stop()


class database:  # noqa: N801 - used like a function
    """A MySQL database for the length of a test."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __enter__(self) -> None:
        self._execute(f"CREATE DATABASE {self.name}")

    def __exit__(self, *_: object) -> None:
        self._execute(f"DROP DATABASE {self.name}")

    def _execute(self, statement: str) -> None:
        with connect() as connection, connection.cursor() as cursor:
            cursor.execute(statement)


def connect(database: str | None = None) -> pymysql.Connection:
    from sqlalchemy import make_url

    url = make_url(engines.MYSQL)
    return pymysql.connect(host=url.host, port=url.port or 3306, user=url.username, password=url.password or "", database=database)
