"""Getting programs onto the machine: atomic folders, commands with a log, fingerprints."""

import hashlib
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from .settings import EngineError


@contextmanager
def atomic_folder(target: Path) -> Iterator[Path]:
    """Give a draft folder that becomes the target only when the block succeeds."""
    draft = target.with_name(f"{target.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    yield draft
    draft.rename(target)


def require(program: str, package: str) -> str:
    """Return the path of a program, or say which package brings it."""
    path = shutil.which(program)
    if path is None:
        raise EngineError(f"{program} is missing; install the package {package}")
    return path


def run(command: Sequence[str | Path], log: Path, env: Mapping[str, str] | None = None) -> None:
    """Run a command to its end, with its output appended to a log file."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        done = subprocess.run(
            command,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=env,
        )
    if done.returncode != 0:
        name = Path(command[0]).name
        raise EngineError(f"{name} failed with status {done.returncode}; {tail(log)}")


def tail(log: Path, lines: int = 12) -> str:
    """Return the last lines of a log under a heading that names the file."""
    text = log.read_text(errors="replace") if log.exists() else ""
    return "\n".join([f"end of {log}:", *text.splitlines()[-lines:]])


def fingerprint(*parts: str | bytes) -> str:
    """Return a short digest, so that a changed recipe is installed anew."""
    texts = [part if isinstance(part, bytes) else part.encode() for part in parts]
    return hashlib.sha256(b"\0".join(texts)).hexdigest()[:10]
