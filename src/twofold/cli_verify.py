"""`twofold verify`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from twofold.cli_options import AppPath, AsJson, Data, LogUrl, ReadUrl, ResourceName, WriteUrl, open_system, resource_of

Every = Annotated[float | None, typer.Option(min=1, help="With --watch: seconds between the starts of two runs. [default: 600]")]
Port = Annotated[int | None, typer.Option(min=0, max=65535, help="With --watch: of the metrics, on 127.0.0.1. [default: 9464]")]


def verify(
    resource: ResourceName,
    deep: Annotated[bool, typer.Option("--deep", help="Compare contents too, not versions only.")] = False,
    repair: Annotated[bool, typer.Option("--repair", help="Mend what differs, by the table, and nothing else.")] = False,
    ids: Annotated[Path | None, typer.Option(help="A file for all that is found: kind and id, one a line.")] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Go on verifying until Ctrl-C, with metrics.")] = False,
    every: Every = None,
    port: Port = None,
    app: AppPath = None,
    data: Data = None,
    write_url: WriteUrl = None,
    log_url: LogUrl = None,
    read_url: ReadUrl = None,
    as_json: AsJson = False,
) -> None:
    """Compare the table with the index, id by id. Everybody goes on reading and writing meanwhile.

    Exit code 0 where they agree at the end, 1 where they do not.
    """
    if watch and (ids or as_json):
        raise typer.BadParameter("--watch logs what it finds, and goes neither with --ids nor with --json")
    if not watch and (every is not None or port is not None):
        raise typer.BadParameter("--every and --port are for --watch, which is not given")
    from twofold.tools import verifying  # noqa: PLC0415 - keeps --help quick

    with open_system(locals()) as system:
        declaration, how = resource_of(system, resource), verifying.How(deep, repair)
        if watch:
            raise typer.Exit(verifying.watch(system, declaration, how, every=every or 600, port=9464 if port is None else port))
        raise typer.Exit(verifying.once(system, declaration, how, as_json=as_json, ids=ids))
