"""Small network questions that tell which program answers on a port."""

import http.client
import json
import socket
from dataclasses import dataclass
from typing import Any

from .settings import HOST

SECONDS = 3


@dataclass(frozen=True)
class Reply:
    """What an HTTP server said; the names of the headers are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the decoded body, or an empty object when it is not JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            return {}


def listens(port: int) -> bool:
    """Tell whether any program accepts connections on the port."""
    try:
        socket.create_connection((HOST, port), SECONDS).close()
    except OSError:
        return False
    return True


def exchange(port: int, request: bytes = b"") -> bytes:
    """Return the first bytes that the server sends after the request, if any."""
    try:
        with socket.create_connection((HOST, port), SECONDS) as connection:
            connection.sendall(request)
            return connection.recv(512)
    except OSError:
        return b""


def http_get(port: int, path: str) -> Reply | None:
    """Return the reply to a GET request, or None when no HTTP server answers."""
    connection = http.client.HTTPConnection(HOST, port, timeout=SECONDS)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Reply(response.status, headers, response.read())
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
