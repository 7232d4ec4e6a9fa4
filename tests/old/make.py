"""Makes `folder.tar.gz` and `made.json` anew, by the code of the version that is imported:
`PYTHONPATH=<older>/src:. python -m tests.old.make`.

The folder has rows, tombstones, receipts and secrets of every kind, records that the projector has not read, and records that the relay has
not taken. `made.json` has what both services answered, and what the tables and the index of engines looked like.
"""

from __future__ import annotations

import json
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from sqlalchemy.dialects import mysql, sqlite
from sqlalchemy.schema import CreateIndex, CreateTable

from tests.old.shop import Article, app
from tests.stack import Stack
from twofold.index.elastic_mapping import index_body
from twofold.store.tables import Tables

HERE = Path(__file__).parent
COUNT = 12


def body(number: int) -> dict[str, Any]:
    secrets = {"password": "correct horse battery", "pin": f"{number:04d}"}
    if number % 3 == 0:
        return {"title": f"Plain {number}", "code": f"plain-{number}", **secrets}
    return {
        "title": f"Ärticle {number}",
        "body": "Ein 'Text'\nüber \"alles\" \\ 😀",
        "code": f"code-{number}",
        "contact": f"ana{number}@example.com",
        "amount": -(2**63) + number,
        "ratio": 1 / 3 + number,
        "active": number % 2 == 0,
        "born": f"{1000 + number}-02-28",
        "seen": f"2026-03-29T01:{number:02d}:00.001Z",
        "price": f"{number}.05",
        "weight": f"0.00000000{number % 10}" if number < 10 else None,
        "colour": "blue",
        "size": "m",
        "tags": ["a", "b c", ""],
        "amounts": [0, 2**53 + 1],
        "prices": ["0.001", "-12.500"],
        "days": ["9999-12-31"],
        "moments": ["1001-01-01T00:00:00.000Z"],
        **secrets,
    }


def shape() -> dict[str, Any]:
    """What tables and indices of engines are made by, and what tells declarations apart."""
    declaration, tables = Article.declaration, Tables(app).metadata.sorted_tables
    statements = {
        dialect.name: [
            " ".join(str(each.compile(dialect=dialect)).split())
            for table in tables
            for each in (CreateTable(table), *(CreateIndex(index) for index in sorted(table.indexes, key=lambda index: str(index.name))))
        ]
        for dialect in (mysql.dialect(), sqlite.dialect())
    }
    return {"statements": statements, "index": index_body(declaration, {}), "digest": declaration.digest, "fence": declaration.fence}


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, "data")
        stack = Stack(app, folder)
        made = [stack.command.post("/articles", body(number), idempotency_key=f"key-{number}").json() for number in range(COUNT)]
        stack.settle()
        stack.command.post(f"/articles/{made[1]['id']}/sell", {"at": "9.99"})
        stack.command.delete(f"/articles/{made[2]['id']}")
        stack.system.relay().step()  # in the log, and not read by the projector
        stack.command.patch(f"/articles/{made[3]['id']}", {"title": "Changed"})  # in the outbox
        stack.close()
        with tarfile.open(HERE / "folder.tar.gz", "w:gz") as archive:
            archive.add(folder, "data")
    (HERE / "made.json").write_text(json.dumps({"answers": made, **shape()}, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
