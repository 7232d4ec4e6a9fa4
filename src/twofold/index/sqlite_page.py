"""A search's answer: its page, with what it asked for besides, as far as there is time."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from twofold.index import sqlite_facets, sqlite_spelling, sqlite_tokens
from twofold.index.mapping import last_values
from twofold.index.search import TOTAL_CAP, Buckets, Hit, Page, Search, Summary
from twofold.index.sqlite_query import Query
from twofold.index.sqlite_schema import Tables
from twofold.index.sqlite_text import words
from twofold.resource import Declaration
from twofold.runtime.embedded import translated

CHUNK = 500  # hits of an export
STEPS, MANY_STEPS = 1_000, 10_000  # of SQLite's machine between two looks at the clock: some 20 µs, and where there is a second or more


def search(connection: sqlite3.Connection, resource: Declaration, names: Tables, asked: Search, began: float) -> Page:
    """The page of a search that was checked. Its time counts from `began`, monotonic seconds."""
    answer = _Answer(connection, asked)
    _prepare(connection, names, asked)
    try:
        with _limited(connection, asked.seconds, began):
            answer.find(Query(resource, names, asked, words(connection, names, asked)))
    except sqlite3.OperationalError as error:
        if "interrupted" not in str(error):  # The code is another one where FTS5 was interrupted.
            raise
        return answer.page(incomplete=True)
    return answer.page()


def export(connection: sqlite3.Connection, resource: Declaration, names: Tables, asked: Search) -> Iterator[list[Hit]]:
    """All hits; at once only a chunk of them is in memory."""
    everything = replace(asked, limit=-1, offset=0, after=None)
    _prepare(connection, names, asked)
    with _limited(connection, asked.seconds, time.monotonic()):
        rows = connection.execute(*Query(resource, names, everything, words(connection, names, everything)).page())
        first = rows.fetchmany(CHUNK)
    return _chunks(first, rows)


def _prepare(connection: sqlite3.Connection, names: Tables, asked: Search) -> None:
    """Before there is a limit of time: a write that is interrupted ends the transaction."""
    if names.texts and any(term.typos for group in asked.text for term in group):
        sqlite_spelling.prepare(connection, names)


def _chunks(found: list[Any], rows: sqlite3.Cursor) -> Iterator[list[Hit]]:
    while found:
        yield [Hit(orjson.loads(document), score) for document, score, _ in found]
        with translated():  # here, since a reader may be anywhere by now
            found = rows.fetchmany(CHUNK)


@dataclass(slots=True)
class _Answer:
    """What was found so far."""

    connection: sqlite3.Connection
    asked: Search
    hits: list[Hit] = field(default_factory=list)
    found: int | None = None
    facets: list[Buckets | Summary] = field(default_factory=list)

    def find(self, query: Query) -> None:
        for document, score, _ in self.connection.execute(*query.page()):
            self.hits.append(Hit(orjson.loads(document), score))
        if query.words.shown:
            self.hits = [hit._replace(marked=_marked(query, hit.document)) for hit in self.hits]
        self.found = self._count(query)
        for facet in self.asked.facets:
            self.facets.append(sqlite_facets.count(self.connection, query, facet))

    def page(self, *, incomplete: bool = False) -> Page:
        uncounted = [sqlite_facets.nothing(facet) for facet in self.asked.facets[len(self.facets) :]]
        found = self._seen if self.found is None else self.found
        total = found if self.asked.exact else min(found, TOTAL_CAP)
        exact = self.found is not None and found == total and not incomplete
        return Page(self.hits, last_values(self.asked, self.hits), total, exact, (*self.facets, *uncounted), incomplete)

    @property
    def _seen(self) -> int:
        return self.asked.offset + len(self.hits) if self.hits else 0

    def _count(self, query: Query) -> int:
        ended = len(self.hits) < self.asked.limit and (self.hits or not self.asked.offset)
        if ended and self.asked.after is None:
            return self._seen
        number: int = self.connection.execute(*query.count()).fetchone()[0]
        return number


def _marked(query: Query, document: dict[str, Any]) -> dict[str, list[str]]:
    found = {name: _texts(query, document.get(name)) for name in query.search.highlight}
    return {name: texts for name, texts in found.items() if texts}


def _texts(query: Query, value: Any) -> list[str]:
    texts = [value] if isinstance(value, str) else value or []
    found = sqlite_tokens.marked(query.words.shown, texts, query.search.marks)
    return [found[place] for place in sorted(found)]


@contextmanager
def _limited(connection: sqlite3.Connection, seconds: float | None, began: float) -> Iterator[None]:
    """Statements end with SQLITE_INTERRUPT once the time is over."""
    if seconds is None:
        yield
        return
    end = began + seconds
    connection.set_progress_handler(lambda: time.monotonic() > end, STEPS if seconds < 1 else MANY_STEPS)
    try:
        yield
    finally:
        connection.set_progress_handler(None, 0)
