"""What others made and the project carries: byte for byte as they gave it out, with its licence, and in what is installed."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SWAGGER = ROOT / "src/twofold/runtime/swagger"
FOLDERS = [SWAGGER, ROOT / "src/twofold/command/common_passwords"]


def sums(folder: Path) -> dict[str, str]:
    """SHA-256 by name, as `sha256sum *` writes them."""
    lines = (folder / "SHA256SUMS").read_text().splitlines()
    return {name: digest for digest, _, name in (line.partition("  ") for line in lines)}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
class TestFolder:
    def test_every_file_is_as_it_was_given_out(self, folder: Path) -> None:
        files = {path.name for path in folder.iterdir()} - {"README.md", "SHA256SUMS"}
        assert {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in files} == sums(folder)

    def test_it_has_its_licence(self, folder: Path) -> None:
        assert "LICENSE" in sums(folder)

    def test_it_says_which_version_it_is(self, folder: Path) -> None:
        assert re.search(r"`[a-z-]+` \d+\.\d+\.\d+", (folder / "README.md").read_text())


def test_swagger_ui_is_the_version_that_it_is_said_to_be() -> None:
    [version] = re.findall(r'PACKAGE_VERSION:"([0-9.]+)"', (SWAGGER / "swagger-ui-bundle.js").read_text())
    assert f"`swagger-ui-dist` {version}," in (SWAGGER / "README.md").read_text()


def test_a_wheel_has_all_of_it(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    [wheel] = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert names >= {f"{folder.relative_to(ROOT / 'src')}/{name}" for folder in FOLDERS for name in sums(folder)}
