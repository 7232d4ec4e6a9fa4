"""From a Search to SQL. Names come from the declaration; what a user wrote is only ever bound."""

# ruff: noqa: S608 - names come from the declaration and are quoted, values are bound
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from twofold.index.mapping import SCORE, after, full_sort, sort_form
from twofold.index.search import TOTAL_CAP, OneOf, Search, Sort
from twofold.index.sqlite_filter import condition, place
from twofold.index.sqlite_schema import Tables
from twofold.index.sqlite_text import Statement, Words
from twofold.resource import Declaration

# Documents to which the text applies without typos are above all others: FTS5's scores are below 1,000 for those, and here below 1.
_TIERS = "CASE WHEN {plain} THEN 1001.0 + {fit} ELSE {fit} / (1.0 + {fit}) END"


@dataclass(frozen=True, slots=True)
class Query:
    """A search that was checked, the tables that it asks, and what its text comes to there."""

    resource: Declaration
    names: Tables
    search: Search
    words: Words

    def page(self) -> Statement:
        """Rows of document, score and number of the row."""
        if self._words_decide and [sort.field for sort in self.search.sort] == [SCORE]:
            return self._best()
        fit, parameters = self._fit()
        source, more = self.source()
        beyond, values = self._beyond()
        order = ", ".join(self._order(sort) for sort in full_sort(self.search))
        sql = f'SELECT d.document, {fit} AS fit, d."row" {source} AND ({beyond}) ORDER BY {order} LIMIT ? OFFSET ?'
        return sql, [*parameters, *more, *values, self.search.limit, self.search.offset]

    def count(self) -> Statement:
        """One row: the number of matches, or TOTAL_CAP + 1 where there are more and the search is not exact."""
        source, parameters = self.source()
        if self._words_decide:
            source, parameters = f"FROM {self.names.words} f WHERE {self._match}", [self.words.match]
        limit = "" if self.search.exact else f"LIMIT {TOTAL_CAP + 1}"
        return f"SELECT count(*) FROM (SELECT 1 {source} {limit})", parameters

    def source(self, without: str | None = None, join: str = "") -> Statement:
        """FROM … WHERE …: all matches; for the facet of the field `without`, those that it counts."""
        conditions = self._conditions(without)
        origin = f"{self.names.documents} d"
        if self.words.match:
            # CROSS JOIN: words first. SQLite would rather ask for the words anew at every row of a filter.
            origin = f'{self.names.words} f CROSS JOIN {self.names.documents} d ON d."row" = f.rowid'
            conditions.insert(0, (self._match, [self.words.match]))
        # Written out, so that the partial indexes serve.
        parts = ["d.deleted = 0", *(f"({sql})" for sql, _ in conditions)]
        return f"FROM {origin} {join} WHERE {' AND '.join(parts)}", [value for _, values in conditions for value in values]

    @property
    def _words_decide(self) -> bool:
        """The words are those of live documents: where nothing else is asked, there is no need to look at these."""
        asked = self.words.others or self.words.plain or self.search.refinements or self.search.filter
        return bool(self.words.match) and not asked

    @property
    def _match(self) -> str:
        return f"f.{self.names.words} MATCH ?"

    def _conditions(self, without: str | None) -> list[Statement]:
        ignored = without if self.search.disjunctive else None
        chosen = [OneOf(name, values) for name, values in self.search.refinements if name != ignored]
        asked = chosen if self.search.filter is None else [*chosen, self.search.filter]
        return [*self.words.others, *(condition(self.resource, each) for each in asked)]

    def _fit(self) -> Statement:
        if not any(sort.field == SCORE for sort in self.search.sort):
            return "NULL", []
        fit = "-f.rank" if self.words.match else "1.0"  # FTS5's rank is lower where a document fits better
        if self.words.plain is None:
            return fit, []
        plain, parameters = self.words.plain
        return _TIERS.format(plain=plain, fit=fit), parameters

    def _best(self) -> Statement:
        """Best match first and nothing else: decided by the words alone, so that only the hits of the page are looked up.

        Equal matches come in the order of their rows, which ids would have to be looked up for.
        """
        words, better = self.names.words, "ASC" if self.search.sort[0].descending else "DESC"
        beyond, parameters = "", [self.words.match]
        if self.search.after is not None:
            (_, _, score), (_, _, id_) = after(self.resource, self.search)
            behind = f'f.rank = ? AND f.rowid > COALESCE((SELECT "row" FROM {self.names.documents} WHERE id = ?), 0)'
            beyond = f"AND (f.rank {'>' if better == 'ASC' else '<'} ? OR ({behind}))"
            parameters += [-score, -score, id_]
        order = f"ORDER BY fit {better}, place"
        best = f"SELECT f.rowid AS place, f.rank AS fit FROM {words} f WHERE {self._match} {beyond} {order} LIMIT ? OFFSET ?"
        sql = f'SELECT d.document, -fit, place FROM ({best}) CROSS JOIN {self.names.documents} d ON d."row" = place {order}'
        return sql, [*parameters, self.search.limit, self.search.offset]

    def _order(self, sort: Sort) -> str:
        sort_form(self.resource, sort.field)
        return f"{_sorted_by(sort)} {'DESC' if sort.descending else 'ASC'} NULLS LAST"

    def _beyond(self) -> Statement:
        """True of hits behind `after`: equal in some first sorts, beyond in the next."""
        if self.search.after is None:
            return "1", []
        choices, parameters = [], []
        equal: list[str] = []
        held: list[Any] = []
        for sort, _form, value in after(self.resource, self.search):
            expression = _sorted_by(sort)
            if value is not None:  # nothing sorts behind a missing value
                choices.append(" AND ".join([*equal, _behind(expression, sort)]))
                parameters += [*held, value]
            equal.append(f"{expression} IS ?")
            held.append(value)
        return " OR ".join(f"({choice})" for choice in choices) or "0", parameters


def _sorted_by(sort: Sort) -> str:
    return "fit" if sort.field == SCORE else place(sort.field)


def _behind(expression: str, sort: Sort) -> str:
    comparison = f"{expression} {'<' if sort.descending else '>'} ?"
    return comparison if sort.field == "id" else f"({comparison} OR {expression} IS NULL)"
