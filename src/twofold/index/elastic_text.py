"""The words of a search in Elasticsearch's query language, for scores, filters and marks."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from twofold.index.search import Search, Term

Json = dict[str, Any]
EXPANSIONS = 128  # words that are looked for where one is misspelt
CLAUSES = 1_000  # Both engines refuse a query of more than 1,024 leaves, and each of these words is one.
TYPO_FREE, MISSPELT = 1_001.0, 0.001  # What is added to a match without typos, and what one with typos is multiplied by
_WORD = re.compile(r"\w+")


def text_query(paths: list[str], search: Search, *, scored: bool) -> Json:
    """True of documents to which one term of each group applies. Where it is `scored`, matches without typos come first."""
    if not search.text:
        return {"match_all": {}}
    if not paths:  # no word is anywhere, so only those apply that are excluded
        found = [group for group in search.text if any(_has_word(term) for term in group)]
        applies = found and all(any(term.excluded and _has_word(term) for term in group) for group in found)
        return {"match_all": {}} if applies else {"match_none": {}}
    if not scored or not _typos(search.text):
        return {"bool": {"must": _groups(paths, search.text)}}
    plain = tuple(tuple(term if term.excluded else replace(term, typos=0) for term in group) for group in search.text)
    budget = len(paths) * sum(_leaves(term) for group in plain for term in group)
    typo_free = {"bool": {"must": [*_groups(paths, plain), {"match_all": {"boost": TYPO_FREE}}]}}
    misspelt = {"bool": {"must": _groups(paths, search.text, CLAUSES - budget), "boost": MISSPELT}}
    return {"dis_max": {"queries": [typo_free, misspelt]}}


def _groups(paths: list[str], text: tuple[tuple[Term, ...], ...], clauses: int = CLAUSES) -> list[Json]:
    misspelt = len(paths) * sum(_leaves(term) for group in text for term in group if term.typos)
    certain = len(paths) * sum(_leaves(term) for group in text for term in group if term.prefix or not term.typos)
    expansions = max(1, min(EXPANSIONS, (clauses - certain) // max(misspelt, 1)))
    leaves = _Leaves(paths, expansions)
    beside = any(_has_word(term) for group in text for term in group)
    return [_group(leaves, group, beside=beside) for group in text]


def _group(leaves: _Leaves, group: tuple[Term, ...], *, beside: bool) -> Json:
    """A term without a word is true of everything where nothing of its group is left, so that the group drops out, else of nothing."""
    empty = beside and not any(_has_word(term) for term in group)
    if len(group) == 1:
        return leaves.term(group[0], empty=empty)
    return {"bool": {"should": [leaves.term(term, empty=empty) for term in group]}}


@dataclass(frozen=True, slots=True)
class _Leaves:
    """Queries for one term each, over all text fields."""

    paths: list[str]
    expansions: int

    def term(self, term: Term, *, empty: bool) -> Json:
        """`empty`: whether it is true where the analyser finds no word in the term."""
        zero = "all" if empty is not term.excluded else "none"
        kinds = [self._misspelt(term)] if term.typos else []
        if term.prefix:
            kinds.append({"type": "bool_prefix", "operator": "and"})  # not phrase_prefix: that looks at the first 50 words only
        found = [self._leaf(term, kind, zero) for kind in kinds or [{"type": "phrase"}]]
        either = found[0] if len(found) == 1 else {"bool": {"should": found}}
        return {"bool": {"must_not": either}} if term.excluded else either

    def _leaf(self, term: Term, kind: Json, zero: str) -> Json:
        return {"multi_match": {"query": term.text, "fields": self.paths, "zero_terms_query": zero, **kind}}

    def _misspelt(self, term: Term) -> Json:
        return {
            "type": "best_fields",
            "operator": "and",
            "fuzziness": term.typos,
            "prefix_length": 1,
            "max_expansions": self.expansions,
            "fuzzy_transpositions": True,
        }


def _typos(text: tuple[tuple[Term, ...], ...]) -> bool:
    return any(term.typos for group in text for term in group)


def _leaves(term: Term) -> int:
    return max(1, len(_WORD.findall(term.text)))


def _has_word(term: Term) -> bool:
    """Whether the analyser finds a word; emoji, which it takes for some, left aside."""
    return any(character.isalpha() or character.isdecimal() for character in term.text)
