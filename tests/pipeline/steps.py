"""Commands, relay and projector of a system, step by step, on the embedded default and on the real engines."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

import uuid_utils

from twofold.bootstrap import System
from twofold.command.decide import Command
from twofold.command.writer import Writer
from twofold.index.search import Search
from twofold.log.port import Message
from twofold.projector.projector import Projector
from twofold.relay.relay import Relay
from twofold.resource import Declaration
from twofold.store.port import Reply


class Pipeline:
    """Commands, relay and projector of a system, step by step."""

    def __init__(self, system: System, resource: Declaration | None = None) -> None:
        self.system = system
        self.resource: Declaration = resource or next(iter(system.app))
        self.writer = Writer(system.store)
        self.ids: list[str] = []

    def command(self, name: str, id_: str, /, **body: Any) -> Future[Reply]:
        return self.writer.submit(Command(self.resource, name, id_, str(uuid_utils.uuid7()), lambda: str(uuid_utils.uuid7()), body=body))

    def write(self) -> None:
        """Five people; one changes twice, one is deleted."""
        self.ids = [str(uuid_utils.uuid7()) for _ in range(5)]
        for number, id_ in enumerate(self.ids):
            email = {"email": f"p{number}@example.com"} if "email" in self.resource.blank else {}
            self.command("create", id_, name=f"Person {number}", note=None, **email).result(10)
        self.command("patch", self.ids[1], note="changed").result(10)
        self.command("patch", self.ids[1], note="changed again").result(10)
        self.command("delete", self.ids[2]).result(10)

    def relay(self) -> None:
        """A new relay, until nothing is pending."""
        relay = Relay(self.system.app, self.system.outbox, self.system.log)
        try:
            while self.system.outbox.pending(1):
                relay.step()
        finally:
            self.system.outbox.resign(relay.holder)

    def project(self) -> None:
        """A new projector, until it has read everything."""
        projector = Projector(self.resource, self.system.log, self.system.index)
        try:
            while any(position.lag for position in self.system.log.positions(self.resource.topic, self.resource.group)):
                projector.step()
        finally:
            projector.close()

    def found(self) -> dict[str, tuple[int, str | None]]:
        self.system.index.refresh(self.resource)
        [page] = self.system.index.search(self.resource, [Search(limit=100)])
        return {hit.document["id"]: (hit.document["version"], hit.document["note"]) for hit in page.hits}

    def expected(self) -> dict[str, tuple[int, str | None]]:
        live = {id_: (1, None) for id_ in self.ids if id_ != self.ids[2]}
        return {**live, self.ids[1]: (3, "changed again")}

    def dead_letters(self) -> list[Message]:
        """Everything in the dead letters, read by a group that is not ours."""
        subscription = self.system.log.subscribe(self.resource.dead_letters, f"{self.resource.name}-look")
        positions = self.system.log.positions(self.resource.dead_letters, self.resource.group)
        wanted, found = sum(each.end - each.begin for each in positions), []
        while len(found) < wanted:
            found += subscription.poll(100, 5)
        subscription.close()
        return found
