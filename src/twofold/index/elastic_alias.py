"""Which generation an alias names, asked for seldom, and what a generation tells of itself."""

from __future__ import annotations

import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from twofold.errors import Outdated, Unavailable
from twofold.index.elastic_client import Answer, Client, path
from twofold.index.elastic_mapping import ANALYSIS
from twofold.index.shape import Fitting, Shape
from twofold.resource import Declaration

# For so long a generation is written to without another look at the alias. One that was replaced refuses writes, so nothing is lost by it.
GENERATION_SECONDS = 1.0


def meta_of(index: Mapping[str, Any]) -> Answer | None:
    """What twofold noted in the mapping of an index; None of an index that it did not make."""
    found: Answer | None = index.get("mappings", {}).get("_meta", {}).get("twofold")
    return found


def shape_of(meta: Answer) -> Shape:
    return Shape(meta["fields"], meta.get("analysis", 1))  # the first analysis had no number


class Aliases:
    """Looks aliases up. Safe to use from several threads."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._fitting = Fitting(ANALYSIS)
        self._written: dict[str, tuple[str, float]] = {}
        self._read: dict[tuple[str, type], tuple[float, Outdated | None]] = {}

    def named(self, resource: Declaration) -> str | None:
        """The generation behind the alias, asked for now."""
        status, answer = self._client.send("GET", path("_alias", resource.index), expect=(HTTPStatus.NOT_FOUND,))
        if status == HTTPStatus.NOT_FOUND:
            return None
        if len(answer) != 1:
            raise Unavailable(f"The alias {resource.index} names several indices: {', '.join(sorted(answer))}")
        return next(iter(answer))

    def live(self, resource: Declaration) -> str:
        generation = self.named(resource)
        if generation is None:
            raise Unavailable(f"There is no alias {resource.index}. Run: twofold migrate")
        return generation

    def meet(self, resource: Declaration, generation: str, meta: Answer) -> None:
        """Raises Outdated where the generation is not of the declaration's shape."""
        self._fitting.meet(resource, generation, shape_of(meta))

    def to_write(self, resource: Declaration) -> str:
        """The live generation, looked up at most once a second. It is looked up anew unless `keep` says that it took what was written."""
        generation, asked_at = self._written.pop(resource.index, ("", 0.0))
        if time.monotonic() - asked_at > GENERATION_SECONDS:
            generation, asked_at = self.live(resource), time.monotonic()
        self.check(resource, generation)
        self._written[resource.index] = generation, asked_at
        return generation

    def forget(self, resource: Declaration) -> None:
        """The generation did not take everything: it may have been replaced."""
        self._written.pop(resource.index, None)

    def check_read(self, resource: Declaration, generation: str) -> None:
        """Raises Outdated where what is read has another shape. Behind the alias it is looked up at most once a second, by one reader."""
        if generation:
            self.check(resource, generation)
            return
        key = resource.index, resource.cls
        asked_at, outdated = self._read.get(key, (-GENERATION_SECONDS, None))
        if time.monotonic() - asked_at > GENERATION_SECONDS:
            self._read[key] = time.monotonic(), outdated  # others do not ask meanwhile
            outdated = self._look(resource)
            self._read[key] = time.monotonic(), outdated
        if outdated is not None:
            raise Outdated(str(outdated))

    def check(self, resource: Declaration, generation: str) -> None:
        """Raises Outdated where the generation has another shape. Each is asked for it once."""
        if self._fitting.known(resource, generation):
            return
        status, answer = self._client.send(
            "GET", f"{path(generation, '_mapping')}?filter_path=*.mappings._meta", expect=(HTTPStatus.NOT_FOUND,)
        )
        meta = meta_of(answer.get(generation, {}))
        if meta is not None:
            self.meet(resource, generation, meta)
        elif status != HTTPStatus.NOT_FOUND:  # where it has just gone, whatever is done with it says so
            raise Unavailable(f"The alias {resource.index} names the index {generation}, which is not twofold's")

    def _look(self, resource: Declaration) -> Outdated | None:
        try:
            self.check(resource, self.live(resource))
        except Outdated as outdated:
            return outdated
        return None
