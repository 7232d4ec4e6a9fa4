"""`twofold dead-letters list | show | retry | discard`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer

from twofold.cli_options import AppPath, Data, LogUrl, ReadUrl, ResourceName, open_system, resource_of

if TYPE_CHECKING:
    from twofold.tools.letters import Letter, Letters

letters = typer.Typer(no_args_is_help=True, help="Look at what could not be projected, and settle it.")

Numbers = Annotated[list[int] | None, typer.Argument(help="Numbers of letters, as `list` shows them.")]
AsLines = Annotated[bool, typer.Option("--json", help="One JSON object a line instead of lines for people.")]
All = Annotated[bool, typer.Option("--all", help="Every open letter.")]


@letters.command("list")
def list_(resource: ResourceName, app: AppPath = None, data: Data = None, log_url: LogUrl = None, as_json: AsLines = False) -> None:
    """List open dead letters, the oldest first. Number, key, version, event, and why."""
    with _letters(resource, locals(), reading=True) as found:
        for letter in found.open():
            typer.echo(orjson.dumps(letter.row) if as_json else _line(letter))


@letters.command()
def show(
    resource: ResourceName,
    number: Annotated[int, typer.Argument(help="The letter's number.")],
    app: AppPath = None,
    data: Data = None,
    log_url: LogUrl = None,
) -> None:
    """Show one letter as JSON. Where it stood, why it was refused, its headers and its value."""
    with _letters(resource, locals(), reading=True) as found:
        [letter] = found.chosen([number])
        typer.echo(orjson.dumps(letter.whole, option=orjson.OPT_INDENT_2))


@letters.command()
def retry(
    resource: ResourceName,
    numbers: Numbers = None,
    every: All = False,
    app: AppPath = None,
    data: Data = None,
    log_url: LogUrl = None,
    read_url: ReadUrl = None,
) -> None:
    """Apply letters to the index again, in order per key. One that a newer version has overtaken changes nothing. Exit code 1 if any
    is refused still.
    """
    with _letters(resource, locals()) as found:
        refused = taken = 0
        for letter, reason in found.retry(_chosen(found, numbers, every)):
            refused, taken = refused + bool(reason), taken + (not reason)
            if reason:
                typer.echo(f"{letter.number}: {reason}", err=True)
        typer.echo(f"{taken} applied or overtaken, {refused} refused still")
    raise typer.Exit(1 if refused else 0)


@letters.command()
def discard(
    resource: ResourceName,
    numbers: Numbers = None,
    every: All = False,
    app: AppPath = None,
    data: Data = None,
    log_url: LogUrl = None,
    read_url: ReadUrl = None,
) -> None:
    """Let letters go. They stay in the topic, but are not listed any more, and the index notes no more that it refused them."""
    with _letters(resource, locals()) as found:
        typer.echo(f"{found.discard(_chosen(found, numbers, every))} discarded")


@contextmanager
def _letters(name: str, options: dict[str, Any], *, reading: bool = False) -> Iterator[Letters]:
    with open_system(options, reading=reading) as system:
        from twofold.tools.letters import Letters  # noqa: PLC0415 - keeps --help quick

        yield Letters(system, resource_of(system, name))


def _chosen(found: Letters, numbers: list[int] | None, every: bool) -> Iterator[Letter]:
    if bool(numbers) == every:
        raise typer.BadParameter("give numbers, as `twofold dead-letters list` shows them, or --all")
    return found.open() if every else iter(found.chosen(numbers or []))


def _line(letter: Letter) -> str:
    row = letter.row
    version = f" version {row['version']}" if row["version"] else ""
    return f"{row['number']:>6}  {row['key'] or '(no key)'}{version}  {row['type'] or '(no record)'}  {row['reason']}"
