"""Column types. Values go in and come out as state holds them."""

from __future__ import annotations

from typing import Any

import orjson
from sqlalchemy import BigInteger, LargeBinary, String, Text
from sqlalchemy.dialects.mysql import LONGTEXT, VARBINARY
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

from twofold.fields import Field
from twofold.store.dialects import mysql


class Timestamp(TypeDecorator[str]):
    """RFC 3339 UTC text with milliseconds. A default, which is written without its Z, gets it when it is read."""

    impl = String(24)
    cache_ok = True

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        return value if value is None or value.endswith("Z") else f"{value}Z"


class Day(String):
    """An ISO date."""


class Converted(TypeDecorator[str]):
    """What its kind holds as a 64-bit integer, such as decimals."""

    impl = BigInteger
    cache_ok = True

    def __init__(self, field: Field) -> None:
        super().__init__()
        self.field = field

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        return self.field.stored(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        return self.field.restored(value)


class JsonList(TypeDecorator[list[Any]]):
    """A list, as JSON text."""

    impl = Text().with_variant(LONGTEXT(), "mysql")
    cache_ok = True

    def process_bind_param(self, value: list[Any] | None, dialect: Dialect) -> str | None:
        return None if value is None else orjson.dumps(value).decode()

    def process_result_value(self, value: Any, dialect: Dialect) -> list[Any] | None:
        return None if value is None else orjson.loads(value)


TIMESTAMP = Timestamp().with_variant(mysql.DateTime(), "mysql")
DAY = Day(10).with_variant(mysql.Date(), "mysql")
LONG_TEXT = Text().with_variant(LONGTEXT(), "mysql")


def binary(length: int) -> LargeBinary:
    """Up to so many bytes."""
    return LargeBinary().with_variant(VARBINARY(length), "mysql")
