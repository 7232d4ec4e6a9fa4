"""What `twofold.index.search` says, in the plainest Python that is quick enough: each set of documents is the bits of one integer."""

from __future__ import annotations

import operator
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from itertools import islice
from math import fsum
from typing import Any

from tests.parity.intervals import beginning
from tests.parity.words import distance, words
from twofold.index.search import (
    TOTAL_CAP,
    And,
    Begins,
    Bucket,
    Buckets,
    Compare,
    Condition,
    Dates,
    Exists,
    Facet,
    Not,
    OneOf,
    Or,
    Ranges,
    Search,
    Sort,
    Stats,
    Summary,
    Term,
    Terms,
)
from twofold.resource import Declaration

Bits = int
Document = dict[str, Any]
COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
MISSING = 1 << 62  # sorts behind everything


@dataclass(frozen=True)
class Ids:
    """A set of documents, by their ids."""

    model: Model
    found: Bits

    def __contains__(self, id_: object) -> bool:
        return id_ in self.model.number and bool(self.found >> self.model.number[id_] & 1)

    def __len__(self) -> int:
        return self.found.bit_count()


@dataclass(frozen=True)
class Expected:
    """`matches` and `strict`, those without a typo, are ids; `page` is in order, which counts where it is not by `_score`."""

    matches: Ids
    strict: Ids
    page: list[str]
    total: int
    exact: bool
    facets: tuple[Buckets | Summary, ...]


class Model:
    """Documents in the order of their ids."""

    def __init__(self, resource: Declaration, documents: Sequence[Document]) -> None:
        self.documents = sorted(documents, key=lambda document: document["id"])
        self.number = {document["id"]: number for number, document in enumerate(self.documents)}
        self.all = (1 << len(self.documents)) - 1
        self._texts = [field.name for field in resource.indexed if field.text]
        self._term = cache(self._find_term)
        self.alike = cache(self._find_alike)
        self._leaf = cache(self._find_leaf)
        self.values = cache(self._values)
        self._ranks = cache(self._find_ranks)
        self._places = cache(self._find_places)
        self._groups = cache(self._find_groups)
        self._intervals = cache(self._find_intervals)

    def expect(self, search: Search) -> Expected:
        found = self.matches(search)
        total = found.bit_count()
        page = islice(self.ordered(search, found), search.offset, search.offset + search.limit)
        return Expected(
            matches=Ids(self, found),
            strict=Ids(self, found & self._text(_without_typos(search))),
            page=[self.documents[number]["id"] for number in page],
            total=total if search.exact else min(total, TOTAL_CAP),
            exact=search.exact or total <= TOTAL_CAP,
            facets=tuple(self._facet(facet, self.matches(search, without=facet.field)) for facet in search.facets),
        )

    def matches(self, search: Search, without: str | None = None) -> Bits:
        """With `without`, the refinements of that field are left out where the search is disjunctive."""
        found = self._text(search) & self.where(search.filter)
        for field, values in search.refinements:
            if not (search.disjunctive and field == without):
                found &= self._leaf(OneOf(field, values))
        return found

    # Words

    def _text(self, search: Search) -> Bits:
        if not search.text:
            return self.all
        groups = [[term for term in group if words(term.text)] for group in search.text]
        if not any(groups):
            return 0
        found = self.all
        for group in groups:
            if group:
                found &= union(self._term(term) for term in group)
        return found

    def _find_term(self, term: Term) -> Bits:
        if term.excluded:
            return self.all & ~self._term(replace(term, excluded=False))
        *whole, last = words(term.text)
        if not whole:
            return union(self._postings[word] for word in self._meant(last, term))
        return self._several(whole, last, term)

    def _several(self, whole: list[str], last: str, term: Term) -> Bits:
        found = union(self._postings[word] for word in self._meant(last, term))
        for word in whole:
            found &= self._postings.get(word, 0)
        holds = _holds_all if term.prefix else _holds_phrase
        return bits(number for number in numbers(found) if any(holds(items, whole, last) for items in self._words[number]))

    def _meant(self, word: str, term: Term) -> set[str]:
        found = {word} & self._postings.keys()
        if term.prefix:
            start = bisect_left(self.vocabulary, word)
            found |= set(self.vocabulary[start : bisect_left(self.vocabulary, word + "\U0010ffff")])
        return found | (self.alike(word, term.typos) if term.typos else set())

    def _find_alike(self, word: str, typos: int) -> set[str]:
        start, end = bisect_left(self.vocabulary, word[0]), bisect_left(self.vocabulary, word[0] + "\U0010ffff")
        near = (each for each in self.vocabulary[start:end] if abs(len(each) - len(word)) <= typos)
        return {each for each in near if distance(word, each) <= typos}

    @cached_property
    def _words(self) -> list[list[list[list[str]]]]:
        """Of each document, of each text field, of each item, the words."""
        return [[[words(text) for text in _items(document[name])] for name in self._texts] for document in self.documents]

    @cached_property
    def _postings(self) -> dict[str, Bits]:
        found: dict[str, list[int]] = defaultdict(list)
        for number, fields in enumerate(self._words):
            for word in {word for items in fields for item in items for word in item}:
                found[word].append(number)
        return {word: bits(those) for word, those in found.items()}

    @cached_property
    def vocabulary(self) -> list[str]:
        return sorted(self._postings)

    # Fields

    def where(self, condition: Condition | None) -> Bits:
        match condition:
            case None:
                return self.all
            case And(conditions):
                found = self.all
                for each in conditions:
                    found &= self.where(each)
                return found
            case Or(conditions):
                return union(self.where(each) for each in conditions)
            case Not(inner):
                return self.all & ~self.where(inner)
            case leaf:
                return self._leaf(leaf)

    def _find_leaf(self, leaf: OneOf | Compare | Begins | Exists) -> Bits:
        values = self.values(leaf.field)
        match leaf:
            case OneOf():
                return union(values.get(value, 0) for value in leaf.values)
            case Compare():
                fits = COMPARISONS[leaf.operator]
                return union(those for value, those in values.items() if fits(value, leaf.value))
            case Begins():
                return union(those for value, those in values.items() if value.startswith(leaf.text))
            case Exists():
                return union(values.values())

    def _values(self, field: str) -> dict[Any, Bits]:
        """The documents that hold each value."""
        found: dict[Any, list[int]] = defaultdict(list)
        for number, document in enumerate(self.documents):
            for value in set(_items(document[field])):
                found[value].append(number)
        return {value: bits(found[value]) for value in sorted(found)}

    # Order

    def ordered(self, search: Search, found: Bits) -> Iterator[int]:
        """The numbers of the documents behind `after`, as sorted; `_score` is passed over."""
        first, *rest = [*(sort for sort in search.sort if sort.field != "_score"), Sort("id")]
        keys = [self._ranks(sort.field, sort.descending) for sort in rest]
        held = f"{found:b}"[::-1].ljust(len(self.documents), "0")
        start = self._start(search)
        for rank, group in self._groups(first.field, first.descending):
            if start and rank < start[0]:
                continue
            members = [number for number in group if held[number] == "1"]
            order = sorted((*(key[number] for key in keys), number) for number in members) if members else ()
            yield from (key[-1] for key in order if not start or (rank, *key) > (*start, MISSING))

    def _start(self, search: Search) -> tuple[int, ...]:
        """The place of `after` by rank."""
        sorts = search.sort if any(sort.field == "id" for sort in search.sort) else (*search.sort, Sort("id"))
        return tuple(self._rank(sort, value) for sort, value in zip(sorts, search.after or (), strict=search.after is not None))

    def _find_groups(self, field: str, descending: bool) -> list[tuple[int, list[int]]]:
        """The documents of equal rank, the first rank first."""
        found: dict[int, list[int]] = defaultdict(list)
        for number, rank in enumerate(self._ranks(field, descending)):
            found[rank].append(number)
        return sorted(found.items())

    def _find_ranks(self, field: str, descending: bool) -> list[int]:
        return [self._rank(Sort(field, descending), document[field]) for document in self.documents]

    def _rank(self, sort: Sort, value: Any) -> int:
        if value is None:
            return MISSING
        place = self._places(sort.field)[value]
        return -place if sort.descending else place

    def _find_places(self, field: str) -> dict[Any, int]:
        return {value: place for place, value in enumerate(self.values(field))}

    # Facets

    def _facet(self, facet: Facet, found: Bits) -> Buckets | Summary:
        missing = (found & ~self._leaf(Exists(facet.field))).bit_count()
        match facet:
            case Terms():
                return self._terms(facet, found, missing)
            case Dates():
                return Buckets(_counted(self._intervals(facet.field, facet.interval, facet.time_zone), found), missing=missing)
            case Ranges():
                return Buckets(tuple(Bucket(pair, self._between(facet.field, *pair, found)) for pair in facet.bounds), missing=missing)
            case Stats():
                return self._stats(facet, found, missing)

    def _terms(self, facet: Terms, found: Bits, missing: int) -> Buckets:
        counted = _counted(self.values(facet.field), found)
        ranked = sorted(counted, key=lambda bucket: -bucket.count)  # stable: equal counts stay in the order of values
        listed = ranked[: facet.limit]
        held = {bucket.value: bucket.count for bucket in ranked[facet.limit :]}
        top = {bucket.value for bucket in listed}
        asked = [Bucket(value, held.pop(value, 0)) for value in sorted(set(facet.also) - top)]
        asked.sort(key=lambda bucket: -bucket.count)
        return Buckets((*listed, *asked), other=sum(held.values()), missing=missing)

    def _between(self, field: str, low: Any, high: Any, found: Bits) -> int:
        held = self.values(field).items()
        inside = union(those for value, those in held if (low is None or value >= low) and (high is None or value < high))
        return (inside & found).bit_count()

    def _stats(self, facet: Stats, found: Bits, missing: int) -> Summary:
        held = [float(value) for number in numbers(found) for value in _items(self.documents[number][facet.field])]
        if not held:
            return Summary(missing=missing)
        return Summary(len(held), min(held), max(held), fsum(held), missing)

    def _find_intervals(self, field: str, interval: Any, zone: str) -> dict[str, Bits]:
        found: dict[str, Bits] = defaultdict(int)
        for value, those in self.values(field).items():
            found[beginning(value, interval, zone)] |= those
        return {value: found[value] for value in sorted(found)}


def bits(those: Iterator[int] | Sequence[int]) -> Bits:
    found = bytearray()
    for number in those:
        if len(found) <= number >> 3:
            found.extend(bytes((number >> 3) + 1 - len(found)))
        found[number >> 3] |= 1 << (number & 7)
    return int.from_bytes(found, "little")


def numbers(found: Bits) -> list[int]:
    return [number for number, bit in enumerate(reversed(f"{found:b}")) if bit == "1"]


def union(sets: Iterator[Bits] | Sequence[Bits] | Any) -> Bits:
    found = 0
    for each in sets:
        found |= each
    return found


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _counted(held: dict[Hashable, Bits], found: Bits) -> tuple[Bucket, ...]:
    counts = ((value, (those & found).bit_count()) for value, those in held.items())
    return tuple(Bucket(value, count) for value, count in counts if count)


def _without_typos(search: Search) -> Search:
    return replace(search, text=tuple(tuple(replace(term, typos=0) for term in group) for group in search.text))


def _holds_phrase(items: list[list[str]], whole: list[str], last: str) -> bool:
    phrase = [*whole, last]
    return any(item[start : start + len(phrase)] == phrase for item in items for start in range(len(item)))


def _holds_all(items: list[list[str]], whole: list[str], last: str) -> bool:
    held = {word for item in items for word in item}
    return held.issuperset(whole) and any(word.startswith(last) for word in held)
