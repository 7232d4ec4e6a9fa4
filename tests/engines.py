"""The real engines, as tests see them: where they are, and what becomes of a test when one is away."""

from __future__ import annotations

import os
import socket
from urllib.parse import urlsplit

import pytest

MYSQL = os.environ.get("TWOFOLD_TEST_MYSQL", "mysql://root:root@127.0.0.1:3306")
KAFKA = os.environ.get("TWOFOLD_TEST_KAFKA", "127.0.0.1:9092")
ELASTICSEARCH = os.environ.get("TWOFOLD_TEST_ELASTICSEARCH", "http://127.0.0.1:9200")
OPENSEARCH = os.environ.get("TWOFOLD_TEST_OPENSEARCH", "http://127.0.0.1:9211")


def need(*addresses: str) -> None:
    """Skips the test where an engine is away; fails it in CI."""
    for address in addresses:
        parts = urlsplit(address if "://" in address else f"//{address}")
        try:
            socket.create_connection((parts.hostname or "", parts.port or 0), timeout=2).close()
        except OSError:
            reason = f"no engine answers at {parts.hostname}:{parts.port}; start it with `make engines`"
            if os.environ.get("CI"):
                pytest.fail(reason)
            pytest.skip(reason)
