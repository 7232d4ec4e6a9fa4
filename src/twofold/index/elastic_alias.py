"""Which generation an alias names, looked up seldom, and what a generation tells of itself."""

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

# For so long nobody looks again. A generation that was replaced refuses writes, so nothing is lost by it.
LOOK_SECONDS = 1.0


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
        self._seen: dict[tuple[str, type, str], tuple[str, float, Outdated | None]] = {}

    def named(self, resource: Declaration) -> str | None:
        """The generation behind the alias, asked for now."""
        status, answer = self._client.send("GET", path("_alias", resource.index), expect=(HTTPStatus.NOT_FOUND,))
        if status == HTTPStatus.NOT_FOUND:
            return None
        if len(answer) != 1:
            raise self._several(resource, answer)
        return next(iter(answer))

    def live(self, resource: Declaration) -> str:
        generation = self.named(resource)
        if generation is None:
            raise self._nothing(resource)
        return generation

    def fitting(self, resource: Declaration) -> str:
        """The generation behind the alias, asked for now. Raises Outdated where it is not of the declaration's shape."""
        name, outdated = self._look(resource, resource.index)
        if outdated is not None:
            raise outdated
        return name

    def look(self, resource: Declaration, generation: str) -> str:
        """The generation that is meant, asked for at most once a second. Raises Outdated where it is not of the declaration's shape."""
        key = resource.index, resource.cls, generation
        name, asked_at, outdated = self._seen.get(key, ("", -LOOK_SECONDS, None))
        if (now := time.monotonic()) - asked_at >= LOOK_SECONDS:
            name, outdated = self._look(resource, generation or resource.index)
            self._seen[key] = name, now, outdated
        if outdated is not None:
            raise Outdated(str(outdated))
        return name

    def forget(self, resource: Declaration) -> None:
        """The alias may have come to name another generation."""
        self._seen.pop((resource.index, resource.cls, ""), None)

    def meet(self, resource: Declaration, generation: str, meta: Answer) -> None:
        """Raises Outdated where the generation is not of the declaration's shape."""
        if not self._fitting.known(resource, generation, meta["digest"]):
            self._fitting.meet(resource, generation, shape_of(meta), meta["digest"])

    def _look(self, resource: Declaration, name: str) -> tuple[str, Outdated | None]:
        told = ",".join(f"*.mappings._meta.twofold.{each}" for each in ("resource", "digest", "fields", "analysis"))
        status, answer = self._client.send("GET", f"{path(name, '_mapping')}?filter_path={told}", expect=(HTTPStatus.NOT_FOUND,))
        if status == HTTPStatus.NOT_FOUND:
            raise self._nothing(resource) if name == resource.index else Unavailable(f"The generation {name} is not there any more")
        if len(answer) > 1:
            raise self._several(resource, answer)
        [(generation, index)] = answer.items() or [(name, {})]
        meta = meta_of(index)
        if meta is None or meta["resource"] != resource.name:
            raise Unavailable(f"The index {generation} is not twofold's for {resource.name}")
        try:
            self.meet(resource, generation, meta)
        except Outdated as outdated:
            return generation, outdated
        return generation, None

    def _nothing(self, resource: Declaration) -> Unavailable:
        return Unavailable(f"There is no alias {resource.index}. Run: twofold migrate")

    def _several(self, resource: Declaration, named: Answer) -> Unavailable:
        return Unavailable(f"The alias {resource.index} names several indices: {', '.join(sorted(named))}")
