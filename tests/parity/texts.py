"""Requests as a user writes them, each with the search that it is to mean: the tree is drawn first, and then written down.

What reads such requests, `twofold.query`, is not asked here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from tests.parity.strategies import Drawing, Searches, mistaken, spelled
from twofold.fields import Field
from twofold.index.search import (
    And,
    Begins,
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
    Term,
    Terms,
)
from twofold.kinds import KINDS

Parameter = tuple[str, str]
BARE = re.compile(r"[A-Za-z0-9_.:+-]+")
KEYWORDS = {"and", "or", "not", "in", "is", "null", "exists"}
LONG, LONGER = 5, 9  # letters of a word that may have one typo, or two
SHOULD_BE_NAMED = {"id", "version", "created_at", "updated_at"}  # in filters and sorts; they are no parameters of their own


@dataclass(frozen=True)
class Request:
    parameters: tuple[Parameter, ...]
    meaning: Search


def requests(searches: Searches) -> st.SearchStrategy[Request]:
    return st.randoms(use_true_random=True).map(lambda chance: Writing(searches, chance).request())


class Writing(Drawing):
    """One request, about what one document holds."""

    def request(self) -> Request:
        chance = self._chance
        parameters: list[Parameter] = []
        text = self._text(parameters) if chance.random() < 0.6 else ()
        condition = self._filter(parameters) if chance.random() < 0.5 else None
        refined = self._chosen(parameters) if chance.random() < 0.4 else ()
        search = Search(
            text=text,
            filter=condition,
            refinements=refined,
            sort=self._sorted(parameters, scored=any(not term.excluded for group in text for term in group)),
            limit=self._number(parameters, "limit", 0, 50, 20),
            offset=self._number(parameters, "offset", 0, 30, 0),
            exact=self._choice(parameters, "count", ("capped", "exact")) == "exact",
            disjunctive=self._choice(parameters, "facet_mode", ("disjunctive", "conjunctive")) == "disjunctive",
            facets=self._counted(parameters, dict(refined)) if chance.random() < 0.4 else (),
        )
        chance.shuffle(parameters)
        return Request(tuple(parameters), search)

    # q

    def _text(self, parameters: list[Parameter]) -> tuple[tuple[Term, ...], ...]:
        fuzzy = self._choice(parameters, "fuzzy", ("off", "auto", "1", "2"))
        groups = [[self._piece(fuzzy) for _ in range(self._chance.choice((1, 1, 1, 2)))] for _ in range(self._chance.randint(1, 3))]
        written = " ".join(self._chance.choice((" | ", "|", " |")).join(text for text, _ in group) for group in groups)
        terms = [[term for _, term in group] for group in groups]
        if self._chance.random() < 0.5:
            written += " "
        elif not written.endswith('"') and not terms[-1][-1].excluded:
            terms[-1][-1] = replace(terms[-1][-1], prefix=True)
        parameters.append(("q", written))
        return tuple(tuple(group) for group in terms)

    def _piece(self, fuzzy: str) -> tuple[str, Term]:
        """As it is written, and what it means."""
        chance = self._chance
        phrase = [word for word in self.phrase() if word.isalnum()] or ["zzyzx"]
        minus = chance.random() < 0.15
        if len(phrase) > 1:
            quoted = chance.random() < 0.7
            text = (" " if quoted else "-").join(spelled(chance, word) for word in phrase)
            return "-" * minus + (f'"{text}"' if quoted else text), Term(text, excluded=minus)
        word = phrase[0]
        if chance.random() < 0.3:
            text = spelled(chance, word[: chance.randint(1, len(word))])
            return f"{'-' * minus}{text}*", Term(text, prefix=True, excluded=minus)
        if minus:
            text = spelled(chance, word)
            return f"-{text}", Term(text, excluded=True)
        return self._word(word, fuzzy)

    def _word(self, word: str, fuzzy: str) -> tuple[str, Term]:
        """A bare word, with mistakes where some are allowed."""
        if fuzzy != "off" and len(word) >= 3:
            wrong = mistaken(self._chance, word, 2)
            word = wrong if all(self._bounded(wrong, typos) for typos in (1, 2)) else word
        typos = _typos(word, fuzzy)
        if not self._bounded(word, typos):
            return f'"{word}"', Term(word)
        written = spelled(self._chance, word)
        return written, Term(written, typos=typos)

    # filter

    def _filter(self, parameters: list[Parameter]) -> Condition:
        condition = self.condition(3)
        parameters.append(("filter", self._written(condition)))
        return condition

    def condition(self, depth: int) -> Condition:
        """One that the language has: the values of a Literal have no beginning, and a beginning has a letter."""
        found = super().condition(depth)
        while isinstance(found, Begins) and (not found.text or self._field(found.field).choices):
            found = super().condition(depth)
        return found

    def value(self, field: str) -> Any:
        choices = self._field(field).choices
        found = super().value(field)
        return found if not choices or found in choices else self._chance.choice(choices)

    def _written(self, condition: Condition) -> str:
        match condition:
            case Not():
                return self._negated(condition)
            case And(inner) | Or(inner):
                word = self._keyword("AND" if isinstance(condition, And) else "OR")
                return f" {word} ".join(self._written_inside(each) for each in inner)
            case OneOf():
                return self._one_of(condition)
            case Compare(field, operator, value):
                return f"{field}{self._chance.choice(('', ' '))}{operator} {self._quoted(field, value)}"
            case Begins(field, text):
                return f'{field} = "{_escaped(text)}*"'
            case Exists(field):
                return f"{field} {self._keyword('EXISTS')}"

    def _negated(self, condition: Not) -> str:
        short = self._chance.random() < 0.5
        match condition:
            case Not(OneOf(field, (value,))) if short:
                return f"{field} != {self._quoted(field, value)}"
            case Not(Exists(field)) if short:
                return f"{field} {self._keyword('IS NULL')}"
        return f"{self._keyword('NOT')} {self._written_inside(condition.condition)}"

    def _one_of(self, condition: OneOf) -> str:
        field, values = condition.field, condition.values
        if len(values) == 1 and self._chance.random() < 0.7:
            return f"{field} = {self._quoted(field, values[0])}"
        return f"{field} {self._keyword('IN')} [{', '.join(self._quoted(field, value) for value in values)}]"

    def _written_inside(self, condition: Condition) -> str:
        written = self._written(condition)
        return f"({written})" if isinstance(condition, And | Or) or self._chance.random() < 0.2 else written

    def _keyword(self, word: str) -> str:
        return self._chance.choice((word, word.lower()))

    def _quoted(self, field: str, value: Any) -> str:
        text = self._said(field, value)
        bare = BARE.fullmatch(text) and text.lower() not in KEYWORDS and self._chance.random() < 0.7
        return text if bare else f'"{_escaped(text)}"'

    # The other parameters

    def _chosen(self, parameters: list[Parameter]) -> tuple[tuple[str, tuple[Any, ...]], ...]:
        found = [(field, values) for field, values in self.refinements() if field not in SHOULD_BE_NAMED]
        parameters += [(field, self._said(field, value)) for field, values in found for value in values]
        return tuple(found)

    def _sorted(self, parameters: list[Parameter], *, scored: bool) -> tuple[Sort, ...]:
        if self._chance.random() < 0.4:
            return (Sort("_score" if scored else "created_at", descending=True),)
        found = self.sort(scored=False)
        parameters.append(("sort", ",".join("-" * sort.descending + sort.field for sort in found)))
        return found

    def _number(self, parameters: list[Parameter], name: str, least: int, most: int, default: int) -> int:
        if self._chance.random() < 0.5:
            return default
        found = self._chance.randint(least, most)
        parameters.append((name, str(found)))
        return found

    def _choice(self, parameters: list[Parameter], name: str, choices: Sequence[str]) -> str:
        """One of them; the first is meant where none is given."""
        found = self._chance.choice(choices)
        if found != choices[0] or self._chance.random() < 0.5:
            parameters.append((name, found))
        return found

    def _counted(self, parameters: list[Parameter], refined: dict[str, tuple[Any, ...]]) -> tuple[Facet, ...]:
        limit = self._number(parameters, "facet_limit", 1, 30, 10)
        zone = self._choice(parameters, "time_zone", ("UTC", "Europe/Berlin", "America/Sao_Paulo"))
        found = {}
        for facet in self._some(self.facet, 2):
            meant = self._meant(facet, limit, zone, refined)
            if facet.field != "id":
                found[self._facet_text(meant)] = meant
        if found:
            parameters.append(("facets", ",".join(found)))
        return tuple(found.values())

    def _meant(self, facet: Facet, limit: int, zone: str, refined: dict[str, tuple[Any, ...]]) -> Facet:
        if isinstance(facet, Terms):
            return Terms(facet.field, limit, refined.get(facet.field, ()))
        return replace(facet, time_zone=zone) if isinstance(facet, Dates) else facet

    def _facet_text(self, facet: Facet) -> str:
        match facet:
            case Terms(field):
                return field
            case Dates(field, interval):
                return f"{field}:{interval}"
            case Ranges(field, bounds):
                sides = (tuple("" if side is None else self._said(field, side) for side in pair) for pair in bounds)
                return f"{field}:{';'.join(f'{low}..{high}' for low, high in sides)}"
            case Stats(field):
                return f"{field}:stats"

    def _said(self, field: str, value: Any) -> str:
        """A value as a user writes it."""
        if isinstance(value, bool):
            return str(value).lower()
        if self._of.kinds[field] == "decimal":
            return str(Decimal(value).scaleb(-self._field(field).places))
        return repr(value) if isinstance(value, float) else str(value)

    def _field(self, name: str) -> Field:
        return self._of.fields.get(name, Field(name, name, KINDS[self._of.kinds[name]]))


def _escaped(text: str) -> str:
    return re.sub(r'(["\\*])', r"\\\1", text)


def _typos(word: str, fuzzy: str) -> int:
    """Of a word without marks. Digits are not mistyped."""
    if fuzzy == "off" or not word.isalpha():
        return 0
    if fuzzy == "auto":
        return 2 if len(word) >= LONGER else 1 if len(word) >= LONG else 0
    return int(fuzzy) if len(word) >= 3 else 0
