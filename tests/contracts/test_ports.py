"""An adapter has what its port promises, and nothing beside that anybody could build on."""

from __future__ import annotations

import pytest

from twofold.index.elastic import ElasticIndex
from twofold.index.elastic_holdings import ElasticHoldings
from twofold.index.port import Generations, Holdings, ReadStore
from twofold.index.sqlite import SqliteIndex
from twofold.index.sqlite_holdings import SqliteHoldings
from twofold.log.kafka import KafkaLog
from twofold.log.port import EventLog
from twofold.log.sqlite import SqliteLog
from twofold.store.leases import SqlLeases
from twofold.store.outbox import SqlOutbox
from twofold.store.port import Leases, Outbox, WriteStore
from twofold.store.sql import SqlStore

ADAPTERS = [
    (SqlStore, [WriteStore]),
    (SqlOutbox, [Outbox]),
    (SqlLeases, [Leases]),
    (SqliteLog, [EventLog]),
    (KafkaLog, [EventLog]),
    (SqliteIndex, [ReadStore, Generations]),
    (ElasticIndex, [ReadStore, Generations]),
    (SqliteHoldings, [Holdings]),
    (ElasticHoldings, [Holdings]),
]


def public(owner: type) -> set[str]:
    return {name for name in (*dir(owner), *getattr(owner, "__annotations__", ())) if not name.startswith("_")}


@pytest.mark.parametrize(("adapter", "ports"), ADAPTERS, ids=lambda value: getattr(value, "__name__", None))
def test_an_adapter_has_what_its_ports_have(adapter: type, ports: list[type]) -> None:
    assert public(adapter) == set().union(*map(public, ports))
