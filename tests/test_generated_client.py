"""A client that openapi-python-client generates from both documents, against both services."""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.stack import Stack

FACETS = ["name", "version:stats", "created_at:month", "version:..2;2.."]


@pytest.fixture(scope="module")
def generated(shared_stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The packages `command_client` and `query_client`."""
    program = shutil.which("openapi-python-client", path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}")
    if program is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("openapi-python-client is not there: pip install -e '.[test]'")
    folder = tmp_path_factory.mktemp("generated")
    (folder / "config.yml").write_text("post_hooks: []\n")
    for name in ("command", "query"):
        (folder / f"{name}.json").write_text(json.dumps(getattr(shared_stack, name).get("/openapi.json").json()))
        where = ["--path", f"{name}.json", "--output-path", f"{name}_client", "--config", "config.yml"]
        asked = [program, "generate", *where, "--meta", "none", "--fail-on-warning"]
        made = subprocess.run(asked, cwd=folder, capture_output=True, text=True, check=False)
        assert made.returncode == 0, made.stdout + made.stderr
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        yield importlib.import_module


def client(generated: Any, name: str, app: Any) -> Any:
    made = generated(f"{name}_client").Client(base_url="http://test", raise_on_unexpected_status=True)
    return made.set_async_httpx_client(httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test"))


def test_it_creates_changes_gets_and_finds(generated: Any, shared_stack: Stack) -> None:
    commands = client(generated, "command", shared_stack.commands.http)
    queries = client(generated, "query", shared_stack.queries.http)
    models, asked = generated("command_client.models"), generated("query_client.models")

    async def ask(module: str, whom: Any, *given: Any, **named: Any) -> Any:
        return await generated(module).asyncio(*given, client=whom, **named)

    async def write() -> Any:
        new = models.NewUser(name="Ana Generated", email="ana@generated.example", password="correct horse")
        made = await ask("command_client.api.users.users_create", commands, body=new)
        change = models.UserMembers(name="Ana Maria Generated")
        return await ask("command_client.api.users.users_patch", commands, made.id, body=change)

    async def read(id_: Any) -> tuple[Any, ...]:
        search = "query_client.api.users"
        body = asked.UserSearch(q="generated ", facets=FACETS, limit=5)
        return (
            await ask(f"{search}.users_get", queries, id_),
            await ask(f"{search}.users_search", queries, q="generated ", facets=FACETS),
            await ask(f"{search}.users_search_by_body", queries, body=body),
            await ask(f"{search}.users_suggest", queries, q="generat"),
            await ask("query_client.api.default.capabilities", queries),
        )

    changed = asyncio.run(write())
    shared_stack.settle()
    document, page, same, suggestions, capabilities = asyncio.run(read(changed.id))
    assert (changed.version, document.name, document.version) == (2, "Ana Maria Generated", 2)
    assert [[item.name for item in found.items] for found in (page, same)] == [["Ana Maria Generated"]] * 2
    counted = page.facets.additional_properties
    assert [type(counted[name]).__name__ for name in FACETS] == ["TermsFacet", "StatsFacet", "DatesFacet", "RangesFacet"]
    assert counted["name"].buckets[0].value == "Ana Maria Generated"
    assert (counted["version:stats"].avg, counted["version:..2;2.."].buckets[1].count) == (2, 1)
    assert suggestions.items[0].text == "Ana Maria Generated"
    assert "name" in capabilities.resources.additional_properties["users"].filterable
