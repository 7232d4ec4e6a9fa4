"""The load generator wrk for `make bench`: from the path, or Debian's package unpacked into the folder of the engines.

`python -m dev.wrk` prints the folder in which it is, to put on the path.
"""

import shutil
import sys
from pathlib import Path

from dev.engines import debian, settings
from dev.engines.install import atomic_folder, fingerprint
from dev.engines.settings import EngineError

PACKAGES = ("wrk", "libc6")


def folder() -> Path:
    """Return the folder of a wrk that can be run, after getting it where there is none."""
    found = shutil.which("wrk")
    return Path(found).parent if found else _unpacked() / "bin"


def _unpacked() -> Path:
    home = settings.folder() / "wrk"
    program = home / f"program-{fingerprint(debian.SUITE, *PACKAGES)}"
    if not program.exists():
        with settings.step("wrk", f"installing wrk from Debian {debian.SUITE}"), atomic_folder(program) as draft:
            debian.unpack(PACKAGES, draft, home / "log" / "install.log")
            _write_start(draft)
    return program


def _write_start(draft: Path) -> None:
    """Write a script that runs the binary through its own dynamic linker, wherever the folder is moved."""
    linker = next(draft.glob("usr/lib/*/ld-linux*.so.*")).relative_to(draft)
    start = draft / "bin" / "wrk"
    start.parent.mkdir()
    start.write_text(
        "#!/bin/sh\n"
        'here=$(dirname "$(dirname "$(readlink -f "$0")")")\n'
        f'exec "$here/{linker}" --library-path "$here/{linker.parent}" "$here/usr/bin/wrk" "$@"\n'
    )
    start.chmod(0o755)


if __name__ == "__main__":
    try:
        print(folder())
    except EngineError as error:
        print(f"wrk: {error}", file=sys.stderr)
        sys.exit(1)
