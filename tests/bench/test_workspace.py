"""What a run makes is removed, and nothing that was there before."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.engines import ELASTICSEARCH, KAFKA, MYSQL, need

from twofold.bench.workspace import Workspace, search_client
from twofold.errors import SettingsError
from twofold.index.elastic_client import Client
from twofold.settings import Settings, load

APP = "benchmarks.people:app"


def _embedded(data: Path) -> Settings:
    return load(data=data, write_url="", log_url="", read_url="")


def test_an_empty_data_folder_that_was_there_stays(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    with Workspace(APP, _embedded(data)):
        assert len(list(data.iterdir())) == 1
    assert list(data.iterdir()) == []


def test_folders_that_the_run_made_are_removed(tmp_path: Path) -> None:
    with Workspace(APP, _embedded(tmp_path / "some" / "data")):
        assert (tmp_path / "some" / "data").exists()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_files_of_somebody_else_stays(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with Workspace(APP, _embedded(data)):
        (data / "other").touch()
    assert [file.name for file in data.iterdir()] == ["other"]


def test_every_generation_is_removed(tmp_path: Path) -> None:
    need(MYSQL, KAFKA, ELASTICSEARCH)
    read = f"elasticsearch://{ELASTICSEARCH.removeprefix('http://')}"
    with Workspace(APP, load(data=tmp_path, write_url=f"{MYSQL}/x", log_url=f"kafka://{KAFKA}", read_url=read)) as workspace:
        [resource] = workspace.app
        workspace.system.index.create(resource, {})
        client = search_client(read)
        assert {"000001", "000002"} <= {name.rpartition("-")[2] for name in _named(client, workspace.name)}
    assert _named(client, workspace.name) == []
    client.close()


def _named(client: Client, name: str) -> list[str]:
    return list(client.send("GET", f"/{name}-*/_alias")[1])


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a workspace on MySQL says outside of its database, where CREATE DATABASE is interrupted."""
    said: list[str] = []

    def sql(_: Workspace, statement: str) -> None:
        said.append(statement)
        if statement.startswith("CREATE"):
            raise KeyboardInterrupt

    monkeypatch.setattr(Workspace, "sql", sql)
    return said


def _real(tmp_path: Path, port: int = 3306) -> Settings:
    return load(data=tmp_path / "data", write_url=f"mysql://root@127.0.0.1:{port}/x", log_url="kafka://127.0.0.1:9", read_url="elasticsearch://127.0.0.1:9")


def test_an_interrupted_create_is_undone(statements: list[str], tmp_path: Path) -> None:
    workspace = Workspace(APP, _real(tmp_path))
    with pytest.raises(KeyboardInterrupt):
        workspace.__enter__()
    assert statements == [f"CREATE DATABASE {workspace.name} CHARACTER SET utf8mb4", f"DROP DATABASE IF EXISTS {workspace.name}"]


def test_a_database_that_cannot_be_made_is_told_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SettingsError, match="a database of its own"):
        Workspace(APP, _real(tmp_path, port=9)).__enter__()
    assert capsys.readouterr().err == ""
