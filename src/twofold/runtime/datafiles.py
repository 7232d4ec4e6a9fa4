"""The SQLite files of the embedded default, before SQLite opens them: looked at, then locked; nothing is changed before both are done."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import structlog

from twofold.errors import FolderInUse, SettingsError

log = structlog.get_logger()
HEAD = b"SQLite format 3\0"  # what a database begins with, unless it is empty
OTHERS = 0o077  # what group and others may do


def lock_folder(folder: Path, files: Sequence[Path], *, reading: bool = False) -> IO[str] | None:
    """Takes a data folder for this process, until the returned file is closed. Raises SettingsError where a file is no database.

    Where `reading`, nothing is made: None for a folder that nobody has used yet.
    """
    with _told(folder):
        try:
            lock = _opened(folder / "lock")
        except FileNotFoundError:
            _look(files, reading=reading)
            if reading:
                return None
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = _opened(folder / "lock", os.O_CREAT)
    try:
        _lock(lock, folder)
        with _told(folder):
            _look(files, reading=reading)  # only now: closing a file takes away the locks that SQLite has on it in the same process
            _warn(folder)
    except BaseException:
        lock.close()
        raise
    return lock


def create(file: Path) -> None:
    """Makes an empty file that nobody else may read, unless there is one. SQLite gives its other files the same mode."""
    with suppress(FileExistsError):
        os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))


def _opened(path: Path, how: int = 0) -> IO[str]:
    return os.fdopen(os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | how, 0o600), "r+")


def _lock(lock: IO[str], folder: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise FolderInUse(
            f"The data folder {folder} is in use already, by this process or another. SQLite serves one process: "
            "stop the other one, send requests to it, or choose another folder with TWOFOLD_DATA."
        ) from None


def _look(files: Sequence[Path], *, reading: bool) -> None:
    for file in files:
        try:
            kind = file.lstat().st_mode
        except FileNotFoundError:
            continue
        if not stat.S_ISREG(kind):
            raise SettingsError(f"{file} is no regular file, so it is left alone. Name a SQLite database, or a file that is not there yet.")
        how = os.O_RDONLY if reading else os.O_RDWR
        with os.fdopen(os.open(file, how | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as opened:
            if opened.read(len(HEAD)) not in (b"", HEAD):
                raise SettingsError(f"{file} is no SQLite database, so it is left alone. Name another file.")


def _warn(folder: Path) -> None:
    if (mode := stat.S_IMODE(folder.stat().st_mode)) & OTHERS:
        log.warning("others on this machine may look into the data folder: chmod 700 ends that", folder=str(folder), mode=f"{mode:o}")


@contextmanager
def _told(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        why = f"{error.filename or folder}: {error.strerror}"
        raise SettingsError(f"The data folder {folder} cannot be used: {why}. Choose another with TWOFOLD_DATA.") from None
