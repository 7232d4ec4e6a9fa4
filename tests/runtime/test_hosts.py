"""Who is meant by a Host header, and who may ask what is for this machine alone."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.requests import Request

from twofold.runtime.hosts import is_from_here, is_local


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
