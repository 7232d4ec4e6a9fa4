"""Who is meant by a Host header, and who may ask what is for this machine alone."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.requests import Request
from tests.stack import Http, Stack

from twofold.runtime.hosts import LocalHosts, is_from_here, is_local


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.0.0.1:3000",
        "127.0.0.2",
        "127.9.8.7:1",
        "localhost",
        "LOCALHOST:3000",
        "localhost.",
        "localhost.:80",
        "[::1]",
        "[::1]:3000",
    ],
)
def test_names_of_this_machine_are_taken(host: str) -> None:
    assert is_local(host.encode())


@pytest.mark.parametrize(
    "host",
    [
        *(
            "",
            "evil.com",
            "evil.com:3000",
            "localhost.evil.com",
            "127.0.0.1.evil.com",
            "127.0.0.1@evil.com",
            "evil.com#127.0.0.1",
            "10.0.0.1",
            "8.8.8.8",
        ),
        *("0x7f.1", "127.1", "2130706433", "[::2]", "localhost:x", "localhost:3000:3000", "localhost..", "127.0.0.1\u00e9", "localhost "),
    ],
)
def test_other_names_are_not(host: str) -> None:
    assert not is_local(host.encode("latin-1"))


@pytest.mark.parametrize(
    ("client", "server", "here"),
    [
        (("127.0.0.1", 40000), ("127.0.0.1", 3000), True),
        (("::1", 40000), ("::1", 3000), True),
        (("10.0.0.7", 40000), ("10.0.0.7", 3000), True),
        (("10.0.0.8", 40000), ("10.0.0.7", 3000), False),
        (None, None, False),
    ],
)
def test_where_a_request_comes_from(client: Any, server: Any, here: bool) -> None:
    assert is_from_here(Request({"type": "http", "client": client, "server": server, "headers": []})) is here


@pytest.mark.parametrize(
    ("site", "mode", "destination", "status"),
    [
        ("cross-site", "no-cors", "image", 403),
        ("cross-site", "cors", "empty", 403),
        ("cross-site", "navigate", "iframe", 403),
        ("cross-site", "websocket", "websocket", 403),
        ("cross-site", "navigate", "document", 200),
        ("same-origin", "cors", "empty", 200),
        ("same-site", "no-cors", "image", 200),
        ("none", "navigate", "document", 200),
    ],
)
@pytest.mark.parametrize("service", ["commands", "queries"])
def test_what_a_page_of_another_site_asks_for_is_not_done(
    shared_stack: Stack, service: str, site: str, mode: str, destination: str, status: int
) -> None:
    """An image whose address is an export would take one of the places for exports."""
    told = {"Host": "localhost:3001", "Sec-Fetch-Site": site, "Sec-Fetch-Mode": mode, "Sec-Fetch-Dest": destination}
    answer = Http(LocalHosts(getattr(shared_stack, service).http))("GET", "/livez", headers=told)
    assert answer.status_code == status
    assert status == 200 or answer.json()["code"] == "cross-site"
