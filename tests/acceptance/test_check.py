"""`check` and `migrate` say clearly what is in the way."""

from __future__ import annotations

import httpx
import pytest
from confluent_kafka import Consumer

from tests import engines
from tests.acceptance.checks import wait_for
from tests.acceptance.conftest import Cluster

pytestmark = pytest.mark.engine


def test_all_is_well(cluster: Cluster) -> None:
    found = cluster.run("check")
    assert found.returncode == 0, found.stdout
    assert "MySQL" in found.stdout
    assert "BAD" not in found.stdout


def test_a_foreign_member_of_the_group_is_named(cluster: Cluster) -> None:
    settings = {"bootstrap.servers": engines.KAFKA, "group.id": f"{cluster.name}-group", "client.id": "somebody-else"}
    consumer = Consumer(settings)
    consumer.subscribe([f"{cluster.name}-topic"])
    wait_for(lambda: consumer.poll(0.1) or consumer.assignment(), 30)
    found = cluster.run("check")
    consumer.close()
    assert found.returncode == 1
    assert "somebody-else" in found.stdout


def test_an_index_in_the_way_is_named(cluster: Cluster) -> None:
    cluster.environment["PEOPLE"] = other = f"{cluster.name}x"
    httpx.put(f"{engines.ELASTICSEARCH}/{other}").raise_for_status()
    try:
        for command, code in (("check", 1), ("migrate", 3)):
            found = cluster.run(command)
            assert found.returncode == code
            assert f"index {other}" in found.stdout + found.stderr or f"index named {other}" in found.stdout + found.stderr
            assert "Traceback" not in found.stderr
    finally:
        httpx.delete(f"{engines.ELASTICSEARCH}/{other}")


def test_a_topic_with_another_partition_count_is_refused(cluster: Cluster) -> None:
    from confluent_kafka.admin import AdminClient, NewPartitions

    admin = AdminClient({"bootstrap.servers": engines.KAFKA})
    admin.create_partitions([NewPartitions(f"{cluster.name}-topic", 7)])[f"{cluster.name}-topic"].result()
    for command, code in (("migrate", 3), ("relay", 3), ("check", 1)):
        refused = cluster.run(command)
        assert refused.returncode == code, command
        assert "7 partitions" in refused.stdout + refused.stderr


def test_settings_that_lose_commits_are_bad(cluster: Cluster) -> None:
    """MySQL's own word for it decides, so the test asks `check` about a server whose settings it reads itself."""
    found = cluster.run("check", "--json")
    assert all(finding["ok"] for finding in httpx.Response(200, text=found.stdout).json())
    assert "innodb_flush_log_at_trx_commit is 1" in found.stdout
