"""How a probe is looked for: by a search, wherever there is something to search for it by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from urllib.parse import urlencode

from twofold.bench.bodies import Body
from twofold.bench.client import Client
from twofold.bench.commands import Work
from twofold.bench.workspace import Workspace
from twofold.fields import Field
from twofold.index.search import Search

Find = Callable[[Sequence[Body]], list[str]]


def searches(workspace: Workspace, work: Work) -> bool:
    """Whether `finder` searches; else it gets."""
    return workspace.engines == "real" or sought(work) is not None


def sought(work: Work) -> Field | None:
    """What one probe alone is found by: a unique field that is filtered by and has a value in every body."""
    for field in work.resource.public:
        if field.unique and field.filterable and field.kind.has_marks and all(body.get(field.name) is not None for body in work.found):
            return field
    return None


def finder(workspace: Workspace, work: Work) -> Find:
    """The ids of those probes that are found, given as the command service answered them. Raises EngineError where a search fails.

    Embedded files belong to the process that serves them, so that one is asked, about one probe at a time.
    """
    if workspace.engines == "real":
        return _together(workspace, work)
    client, field = Client(workspace.settings.query_port), sought(work)
    if field is None:
        return lambda probes: [each["id"] for each in probes if client.send("GET", f"{work.path}/{each['id']}")[0] == 200]
    return lambda probes: [each["id"] for each in probes if each["id"] in _ids(client, question(work, field, each))]


def question(work: Work, field: Field, probe: Body) -> str:
    return f"{work.path}?{urlencode({field.name: probe[field.name]})}"


def _ids(client: Client, path: str) -> list[str]:
    return [item["id"] for item in client.get(path)["items"]]


def _together(workspace: Workspace, work: Work) -> Find:
    """One search by ids, of the engine itself."""
    index = workspace.system.index

    def found(probes: Sequence[Body]) -> list[str]:
        ids = tuple(each["id"] for each in probes)
        [page] = index.search(work.resource, [Search(refinements=(("id", ids),), limit=len(ids))])
        return [hit.document["id"] for hit in page.hits]

    return found
