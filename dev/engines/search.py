"""What Elasticsearch and OpenSearch have in common."""

import json

from . import probe, settings
from .java import JavaEngine

HEALTH = "/_cluster/health"
LOGGING = """status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = [%d{ISO8601}][%-5p][%c{1.}] %m%n
rootLogger.level = info
rootLogger.appenderRef.console.ref = console
"""


class SearchEngine(JavaEngine):
    """A single node that holds the views."""

    url_variable = "TWOFOLD_READ_URL"
    heap = "768m"

    def ready(self) -> bool:
        """Tell whether the node answers and all its primary shards are there."""
        reply = probe.http_get(self.port, f"{HEALTH}?wait_for_status=yellow&timeout=1s")
        return reply is not None and reply.status == 200 and self.answers()

    def prepare(self) -> None:
        """Write the node's settings; JSON is YAML too."""
        self.config.mkdir(parents=True, exist_ok=True)
        self.data.mkdir(exist_ok=True)
        text = json.dumps(self.node_settings(), indent=2)
        (self.config / f"{self.name}.yml").write_text(text + "\n")
        (self.config / "log4j2.properties").write_text(LOGGING)

    def node_settings(self) -> dict[str, str | int | bool]:
        """Return the settings of a development node."""
        return {
            "network.host": settings.HOST,
            "discovery.type": "single-node",
            "action.auto_create_index": False,
            "cluster.routing.allocation.disk.threshold_enabled": False,
        }
