"""The corpus, held by the model and by each engine, once a session; and what was compared, told at the end."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from tests.parity import corpus, stores
from tests.parity.model import Model
from tests.parity.strategies import Searches
from twofold.index.port import ReadStore, Verdict
from twofold.resource import Declaration

FIGURES = pytest.StashKey[Counter[str]]()
ENGINES = [pytest.param(name, marks=[pytest.mark.engine] if name in stores.URLS else []) for name in stores.ENGINES]


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


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In one of several processes, the figures go to the one that tells."""
    if (output := getattr(session.config, "workeroutput", None)) is not None:
        output["parity"] = dict(session.config.stash.get(FIGURES, Counter()))


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    node.config.stash.setdefault(FIGURES, Counter()).update(node.workeroutput.get("parity", {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if figures := config.stash.get(FIGURES, None):
        told = ", ".join(f"{count:,} {what}" for what, count in figures.items())
        terminalreporter.write_line(f"parity: {told}")


@contextmanager
def _engine(name: str) -> Iterator[Engine]:
    resource = corpus.declared(f"parity-{uuid.uuid4().hex[:8]}")
    with stores.opened(name, resource) as store:
        yield Engine(name, store, resource)


def _fill(engine: Engine, documents: list[corpus.Document]) -> None:
    for operations in corpus.rounds(documents):
        for start in range(0, len(operations), 2000):
            outcomes = engine.store.apply(engine.resource, operations[start : start + 2000])
            assert {outcome.verdict for outcome in outcomes} == {Verdict.OK}, outcomes[:3]
    engine.store.refresh(engine.resource)
