"""The command line. Data goes to stdout, talk to stderr; every option names its variable."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from twofold import __version__
from twofold.cli_import import imports
from twofold.cli_index import index
from twofold.cli_letters import letters
from twofold.cli_options import (
    AppPath,
    AsJson,
    CommandPort,
    Data,
    Host,
    LogUrl,
    QueryPort,
    ReadUrl,
    Refresh,
    Workers,
    WriteUrl,
    open_system,
    settings_of,
    system_of,
)
from twofold.cli_verify import verify
from twofold.errors import EngineError, Outdated, TwofoldError

cli = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


FAILED, MISTAKE, NOT_AS_DECLARED = 1, 2, 3  # an engine or a part; settings, or what was typed; `migrate` or `rebuild` have to be run first



def main() -> None:
    """Runs the command line. A failure is told on stderr, by one line; its exit code is one of those below."""
    try:
        cli(standalone_mode=True)
    except TwofoldError as error:
        typer.echo(f"twofold: {error}", err=True)
        sys.exit(NOT_AS_DECLARED if isinstance(error, Outdated) else FAILED if isinstance(error, EngineError) else MISTAKE)


@cli.callback(invoke_without_command=True)
def root(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    """CQRS from one declaration: durable commands, an event log, a search index, and queries, with nothing lost in between.

    Without any setting everything runs embedded, in SQLite files under ./data. TWOFOLD_WRITE_URL, TWOFOLD_LOG_URL and TWOFOLD_READ_URL
    choose MySQL, Kafka and Elasticsearch or OpenSearch. Settings are read from the environment, .env and twofold.toml.
    """
    if version:
        typer.echo(__version__)
        raise typer.Exit


@cli.command()
def up(
    app: AppPath = None,
    data: Data = None,
    write_url: WriteUrl = None,
    log_url: LogUrl = None,
    read_url: ReadUrl = None,
    host: Host = None,
    command_port: CommandPort = None,
    query_port: QueryPort = None,
    refresh: Refresh = None,
) -> None:
    """Run everything in one process. That is command service, relay, projectors and query service."""
    _serve({"command", "relay", "project", "query"}, **locals())


@cli.command("command")
def command_(
    app: AppPath = None,
    write_url: WriteUrl = None,
    log_url: LogUrl = None,
    read_url: ReadUrl = None,
    host: Host = None,
    command_port: CommandPort = None,
    workers: Workers = None,
) -> None:
    """Run the command service."""
    _serve({"command"}, **locals())


@cli.command()
def relay(app: AppPath = None, write_url: WriteUrl = None, log_url: LogUrl = None, read_url: ReadUrl = None) -> None:
    """Run a relay: outbox to log. Of several, one leads and the others stand by."""
    _serve({"relay"}, **locals())


@cli.command()
def project(
    app: AppPath = None, write_url: WriteUrl = None, log_url: LogUrl = None, read_url: ReadUrl = None, refresh: Refresh = None
) -> None:
    """Run the projectors: log to index. Several processes share the partitions."""
    _serve({"project"}, **locals())


@cli.command()
def query(
    app: AppPath = None,
    write_url: WriteUrl = None,
    log_url: LogUrl = None,
    read_url: ReadUrl = None,
    host: Host = None,
    query_port: QueryPort = None,
    workers: Workers = None,
) -> None:
    """Run the query service."""
    _serve({"query"}, **locals())


@cli.command()
def migrate(app: AppPath = None, data: Data = None, write_url: WriteUrl = None, log_url: LogUrl = None, read_url: ReadUrl = None) -> None:
    """Create tables, topics and indices, and add what is new. Never drops anything.

    Exit code 3 where something is left that it must not do: change a table, or an index that a rebuild has to make anew.
    """
    with open_system(locals()) as system:
        done, left = system.migrate(), system.left()
    told = [each for each in done if each not in left]
    if told or not left:
        typer.echo("\n".join(told) or "Nothing to do: tables, topics and indices are as declared.")
    if left:
        typer.echo("\n".join(f"twofold: not done: {each}" for each in left), err=True)
        raise typer.Exit(NOT_AS_DECLARED)


@cli.command()
def status(
    app: AppPath = None,
    data: Data = None,
    write_url: WriteUrl = None,
    log_url: LogUrl = None,
    read_url: ReadUrl = None,
    command_port: CommandPort = None,
    as_json: AsJson = False,
) -> None:
    """Tell how far each hop is. What is pending and how old, how far the projector is behind, documents, dead letters.

    Exit code 1 if a hop cannot be told, or has lost something.
    """
    from twofold.tools import report  # noqa: PLC0415 - keeps --help quick

    found = report.status(settings_of(locals()))
    typer.echo(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode() if as_json else report.lines(found))
    if report.failed(found):
        raise typer.Exit(FAILED)


@cli.command()
def check(
    app: AppPath = None,
    data: Data = None,
    write_url: WriteUrl = None,
    log_url: LogUrl = None,
    read_url: ReadUrl = None,
    as_json: AsJson = False,
) -> None:
    """Look whether engines answer, are durable, and as declared. Exit code 1 if anything is not."""
    from twofold.tools.status import findings  # noqa: PLC0415

    system = system_of(locals(), reading=True)
    try:
        found = findings(system)
    finally:
        system.close()
    if as_json:
        typer.echo(orjson.dumps([{"ok": good, "finding": text} for good, text in found], option=orjson.OPT_INDENT_2).decode())
    else:
        typer.echo("\n".join(f"{'ok  ' if good else 'BAD '} {text}" for good, text in found))
    if not all(good for good, _ in found):
        raise typer.Exit(1)


@cli.command()
def bench(
    resource: Annotated[str | None, typer.Argument(metavar="RESOURCE", help="One resource. [default: all of the app]")] = None,
    bodies: Annotated[Path | None, typer.Option(help="NDJSON of bodies, where none can be made from the declaration.")] = None,
    output: Annotated[Path, typer.Option("--output", help="Where the figures are written as JSON.")] = Path("bench.json"),
    quick: Annotated[bool, typer.Option("--quick", help="Short runs on little data: shows that everything works.")] = False,
    app: AppPath = None,
    data: Data = None,
    write_url: WriteUrl = None,
    log_url: LogUrl = None,
    read_url: ReadUrl = None,
) -> None:
    """Measure the app on its engines, with wrk. Commands, end to end, and queries; Linux only.

    Nothing of yours is written to: a database, topics, groups and indices with names that begin with bench_ are made for it, and
    removed at the end.
    """
    from twofold.bench import main as measuring  # noqa: PLC0415

    raise typer.Exit(measuring.run(settings_of(locals()), resource, bodies, output, quick=quick))


cli.command()(verify)  # help has commands in this order, and behind them those that were added
cli.add_typer(imports)
cli.add_typer(index)
cli.add_typer(letters, name="dead-letters")


def _serve(names: set[str], **options: Any) -> None:
    from twofold.tools import serving  # noqa: PLC0415

    raise typer.Exit(serving.serve(settings_of(options), names))
