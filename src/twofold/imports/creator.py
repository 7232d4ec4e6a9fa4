"""Lines that create, each under a key of its own.

A key is made of the resource, the first row of the file, the line's number, and what the line asks for without its secrets. So
the same file goes on where it stopped, one that has grown creates what is new, and another file, another resource or a line that was
changed is not taken for one that was imported. No client can send such a key: it is not ASCII.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from twofold.command.decide import Command
from twofold.errors import Problem
from twofold.imports.lines import Line
from twofold.imports.loader import Loader, Prepared
from twofold.runtime.retry import Backoff
from twofold.store.port import Reply, Row

KEY = "import\u00b7"  # what no client can send as an Idempotency-Key, since that is ASCII


class Creator(Loader):
    """Creates a row per line, once."""

    _first: bytes | None = None

    def take(self, chunk: Sequence[Line]) -> None:
        ready = [each for line in chunk if (each := self.prepared(line))]
        if not ready:
            return
        self._first = self._first or hashlib.sha256(ready[0].asked).digest()
        new: list[tuple[Line, Command]] = []
        turn = 0
        while ready:
            ready, turn = self._sorted(ready, turn, new), turn + 1
        self.hashed([command for _, command in new])
        self._create(new)

    def _sorted(self, ready: Sequence[Prepared], turn: int, new: list[tuple[Line, Command]]) -> list[Prepared]:
        """Counts what is there, and adds the commands for what was never made. Returns what was made and deleted since."""
        marks = {each.line.number: hashlib.sha256(each.asked).digest() for each in ready}
        keys = {each.line.number: self._key(each, marks[each.line.number], turn) for each in ready}
        found = self.patiently(lambda: self.store.look(self.resource, {}, list(keys.values()))[1])
        alive = self.patiently(lambda: self.store.fetch(self.resource, sorted(receipt.id for receipt in found.values())))
        gone = []
        for each in ready:
            key, mark = keys[each.line.number], marks[each.line.number]
            if key not in found:
                new.append((each.line, self.creation(each, (key, mark))))
            elif isinstance(alive.get(found[key].id), Row):
                self.tally.already += 1
            else:
                gone.append(each)
        return gone

    def _key(self, ready: Prepared, mark: bytes, turn: int) -> str:
        """The key of a line, in its first turn, and in those after what it had made was deleted. Of another line, nothing lies under it."""
        parts = (self.resource.name.encode(), self._first or b"", f"{ready.line.number}/{turn}".encode(), mark)
        return KEY + hashlib.sha256(b"\0".join(parts)).hexdigest()

    def _create(self, commands: Sequence[tuple[Line, Command]]) -> None:
        """Answers that an outage caused are asked for again, under the same key, until the store has answered."""
        backoff = Backoff()
        while commands:
            by_line = {line.number: command for line, command in commands}
            again = [line for line, answer in self.answers(commands) if not self._counted(line, answer)]
            commands = [(line, by_line[line.number]) for line in again]
            if commands:
                self.wait(backoff)

    def _counted(self, line: Line, answer: Reply | Problem) -> bool:
        if isinstance(answer, Problem):
            if self.later(answer):
                return False
            self.rejected(line, answer)
        elif "Idempotent-Replayed" in answer.headers:
            self.tally.already += 1
        else:
            self.tally.created += 1
        return True
