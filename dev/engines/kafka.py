"""Apache Kafka: one node that is broker and controller."""

import struct
from pathlib import Path

from . import probe, settings
from .install import atomic_folder, run
from .java import JavaEngine

RELEASE = "4.2.0"
CLUSTER_ID = "twofoldDevelopmentKafA"
API_VERSIONS = struct.pack(">ihhih", 10, 18, 0, 1, -1)
PROPERTIES: dict[str, str | int] = {
    "process.roles": "broker,controller",
    "node.id": 1,
    "controller.listener.names": "CONTROLLER",
    "auto.create.topics.enable": "false",
    "offsets.topic.num.partitions": 5,
    "offsets.topic.replication.factor": 1,
    "transaction.state.log.num.partitions": 5,
    "transaction.state.log.replication.factor": 1,
    "transaction.state.log.min.isr": 1,
    "share.coordinator.state.topic.num.partitions": 5,
    "share.coordinator.state.topic.replication.factor": 1,
    "share.coordinator.state.topic.min.isr": 1,
    "group.initial.rebalance.delay.ms": 0,
    "broker.heartbeat.interval.ms": 500,
    "broker.session.timeout.ms": 3000,  # a killed broker can register again only after this
}
LOGGING = (
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSS",
)


class Kafka(JavaEngine):
    """The log."""

    name = "kafka"
    release = f"Kafka {RELEASE}"
    default_port = 9092
    url_variable = "TWOFOLD_LOG_URL"
    minimum_java = 17
    heap = "256m"
    artifacts = (
        f"org.apache.kafka:kafka_2.13:{RELEASE}",
        f"org.apache.kafka:kafka-tools:{RELEASE}",
        "org.slf4j:slf4j-simple:1.7.36",
    )

    @property
    def ports(self) -> dict[str, int]:
        """Return the port of the clients and that of the controller."""
        controller = settings.port("TWOFOLD_KAFKA_CONTROLLER_PORT", 9093)
        return {self.port_variable: self.port, "TWOFOLD_KAFKA_CONTROLLER_PORT": controller}

    def prepare(self) -> None:
        """Write server.properties and, the first time, format the storage."""
        if not self.data.exists():
            progress = settings.step(self.name, "formatting the storage")
            with progress, atomic_folder(self.data) as draft:
                self._format(draft)
        self._write_properties(self.data)

    def command(self) -> list[str]:
        """Return the command that runs the broker."""
        return self.java(*LOGGING, "kafka.Kafka", self._properties_file)

    def answers(self) -> bool:
        """Tell whether the port answers the request ApiVersions without an error."""
        reply = probe.exchange(self.port, API_VERSIONS)
        return reply[4:10] == struct.pack(">ih", 1, 0)

    @property
    def _properties_file(self) -> Path:
        return self.config / "server.properties"

    def _format(self, folder: Path) -> None:
        self._write_properties(folder)
        arguments = ("format", "-t", CLUSTER_ID, "-c", self._properties_file)
        run(self.java("kafka.tools.StorageTool", *arguments), self.install_log)

    def _write_properties(self, folder: Path) -> None:
        self.config.mkdir(parents=True, exist_ok=True)
        lines = (f"{key}={value}" for key, value in self._properties(folder).items())
        self._properties_file.write_text("\n".join(lines) + "\n")

    def _properties(self, folder: Path) -> dict[str, str | int | Path]:
        broker, controller = (f"{settings.HOST}:{port}" for port in self.ports.values())
        return {
            "controller.quorum.voters": f"1@{controller}",
            "listeners": f"PLAINTEXT://{broker},CONTROLLER://{controller}",
            "advertised.listeners": f"PLAINTEXT://{broker}",
            "log.dirs": folder,
            **PROPERTIES,
        }
