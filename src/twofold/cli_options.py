"""What several commands of the command line share: their options, and how they become settings and a system."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from twofold.bootstrap import System
    from twofold.resource import Declaration

AppPath = Annotated[str | None, typer.Option("--app", envvar="TWOFOLD_APP", help="module:attribute [default: the built-in users]")]
Data = Annotated[Path | None, typer.Option(envvar="TWOFOLD_DATA", help="Folder of the embedded default. [default: data]")]
WriteUrl = Annotated[str | None, typer.Option(envvar="TWOFOLD_WRITE_URL", help="sqlite:///FILE or mysql://USER:PASSWORD@HOST:PORT/DATABASE")]
LogUrl = Annotated[str | None, typer.Option(envvar="TWOFOLD_LOG_URL", help="sqlite:///FILE or kafka://HOST:PORT,HOST:PORT")]
ReadUrl = Annotated[str | None, typer.Option(envvar="TWOFOLD_READ_URL", help="sqlite:///FILE, elasticsearch://HOST:PORT or opensearch://HOST:PORT")]
Host = Annotated[str | None, typer.Option(envvar="TWOFOLD_HOST", help="Address to bind to. [default: 127.0.0.1]")]
CommandPort = Annotated[int | None, typer.Option(envvar="TWOFOLD_COMMAND_PORT", help="Port of the command service. [default: 3000]")]
QueryPort = Annotated[int | None, typer.Option(envvar="TWOFOLD_QUERY_PORT", help="Port of the query service. [default: 3001]")]
Workers = Annotated[int | None, typer.Option(envvar="TWOFOLD_WORKERS", help="Processes that share the port, 1 to 64. [default: 1]")]
Refresh = Annotated[str | None, typer.Option(envvar="TWOFOLD_REFRESH", help="When a write is found: soon or interval. [default: soon]")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document instead of lines for people.")]
ResourceName = Annotated[str, typer.Argument(metavar="RESOURCE", help="The resource, for example users.")]


def settings_of(options: dict[str, Any]) -> Any:
    """The settings, with the options that are given before all else."""
    from twofold import settings, telemetry  # noqa: PLC0415 - keeps --help quick

    telemetry.configure()
    known = settings.Settings.model_fields
    return settings.load(**{name: value for name, value in options.items() if name in known})


def system_of(options: dict[str, Any], *, reading: bool = False) -> Any:
    """The app on its engines; whoever asks closes it. Where `reading`, nothing is changed."""
    from twofold.bootstrap import System, load_app  # noqa: PLC0415

    loaded = settings_of(options)
    return System(load_app(loaded.app), loaded, reading=reading)


@contextmanager
def open_system(options: dict[str, Any], *, reading: bool = False) -> Iterator[System]:
    """The app on its engines, closed at the end. Where `reading`, nothing is changed."""
    system = system_of(options, reading=reading)
    try:
        yield system
    finally:
        system.close()


def resource_of(system: System, name: str) -> Declaration:
    """The resource of that name. Raises SettingsError with those that there are."""
    from twofold.bootstrap import resource_of as found  # noqa: PLC0415

    return found(system.app, name)
