from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.acceptance.roles import Role, free_port, run
from tests.pipeline.conftest import database, real_settings, remove

ROOT = Path(__file__).parents[2]


@dataclass
class Cluster:
    """Four roles on real engines, with a database, a topic and an index of their own."""

    name: str
    environment: dict[str, str]
    folder: Path
    command_url: str
    query_url: str

    def role(self, name: str) -> Role:
        return Role([name], self.environment, self.folder)

    def run(self, *arguments: str, stdin: str | None = None):
        return run(list(arguments), self.environment, self.folder, stdin)


@pytest.fixture(params=["elasticsearch"])
def cluster(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Cluster]:
    name = f"a{uuid.uuid4().hex[:12]}"
    urls = real_settings(name, request.param)
    command, query = free_port(), free_port()
    environment = {
        **{f"TWOFOLD_{key.upper()}": value for key, value in urls.items()},
        "TWOFOLD_COMMAND_PORT": str(command),
        "TWOFOLD_QUERY_PORT": str(query),
        "TWOFOLD_APP": "tests.acceptance.people:app",
        "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}",  # this tree, wherever twofold is installed from
        "PEOPLE": name,
    }
    with database(name):
        cluster = Cluster(name, environment, tmp_path, f"http://127.0.0.1:{command}/{name}", f"http://127.0.0.1:{query}/{name}")
        migrated = cluster.run("migrate")
        assert migrated.returncode == 0, migrated.stderr
        yield cluster
    remove(name, request.param)
