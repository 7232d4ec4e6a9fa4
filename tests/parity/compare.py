"""Where a page is not what the model expects, in words."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from tests.parity.model import Expected, Model
from twofold.index.search import Bucket, Buckets, Facet, Hit, Page, Search, Sort, Stats, Summary

APART = 1000  # a match without typos is better by so much
SAME_SCORE = 1e-6


def differences(model: Model, search: Search, page: Page) -> list[str]:
    """[] where the page is right."""
    expected = model.expect(search)
    scored = search.sort[0].field == "_score"
    found = [*_counts(expected, page), *_facets(search, expected, page), *_documents(model, page)]
    found += _best(search, expected, page) if scored else _order(expected, page)
    return found or list(_last(search, page))


def _counts(expected: Expected, page: Page) -> Iterator[str]:
    if (page.total, page.exact) != (expected.total, expected.exact):
        yield f"total {page.total} (exact {page.exact}) instead of {expected.total} (exact {expected.exact})"
    if page.incomplete:
        yield "incomplete"


def _order(expected: Expected, page: Page) -> Iterator[str]:
    found = ids(page.hits)
    if found == expected.page:
        return
    lost, new = [id_ for id_ in expected.page if id_ not in found], [id_ for id_ in found if id_ not in expected.page]
    yield f"hits {found[:5]} instead of {expected.page[:5]}; {len(lost)} are lost ({lost[:3]}), {len(new)} should not be there ({new[:3]})"


def _best(search: Search, expected: Expected, page: Page) -> Iterator[str]:
    """Scores are the engine's own: which documents, how many, and in an order that the scores bear out."""
    found = ids(page.hits)
    if wrong := [id_ for id_ in found if id_ not in expected.matches]:
        yield f"{len(wrong)} hits should not be there: {wrong[:3]}"
    if len(set(found)) < len(found):
        yield "a hit is there twice"
    if len(found) != max(0, min(search.limit, len(expected.matches) - search.offset)) and search.after is None:
        yield f"{len(found)} hits of {len(expected.matches)} matches"
    scores = [hit.score for hit in page.hits]
    if None in scores:
        yield "hits without a score"
    elif not falling(search.sort, page.hits):
        yield "the order is not that of scores and fields"
    else:
        yield from _exact_first(search, expected, page.hits)


def _exact_first(search: Search, expected: Expected, hits: Sequence[Hit]) -> Iterator[str]:
    if search.sort[0] != Sort("_score", descending=True) or not any(term.typos for group in search.text for term in group):
        return
    strict = [hit.score or 0.0 for hit in hits if hit.document["id"] in expected.strict]
    loose = [hit.score or 0.0 for hit in hits if hit.document["id"] not in expected.strict]
    if strict and loose and min(strict) < max(loose) + APART:
        yield f"a match without typos scores {min(strict)}, one with {max(loose)}"
    if search.after is None and len(strict) < min(len(hits), len(expected.strict) - search.offset):
        yield f"{len(strict)} matches without typos come first, of {len(expected.strict)}"


def falling(sorts: Sequence[Sort], hits: Sequence[Hit]) -> bool:
    return all(_before(sorts, first, second) for first, second in pairwise(hits))


def _before(sorts: Sequence[Sort], first: Hit, second: Hit) -> bool:
    for sort in sorts if len(sorts) == 1 or sorts[-1].field == "id" else (*sorts, Sort("id")):
        one, other = (hit.score if sort.field == "_score" else hit.document[sort.field] for hit in (first, second))
        if sort.field == "_score" and one != other and math.isclose(one, other, rel_tol=SAME_SCORE):
            return True  # equal but for the last digit: which of them is first, is not ours to say
        if one != other:
            return other is None or (one is not None and (one > other) == sort.descending)
    return True


def _documents(model: Model, page: Page) -> Iterator[str]:
    for hit in page.hits:
        number = model.number.get(hit.document["id"])
        if number is None or model.documents[number] != hit.document:
            yield f"the document {hit.document} was never given"


def _last(search: Search, page: Page) -> Iterator[str]:
    sorts = search.sort if any(sort.field == "id" for sort in search.sort) else (*search.sort, Sort("id"))
    hit = page.hits[-1] if page.hits else None
    wanted = hit and tuple(hit.score if sort.field == "_score" else hit.document[sort.field] for sort in sorts)
    if page.last != wanted:
        yield f"last is {page.last} instead of {wanted}"


def _facets(search: Search, expected: Expected, page: Page) -> Iterator[str]:
    if len(page.facets) != len(search.facets):
        yield f"{len(page.facets)} facets instead of {len(search.facets)}"
        return
    for facet, wanted, found in zip(search.facets, expected.facets, page.facets, strict=True):
        if not _same(facet, wanted, found):
            yield f"{facet}: {_told(found, wanted)} instead of {_told(wanted, found)}"


def _same(facet: Facet, wanted: Any, found: Any) -> bool:
    if isinstance(facet, Stats):
        return isinstance(found, Summary) and _same_summary(wanted, found)
    if not isinstance(found, Buckets) or found.error_bound:
        return False
    if (wanted.other, wanted.missing) != (found.other, found.missing):
        return False
    return _typed(wanted.buckets) == _typed(found.buckets)


def _typed(buckets: Sequence[Bucket]) -> list[tuple[type, Any, int]]:
    """True is not 1."""
    return [(type(bucket.value), bucket.value, bucket.count) for bucket in buckets]


def _same_summary(wanted: Summary, found: Summary) -> bool:
    if (wanted.count, wanted.missing) != (found.count, found.missing):
        return False
    if not wanted.count:
        return wanted == found
    scale = wanted.count * max(abs(wanted.least or 0.0), abs(wanted.greatest or 0.0))  # of sums of which much cancels out
    same_ends = math.isclose(found.least or 0.0, wanted.least or 0.0, rel_tol=1e-9) and math.isclose(
        found.greatest or 0.0, wanted.greatest or 0.0, rel_tol=1e-9
    )
    return same_ends and math.isclose(found.sum, wanted.sum, rel_tol=1e-9, abs_tol=1e-12 * scale)


def _told(facet: Buckets | Summary, beside: Buckets | Summary) -> str:
    """What it has and the other has not."""
    if isinstance(facet, Summary) or isinstance(beside, Summary):
        return str(facet)
    held = {(bucket.value, bucket.count) for bucket in beside.buckets}
    own = [f"{each.value!r}: {each.count}" for each in facet.buckets if (each.value, each.count) not in held]
    listed = own or [f"{each.value!r}: {each.count}" for each in facet.buckets]
    return f"{{{', '.join(listed[:8])}}} of {len(facet.buckets)}, other {facet.other}, missing {facet.missing}, error {facet.error_bound}"


def ids(hits: Sequence[Hit]) -> list[str]:
    return [hit.document["id"] for hit in hits]
