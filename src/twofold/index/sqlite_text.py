"""From a search's words to FTS5. An expression is made of the tokenizer's own words, so nothing that a user wrote is syntax."""

# ruff: noqa: S608 - names come from the declaration and are quoted, values are bound
from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from twofold.index.search import Search, Term
from twofold.index.sqlite_schema import Tables, column
from twofold.index.sqlite_spelling import spellings
from twofold.index.sqlite_tokens import tokens

Statement = tuple[str, list[Any]]
Groups = Sequence[Sequence[Term]]
Spell = Callable[[str, int], list[str]]
NOTHING: Statement = ("0", [])


@dataclass(frozen=True, slots=True)
class Words:
    """What a search's text asks of the words.

    `match` is one FTS5 expression for all groups without an excluded term, and what a hit's score comes from; "" where there is none.
    `others` are conditions on rows for the other groups. `plain` is one too: the text applies without typos; None where it has none.
    `shown` is the FTS5 expression of what is highlighted.
    """

    match: str = ""
    others: tuple[Statement, ...] = ()
    plain: Statement | None = None
    shown: str = ""


def words(connection: sqlite3.Connection, names: Tables, search: Search) -> Words:
    if not search.text:
        return Words()
    groups = [found for group in search.text if (found := [term for term in group if tokens(term.text)])]
    if not groups:  # only terms without a word
        return Words(others=(NOTHING,))
    if not names.texts:  # nothing applies, unless it is excluded
        return Words(others=tuple(NOTHING for group in groups if not any(term.excluded for term in group)))
    writer = _Writer(names, lambda word, typos: spellings(connection, names, word, typos))
    return replace(writer.words(groups), shown=writer.shown(groups) if search.highlight else "")


@dataclass(frozen=True, slots=True)
class _Writer:
    """Writes terms in FTS5's language. Only quoted words stand in it, each as the tokenizer made it."""

    names: Tables
    spell: Spell

    def words(self, groups: Groups) -> Words:
        match, others = self._both(groups)
        if not any(term.typos for group in groups for term in group):
            return Words(match, others)
        plain, plain_others = self._both([[replace(term, typos=0) for term in group] for group in groups])
        return Words(match, others, _all([*([self._among([plain])] if plain else []), *plain_others]))

    def shown(self, groups: Groups) -> str:
        found = [self._shown(term) for group in groups for term in group if not term.excluded]
        return " OR ".join(dict.fromkeys(found))

    def _both(self, groups: Groups) -> tuple[str, tuple[Statement, ...]]:
        """The expression for groups without an excluded term, conditions for the others."""
        plain = [group for group in groups if not any(term.excluded for term in group)]
        match = " AND ".join(_either(map(self._term, group)) for group in plain)
        return match, tuple(self._condition(group) for group in groups if group not in plain)

    def _condition(self, group: Sequence[Term]) -> Statement:
        """One of the terms applies, or one of the excluded ones does not: so not all of these."""
        held = [self._term(term) for term in group if not term.excluded]
        excluded = [self._term(term) for term in group if term.excluded]
        absent, parameters = self._among([" AND ".join(excluded)], "NOT IN")
        if not held:
            return absent, parameters
        present, more = self._among([_either(held)])
        return f"({present} OR {absent})", [*more, *parameters]

    def _among(self, expressions: list[str], comparison: str = "IN") -> Statement:
        return f'd."row" {comparison} (SELECT rowid FROM {self.names.words} WHERE {self.names.words} MATCH ?)', [*expressions]

    def _term(self, term: Term) -> str:
        """Without regard to `excluded`."""
        said = tokens(term.text)
        found = [self._beginning(said) if term.prefix else _phrase(said)]
        if term.typos:
            found.append(self._in_one_field([self._misspelt(word, term.typos) for word in said]))
        return _either(found)

    def _beginning(self, said: Sequence[str]) -> str:
        return self._in_one_field([*map(_quoted, said[:-1]), f"{_quoted(said[-1])}*"])

    def _misspelt(self, word: str, typos: int) -> str:
        return _either([_quoted(word), *map(_quoted, self.spell(word, typos))])

    def _in_one_field(self, parts: Sequence[str]) -> str:
        if len(parts) == 1:
            return parts[0]
        return _either(f"{column(field.name)} : ({' AND '.join(parts)})" for field in self.names.texts)

    def _shown(self, term: Term) -> str:
        """As `_term`, but for texts by themselves: a prefix of several words is each of them."""
        said = tokens(term.text)
        found = [*map(_quoted, said[:-1]), f"{_quoted(said[-1])}*"] if term.prefix else [_phrase(said)]
        return " OR ".join([*found, *(self._misspelt(word, term.typos) for word in said if term.typos)])


def _phrase(said: Sequence[str]) -> str:
    return _quoted(" ".join(said))


def _quoted(word: str) -> str:
    return f'"{word}"'


def _either(expressions: Iterable[str]) -> str:
    different = list(dict.fromkeys(expressions))
    return different[0] if len(different) == 1 else f"({' OR '.join(different)})"


def _all(conditions: Iterable[Statement]) -> Statement:
    parts = list(conditions)
    return " AND ".join(sql for sql, _ in parts), [value for _, values in parts for value in values]
