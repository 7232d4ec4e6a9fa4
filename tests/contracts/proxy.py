"""A man in the middle between a client and MySQL, who breaks what a network breaks, at the moment that a test names.

It reads the client's packets, so the client must connect with `ssl_disabled=true`.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable

COMMIT = b"\x03COMMIT"  # COM_QUERY and its text


class Proxy:
    """Listens on `port`. `lose_commit`, `lose_answer` and `race_commit` are each good for the next COMMIT, once."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._late: list[socket.socket] = []
        self._on_commit: Callable[[socket.socket, socket.socket], None] | None = None
        self._deaf: set[socket.socket] = set()
        self._broken = False
        threading.Thread(target=self._accept, daemon=True).start()

    def lose_commit(self) -> None:
        """The COMMIT does not arrive and the client is cut off; the server does not notice (a half-open connection)."""
        self._on_commit = self._hold

    def deliver_late(self) -> None:
        """Sends the COMMIT that was lost after all."""
        for server in self._late:
            with contextlib.suppress(OSError):
                _send(server)

    def lose_answer(self) -> None:
        """The COMMIT is done, and the client is cut off before it hears of it."""
        self._on_commit = self._deafen

    def race_commit(self) -> None:
        """The client is cut off while the COMMIT is on its way."""
        self._on_commit = self._race

    def die_at_commit(self) -> None:
        """The COMMIT arrives, and then the network is gone."""
        self._on_commit = self._die

    def cut(self) -> None:
        """Ends all connections, and accepts none."""
        self._broken = True
        pairs, self._pairs = self._pairs, []
        for pair in pairs:
            _end(*pair)

    def mend(self) -> None:
        self._broken = False

    def close(self) -> None:
        self.cut()
        _end(self._listener)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                if self._broken:
                    _end(client)
                    continue
                server = socket.create_connection(self._target)
                for one in (client, server):
                    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._pairs.append((client, server))
                threading.Thread(target=self._forward, args=(client, server), daemon=True).start()
                threading.Thread(target=self._back, args=(server, client), daemon=True).start()

    def _forward(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(1 << 16):
                act, self._on_commit = (self._on_commit, None) if data[4:] == COMMIT else (None, self._on_commit)
                if act:
                    return act(client, server)
                server.sendall(data)
        return _end(client, server)

    def _back(self, server: socket.socket, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(1 << 16):
                if server in self._deaf:
                    return self.cut() if self._broken else _end(client, server)
                client.sendall(data)
        return _end(client, server)

    def _hold(self, client: socket.socket, server: socket.socket) -> None:
        self._late.append(server)
        _end(client)

    def _deafen(self, client: socket.socket, server: socket.socket) -> None:
        self._deaf.add(server)
        _send(server)

    def _race(self, client: socket.socket, server: socket.socket) -> None:
        _send(server)
        _end(client)

    def _die(self, client: socket.socket, server: socket.socket) -> None:
        self._broken = True
        self._deafen(client, server)


def _send(server: socket.socket) -> None:
    server.sendall(bytes([len(COMMIT), 0, 0, 0]) + COMMIT)


def _end(*sockets: socket.socket) -> None:
    for one in sockets:
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
        one.close()
