"""The files of the embedded default: what is no database is left as it is, others cannot read them, readers change nothing."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from twofold import users
from twofold.bootstrap import System
from twofold.errors import EngineError, FolderInUse, Outdated, SettingsError
from twofold.runtime import embedded
from twofold.runtime.datafiles import lock_folder
from twofold.settings import load
from twofold.tools.rebuilding import listed
from twofold.tools.status import findings, status

STORES = ("write_url", "log_url", "read_url")


def seen(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Mode and content of everything below."""
    found = {path.name: path.lstat().st_mode for path in folder.iterdir()}
    return {name: (kind, (folder / name).read_bytes() if stat.S_ISREG(kind) else b"") for name, kind in found.items()}


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def work(system: System) -> None:
    """All that opens a file."""
    try:
        findings(system)
        status(system)
        system.migrate()
    finally:
        system.close()


def text(path: Path) -> None:
    path.write_text("PRECIOUS = 1\n" * 100)
    path.chmod(0o644)


def link(path: Path) -> None:
    text(path.with_suffix(".precious"))
    path.symlink_to(path.with_suffix(".precious"))


def link_to_nothing(path: Path) -> None:
    path.symlink_to(path.with_suffix(".precious"))


@pytest.mark.parametrize("make", [text, link, link_to_nothing, os.mkfifo, Path.mkdir], ids=lambda make: make.__name__)
@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("reading", [True, False], ids=["reading", "writing"])
def test_what_is_no_database_is_left_as_it_is(make, store: str, reading: bool, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    make(tmp_path / "it")
    before = seen(tmp_path)
    with pytest.raises(SettingsError, match=r"/it is no (SQLite database|regular file), so it is left alone"):
        work(System(users.app, load(data=tmp_path / "data", **{store: f"sqlite:///{tmp_path}/it"}), reading=reading))
    after = seen(tmp_path)
    assert {name: after.get(name) for name in before} == before
    assert "lock" not in {path.name for path in tmp_path.iterdir()}


def test_another_programs_database_is_not_changed_by_reading(tmp_path: Path) -> None:
    other = embedded.sqlite3.connect(tmp_path / "places.sqlite")
    other.execute("CREATE TABLE place (url TEXT)")
    other.commit()
    other.close()
    (tmp_path / "places.sqlite").chmod(0o644)
    before = seen(tmp_path)
    url = f"sqlite:///{tmp_path}/places.sqlite"
    for store in STORES:
        system = System(users.app, load(data=tmp_path / "data", **{store: url}), reading=True)
        try:
            assert not all(good for good, _ in findings(system))
        finally:
            system.close()
    assert seen(tmp_path) == before


def test_what_is_made_nobody_else_may_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the first moment: the umask is that of most systems, and no mode is changed afterwards."""
    monkeypatch.setattr(Path, "chmod", lambda *_: pytest.fail("chmod"))
    monkeypatch.setattr(os, "chmod", lambda *_: pytest.fail("chmod"))
    monkeypatch.setattr(os, "fchmod", lambda *_: pytest.fail("chmod"))
    before = os.umask(0o022)
    try:
        system = System(users.app, load(data=tmp_path / "data"))
        system.migrate()
        found = {path.name: mode(path) for path in (tmp_path / "data").iterdir()}
        system.close()
    finally:
        os.umask(before)
    assert mode(tmp_path / "data") == 0o700
    assert {"lock", "write.db", "log.db", "read.db", "write.db-wal", "read.db-wal"} <= found.keys()
    assert set(found.values()) == {0o600}


def test_reading_changes_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    system = System(users.app, load(data=folder))
    system.migrate()
    system.close()
    for path in folder.iterdir():
        path.chmod(0o640)
    before = seen(folder)
    system = System(users.app, load(data=folder), reading=True)
    try:
        assert all(good for good, _ in findings(system))
        assert status(system)["resources"]["users"]["index"]["generation"] == "users-000001"
        assert [each["name"] for each in listed(system, users.User.declaration)] == ["users-000001"]
        with pytest.raises(EngineError):
            system.index.drop(users.User.declaration, "users-000001")
    finally:
        system.close()
    assert {name: found for name, found in seen(folder).items() if not name.endswith(("-wal", "-shm"))} == before


def test_reading_makes_nothing(tmp_path: Path) -> None:
    system = System(users.app, load(data=tmp_path / "data"), reading=True)
    try:
        told = [text for good, text in findings(system) if not good]
    finally:
        system.close()
    assert len(told) == len(STORES)
    assert all("There is no" in text and "`twofold migrate`" in text for text in told)
    assert not (tmp_path / "data").exists()


def test_who_reads_is_told_of_files_without_tables(tmp_path: Path) -> None:
    for store in ("write.db", "log.db", "read.db"):
        (tmp_path / store).touch(0o600)
    system = System(users.app, load(data=tmp_path), reading=True)
    try:
        told = [text for good, text in findings(system) if not good]
        with pytest.raises(Outdated, match="Run `twofold migrate`"):
            system.index.pending(users.User.declaration)
    finally:
        system.close()
    assert len(told) == len(STORES)
    assert all("`twofold migrate`" in text for text in told)


@pytest.mark.parametrize("name", ["/etc/hostname", "/proc/x", "/proc/sys/x", "/dev/null"])
@pytest.mark.parametrize("reading", [True, False], ids=["reading", "writing"])
def test_a_folder_that_cannot_be_is_one_line(name: str, reading: bool) -> None:
    if reading and not Path(name).exists():
        pytest.skip("there is nothing to read")
    with pytest.raises(SettingsError, match=rf"data folder {name} cannot be used.*TWOFOLD_DATA") as error:
        System(users.app, load(data=Path(name)), reading=reading)
    assert "\n" not in str(error.value)


@pytest.fixture
def nobody() -> Iterator[None]:
    """Tests may run as root, to whom every folder is open."""
    if os.getuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.parametrize("there", [True, False])
def test_a_folder_of_somebody_else_is_one_line(there: bool, tmp_path: Path, nobody: None) -> None:
    folder = Path("/proc/1/task") if there else Path("/twofold-data")
    with pytest.raises(SettingsError, match=r"cannot be used.*TWOFOLD_DATA"):
        System(users.app, load(data=folder))


def test_a_folder_that_others_may_look_into_is_said_once(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    for _ in range(2):
        with capture_logs() as logs:
            lock = lock_folder(tmp_path, [])
        assert lock is not None
        lock.close()
        assert [(each["log_level"], each["mode"]) for each in logs] == [("warning", "755")]
    tmp_path.chmod(0o700)
    with capture_logs() as logs, lock_folder(tmp_path, []):  # type: ignore[union-attr]
        assert logs == []


def test_one_process_has_a_folder(tmp_path: Path) -> None:
    with lock_folder(tmp_path, []):  # type: ignore[union-attr]
        for reading in (True, False):
            with pytest.raises(FolderInUse, match="is in use already"):
                lock_folder(tmp_path, [], reading=reading)
    lock_folder(tmp_path, []).close()  # type: ignore[union-attr]


def test_a_lock_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    text(tmp_path / "precious")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "lock").symlink_to(tmp_path / "precious")
    with pytest.raises(SettingsError, match="cannot be used"):
        lock_folder(tmp_path / "data", [])
    assert mode(tmp_path / "precious") == 0o644


def test_a_folder_with_a_space_has_all_its_files(tmp_path: Path) -> None:
    """Its URLs are percent-encoded, and decoded again by each store."""
    folder = tmp_path / "my data"
    system = System(users.app, load(data=folder))
    system.migrate()
    system.close()
    assert {"write.db", "log.db", "read.db"} <= {path.name for path in folder.iterdir()}
    assert [path.name for path in tmp_path.iterdir()] == ["my data"]
