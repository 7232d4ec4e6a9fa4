"""What `twofold verify --watch` tells Prometheus, on the loopback address."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from prometheus_client import CollectorRegistry, Gauge, start_http_server

from twofold.errors import SettingsError
from twofold.verify.result import Result


class Metrics:
    """Served until it is left. Raises SettingsError where the port is taken."""

    def __init__(self, port: int) -> None:
        registry = CollectorRegistry()
        each = ["resource"]
        self._drift = Gauge("twofold_drift", "Ids at which index and table differ.", [*each, "kind"], registry=registry)
        self._at = Gauge("twofold_verified_timestamp_seconds", "When that was last looked at, Unix time.", each, registry=registry)
        self._rate = Gauge("twofold_verify_rows_per_second", "Ids compared a second, the last time.", each, registry=registry)
        try:
            self._server, self._thread = start_http_server(port, "127.0.0.1", registry)
        except OSError as error:
            raise SettingsError(f"Cannot listen on 127.0.0.1:{port}: {error.strerror}. Choose another with --port.") from None
        self.port = self._server.server_port

    def note(self, resource: str, result: Result) -> None:
        for kind, count in result.left.items():
            self._drift.labels(resource, kind).set(count)
        self._at.labels(resource).set_to_current_time()
        self._rate.labels(resource).set(result.rate)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
