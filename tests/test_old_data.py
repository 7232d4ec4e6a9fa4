"""What an older version has made goes on working: its folder as it is, and the same tables, indices and digests of every engine."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.old import make
from tests.old.shop import app
from tests.stack import Stack
from twofold.bootstrap import LOG, READ, WRITE

MADE: dict[str, Any] = json.loads((make.HERE / "made.json").read_text())


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    with tarfile.open(make.HERE / "folder.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    stack = Stack(app, tmp_path / "data", migrated=True)
    yield stack
    stack.close()


def test_tables_indices_and_digests_are_the_same() -> None:
    assert json.loads(json.dumps(make.shape())) == {name: MADE[name] for name in ("statements", "index", "digest", "fence")}


def test_there_is_nothing_to_migrate(stack: Stack) -> None:
    assert stack.system.pending({WRITE, LOG, READ}) == []
    assert stack.system.left() == []


def test_what_was_under_way_arrives(stack: Stack) -> None:
    stack.settle()
    ids = [each["id"] for each in MADE["answers"]]
    shown = [stack.query.get(f"/articles/{id_}") for id_ in ids]
    assert [each.status_code for each in shown] == [404 if number == 2 else 200 for number in range(len(ids))]
    assert (shown[1].json()["price"], shown[1].json()["status"]) == ("9.99", "sold")
    assert shown[3].json()["title"] == "Changed"
    assert [each.json() for each in shown[4:]] == MADE["answers"][4:]


def test_it_is_changed_and_found(stack: Stack) -> None:
    one = MADE["answers"][4]
    patched = stack.command.patch(f"/articles/{one['id']}", {"price": "12.00", "weight": "0.5"}, if_match='"1"')
    assert (patched.status_code, patched.json()["version"]) == (200, 2)
    taken = stack.command.post("/articles", {**make.body(5), "code": "CODE-4"})
    assert (taken.status_code, taken.json()["code"]) == (409, "code-taken")
    again = stack.command.post("/articles", make.body(5), idempotency_key="key-5")
    assert (again.headers["idempotent-replayed"], again.json()) == ("true", MADE["answers"][5])
    stack.settle()
    asked = {"filter": "price = 12 AND amount < 0 AND born = 1004-02-28", "facets": "price:stats,seen:year"}
    found = stack.query.get("/articles", asked).json()
    assert [each["id"] for each in found["items"]] == [one["id"]]
    assert found["facets"]["price:stats"]["avg"] == "12.0000"
