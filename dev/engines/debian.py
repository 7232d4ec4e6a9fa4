"""Unpacks packages of Debian's unstable suite into a folder, without installing anything."""

import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from .install import require, run
from .settings import EngineError

SUITE = "sid"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
COMMON_OPTIONS = {
    "Dir::Etc::sourceparts": "-",
    "Dir::Etc::preferences": "-",
    "Dir::Etc::preferencesparts": "-",
    "APT::Install-Recommends": "false",
    "APT::Sandbox::User": "",
    "Acquire::Languages": "none",
    "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled": "false",
}


def unpack(packages: Sequence[str], root: Path, log: Path) -> None:
    """Download the packages with all they depend on and unpack them into root."""
    work = root / "apt"
    apt = [require("apt-get", "apt; MySQL comes from Debian"), *_options(work)]
    _write_files(work)
    run([*apt, "update"], log)
    run([*apt, "--yes", "--download-only", "install", *packages], log)
    for archive in sorted((work / "archives").glob("*.deb")):
        run([require("dpkg-deb", "dpkg"), "--extract", archive, root], log)
    shutil.rmtree(work)


def _options(work: Path) -> list[str]:
    """Return the options that keep apt inside the folder, away from the machine's own state."""
    folders = {
        "Dir::Etc::sourcelist": work / "sources.list",
        "Dir::State::lists": work / "lists",
        "Dir::State::status": work / "status",
        "Dir::Cache": work,
        "Dir::Cache::archives": work / "archives",
    }
    return [f"-o{name}={value}" for name, value in {**folders, **COMMON_OPTIONS}.items()]


def _write_files(work: Path) -> None:
    for folder in ("lists/partial", "archives/partial"):
        (work / folder).mkdir(parents=True)
    (work / "status").touch()  # so nothing counts as installed; apt keeps its locks beside it
    source = f"deb [signed-by={KEYRING}] {_mirror()} {SUITE} main\n"
    (work / "sources.list").write_text(source)


def _mirror() -> str:
    """Return the address of the Debian mirror that this machine's own apt sources name."""
    suites = (_codename(), "stable", "testing", "unstable", "sid")
    for line in _configured_indexes():
        address, component, suite = line.split()
        if component == "main" and suite in suites and re.search(r"/debian/?$", address):
            return address
    raise EngineError("no Debian mirror in the apt sources; on other systems run a MySQL yourself")


def _configured_indexes() -> list[str]:
    form = "$(REPO_URI) $(COMPONENT) $(RELEASE)"
    command = ["apt-get", "indextargets", "--no-release-info", "--format", form]
    command.append("Created-By: Packages")
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    return done.stdout.splitlines()


def _codename() -> str:
    release = Path("/etc/os-release")
    text = release.read_text() if release.exists() else ""
    match = re.search(r"^VERSION_CODENAME=(\S+)", text, re.MULTILINE)
    return match[1] if match else ""
