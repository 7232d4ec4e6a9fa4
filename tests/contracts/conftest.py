"""What the contract suites share: plain asserts that explain themselves, and databases."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

CONTRACTS = (
    "store_contract",
    "scans_contract",
    "outbox_contract",
    "index_contract",
    "facets_contract",
    "marks_contract",
    "generations_contract",
    "holdings_contract",
    "freshness_contract",
)
pytest.register_assert_rewrite(*CONTRACTS)

from mysqld import mysql, private, private_mysql, stranger  # noqa: E402
from store_contract import emptied  # noqa: E402

from twofold.store.database import Database  # noqa: E402

__all__ = ["mysql", "private", "private_mysql", "stranger"]


@pytest.fixture(scope="session")
def sqlite_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with the tables of the contracts' app, to be copied."""
    path = tmp_path_factory.mktemp("sqlite") / "write.db"
    emptied(Database(f"sqlite:///{path}")).dispose()
    return path


@pytest.fixture
def sqlite_database(sqlite_file: Path, tmp_path: Path) -> Iterator[Database]:
    shutil.copy(sqlite_file, tmp_path / "write.db")
    database = Database(f"sqlite:///{tmp_path}/write.db")
    yield database
    database.dispose()


@pytest.fixture
def mysql_database(mysql: str) -> Iterator[Database]:
    database = Database(mysql)
    yield emptied(database)
    database.dispose()
