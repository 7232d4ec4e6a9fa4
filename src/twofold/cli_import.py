"""`twofold import` and `twofold demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from twofold.cli_options import AppPath, Data, LogUrl, ReadUrl, WriteUrl, settings_of
from twofold.imports.options import Options, format_named, renamed

imports = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
ENDINGS = "By its ending: .csv .tsv .ndjson .jsonl .json, each also with .gz; - for standard input."
COLUMNS = "NAME=field renames a column or member, NAME= leaves it out, *= all that are not named; with commas between."

Rejects = Annotated[Path | None, typer.Option(help="Where rejected lines go, with the reason. [default: FILE.rejects.csv or .ndjson]")]


@imports.command("import")
def import_(
    resource: Annotated[str, typer.Argument(metavar="RESOURCE", help="The resource, for example users.")],
    file: Annotated[str, typer.Argument(metavar="FILE", help=ENDINGS)],
    update_by: Annotated[str, typer.Option(metavar="FIELD", help="Add or change, by this unique field or id. [default: create only]")] = "",
    format_: Annotated[str | None, typer.Option("--format", help="csv, tsv, ndjson or json. [default: by the ending; ndjson on -]")] = None,
    columns: Annotated[str | None, typer.Option(help=COLUMNS)] = None,
    delimiter: Annotated[str | None, typer.Option(help="What stands between cells. [default: a comma; in TSV a tab]")] = None,
    encoding: Annotated[str, typer.Option(help="For example cp1252 or utf-16.")] = "utf-8",
    list_separator: Annotated[str, typer.Option(help="What stands between the items of a list in a cell. [default: lists are JSON]")] = "",
    with_ids: Annotated[bool, typer.Option("--with-ids", help="Keep id and created_at, which are left out else.")] = False,
    with_guarded: Annotated[bool, typer.Option("--with-guarded", help="Set fields that only commands change, too.")] = False,
    rejects: Rejects = None,
    app: AppPath = None,
    data: Data = None,
    write_url: WriteUrl = None,
    log_url: LogUrl = None,
    read_url: ReadUrl = None,
) -> None:
    """Create resources from a file, or change those there. It goes through the same path as HTTP.

    Run it again to go on after an interruption: what was created within 24 hours, and is there, is not created again.
    Rejected lines go to a file that can be mended and imported.

    Exit codes: 0 all lines were taken; 1 lines were rejected, or the file is damaged or a part only; 2 nothing was done; 130 interrupted.
    """
    from twofold.tools import importing  # noqa: PLC0415 - keeps --help quick

    settings = settings_of(locals())
    options = Options(
        format=format_named(format_),
        columns=renamed(columns),
        delimiter="\t" if delimiter == "\\t" else delimiter,
        encoding="utf-8-sig" if encoding.lower() in ("utf-8", "utf8") else encoding,
        separator=list_separator,
        by=update_by,
        with_ids=with_ids,
        with_guarded=with_guarded,
    )
    raise typer.Exit(importing.run(settings, resource, file, rejects, options))


@imports.command()
def demo(
    users: Annotated[int, typer.Option(min=1, max=10_000_000, help="How many users there should be.")] = 10_000,
    app: AppPath = None,
    data: Data = None,
    write_url: WriteUrl = None,
    log_url: LogUrl = None,
    read_url: ReadUrl = None,
) -> None:
    """Fill the built-in app with realistic users. They are the same ones in every run; all share one precomputed password hash."""
    from twofold.tools import importing  # noqa: PLC0415

    raise typer.Exit(importing.demo(settings_of(locals()), users))
