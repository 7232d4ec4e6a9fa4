"""Settings: mistakes are one clear line, and a URL is shown without its password."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from sqlalchemy import make_url

from twofold.errors import SettingsError
from twofold.settings import load
from twofold.urls import without_password


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


SECRET = "hunter2SECRET"
WITH_SECRETS = [
    f"mysql://root:{SECRET}/user",
    f"mysql://root:{SECRET}",
    f"mysql://{SECRET}",
    f"mysql://root:a@{SECRET}@h:3306/user",
    f"mysql://root:a/{SECRET}@h:3306/user",
    f"mysql://root:a#{SECRET}@h:3306/user",
    f"mysql://root:a?{SECRET}@h:3306/user",
    f"mysql://root:{SECRET}[@h:3306/user",
    f"mysql://root:{SECRET} @h:3306/user",
    f"mysql://root:{SECRET}\n@h:3306/user",
    f"mysql://root:{SECRET}@h:3306/user?password={SECRET}",
    f"mysql://root:{SECRET}@h:3306/user#x",
    f"mysql://root:{SECRET}@h:99999/user",
    f"mysql://root:{SECRET}@[::1:3306/user",
    f"mysql://root:{SECRET}@a:3306,b:3306/user",
    f"mysql://root:{SECRET}\u2100@h:3306/user/more",
    f"postgres://root:{SECRET}@h/user",
    f"root:{SECRET}@h/user",
    f"kafka://user:{SECRET}@h:9092",
    f"kafka://{SECRET}@h:9092",
    f"kafka://h:9092/{SECRET}",
    f"kafka://h:9092?password={SECRET}",
    f"elasticsearch://elastic:a/{SECRET}@h:9200",
    f"elasticsearch://elastic:{SECRET}/@h:9200",
    f"elasticsearch://{SECRET}@h:9200",
    f"elasticsearch://elastic:{SECRET}",
    f"elasticsearch://h:9200/{SECRET}",
    f"opensearch+https://admin:{SECRET}@h:9200?x",
    f"sqlite://{SECRET}",
]


@pytest.mark.parametrize("name", ["write_url", "log_url", "read_url"])
@pytest.mark.parametrize("url", WITH_SECRETS)
def test_a_wrong_url_is_refused_without_its_secret(name: str, url: str) -> None:
    with pytest.raises(SettingsError) as error:
        load(**{name: url})
    assert SECRET not in str(error.value)
    assert error.value.__cause__ is None
    assert error.value.__suppress_context__ or error.value.__context__ is None


@pytest.mark.parametrize("url", [url for url in WITH_SECRETS if "://" in url and "@" in url])
def test_what_is_shown_has_no_secret(url: str) -> None:
    assert SECRET not in without_password(url).rpartition("@")[0]


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("write_url", "mysql://root:p%40ss%2F@h_1:3306/user"),
        ("write_url", "mysql://root@[::1]:3306/user?tls=off"),
        ("write_url", "mysql://h/user-1"),
        ("log_url", "kafka://a:9092,b.example:9092,[::1]:9092"),
        ("read_url", "elasticsearch://elastic:p%23@a:9200,b:9200/"),
        ("read_url", "opensearch+https://h"),
        ("read_url", "sqlite:///data/my%20read.db"),
    ],
)
def test_a_right_url_is_taken(name: str, url: str) -> None:
    assert getattr(load(**{name: url}), name) == url


def test_a_password_may_be_given_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the URL may stand where everybody reads it: on the command line, in twofold.toml."""
    monkeypatch.setenv("TWOFOLD_WRITE_PASSWORD", "p@ss/#?")
    monkeypatch.setenv("TWOFOLD_READ_PASSWORD", "other")
    found = load(write_url="mysql://root@h:3306/user", read_url="elasticsearch://elastic@a:9200,b:9200")
    assert make_url(found.write_url).password == "p@ss/#?"
    assert found.read_url == "elasticsearch://elastic:other@a:9200,b:9200"
    assert load(write_url=found.write_url, read_url=found.read_url).write_url == found.write_url
    assert without_password(found.write_url) == "mysql://root:***@h:3306/user"
    wrong = {"sqlite:///x.db": "names no user", "mysql://h/user": "names no user", "mysql://root:a@h/user": "another password"}
    for url, reason in wrong.items():
        with pytest.raises(SettingsError, match=f"TWOFOLD_WRITE_PASSWORD is set, but TWOFOLD_WRITE_URL .*{reason}") as error:
            load(write_url=url, read_url=found.read_url)
        assert "p@ss" not in str(error.value)


@pytest.mark.parametrize("wrong", ["TWOFOLD_WRITEURL", "twofold_write_ulr", "TWOFOLD_HSOT", "TWOFOLD_COMMANDPORT", "TWOFOLD_PORT"])
@pytest.mark.parametrize("where", ["environment", ".env"])
def test_a_misspelt_variable_is_refused(wrong: str, where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    if where == "environment":
        monkeypatch.setenv(wrong, "x")
    else:
        (tmp_path / ".env").write_text(f"OTHER=1\n{wrong}=x\n")
    with pytest.raises(SettingsError, match=f"^{where}: {wrong} is no setting; (do you mean TWOFOLD_|there are TWOFOLD_)"):
        load()


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("TWOFOLD_TEST_MYSQL", "x"),
        ("TWOFOLD_ENGINES_DIR", "x"),
        ("TWOFOLD_MYSQL_PORT", "3306"),
        ("TWOFOLD_BENCH_NAME", "x"),
        ("TWOFOLD_WORKER_NUMBER", "1"),
        ("TWOFOLD_WORKER_COUNT", "2"),
        ("TWOFOLD_SERVICE_HOST", "10.0.0.1"),
        ("TWOFOLD_COMMAND_SERVICE_PORT_HTTP", "80"),
        ("TWOFOLD_PORT", "tcp://10.0.0.1:3000"),
        ("TWOFOLD_PORT_3000_TCP_ADDR", "10.0.0.1"),
    ],
)
def test_variables_of_others_are_passed_over(variable: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, value)
    load()


def test_a_file_that_is_no_text_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in (".env", "twofold.toml"):
        (tmp_path / name).write_bytes(b"TWOFOLD_HOST=\xff\xfe\n")
        with pytest.raises(SettingsError, match=name):
            load()
        (tmp_path / name).unlink()


def test_two_stores_do_not_share_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingsError, match="TWOFOLD_WRITE_URL and TWOFOLD_READ_URL name the same file"):
        load(write_url="sqlite:///x.db", read_url=f"sqlite:///{os.curdir}/x.db")


@pytest.mark.parametrize("workers", [0, 65])
def test_workers_have_bounds(workers: int) -> None:
    with pytest.raises(SettingsError, match="TWOFOLD_WORKERS"):
        load(workers=workers)


@pytest.mark.parametrize("password", ["secret", "pa#ss", "pa/ss", "pa?ss", "p@ss", "p[ss"])
def test_a_url_is_shown_without_its_password(password: str) -> None:
    assert without_password(f"mysql://root:{password}@h:3306/user") == "mysql://root:***@h:3306/user"
