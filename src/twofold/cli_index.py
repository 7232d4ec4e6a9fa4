"""`twofold rebuild`, `rollback`, `generations`, `drop`."""

from __future__ import annotations

from typing import Annotated

import orjson
import typer

from twofold.cli_options import AppPath, AsJson, Data, LogUrl, ReadUrl, ResourceName, WriteUrl, open_system, resource_of

index = typer.Typer()


@index.command()
def rebuild(
    resource: ResourceName,
    abort: Annotated[bool, typer.Option("--abort", help="Give up what a rebuild or a rollback began.")] = False,
    rate: Annotated[float, typer.Option(min=0, show_default="no limit", help="Documents a second from the table, at most.")] = 0,
    app: AppPath = None,
    data: Data = None,
    write_url: WriteUrl = None,
    log_url: LogUrl = None,
    read_url: ReadUrl = None,
) -> None:
    """Make the index anew, from the table and the log. Everybody goes on reading and writing meanwhile.

    Run it again to go on after an interruption. Exit code 1 if the new index refused documents.
    """
    from twofold.tools import rebuilding  # noqa: PLC0415 - keeps --help quick

    with open_system(locals()) as system:
        declaration = resource_of(system, resource)
        if abort:
            rebuilding.run_abort(system, declaration)
        else:
            raise typer.Exit(rebuilding.run_rebuild(system, declaration, rate))


@index.command()
def rollback(
    resource: ResourceName,
    app: AppPath = None,
    data: Data = None,
    write_url: WriteUrl = None,
    log_url: LogUrl = None,
    read_url: ReadUrl = None,
) -> None:
    """Go back to the generation before the last rebuild. It gets what has happened since. Run it again to go on after an interruption."""
    from twofold.tools import rebuilding  # noqa: PLC0415

    with open_system(locals()) as system:
        raise typer.Exit(rebuilding.run_rollback(system, resource_of(system, resource)))


@index.command()
def generations(
    resource: ResourceName, app: AppPath = None, data: Data = None, read_url: ReadUrl = None, as_json: AsJson = False
) -> None:
    """List the generations of an index, the oldest first. Which is live, documents, size, how far it is, and whether it fits."""
    from twofold.tools import rebuilding  # noqa: PLC0415

    with open_system(locals(), reading=True) as system:
        found = rebuilding.listed(system, resource_of(system, resource))
    typer.echo(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode() if as_json else rebuilding.lines(found))


@index.command()
def drop(
    resource: ResourceName,
    generation: Annotated[str, typer.Argument(help="The generation, as `twofold generations` shows it.")],
    app: AppPath = None,
    data: Data = None,
    write_url: WriteUrl = None,
    log_url: LogUrl = None,
    read_url: ReadUrl = None,
) -> None:
    """Drop a generation that is neither live nor being filled."""
    from twofold.tools import rebuilding  # noqa: PLC0415

    with open_system(locals()) as system:
        rebuilding.run_drop(system, resource_of(system, resource), generation)
