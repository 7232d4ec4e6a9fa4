"""What every engine has in common: folders, ports, installation."""

import shutil
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

from . import settings
from .install import atomic_folder
from .process import Process


class Engine(ABC):
    """One engine; the subclasses know how to get it, start it and talk to it."""

    name: ClassVar[str]
    release: ClassVar[str]
    default_port: ClassVar[int]
    url_variable: ClassVar[str]

    @property
    def home(self) -> Path:
        """Return the folder of this engine."""
        return settings.folder() / self.name

    @property
    def program(self) -> Path:
        """Return the folder of the installed program; it changes with the recipe."""
        return self.home / f"program-{self.recipe()}"

    @property
    def data(self) -> Path:
        """Return the folder of the engine's data."""
        return self.home / "data"

    @property
    def config(self) -> Path:
        """Return the folder of the generated configuration."""
        return self.home / "config"

    @property
    def install_log(self) -> Path:
        """Return the file that gets the output of installing and preparing."""
        return self.home / "log" / "install.log"

    @property
    def process(self) -> Process:
        """Return the handle of the engine's process."""
        return Process(self.home)

    @property
    def port(self) -> int:
        """Return the port that clients use."""
        return settings.port(self.port_variable, self.default_port)

    @property
    def port_variable(self) -> str:
        """Return the name of the environment variable that sets the port."""
        return f"TWOFOLD_{self.name.upper()}_PORT"

    @property
    def ports(self) -> dict[str, int]:
        """Return every port the engine needs, by the variable that sets it."""
        return {self.port_variable: self.port}

    @property
    def url(self) -> str:
        """Return the address as twofold's settings take it."""
        return f"{self.name}://{settings.HOST}:{self.port}"

    def install(self) -> None:
        """Install the program, unless that is done."""
        if self.program.exists():
            return
        for old in self.home.glob("program-*"):
            shutil.rmtree(old)
        progress = settings.step(self.name, f"installing {self.release}")
        with progress, atomic_folder(self.program) as draft:
            self.build(draft)

    def ready(self) -> bool:
        """Tell whether the engine can serve requests."""
        return self.answers()

    @abstractmethod
    def recipe(self) -> str:
        """Return a digest of everything the installed program is made from."""

    @abstractmethod
    def build(self, draft: Path) -> None:
        """Put the program into the draft folder."""

    @abstractmethod
    def prepare(self) -> None:
        """Write the configuration and, the first time, the empty data."""

    @abstractmethod
    def command(self) -> list[str]:
        """Return the command line that runs the engine."""

    @abstractmethod
    def answers(self) -> bool:
        """Tell whether this very kind of engine answers on the port."""
