"""What a supervisor asks every few seconds, for weeks: it costs the process nothing that is not given back."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from tests.acceptance.roles import Role, free_port, run
from twofold.resource import RESERVED_RESOURCES
from twofold.runtime.embedded import KEPT
from twofold.runtime.web import Web


@pytest.fixture
def up(tmp_path: Path):
    ports = {"TWOFOLD_COMMAND_PORT": str(free_port()), "TWOFOLD_QUERY_PORT": str(free_port())}
    with Role(["up"], {"TWOFOLD_DATA": str(tmp_path / "data"), **ports}, tmp_path) as up:
        yield up


def url(up: Role, service: str, path: str) -> str:
    return f"http://127.0.0.1:{up.environment[f'TWOFOLD_{service.upper()}_PORT']}{path}"


def held(up: Role) -> tuple[int, int]:
    """Descriptors and threads of the process."""
    assert up.process is not None
    return tuple(len(list(Path(f"/proc/{up.process.pid}/{kind}").iterdir())) for kind in ("fd", "task"))  # type: ignore[return-value]


def test_probes_leak_neither_threads_nor_descriptors(up: Role) -> None:
    asked = [url(up, "command", "/readyz"), url(up, "query", "/readyz"), url(up, "command", "/status")]
    with httpx.Client() as client:
        for address in asked * 5:
            assert client.get(address).status_code == 200
        before = held(up)
        for address in asked * 100:
            assert client.get(address).status_code == 200
        descriptors, threads = held(up)
    assert threads == before[1]
    assert descriptors <= before[0] + 2 * 3 * KEPT  # of two files, the connections that are kept; what leaks has one for each probe
    assert up.stop() == 0


def test_status_is_told_to_this_machine_alone(up: Role, tmp_path: Path) -> None:
    assert httpx.get(url(up, "command", "/status")).json()["outbox"]["pending"] == 0
    assert httpx.post(url(up, "command", "/status"), json={}).status_code == 405
    assert "users" in json.loads(run(["status", "--json"], up.environment, tmp_path).stdout)["resources"]


def test_no_resource_can_have_the_name_of_a_path_of_the_services_and_no_other_is_reserved(shared_stack) -> None:
    services: list[Web] = [shared_stack.commands.http, shared_stack.queries.http]
    first = {route.path.split("/")[1] for service in services for route in service.router.routes}  # type: ignore[attr-defined]
    assert {name for name in first if name.isalpha()} - {"users"} | {"status", "metrics"} == RESERVED_RESOURCES
