"""Lines that add or change, by a unique field or by id: what is not there is created, what is there gets the members that the line gives.

The row is looked up and changed under its version, so what others do meanwhile is seen: the line is then tried again on what is there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, cast

from twofold.command import body as bodies
from twofold.command.decide import Command
from twofold.errors import Problem
from twofold.imports.lines import Line
from twofold.imports.loader import Loader
from twofold.record import UUID
from twofold.runtime.retry import Backoff
from twofold.runtime.strictjson import NotJson
from twofold.store.port import Reply, Row, Tombstone

Key = str | bytes
Keyed = tuple[Line, Key]
FRUITLESS = 3  # tries of a creation that a row stands in the way of, though none is found
OVERTAKEN = 10  # tries of a change that others came before, each time since the row was looked up


class Updater(Loader):
    """Adds or changes a row per line."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._conflicts: Counter[tuple[int, str]] = Counter()  # how often a line of the wave met one, by the answer's code

    def take(self, chunk: Sequence[Line]) -> None:
        keyed = [(line, key) for line in chunk if (key := self._key(line)) is not None]
        for wave in _waves(keyed):
            self._conflicts.clear()
            again, backoff = self._tried(wave), Backoff()
            while again:
                self.wait(backoff)
                again = self._tried(again)

    def _key(self, line: Line) -> Key | None:
        """What the row is looked up by; None if the line is rejected."""
        by = self.options.by
        try:
            if not isinstance(line.body, dict):
                raise Problem(
                    422, "validation-failed", str(line.body) if isinstance(line.body, NotJson) else "The line should be an object."
                )
            if by == "id":
                if isinstance(line.id, str) and UUID.fullmatch(line.id):
                    return line.id
                raise Problem(422, "validation-failed", "id: A UUID in lower case, by which --update-by id finds the row.")
            if line.body.get(by) is None:
                raise Problem(422, "validation-failed", f"{by}: The line has none, and --update-by {by} finds the row by it.")
            return self.resource.field(by).unique_key(bodies.member(self.resource, by, line.body[by]))
        except Problem as problem:
            self.rejected(line, problem)
            return None

    def _tried(self, wave: Sequence[Keyed]) -> list[Keyed]:
        """Submits each line once. Returns those that have to be tried again."""
        found = self.patiently(lambda: self._rows([key for _, key in wave]))
        commands = [(keyed, command) for keyed in wave if (command := self._command(keyed[0], found.get(keyed[1])))]
        self.hashed([command for _, command in commands if command.name == "create"])
        return [keyed for keyed, answer in self.answers(commands) if not self._counted(keyed[0], answer, found.get(keyed[1]))]

    def _rows(self, keys: Sequence[Key]) -> dict[Key, Row]:
        ids: dict[Key, str] = {key: key for key in keys if isinstance(key, str)}
        if unique := [key for key in keys if isinstance(key, bytes)]:
            ids.update(cast("dict[Key, str]", self.store.owners(self.resource, self.options.by, unique)))
        rows = self.store.fetch(self.resource, sorted(ids.values()))
        return {key: row for key, id_ in ids.items() if (row := rows.get(id_)) and not isinstance(row, Tombstone)}

    def _command(self, line: Line, row: Row | None) -> Command | None:
        if row is None:
            ready = self.prepared(line)
            return self.creation(ready, None) if ready else None
        secrets = {field.name for field in self.resource.secrets}
        given: dict[str, Any] = {name: value for name, value in line.body.items() if name not in secrets}
        try:
            members = bodies.members(self.resource, given, patch=True, guarded=self.options.with_guarded)
        except Problem as problem:
            self.rejected(line, problem)
            return None
        return self.command("patch", row.id, body=members, match=frozenset({row.version}))

    def _counted(self, line: Line, answer: Reply | Problem, row: Row | None) -> bool:
        if isinstance(answer, Problem):
            if self.later(answer) or self._looked_up_again(line, answer, row):
                return False
            self.rejected(line, self._explained(answer, row))
        elif row is None:
            self.tally.created += 1
        else:
            changed = answer.headers.get("ETag") != f'"{row.version}"'
            self.tally.changed += changed
            self.tally.unchanged += not changed
            self.tally.kept += any(field.name in line.body for field in self.resource.secrets)
        return True

    def _looked_up_again(self, line: Line, problem: Problem, row: Row | None) -> bool:
        """Whether the line is worth another look: somebody else may have come in between. Each has so many."""
        if problem.code not in self._conflicting(row):
            return False
        self._conflicts[line.number, problem.code] += 1
        return self._conflicts[line.number, problem.code] < (FRUITLESS if row is None else OVERTAKEN)

    def _conflicting(self, row: Row | None) -> set[str]:
        return {"exists", f"{self.options.by}-taken"} if row is None else {"version-mismatch", "not-found", "deleted"}

    def _explained(self, problem: Problem, row: Row | None) -> Problem:
        """A conflict as it looks after the last try; other problems as they are."""
        by = self.options.by
        if problem.code not in self._conflicting(row):
            return problem
        if row is not None:
            return Problem(412, problem.code, "Others changed the row each time before this line could. Import the line again.")
        if problem.code == "exists":
            told = f"The id belongs to a row with another {by}, by which --update-by {by} does not find it. --update-by id changes it."
            return Problem(412, "exists", told, errors=[{"pointer": "/id", "detail": told}])
        told = f"What a creation makes of it is taken, by a row that --update-by {by} does not find."
        return Problem(409, problem.code, told, errors=[{"pointer": f"/{by}", "detail": told}])


def _waves(lines: Iterable[Keyed]) -> Iterator[Sequence[Keyed]]:
    """Lines in their order, cut where one meets a row that another before it does: the later one has to come later."""
    wave: list[Keyed] = []
    seen: set[Key] = set()
    for keyed in lines:
        if keyed[1] in seen:
            yield wave
            wave, seen = [], set()
        wave.append(keyed)
        seen.add(keyed[1])
    if wave:
        yield wave
