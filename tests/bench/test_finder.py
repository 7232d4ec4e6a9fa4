"""How probes are looked for: by a search wherever the declaration allows one that finds the probe alone."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any

import pytest
from benchmarks.people import Person

from twofold import Keyword, Places, Resource, Text, Unique
from twofold.bench import bodies, endtoend, finder
from twofold.bench.bodies import Body
from twofold.bench.commands import Work
from twofold.bench.endtoend import Paced
from twofold.bench.lag import Lags
from twofold.bench.measure import Report
from twofold.bench.processes import Usage
from twofold.bench.workspace import Workspace
from twofold.bench.wrk import Load
from twofold.errors import EngineError
from twofold.resource import Declaration
from twofold.settings import load

ID, OTHER = "01a20964-3251-728a-b11a-80021852b308", "01a20964-3251-728a-b11a-80021852b309"
PERSON = {"id": ID, "name": "Ana Müller", "email": "ana+1@example.com"}


class Plain(Resource, name="plain"):
    """Nothing is one resource's alone and filtered by: a date has no room for digits."""

    name: Annotated[str, Keyword(), Text()]
    code: Annotated[str, Text(), Unique()]
    day: Annotated[date, Unique()]


class Numbered(Resource, name="numbered"):
    nick: Annotated[str | None, Keyword(), Unique()] = None
    price: Annotated[Decimal, Places(1), Unique()]


def _work(resource: Declaration) -> Work:
    return Work(resource, bodies.made(resource, 3))


def test_a_unique_field_that_is_filtered_by_is_searched_for() -> None:
    work = _work(Person.declaration)
    field = finder.sought(work)
    assert field is not None
    assert finder.question(work, field, PERSON) == "/people?email=ana%2B1%40example.com"


def test_a_field_that_bodies_leave_out_is_not_searched_for() -> None:
    field = finder.sought(Work(Numbered.declaration, [{"price": "1"}, {"price": "2", "nick": "a"}]))
    assert field is not None
    assert field.name == "price"


@pytest.fixture
def embedded(tmp_path: Path) -> Workspace:
    return Workspace("benchmarks.people:app", load(data=tmp_path / "data", write_url="", log_url="", read_url=""))


class Service:
    """Answers the paths that it knows, and notes what it was asked."""

    answers: dict[str, tuple[int, Body]]
    asked: list[str]

    def __init__(self, _: int) -> None: ...

    def send(self, _: str, path: str) -> tuple[int, bytes]:
        self.asked.append(path)
        return self.answers.get(path, (404, {}))[0], b""

    def get(self, path: str) -> Body:
        status, answer = self.answers[path]
        self.asked.append(path)
        if status != 200:
            raise EngineError(f"GET {path}: {status}")
        return answer


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> type[Service]:
    Service.answers, Service.asked = {}, []
    monkeypatch.setattr(finder, "Client", Service)
    return Service


def test_a_probe_counts_once_a_search_finds_it_and_not_by_another(embedded: Workspace, service: type[Service]) -> None:
    work = _work(Person.declaration)
    assert finder.searches(embedded, work)
    find, path = finder.finder(embedded, work), "/people?email=ana%2B1%40example.com"
    for items, found in (([], []), ([{"id": OTHER}], []), ([{"id": ID}], [ID])):
        service.answers[path] = 200, {"items": items}
        assert find([PERSON]) == found
    assert service.asked == [path] * 3
    service.answers[path] = 503, {}
    with pytest.raises(EngineError):
        find([PERSON])


def test_without_such_a_field_a_probe_is_read(embedded: Workspace, service: type[Service]) -> None:
    work = _work(Plain.declaration)
    assert not finder.searches(embedded, work)
    find = finder.finder(embedded, work)
    assert find([{"id": ID}]) == []
    service.answers[f"/plain/{ID}"] = 200, {}
    assert find([{"id": ID}, {"id": OTHER}]) == [ID]


@pytest.mark.parametrize(("resource", "name"), [(Person.declaration, "searchable"), (Plain.declaration, "readable")])
def test_a_row_says_whether_probes_were_searched_for(resource: Declaration, name: str, embedded: Workspace) -> None:
    pipeline: Any = SimpleNamespace(workspace=embedded, work=_work(resource), report=Report(), label="")
    endtoend.told(pipeline, Paced(10, Load(10, 1, 1, 1, 1, {201: 10}), Lags([0.1]), [], Usage()), "10/s offered")
    assert [each.figure for each in pipeline.report.rows[1:]] == [f"10/s offered: {name} after, p{share}" for share in (50, 99)]
