"""Settings: mistakes are one clear line, and a URL is shown without its password."""

from __future__ import annotations

from pathlib import Path

import pytest

from twofold.errors import SettingsError
from twofold.settings import load, without_password


@pytest.mark.parametrize(
    ("name", "url", "reason"),
    [
        ("write_url", "postgres://h/db", "begins with none of"),
        ("write_url", "mysql://root:pw@h:3306", "names no database"),
        ("write_url", "mysql://root:pw@h:abc/user", "is not HOST:PORT"),
        ("log_url", "kafka://a:9092,b:x", "is not HOST:PORT"),
        ("read_url", "sqlite://", "names no file"),
        ("read_url", "sqlite:///:memory:", "names no file"),
    ],
)
def test_a_wrong_url_names_its_variable(name: str, url: str, reason: str) -> None:
    with pytest.raises(SettingsError, match=f"TWOFOLD_{name.upper()}.*{reason}"):
        load(**{name: url})


def test_an_unknown_name_in_the_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "twofold.toml").write_text('write_ulr = "sqlite:///x.db"\n')
    with pytest.raises(SettingsError, match="'write_ulr' is no setting"):
        load()


@pytest.mark.parametrize("workers", [0, 65])
def test_workers_have_bounds(workers: int) -> None:
    with pytest.raises(SettingsError, match="TWOFOLD_WORKERS"):
        load(workers=workers)


@pytest.mark.parametrize("password", ["secret", "pa#ss", "pa/ss", "pa?ss", "p@ss", "p[ss"])
def test_a_url_is_shown_without_its_password(password: str) -> None:
    assert without_password(f"mysql://root:{password}@h:3306/user") == "mysql://root:***@h:3306/user"
