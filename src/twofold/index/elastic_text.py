"""The words of a search in Elasticsearch's query language, for scores, filters and marks."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace
from typing import Any

from twofold.index.search import Search, Term

Json = dict[str, Any]
Groups = tuple[tuple[Term, ...], ...]
EXPANSIONS = 128  # words that are looked for where one is misspelt
CLAUSES = 1_000  # Both engines refuse a query of more than 1,024 leaves, and each of these words is one.
TYPO_FREE, MISSPELT = 1_001.0, 0.001  # What is added to a match without typos, and what one with typos is multiplied by
_BETWEEN = frozenset(("Pd", "Ps", "Pe", "Pi", "Pf", "Po", "Sm", "Sc", "Sk", "Zs", "Zl", "Zp", "Cc", "Cf"))  # categories of what is no word
_WORD = re.compile(r"\w+")


def text_query(paths: list[str], search: Search, *, scored: bool) -> Json:
    """True of documents to which one term of each group applies. Where it is `scored`, matches without typos come first."""
    if not search.text:
        return {"match_all": {}}
    if not paths:  # no word is anywhere, so only those apply that are excluded
        found = [group for group in search.text if any(_has_word(term) for term in group)]
        absent = found and all(any(term.excluded and _has_word(term) for term in group) for group in found)
        return {"match_all": {}} if absent else {"match_none": {}}
    text = tuple(tuple(replace(term, text=_composed(term.text)) for term in group) for group in search.text)
    leaves = _Leaves(paths, _expansions(paths, text))
    applies = {"must": _groups(leaves, text)}
    if not scored or not any(term.typos for group in text for term in group):
        return {"bool": applies}
    plain = tuple(tuple(term if term.excluded else replace(term, typos=0) for term in group) for group in text)
    typo_free = {"bool": {"must": [*_groups(leaves, plain), {"match_all": {"boost": TYPO_FREE}}]}}
    return {"dis_max": {"queries": [typo_free, {"bool": {**applies, "boost": MISSPELT}}]}}


def _composed(text: str) -> str:
    """Folding knows letters with their marks, not marks behind a letter."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def _expansions(paths: list[str], text: Groups) -> int:
    """How many words may stand for one that is misspelt, so that the query stays below CLAUSES also where it is scored."""
    counts = [(term, len(paths) * max(1, len(_WORD.findall(term.text)))) for group in text for term in group]
    certain = sum(leaves * (1 + (not term.typos or term.prefix)) for term, leaves in counts)
    misspelt = sum(leaves * (1 + term.excluded) for term, leaves in counts if term.typos)
    return max(1, min(EXPANSIONS, (CLAUSES - certain) // max(misspelt, 1)))


def _groups(leaves: _Leaves, text: Groups) -> list[Json]:
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
        text = _to_its_last_word(term.text) or term.text if kind["type"] == "bool_prefix" else term.text
        return {"multi_match": {"query": text, "fields": self.paths, "zero_terms_query": zero, **kind}}

    def _misspelt(self, term: Term) -> Json:
        return {
            "type": "best_fields",
            "operator": "and",
            "fuzziness": term.typos,
            "prefix_length": 1,
            "max_expansions": self.expansions,
            "fuzzy_transpositions": True,
        }


def _to_its_last_word(text: str) -> str:
    """Without the punctuation at the end: behind that the engines take a word for a whole one, and not for a beginning."""
    end = len(text)
    while end and unicodedata.category(text[end - 1]) in _BETWEEN:
        end -= 1
    return text[:end]


def _has_word(term: Term) -> bool:
    """Whether the analyser finds a word; emoji, which it takes for some, left aside."""
    return any(character.isalpha() or character.isdecimal() for character in term.text)
