"""Elasticsearch: the server's jars from Maven, started by our own small main class."""

import shutil
from pathlib import Path

from . import probe
from .search import HEALTH, SearchEngine

RELEASE = "8.19.0"
DESCRIPTOR = f"""name={{name}}
description={{name}}
version={RELEASE}
elasticsearch.version={RELEASE}
java.version=17
classname={{main}}
"""


class Elasticsearch(SearchEngine):
    """The read side."""

    name = "elasticsearch"
    release = f"Elasticsearch {RELEASE}"
    default_port = 9200
    minimum_java = 17
    artifacts = (
        f"org.elasticsearch:elasticsearch:{RELEASE}",
        f"org.elasticsearch.plugin:transport-netty4:{RELEASE}",
    )
    sources = ("ElasticsearchNode.java", "AnalysisFoldingPlugin.java")

    def build(self, draft: Path) -> None:
        """Lay the jars out as the node expects them: a library and two modules."""
        super().build(draft)
        (draft / "plugins").mkdir()
        self._build_transport(draft)
        self._build_analysis(draft)

    def command(self) -> list[str]:
        """Return the command that runs the node."""
        return self.java("ElasticsearchNode", self.program, self.config)

    def answers(self) -> bool:
        """Tell whether the port reports its health and calls itself Elasticsearch."""
        reply = probe.http_get(self.port, HEALTH)
        return reply is not None and reply.status == 200 and "x-elastic-product" in reply.headers

    def node_settings(self) -> dict[str, str | int | bool]:
        """Return the settings of a development node."""
        return {
            **super().node_settings(),
            "cluster.name": "twofold-elasticsearch",
            "node.name": "node-1",
            "http.port": self.port,
            "path.data": str(self.data),
            "path.logs": str(self.home / "log"),
        }

    def _build_transport(self, draft: Path) -> None:
        module = _module(
            draft, "transport-netty4", "org.elasticsearch.transport.netty4.Netty4Plugin"
        )
        for pattern in ("netty-*.jar", "transport-netty4-*.jar"):
            for jar in (draft / "lib").glob(pattern):
                jar.rename(module / jar.name)

    def _build_analysis(self, draft: Path) -> None:
        module = _module(draft, "analysis-common", "AnalysisFoldingPlugin")
        classes = module / "classes"
        classes.mkdir()
        for path in (draft / "classes").glob("AnalysisFoldingPlugin*.class"):
            path.rename(classes / path.name)
        archive = Path(shutil.make_archive(str(module / "analysis-folding"), "zip", classes))
        archive.rename(archive.with_suffix(".jar"))
        shutil.rmtree(classes)


def _module(draft: Path, name: str, main: str) -> Path:
    module = draft / "modules" / name
    module.mkdir(parents=True)
    descriptor = DESCRIPTOR.format(name=name, main=main)
    (module / "plugin-descriptor.properties").write_text(descriptor)
    return module
