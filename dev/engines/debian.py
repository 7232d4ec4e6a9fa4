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


def unpack(packages: Sequence[str], root: Path, work: Path, log: Path) -> None:
    """Download the packages with all they depend on and unpack them into root."""
    apt = require("apt-get", "apt (the tool needs Debian for MySQL)")
    options = _private_options(work)
    run([apt, *options, "update"], log)
    run([apt, *options, "--yes", "--download-only", "install", *packages], log)
    for archive in sorted((work / "archives").glob("*.deb")):
        run([require("dpkg-deb", "dpkg"), "--extract", archive, root], log)


def _private_options(work: Path) -> list[str]:
    for folder in ("lists/partial", "archives/partial"):
        (work / folder).mkdir(parents=True)
    source = work / "sources.list"
    source.write_text(f"deb [signed-by={KEYRING}] {_mirror()} {SUITE} main\n")
    values = {
        "Dir::Etc::sourcelist": source,
        "Dir::Etc::sourceparts": "-",
        "Dir::Etc::preferences": "-",
        "Dir::Etc::preferencesparts": "-",
        "Dir::State::lists": work / "lists",
        "Dir::State::status": "/dev/null",
        "Dir::Cache": work,
        "Dir::Cache::archives": work / "archives",
        "APT::Install-Recommends": "false",
        "APT::Sandbox::User": "",
        "Acquire::Languages": "none",
        "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled": "false",
    }
    return [f"-o{name}={value}" for name, value in values.items()]


def _mirror() -> str:
    """Return the address of the Debian mirror that this machine's own apt sources name."""
    wanted = {"main " + suite for suite in (_codename(), "stable", "testing", "unstable", "sid")}
    for line in _configured_indexes():
        address, _, suite = line.partition(" ")
        if suite in wanted and re.search(r"/debian/?$", address):
            return address
    raise EngineError("no Debian mirror in the apt sources; on other systems start a MySQL yourself")


def _configured_indexes() -> list[str]:
    form = "$(REPO_URI) $(COMPONENT) $(RELEASE)"
    command = ["apt-get", "indextargets", "--no-release-info", "--format", form]
    done = subprocess.run([*command, "Created-By: Packages"], capture_output=True, text=True)
    return done.stdout.splitlines()


def _codename() -> str:
    release = Path("/etc/os-release")
    text = release.read_text() if release.exists() else ""
    match = re.search(r"^VERSION_CODENAME=(\S+)", text, re.MULTILINE)
    return match[1] if match else ""


def discard(work: Path) -> None:
    """Delete what apt left behind."""
    shutil.rmtree(work, ignore_errors=True)
