"""Systems of tests: an app, settings of real engines, a database of their own, and how all of it is removed."""

from __future__ import annotations

from typing import Annotated

import httpx
import pymysql
from confluent_kafka.admin import AdminClient

from tests import engines
from twofold import App, Column, Keyword, Resource, Text, Unique

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


def remove(name: str, read: str) -> None:
    """Topics and indices of a test do not stay behind."""
    admin = AdminClient({"bootstrap.servers": engines.KAFKA})
    for deleted in admin.delete_topics([f"{name}-topic", f"{name}-topic.dlq"]).values():
        deleted.exception(10)
    url = engines.ELASTICSEARCH if read == "elasticsearch" else engines.OPENSEARCH
    for index in httpx.get(f"{url}/{name}-*/_settings?flat_settings&expand_wildcards=all").json():
        httpx.delete(f"{url}/{index}")


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
