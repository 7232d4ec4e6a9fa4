"""Engines that run on Java: finding a JDK, fetching jars with Maven, compiling."""

import functools
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from .engine import Engine
from .install import fingerprint, require, run
from .settings import JAVA_SOURCES, EngineError

COPY_JARS = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies"
POM = """<project><modelVersion>4.0.0</modelVersion>
<groupId>twofold.dev</groupId><artifactId>engine</artifactId><version>1</version>
<packaging>pom</packaging><dependencies>{}</dependencies></project>
"""
DEPENDENCY = """
<dependency><groupId>{}</groupId><artifactId>{}</artifactId><version>{}</version></dependency>"""


@dataclass(frozen=True)
class Jdk:
    """A Java development kit on this machine."""

    version: int
    home: Path

    def tool(self, name: str) -> str:
        """Return the path of one of the kit's programs."""
        return str(self.home / "bin" / name)


def find_jdk(minimum: int) -> Jdk:
    """Return the oldest JDK that is new enough: the one most tried with the engine."""
    kits = [kit for kit in installed_jdks() if kit.version >= minimum]
    if not kits:
        raise EngineError(
            f"no JDK {minimum} or newer in JAVA_HOME, PATH or /usr/lib/jvm; install one,"
            f" for example the package openjdk-{minimum}-jdk-headless or Eclipse Temurin"
        )
    return min(kits, key=lambda kit: kit.version)


@functools.cache
def installed_jdks() -> tuple[Jdk, ...]:
    """Return every JDK of this machine."""
    homes = dict.fromkeys(home.resolve() for home in _candidates())
    kits = (_ask_version(home) for home in homes if (home / "bin" / "javac").exists())
    return tuple(kit for kit in kits if kit is not None)


def _candidates() -> Iterator[Path]:
    if os.environ.get("JAVA_HOME"):
        yield Path(os.environ["JAVA_HOME"])
    javac = shutil.which("javac")
    if javac:
        yield Path(javac).resolve().parents[1]
    yield from sorted(Path("/usr/lib/jvm").glob("*"))


def _ask_version(home: Path) -> Jdk | None:
    try:
        command = [str(home / "bin" / "java"), "-version"]
        done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.search(r'version "(?:1\.)?(\d+)', done.stderr)
    return Jdk(int(match[1]), home) if match else None


class JavaEngine(Engine):
    """An engine made of jars from Maven's central repository and our few classes."""

    minimum_java: ClassVar[int]
    heap: ClassVar[str]
    artifacts: ClassVar[Sequence[str]]
    sources: ClassVar[Sequence[str]] = ()

    @property
    def jdk(self) -> Jdk:
        """Return the JDK that runs the engine."""
        return find_jdk(self.minimum_java)

    def recipe(self) -> str:
        """Return a digest of the artifacts and of our classes."""
        classes = [path.read_bytes() for path in self._source_files()]
        return fingerprint(*self.artifacts, *classes)

    def build(self, draft: Path) -> None:
        """Fetch the jars into lib/ and compile our classes into classes/."""
        self._fetch_jars(draft)
        if self.sources:
            self._compile(draft)

    def java(self, *arguments: str | Path) -> list[str]:
        """Return the command that runs a main class, its options first, its arguments last."""
        classpath = f"{self.program}/classes:{self.program}/lib/*"
        options = [f"-Xmx{self.heap}", "-cp", classpath]
        return [self.jdk.tool("java"), *options, *map(str, arguments)]

    def _fetch_jars(self, draft: Path) -> None:
        maven = require("mvn", "maven")
        pom = draft / "pom.xml"
        wanted = (DEPENDENCY.format(*artifact.split(":")) for artifact in self.artifacts)
        pom.write_text(POM.format("".join(wanted)))
        options = ["-B", "-q", "-Dstyle.color=never", "-DincludeScope=runtime"]
        target = f"-DoutputDirectory={draft / 'lib'}"
        command: list[str | Path] = [maven, *options, "-f", pom, COPY_JARS, target]
        run(command, self.install_log, env={**os.environ, "JAVA_HOME": str(self.jdk.home)})

    def _compile(self, draft: Path) -> None:
        options = ["--release", str(self.minimum_java), "-cp", f"{draft}/lib/*"]
        options += ["-d", f"{draft}/classes"]
        command: list[str | Path] = [self.jdk.tool("javac"), *options, *self._source_files()]
        run(command, self.install_log)

    def _source_files(self) -> list[Path]:
        return [JAVA_SOURCES / name for name in self.sources]
