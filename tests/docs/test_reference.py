"""The documents say all there is, and nothing that is not: settings, commands, codes, headers, fields, links."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import typer
from tests.docs.blocks import DOCUMENTS, ROOT, name, prose, table

import twofold
from examples import accounts
from twofold import letters, users
from twofold.bootstrap import System
from twofold.cli import cli
from twofold.command import openapi as commands
from twofold.log.port import Message
from twofold.names import RESERVED
from twofold.query import openapi as queries
from twofold.record import Record
from twofold.resource import RESERVED_RESOURCES, RESERVED_TABLES
from twofold.runtime.openapi import OF_ANY
from twofold.runtime.problems import PROBLEMS
from twofold.settings import Settings, load
from twofold.tools import status

SETTINGS, HTTP, EVENTS, OPERATIONS = (ROOT / "docs" / f"{each}.md" for each in ("settings", "http", "events", "operations"))
PLACES = re.compile(r"(?<![\w./])/(work|home|root|tmp|Users)\b|\.\./shared|index-url|(pypi|npmjs|pythonhosted|golang|maven)\.(org|com)")


def test_every_setting_is_documented_with_its_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load()
    told = [row[:3] for row in table(SETTINGS, "variable")]
    fields = [(f"`TWOFOLD_{field.upper()}`", _option(field), f"`{getattr(settings, field)}`") for field in Settings.model_fields]
    assert told == [[value if value != "``" else "none" for value in field] for field in fields]


def _option(field: str) -> str:
    """A password has none: whoever may run `ps` reads what is typed."""
    return "none" if field.endswith("_password") else f"`--{field.replace('_', '-')}`"


def test_every_command_is_documented_and_no_other() -> None:
    text = "\n".join(path.read_text() for path in DOCUMENTS)
    names = set(typer.main.get_command(cli).commands)  # type: ignore[attr-defined]
    shown = set(re.findall(r"(?:`|^\$ )twofold ([a-z]+(?:-[a-z]+)*)", text, re.MULTILINE))
    assert shown == names


def test_every_problem_is_documented_with_its_meaning() -> None:
    assert {code.strip("`"): meaning for code, _, meaning in table(HTTP, "code")} == PROBLEMS


def test_every_operation_is_documented_with_its_answers() -> None:
    found: dict[str, tuple[str, str]] = {}
    for document in (commands.describe(users.app), commands.describe(accounts.app), queries.describe(users.app)):
        for path, operations in document["paths"].items():
            for method, operation in operations.items():
                found[f"{method.upper()} {path}"] = _statuses(operation)
    rows = [row for heading in ("## Commands", "## Queries") for row in table(HTTP, "request", heading)]
    told = {request.strip("`"): (done, problems) for request, done, problems in rows}
    assert told == {request: found.get(request) for request in told}
    assert {request for request in found if "/users" in request} <= told.keys()


def _statuses(operation: dict[str, Any]) -> tuple[str, str]:
    """Without those that any operation has, which stand in the text below the first table."""
    statuses = sorted(operation["responses"].keys() - set(map(str, OF_ANY)))
    done = ", ".join(each for each in statuses if each < "400")
    return done, ", ".join(each for each in statuses if each >= "400")


def test_every_header_of_a_record_is_documented() -> None:
    message = Record("k", 1, "users.created", "e", "t", b"{}", args="{}", traceparent="t").to_message()
    assert [row[0].strip("`") for row in table(EVENTS, "header")] == [header for header, _ in message.headers]


def test_every_header_of_a_dead_letter_is_documented() -> None:
    letter = letters._letter(users.User.declaration, Message(None, None), "a reason")
    large = letters._without_content(letter)
    told = [header for row in table(OPERATIONS, "header") for header in re.findall(r"\w+", row[0])]
    assert told == [header for header, _ in large.headers]


def test_every_field_of_status_is_documented(tmp_path: Path) -> None:
    system = System(users.app, load(data=tmp_path))
    try:
        system.migrate()
        found = status.status(system)
    finally:
        system.close()
    hops = {"outbox": found["outbox"], "write_store": found["write_store"], **found["resources"]["users"]}
    told: dict[str, list[str]] = {}
    for hop, fields, _ in table(OPERATIONS, "hop"):
        told.setdefault(hop, []).extend(re.findall(r"`(\w+)`", fields))
    assert told.pop("any") == ["error"]
    assert told == {hop: list(fields) for hop, fields in hops.items()}


def test_relative_links_lead_somewhere() -> None:
    for path in DOCUMENTS:
        for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)", prose(path)):
            file, _, anchor = target.partition("#")
            linked = (path.parent / file).resolve() if file else path
            assert linked.exists(), f"{name(path)}: {target}"
            assert not anchor or anchor in _anchors(linked), f"{name(path)}: {target}"


def _anchors(path: Path) -> list[str]:
    """As GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", prose(path), re.MULTILINE)
    return [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]


def test_no_document_names_a_place_of_its_making() -> None:
    for path in [*DOCUMENTS, ROOT / "LICENSE"]:
        assert PLACES.search(path.read_text()) is None, name(path)


def test_decisions_have_one_form() -> None:
    records = sorted((ROOT / "docs" / "adr").glob("*.md"))
    numbers = [int(path.name.split("-")[0]) for path in records]
    assert len(set(numbers)) == len(numbers)
    for number, path in zip(numbers, records, strict=True):
        text = path.read_text()
        assert path.name.startswith(f"{number:04d}-")
        assert text.startswith(f"# {number}. ")
        assert re.search(r"^Date: \d{4}-\d\d-\d\d\. Status: (accepted|superseded by \d{4})\.$", text, re.MULTILINE)
        assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["Context", "Decision", "Consequences"]


def test_the_changelog_has_this_version() -> None:
    assert re.search(rf"^## \[{re.escape(twofold.__version__)}\] - \d{{4}}-\d\d-\d\d$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)


def test_the_license_is_apache() -> None:
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License\n                           Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text


def test_compose_has_the_addresses_of_the_documents() -> None:
    """`docker compose up --wait` gives the same addresses as `make engines`."""
    compose = (ROOT / "compose.yaml").read_text()
    urls = dict(re.findall(r"^\$ export TWOFOLD_(WRITE|LOG|READ)_URL=(\S+)$", (ROOT / "README.md").read_text(), re.MULTILINE))
    for engine, url in (("MYSQL", urls["WRITE"]), ("KAFKA", urls["LOG"]), ("ELASTICSEARCH", urls["READ"])):
        assert f"127.0.0.1:${{TWOFOLD_{engine}_PORT:-{urlsplit(url).port}}}:" in compose


def test_every_name_that_is_taken_is_documented() -> None:
    text = (ROOT / "docs" / "declaring.md").read_text().partition("Names that are taken:")[2].partition("\n## ")[0]
    assert {*RESERVED, *RESERVED_RESOURCES, *RESERVED_TABLES} - set(re.findall(r"`([a-z_]+)`", text)) == set()
