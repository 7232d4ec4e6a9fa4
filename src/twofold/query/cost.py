"""About what a search costs: before it is done, so that what may wait and what goes together can be bounded. Pure."""

from __future__ import annotations

from twofold.index.search import And, Condition, Not, OneOf, Or, Search

FAR = 1000  # hits that an offset skips
LIGHT = 50  # a search that costs more goes alone
# In milliseconds of SQLite among 100,000 documents, where it is dear; engines differ, and so do values, but not by a thousand times.
TERM, TYPO, VALUE, COMPARISON, FACET, MARKED, COUNTED = 2, 10, 0.5, 5, 40, 10, 40


def cost(search: Search) -> int:
    """1 for a plain page."""
    terms = [term for group in search.text for term in group]
    values = [len(values) for _, values in search.refinements]
    comparisons, compared = _of(search.filter) if search.filter is not None else (0, 0)
    parts = (
        TERM * len(terms) + TYPO * sum(term.typos for term in terms),
        VALUE * (sum(values) + compared) + COMPARISON * comparisons,
        FACET * len(search.facets) + MARKED * len(search.highlight) + COUNTED * search.exact + 2 * search.offset / FAR,
    )
    return 1 + round(sum(parts))


def is_heavy(search: Search) -> bool:
    """Whether a search may take many times as long as one for a page of words or values."""
    costly = search.facets or search.highlight or search.exact or search.offset > FAR
    return bool(costly) or any(term.typos for group in search.text for term in group) or cost(search) > LIGHT


def _of(condition: Condition) -> tuple[int, int]:
    """How many comparisons there are, and values beyond the first of each. Recursive, over a tree whose depth is limited."""
    match condition:
        case And(conditions) | Or(conditions):
            found = [_of(each) for each in conditions]
            return sum(comparisons for comparisons, _ in found), sum(values for _, values in found)
        case Not(inner):
            return _of(inner)
        case OneOf(_, values):
            return 1, len(values) - 1
    return 1, 0
