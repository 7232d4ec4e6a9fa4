"""Settings: from the environment, `.env`, or `twofold.toml` in the current folder, in this order."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote, unquote

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from twofold.errors import SettingsError

ENGINES = {
    "write_url": ("sqlite", "mysql"),
    "log_url": ("sqlite", "kafka"),
    "read_url": ("sqlite", "elasticsearch", "opensearch", "elasticsearch+https", "opensearch+https"),
}


class Settings(BaseSettings):
    """Every setting of twofold. The variable of `write_url` is `TWOFOLD_WRITE_URL`, and so on."""

    model_config = SettingsConfigDict(env_prefix="TWOFOLD_", env_file=".env", toml_file="twofold.toml", extra="ignore", frozen=True)

    app: str = Field("twofold.users:app", description="The app to serve, as module:attribute.")
    data: Path = Field(Path("data"), description="Folder of the embedded default.")
    write_url: str = Field("", description="Write store: sqlite:///FILE or mysql://USER:PASSWORD@HOST:PORT/DATABASE.")
    log_url: str = Field("", description="Event log: sqlite:///FILE or kafka://HOST:PORT,HOST:PORT.")
    read_url: str = Field("", description="Read store: sqlite:///FILE, elasticsearch://HOST:PORT or opensearch://HOST:PORT (+https).")
    host: str = Field("127.0.0.1", description="Address that the services bind to.")
    command_port: int = Field(3000, ge=0, le=65535, description="Port of the command service.")
    query_port: int = Field(3001, ge=0, le=65535, description="Port of the query service.")
    workers: int = Field(1, ge=1, le=64, description="Processes of a command or query service, which share its port.")
    refresh: Literal["soon", "interval"] = Field(
        "soon", description="When searches find what was projected: soon, where a refresh is cheap, or at the index's own interval of 1 s."
    )

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
    try:
        settings = Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        lines = [f"TWOFOLD_{str(each['loc'][0]).upper()}: {each['msg']}" for each in error.errors(include_input=False)]
        raise SettingsError("\n".join(lines)) from None
    for name, schemes in ENGINES.items():
        _check_url(f"TWOFOLD_{name.upper()}", getattr(settings, name), schemes)
    return settings


def _check_url(name: str, url: str, schemes: tuple[str, ...]) -> None:
    if scheme(url) not in schemes:
        raise SettingsError(f"{name}: begins with none of {', '.join(f'{each}://' for each in schemes)}")
    if scheme(url) == "sqlite":
        if not url.removeprefix("sqlite:///") or not url.startswith("sqlite:///") or ":memory:" in url:
            raise SettingsError(f"{name}: names no file; write sqlite:///data/write.db, or sqlite:////srv/write.db from the root")
        return
    for host in url.partition("://")[2].rpartition("@")[2].partition("/")[0].split(","):
        if not re.fullmatch(r"(\[[0-9a-fA-F:]+\]|[^\s:/?#]+)(:\d{1,5})?", host):
            raise SettingsError(f"{name}: {host!r} is not HOST:PORT")
    if scheme(url) == "mysql" and not re.fullmatch(r"mysql://.*/[A-Za-z0-9_$-]+(\?tls=off)?", url):
        raise SettingsError(f"{name}: names no database; write mysql://USER:PASSWORD@HOST:PORT/DATABASE, or that with ?tls=off")


def _refuse_unknown(file: Path) -> None:
    """A misspelt setting would leave the embedded default in force without a word."""
    try:
        found = tomllib.loads(file.read_text()) if file.is_file() else {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file}: {error}") from None
    for name in sorted(found.keys() - Settings.model_fields.keys()):
        raise SettingsError(f"{file}: {name!r} is no setting; there are {', '.join(Settings.model_fields)}")


def scheme(url: str) -> str:
    return url.partition("://")[0]


def file_of(url: str) -> Path:
    """The file that a URL of SQLite names."""
    return Path(unquote(url.removeprefix("sqlite:///")))


def without_password(url: str) -> str:
    """A URL that may be shown."""
    return re.sub(r"://([^/@:]*):.*@", r"://\1:***@", url)
