"""What the read store can do, the limits, and what each resource is searched, filtered and sorted by."""

from __future__ import annotations

from typing import Any

from twofold.errors import Problem
from twofold.index.checks import MAX_COMPARED, MAX_INTERVALS
from twofold.index.port import CAPABILITIES, ReadStore
from twofold.index.search import TOTAL_CAP, Search
from twofold.query import facets, grammar, language, parameters, suggest, values, words
from twofold.resource import App, Declaration

LIMITS = {
    "q_characters": words.MAX_QUERY,
    "q_words": words.MAX_TERMS,
    "filter_characters": grammar.MAX_FILTER,
    "filter_comparisons": grammar.MAX_COMPARISONS,
    "filter_depth": grammar.MAX_DEPTH,
    "compared_characters": MAX_COMPARED,
    "values": values.MAX_VALUES,
    "sorts": parameters.MAX_SORTS,
    "limit": language.MAX_LIMIT,
    "offset_and_limit": language.MAX_OFFSET,
    "capped_count": TOTAL_CAP,
    "facets": facets.MAX_FACETS,
    "facet_limit": facets.MAX_BUCKETS,
    "facet_ranges": facets.MAX_RANGES,
    "facet_intervals": MAX_INTERVALS,
    "timeout_ms": language.TIMEOUT_MS[1],
    "suggestions": suggest.MAX_SUGGESTIONS,
}


def describe(app: App, index: ReadStore) -> dict[str, Any]:
    return {
        "features": {name: name not in index.unsupported for name in CAPABILITIES},
        "limits": LIMITS,
        "resources": {resource.name: _fields(resource) for resource in app},
    }


def _fields(resource: Declaration) -> dict[str, list[str]]:
    return {
        "searchable": parameters.searchable(resource),
        "filterable": list(values.filterable(resource)),
        "facetable": list(facets.facetable(resource)),
        "sortable": parameters.sortable(resource),
    }


def used(search: Search) -> list[str]:
    """The capabilities that a search needs."""
    needs = {
        "fuzzy": any(term.typos for group in search.text for term in group),
        "facets": bool(search.facets),
        "highlight": bool(search.highlight),
        "offset": search.offset > 0,
        "timeout": search.seconds is not None,
    }
    return [name for name, needed in needs.items() if needed]


def refuse_unsupported(index: ReadStore, needs: list[str]) -> None:
    """Raises Problem 501 where the read store cannot do one of these: nothing that is asked for is left out silently."""
    missing = [name for name in needs if name in index.unsupported]
    if missing:
        detail = f"The read store of this service cannot do this: {', '.join(missing)}. GET /capabilities lists what it can."
        raise Problem(501, "unsupported", detail, unsupported=missing)
