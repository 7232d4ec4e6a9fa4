"""Settings: from the environment, `.env`, or `twofold.toml` in the current folder, in this order."""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from dotenv import dotenv_values
from pydantic import Field, ValidationError, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from twofold.errors import SettingsError
from twofold.urls import ENGINES, check_url, file_of, scheme, with_password

# Variables that are no settings: those of workers, of benchmarks, of tests and of the engines for development, and what Kubernetes sets in
# every container for a service that is named twofold.
_OTHERS = re.compile(
    r"TWOFOLD_((TEST|BENCH|CHAOS|ENGINES)_\w+|LEASH|WORKER_(NUMBER|COUNT)|KILL_ROUNDS|REBUILD_(PEOPLE|WRITES)"
    r"|(MYSQL|KAFKA|KAFKA_CONTROLLER|ELASTICSEARCH|OPENSEARCH)_PORT"
    r"|(\w+_)?SERVICE_(HOST|PORT\w*)|(\w+_)?PORT_\d+_(TCP|UDP)\w*)"
)
_LINK = re.compile(r"(tcp|udp)://")


class Settings(BaseSettings):
    """Every setting of twofold. The variable of `write_url` is `TWOFOLD_WRITE_URL`, and so on."""

    model_config = SettingsConfigDict(env_prefix="TWOFOLD_", env_file=".env", toml_file="twofold.toml", extra="ignore", frozen=True)

    app: str = Field("twofold.users:app", description="The app to serve, as module:attribute.")
    data: Path = Field(Path("data"), description="Folder of the embedded default.")
    write_url: str = Field("", description="Write store: sqlite:///FILE or mysql://USER:PASSWORD@HOST:PORT/DATABASE.")
    log_url: str = Field("", description="Event log: sqlite:///FILE or kafka://HOST:PORT,HOST:PORT.")
    read_url: str = Field("", description="Read store: sqlite:///FILE, elasticsearch://HOST:PORT or opensearch://HOST:PORT (+https).")
    write_password: str = Field("", repr=False, description="Password of the write store, where its URL has a user only.")
    read_password: str = Field("", repr=False, description="Password of the read store, where its URL has a user only.")
    host: str = Field("127.0.0.1", description="Address that the services bind to.")
    command_port: int = Field(3000, ge=0, le=65535, description="Port of the command service.")
    query_port: int = Field(3001, ge=0, le=65535, description="Port of the query service.")
    workers: int = Field(1, ge=1, le=64, description="Processes of a command or query service, which share its port.")
    refresh: Literal["soon", "interval"] = Field(
        "soon", description="When searches find what was projected: soon, where a refresh is cheap, or at the index's own interval of 1 s."
    )

    @field_validator("app", "data", "host", mode="before")
    @classmethod
    def _filled(cls, value: Any) -> Any:
        if value == "":
            raise PydanticCustomError("empty", "this is empty. Give a value, or leave it out for the default.")
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the signature is the library's
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, dotenv_settings, TomlConfigSettingsSource(settings_cls)

    def model_post_init(self, _: Any) -> None:
        for name, file in (("write_url", "write.db"), ("log_url", "log.db"), ("read_url", "read.db")):
            if not getattr(self, name):
                object.__setattr__(self, name, f"sqlite:///{quote(str(self.data / file))}")

    @property
    def embedded(self) -> bool:
        """Whether any engine is a SQLite file, which serves one process only."""
        return any(scheme(url) == "sqlite" for url in (self.write_url, self.log_url, self.read_url))


def load(**given: Any) -> Settings:
    """The settings, with what was given on the command line before all else. Raises SettingsError with one line per mistake."""
    _refuse_unknown(Path("twofold.toml"))
    _refuse_misspelt("environment", os.environ)
    try:
        _refuse_misspelt(".env", dotenv_values(".env"))
        settings = Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        lines = [f"TWOFOLD_{str(each['loc'][0]).upper()}: {each['msg']}" for each in error.errors(include_input=False)]
        raise SettingsError("\n".join(lines)) from None
    except (UnicodeDecodeError, OSError) as error:
        raise SettingsError(f".env: {getattr(error, 'reason', '') or getattr(error, 'strerror', '')}") from None
    passwords = {"write_url": settings.write_password, "read_url": settings.read_password}
    for name, schemes in ENGINES.items():
        check_url(f"TWOFOLD_{name.upper()}", getattr(settings, name), schemes, password=bool(passwords.get(name)))
    _refuse_shared(settings)
    return settings.model_copy(
        update={name: with_password(name, getattr(settings, name), password) for name, password in passwords.items() if password}
    )


def _refuse_unknown(file: Path) -> None:
    """A misspelt setting would leave the embedded default in force without a word."""
    try:
        found = tomllib.loads(file.read_text()) if file.is_file() else {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file}: {error}") from None
    for name in sorted(found.keys() - Settings.model_fields.keys()):
        raise SettingsError(f"{file}: {name!r} is no setting{_suggestion(name, list(Settings.model_fields))}")


def _refuse_misspelt(where: str, variables: Mapping[str, str | None]) -> None:
    known = [f"TWOFOLD_{name.upper()}" for name in Settings.model_fields]
    for name, value in sorted(variables.items()):
        ours = name.upper().startswith("TWOFOLD_") and name.upper() not in known
        if ours and not _OTHERS.fullmatch(name.upper()) and not _LINK.match(value or ""):
            raise SettingsError(f"{where}: {name} is no setting{_suggestion(name.upper(), known)}")


def _suggestion(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"; do you mean {near[0]}?" if near else f"; there are {', '.join(known)}"


def _refuse_shared(settings: Settings) -> None:
    """A file of SQLite has one connection that writes."""
    urls = {name: getattr(settings, name) for name in ENGINES}
    files = [(f"TWOFOLD_{name.upper()}", file_of(url).resolve()) for name, url in urls.items() if scheme(url) == "sqlite"]
    for (one, file), (other, same) in combinations(files, 2):
        if file == same:
            raise SettingsError(f"{one} and {other} name the same file; give each its own")
