"""From a Search to SQL. Names come from the declaration; what a user wrote is only ever bound."""

# ruff: noqa: S608 - names come from the declaration and are quoted, values are bound
from __future__ import annotations

from typing import Any

import orjson

from twofold.index.mapping import SCORE, SYSTEM, after, full_sort, many, refinements, sort_kind
from twofold.index.search import TOTAL_CAP, Search, Sort, Term
from twofold.index.sqlite_schema import GAP, Tables, column
from twofold.resource import Declaration

Statement = tuple[str, list[Any]]


def page(resource: Declaration, names: Tables, search: Search) -> Statement:
    """Rows of document and score."""
    if asks_for_words(search) and not search.refinements and [sort.field for sort in search.sort] == [SCORE]:
        return _best(resource, names, search)
    source, parameters = _source(resource, names, search)
    beyond: Statement = _beyond(resource, search) if search.after is not None else ("1", [])
    order = ", ".join(_order(resource, search, sort) for sort in full_sort(search))
    score = _score(search) if any(sort.field == SCORE for sort in search.sort) else "NULL"
    sql = f"SELECT d.document, {score} {source} AND ({beyond[0]}) ORDER BY {order} LIMIT ?"
    return sql, [*parameters, *beyond[1], search.limit]


def _best(resource: Declaration, names: Tables, search: Search) -> Statement:
    """Best match first and nothing else: decided by the words alone, so that only the hits of the page are looked up.

    Equal matches come in the order of their rows, which ids would have to be looked up for.
    """
    better = "ASC" if search.sort[0].descending else "DESC"  # FTS5's rank is lower where a document fits better
    beyond, parameters = "", [match(search)]
    if search.after is not None:
        (_, _, score), (_, _, id_) = after(resource, search)
        behind = f'f.rank = ? AND f.rowid > COALESCE((SELECT "row" FROM {names.documents} WHERE id = ?), 0)'
        beyond = f"AND (f.rank {'>' if better == 'ASC' else '<'} ? OR ({behind}))"
        parameters += [-score, -score, id_]
    order = f"ORDER BY fit {better}, place"
    best = f"SELECT f.rowid AS place, f.rank AS fit FROM {names.words} f WHERE {_match(names)} {beyond} {order} LIMIT ?"
    return f'SELECT d.document, -fit FROM ({best}) CROSS JOIN {names.documents} d ON d."row" = place {order}', [*parameters, search.limit]


def count(resource: Declaration, names: Tables, search: Search) -> Statement:
    """One row: the number of matches, or TOTAL_CAP + 1 where there are more."""
    source, parameters = _source(resource, names, search)
    if asks_for_words(search) and not search.refinements:  # the words are those of live documents: no need to look at these
        source = f"FROM {names.words} f WHERE {_match(names)}"
    return f"SELECT count(*) FROM (SELECT 1 {source} LIMIT {TOTAL_CAP + 1})", parameters


def asks_for_words(search: Search) -> bool:
    return bool(search.text)


def match(search: Search) -> str:
    """The expression for FTS5: quoted phrases only, since everything unquoted is its syntax.

    Phrases in a row mean AND, and unlike with the word AND a phrase without any word ("&") drops out.
    """
    return " ".join(_phrase(term) for group in search.text for term in group)


def _phrase(term: Term) -> str:
    # A zero byte would end the expression, the gap stands between the items of lists.
    return '"' + term.text.replace("\0", " ").replace(GAP, " ").replace('"', '""') + '"' + "*" * term.prefix


def _source(resource: Declaration, names: Tables, search: Search) -> Statement:
    """FROM … WHERE …: all matches."""
    conditions, parameters = [], []
    origin = f"{names.documents} d"
    if asks_for_words(search):
        # CROSS JOIN: words first. SQLite would rather ask for the words anew at every row of a filter.
        origin = f'{names.words} f CROSS JOIN {names.documents} d ON d."row" = f.rowid'
        conditions.append(_match(names))
        parameters.append(match(search))
    conditions.append("d.deleted = 0")  # written out, so that the partial indexes serve
    for each in refinements(resource, search):
        condition, bound = _filter(resource, each.field, each.values)
        conditions.append(condition)
        parameters += bound
    return f"FROM {origin} WHERE {' AND '.join(conditions)}", parameters


def _match(names: Tables) -> str:
    return f"f.{names.words} MATCH ?"


def _filter(resource: Declaration, name: str, values: tuple[Any, ...]) -> Statement:
    if many(resource, name):
        # Both sides go through JSON, so that equal floats are read equally.
        items = f"SELECT 1 FROM json_each(d.{column(name)}) AS item WHERE item.value IN (SELECT value FROM json_each(?))"
        return f"EXISTS ({items})", [orjson.dumps(values).decode()]
    return f"{_column(name)} IN ({', '.join('?' for _ in values)})", list(values)


def _column(name: str) -> str:
    return f"d.{name}" if name in SYSTEM else f"d.{column(name)}"


def _score(search: Search) -> str:
    return "-f.rank" if asks_for_words(search) else "1.0"  # FTS5's rank is lower where a document fits better


def _sorted_by(search: Search, sort: Sort) -> str:
    return _score(search) if sort.field == SCORE else _column(sort.field)


def _order(resource: Declaration, search: Search, sort: Sort) -> str:
    sort_kind(resource, sort.field)
    return f"{_sorted_by(search, sort)} {'DESC' if sort.descending else 'ASC'} NULLS LAST"


def _beyond(resource: Declaration, search: Search) -> Statement:
    """True of hits behind `after`: equal in some first sorts, beyond in the next."""
    choices, parameters = [], []
    equal: list[str] = []
    held: list[Any] = []
    for sort, _kind, value in after(resource, search):
        expression = _sorted_by(search, sort)
        if value is not None:  # nothing sorts behind a missing value
            choices.append(" AND ".join([*equal, _behind(expression, sort)]))
            parameters += [*held, value]
        equal.append(f"{expression} IS ?")
        held.append(value)
    return " OR ".join(f"({choice})" for choice in choices) or "0", parameters


def _behind(expression: str, sort: Sort) -> str:
    comparison = f"{expression} {'<' if sort.descending else '>'} ?"
    return comparison if sort.field == "id" else f"({comparison} OR {expression} IS NULL)"
