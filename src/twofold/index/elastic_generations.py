"""Generations on Elasticsearch or OpenSearch: indices `users-000001`, `users-000002`, …, one of them behind the alias `users`.

What is ours tells so in its mapping; any other index is left alone, whatever its name.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from twofold.errors import Outdated, Rejected, Unavailable
from twofold.index.elastic_alias import Aliases, meta_of, shape_of
from twofold.index.elastic_client import Answer, Client, path, reason_of
from twofold.index.elastic_mapping import ANALYSIS, LIVE, READING, aliases, index_body
from twofold.index.port import Generation
from twofold.index.shape import generation_name, not_ours, number_of, wanted
from twofold.resource import Declaration

_SEEN = "expand_wildcards=open,closed&filter_path=*.aliases,*.mappings._meta.twofold,*.settings.index.blocks"
_CLOSED_TO_US = (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND)
_ROLES = {"data", "data_content", "data_hot"}  # of nodes on which an index without a wish for a tier may lie


class ElasticGenerations:
    """The part of ElasticIndex that knows of more than one generation."""

    _client: Client
    _aliases: Aliases

    def generations(self, resource: Declaration) -> list[Generation]:
        """Counts the documents of each, which takes longer the more there are."""
        found = [(name, index) for name, index in self._seen(resource).items() if _is_ours(resource, index)]
        return [self._generation(resource, name, index) for name, index in found]

    def create(self, resource: Declaration, marks: Mapping[str, Any]) -> str:
        highest = max((number_of(resource, name) for name in self._seen(resource)), default=0)
        generation = generation_name(resource, highest + 1)
        body = {**index_body(resource, marks), "aliases": aliases(resource, generation, live=False)}
        status, answer = self._client.send("PUT", path(generation), body, expect=(HTTPStatus.BAD_REQUEST,))
        if status == HTTPStatus.BAD_REQUEST:
            if reason_of(answer)[0] == "resource_already_exists_exception":
                raise Unavailable(f"Somebody else has just made {generation}")
            raise self._client.error(status, answer)
        return generation

    def note(self, resource: Declaration, generation: str, marks: Mapping[str, Any]) -> None:
        """What is noted and the shape stand in one place, which is replaced as a whole: do not `migrate` the same generation meanwhile."""
        meta = {**self._ours(resource, generation), "marks": marks}
        self._acknowledged(self._client.send("PUT", path(generation, "_mapping"), {"_meta": {"twofold": meta}})[1])

    def block(self, resource: Declaration, generation: str, *, blocked: bool) -> None:
        self._ours(resource, generation)
        if not blocked:
            self._lift(generation, "write", "read_only")
        elif not self._fenced(generation, "write"):
            # It was blocked already, and the engine does not say whether writes of before are still under way. It waits for those when
            # another block is set: so nothing has to be let in for it.
            self._lift(generation, "read_only")
            if not self._fenced(generation, "read_only"):
                raise Unavailable(f"Somebody else blocks {generation} at the same time")
            self._lift(generation, "read_only")

    def promote(self, resource: Declaration, generation: str) -> None:
        self._ours(resource, generation)
        status, answer = self._client.send("GET", path("_alias", resource.index), expect=(HTTPStatus.NOT_FOUND,))
        named = [] if status == HTTPStatus.NOT_FOUND else list(answer)
        if named == [generation]:
            return
        others = [name for name in named if name != generation]
        for other in others:
            self._leave_alone(resource, other)
        actions: list[Answer] = [{"remove": {"index": other, "alias": resource.index, "must_exist": True}} for other in others]
        actions.append({"add": {"index": generation, "alias": resource.index, **READING}})
        self._acknowledged(self._client.send("POST", "/_aliases", {"actions": actions})[1])
        self._aliases.forget(resource)

    def drop(self, resource: Declaration, generation: str) -> None:
        self._ours(resource, generation)
        if self._aliases.named(resource) == generation:
            raise Rejected(f"{generation} is the live generation of {resource.name}: it is not dropped")
        self._lift(generation, "read_only")
        self._client.send("DELETE", path(generation))

    def room(self) -> int | None:
        """Of the node that has the least: a generation is one shard, and the engine chooses where it lies."""
        asked = "/_nodes/stats/fs?filter_path=nodes.*.roles,nodes.*.fs.total.available_in_bytes"
        _, answer = self._client.send("GET", asked, expect=_CLOSED_TO_US)
        nodes = [node for node in answer.get("nodes", {}).values() if _ROLES.intersection(node.get("roles", ()))]
        free = [node.get("fs", {}).get("total", {}).get("available_in_bytes") for node in nodes]
        return None if None in free else min(free, default=None)

    def _seen(self, resource: Declaration) -> dict[str, Answer]:
        """Indices with the name of a generation of this resource, in order; whether they are ours, their mapping says."""
        _, answer = self._client.send("GET", f"{path(f'{resource.index}-*')}?{_SEEN}")
        names = sorted((name for name in answer if number_of(resource, name)), key=lambda name: number_of(resource, name))
        return {name: answer[name] for name in names}

    def _leave_alone(self, resource: Declaration, generation: str) -> None:
        """Raises Outdated for what is not a generation of this resource."""
        try:
            self._ours(resource, generation)
        except Rejected:
            raise Outdated(
                f"The alias {resource.index} names the index {generation} too, which is not twofold's. Take the alias away from it"
            ) from None

    def _ours(self, resource: Declaration, generation: str) -> Answer:
        """What a generation tells of itself. Raises Rejected where there is none of that name, or it is somebody else's."""
        if not number_of(resource, generation):
            raise not_ours(resource, generation)
        asked = f"{path(generation, '_mapping')}?filter_path=*.mappings._meta.twofold"
        _, answer = self._client.send("GET", asked, expect=(HTTPStatus.NOT_FOUND,))
        meta = meta_of(answer.get(generation, {}))
        if meta is None or meta.get("resource") != resource.name:
            raise not_ours(resource, generation)
        return meta

    def _generation(self, resource: Declaration, name: str, index: Answer) -> Generation:
        meta = meta_of(index) or {}
        _, counted = self._client.send("POST", path(name, "_count"), {"query": LIVE})
        _, stats = self._client.send("GET", f"{path(name, '_stats', 'store')}?filter_path=_all.primaries.store.size_in_bytes")
        return Generation(
            name=name,
            live=resource.index in index.get("aliases", {}),
            fits=shape_of(meta) == wanted(resource, ANALYSIS),
            blocked=index.get("settings", {}).get("index", {}).get("blocks", {}).get("write") == "true",
            documents=counted["count"],
            size=stats["_all"]["primaries"]["store"]["size_in_bytes"],
            marks=meta.get("marks", {}),
        )

    def _fenced(self, generation: str, kind: str) -> bool:
        """Sets a block and waits until no write of before is under way on any shard. False where the block was set already."""
        _, answer = self._client.send("PUT", path(generation, "_block", kind))
        if answer.get("acknowledged") and not answer.get("indices"):
            return False
        if not (answer.get("shards_acknowledged") and all(each.get("blocked") for each in answer.get("indices", []))):
            raise Unavailable(f"{self._client.name} did not block every shard of {generation}")
        return True

    def _lift(self, generation: str, *kinds: str) -> None:
        self._set(generation, {f"index.blocks.{kind}": None for kind in kinds})

    def _set(self, generation: str, settings: Answer) -> None:
        self._acknowledged(self._client.send("PUT", path(generation, "_settings"), settings)[1])

    def _acknowledged(self, answer: Answer) -> None:
        if not answer.get("acknowledged"):
            raise Unavailable(f"Not every node of {self._client.name} has taken the change yet; it can be asked for again")


def _is_ours(resource: Declaration, index: Answer) -> bool:
    meta = meta_of(index)
    return meta is not None and meta.get("resource") == resource.name
