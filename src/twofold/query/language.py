"""What a request asks for: its parameters, against the declaration, as one `Search`. The same for a query string and a JSON body.

User text only ever becomes a value: of a word, a prefix, or a comparison with a declared field.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from typing import cast

from twofold.errors import Problem
from twofold.index.search import TOTAL_CAP, Condition, Search, Sort
from twofold.query import facets, parameters, words
from twofold.query import filter as filters
from twofold.query.cursor import after
from twofold.query.grammar import marked
from twofold.query.parameters import Given, Parameters
from twofold.resource import Declaration

MAX_LIMIT = 100
DEFAULT_LIMIT = 20
MAX_OFFSET = TOTAL_CAP  # with the page behind it
MAX_DIGITS = 18
TIMEOUT_MS = (50, 10_000)
COUNTS = ("capped", "exact")
MODES = ("disjunctive", "conjunctive")
FORMATS = ("ndjson", "csv")
SEARCH = (
    *("q", "fuzzy", "filter", "sort", "limit", "cursor", "offset", "count", "fields"),
    *("facets", "facet_limit", "facet_mode", "time_zone", "highlight", "timeout_ms"),
)
EXPORT = ("format", "q", "filter", "sort", "fields")
NEWEST, BEST, BY_ID = Sort("created_at", descending=True), Sort("_score", descending=True), Sort("id")


@dataclass(frozen=True, slots=True)
class Asked:
    """A search, and what its answer shows: `fields` (all where empty), and its facets under the words that asked for them."""

    search: Search
    fields: frozenset[str] = frozenset()
    facets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Exported:
    search: Search
    fields: frozenset[str]
    format: str


def parse(resource: Declaration, given: Parameters) -> Search:
    """The search alone. Raises Problem as `read` does."""
    return read(resource, given).search


def read(resource: Declaration, asked: Parameters) -> Asked:
    """What a search asks for. Raises Problem 400 with everything that is wrong."""
    given = Given(asked)
    parameters.check_names(resource, given, SEARCH, resource.filterable)
    text = text_of(given)
    refined = parameters.refinements(resource, given)
    found = facets.read(resource, given, refined)
    limit = parameters.integer(given, "limit", 0, MAX_LIMIT)
    marks = parameters.names(given, "highlight", parameters.searchable(resource)) if "highlight" in given.values else ()
    timeout = parameters.integer(given, "timeout_ms", *TIMEOUT_MS)
    search = Search(
        text=text,
        filter=_filter(resource, given),
        refinements=refined,
        sort=parameters.sort(resource, given, BEST if _scored(text) else NEWEST),
        limit=DEFAULT_LIMIT if limit is None else limit,
        exact=parameters.choice(given, "count", COUNTS) == "exact",
        facets=tuple(found.values()),
        disjunctive=parameters.choice(given, "facet_mode", MODES) == "disjunctive",
        highlight=marks,
        marks=nonce() if marks else ("", ""),
        seconds=None if timeout is None else timeout / 1000,
    )
    fields = _fields(resource, given)
    return Asked(_page(resource, given, search), fields, tuple(found))


def read_export(resource: Declaration, asked: Parameters) -> Exported:
    """What an export asks for. Raises Problem 400 with everything that is wrong."""
    given = Given(asked)
    parameters.check_names(resource, given, EXPORT, resource.filterable)
    search = Search(
        text=text_of(given),
        filter=_filter(resource, given),
        refinements=parameters.refinements(resource, given),
        sort=parameters.sort(resource, given, BY_ID),
    )
    exported = Exported(search, _fields(resource, given), parameters.choice(given, "format", FORMATS))
    given.raise_errors()
    return exported


def text_of(given: Given) -> words.Groups:
    q, fuzzy = given.one("q"), parameters.choice(given, "fuzzy", words.FUZZY)
    if q is None:
        return ()
    if len(q) > words.MAX_QUERY:
        given.refuse("q", f"At most {words.MAX_QUERY} characters.")
        return ()
    try:
        return words.read(q, cast("words.Fuzzy", fuzzy))
    except words.TooMany:
        given.refuse("q", f"At most {words.MAX_TERMS} words.")
        return ()


def _scored(text: words.Groups) -> bool:
    """Whether some match may be better than another: what is excluded is in none."""
    return any(not term.excluded for group in text for term in group)


def _filter(resource: Declaration, given: Given) -> Condition | None:
    text = given.one("filter")
    if text is None:
        return None
    try:
        return filters.read(resource, text)
    except filters.WrongFilter as wrong:
        for each in wrong.wrongs:
            given.refuse("filter", each.detail, position=each.place + 1, place=marked(text, each.place))
        return None


def _fields(resource: Declaration, given: Given) -> frozenset[str]:
    if "fields" not in given.values:
        return frozenset()
    return frozenset({"id", "version", *parameters.names(given, "fields", parameters.members(resource))})


def nonce() -> tuple[str, str]:
    """Marks that nobody's text can hold; letters and digits, which pass every escaping."""
    nonce = secrets.token_hex(8)
    return f"b{nonce}", f"e{nonce}"


def _offset(given: Given) -> int | None:
    text = given.one("offset")
    if text is None or (text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS):
        return None if text is None else int(text)
    given.refuse("offset", f"0 to {MAX_OFFSET:,}, together with limit.")
    return None


def _page(resource: Declaration, given: Given, search: Search) -> Search:
    """The search from where its page begins. Raises Problem with everything that is wrong of the whole request."""
    offset, cursor = _offset(given), given.one("cursor")
    if offset is not None and cursor is not None:
        given.refuse("offset", "A page begins at an offset or behind a cursor: leave one of them out.")
    given.raise_errors()
    if offset is not None and offset + search.limit > MAX_OFFSET:
        detail = (
            f"offset and limit together reach at most {MAX_OFFSET:,}. "
            "Go on with the cursor in next_cursor, which has no end, or fetch everything from the export."
        )
        raise Problem(400, "deep-pagination", detail)
    if cursor is not None:
        return replace(search, after=after(resource, search, cursor))
    return search if offset is None else replace(search, offset=offset)
