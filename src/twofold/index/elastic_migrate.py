"""Making the first generation on Elasticsearch or OpenSearch, and adding fields to the live one."""

from __future__ import annotations

from http import HTTPStatus

from twofold.errors import Outdated
from twofold.index.elastic_alias import meta_of, shape_of
from twofold.index.elastic_client import Answer, Client, path, reason_of
from twofold.index.elastic_mapping import ANALYSIS, aliases, index_body, mapping_of
from twofold.index.shape import addition, creation, generation_name, lacking, misfit
from twofold.resource import Declaration


def migrate(client: Client, resource: Declaration) -> list[str]:
    """What was done, or the sentence about what only a rebuild can do."""
    generation, meta = _live(client, resource)
    if meta is None:
        _create(client, resource, generation)
        return [creation(resource)]
    if sentence := misfit(resource, generation, shape_of(meta), ANALYSIS):
        return [sentence]
    if fields := lacking(resource, shape_of(meta)):
        client.send("PUT", path(generation, "_mapping"), mapping_of(resource, fields, meta.get("marks", {})))
    return [addition(field, generation, resource) for field in fields]


def pending(client: Client, resource: Declaration) -> tuple[list[str], str, Answer | None]:
    """What `migrate` would do; the live generation and what it tells of itself, None where there is none."""
    generation, meta = _live(client, resource)
    if meta is None:
        return [creation(resource)], generation, None
    if sentence := misfit(resource, generation, shape_of(meta), ANALYSIS):
        raise Outdated(sentence)
    return [addition(field, generation, resource) for field in lacking(resource, shape_of(meta))], generation, meta


def _live(client: Client, resource: Declaration) -> tuple[str, Answer | None]:
    """The generation behind the alias and what it tells of itself. Raises Outdated where it is not ours."""
    status, answer = client.send("GET", path(resource.index), expect=(HTTPStatus.NOT_FOUND,))
    if status == HTTPStatus.NOT_FOUND:
        return generation_name(resource, 1), None
    fix = f'Move or delete it, or declare the resource with another name: index="my-{resource.index}". Then run: twofold migrate'
    if resource.index in answer:
        raise Outdated(f"An index named {resource.index} exists that twofold did not make. {fix}")
    if len(answer) != 1:
        names = ", ".join(sorted(answer))
        raise Outdated(f"The alias {resource.index} names several indices: {names}. Leave it the newest generation only")
    [(generation, index)] = answer.items()
    meta = meta_of(index)
    if meta is None or meta.get("resource") != resource.name:
        raise Outdated(f"The alias {resource.index} names the index {generation}, which is not twofold's for {resource.name}. {fix}")
    return generation, meta


def _create(client: Client, resource: Declaration, generation: str) -> None:
    body = {**index_body(resource, {}), "aliases": aliases(resource, generation, live=True)}
    status, answer = client.send("PUT", path(generation), body, expect=(HTTPStatus.BAD_REQUEST,))
    if status != HTTPStatus.BAD_REQUEST:
        return
    if reason_of(answer)[0] != "resource_already_exists_exception":
        raise client.error(status, answer)
    if _live(client, resource)[1] is None:  # else another process has just made both
        raise Outdated(
            f"The index {generation} exists without the alias {resource.index}. Give the newest generation the alias, or delete "
            f"{generation}; then run: twofold migrate"
        )
