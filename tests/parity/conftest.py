"""The corpus, held by the model and by each engine, once a session; and what was compared, told at the end."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import httpx
import pytest

from tests import engines
from tests.conftest import temporary_folder
from tests.parity import corpus
from tests.parity.model import Model
from tests.parity.strategies import Searches
from twofold.index.elastic import ElasticIndex
from twofold.index.port import ReadStore, Verdict
from twofold.index.sqlite import SqliteIndex
from twofold.resource import Declaration

URLS = {"elasticsearch": engines.ELASTICSEARCH, "opensearch": engines.OPENSEARCH}
FIGURES = pytest.StashKey[Counter[str]]()
ENGINES = ["sqlite", pytest.param("elasticsearch", marks=pytest.mark.engine), pytest.param("opensearch", marks=pytest.mark.engine)]


@dataclass(frozen=True)
class Engine:
    """A read store that holds the corpus under this declaration."""

    name: str
    store: ReadStore
    resource: Declaration


@pytest.fixture(scope="session")
def documents() -> list[corpus.Document]:
    return corpus.documents()


@pytest.fixture(scope="session")
def model(documents: list[corpus.Document]) -> Model:
    return Model(corpus.Thing.declaration, documents)


@pytest.fixture(scope="session")
def searches(model: Model) -> Searches:
    return Searches(corpus.Thing.declaration, model)


@pytest.fixture(scope="session")
def opened(documents: list[corpus.Document]) -> Iterator[Callable[[str], Engine]]:
    """Opens an engine with the corpus in it; a second time, it is there already."""
    known: dict[str, Engine] = {}
    with ExitStack() as stack:

        def open_(name: str) -> Engine:
            if name in URLS:
                engines.need(URLS[name])
            if name not in known:
                known[name] = stack.enter_context(_engine(name))
                _fill(known[name], documents)
            return known[name]

        yield open_


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest, opened: Callable[[str], Engine]) -> Engine:
    return opened(request.param)


@pytest.fixture
def figures(request: pytest.FixtureRequest) -> Counter[str]:
    return request.config.stash.setdefault(FIGURES, Counter())


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if figures := config.stash.get(FIGURES, None):
        told = ", ".join(f"{count:,} {what}" for what, count in figures.items())
        terminalreporter.write_line(f"parity: {told}")


@contextmanager
def _engine(name: str) -> Iterator[Engine]:
    resource = corpus.declared(f"parity-{uuid.uuid4().hex[:8]}")
    with temporary_folder() as folder:
        store: ReadStore = SqliteIndex(folder / "read.db") if name == "sqlite" else ElasticIndex([URLS[name]], engine=name)
        try:
            store.migrate(resource)
            yield Engine(name, store, resource)
        finally:
            store.close()
            if name in URLS:
                httpx.delete(f"{URLS[name]}/{resource.index}-000001,{resource.index}-refusals?ignore_unavailable=true")


def _fill(engine: Engine, documents: list[corpus.Document]) -> None:
    for operations in corpus.rounds(documents):
        for start in range(0, len(operations), 2000):
            outcomes = engine.store.apply(engine.resource, operations[start : start + 2000])
            assert {outcome.verdict for outcome in outcomes} == {Verdict.OK}, outcomes[:3]
    engine.store.refresh(engine.resource)
