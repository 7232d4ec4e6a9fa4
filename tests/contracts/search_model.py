"""Random query trees, and searches answered by looking at each document."""

from __future__ import annotations

import random
from typing import Any

from index_contract import SORTABLE, Document, Model, _fold

from twofold.index.port import Operation
from twofold.index.search import And, Begins, Compare, Condition, Exists, Not, OneOf, Or, Search, Sort, Term

COMPARED = ("code", "label", "amount", "born", "seen", "price", "ratio", "tags", "numbers")
SIDES = {
    "<": lambda held, value: held < value,
    "<=": lambda held, value: held <= value,
    ">": lambda held, value: held > value,
    ">=": lambda held, value: held >= value,
}


class TreeModel:
    """Documents of `Model`, asked with the whole tree."""

    def __init__(self, model: Model, chance: random.Random) -> None:
        self._model = model
        self._chance = chance

    def operations(self) -> list[Operation]:
        return self._model.operations()

    def random_search(self) -> Search:
        chance = self._chance
        groups = tuple(tuple(self._term() for _ in range(chance.choice([1, 1, 2, 3]))) for _ in range(chance.choice([0, 1, 1, 2])))
        filters = chance.choice([None, self._condition(3), self._condition(2)])
        sort = tuple(Sort(name, chance.random() < 0.5) for name in chance.sample(SORTABLE, chance.randint(1, 2)))
        return Search(groups, filters, self._refinements(), sort, chance.choice([1, 20, 2000]), offset=chance.choice([0, 0, 3, 100]))

    def found(self, search: Search) -> list[str]:
        """The ids of all matches, in order."""
        matches = [key for key, document in self._model.documents.items() if "deleted" not in document and _matches(document, search)]
        matches.sort()
        for sort in reversed(search.sort):
            held = {key: self._model.documents[key].get(sort.field) for key in matches}
            present = sorted((key for key in matches if held[key] is not None), key=held.__getitem__, reverse=sort.descending)  # type: ignore[arg-type]
            matches = present + [key for key in matches if held[key] is None]
        return matches

    def _term(self) -> Term:
        chance = self._chance
        word = self._model._word()
        kind = chance.choice(["word", "word", "phrase", "prefix", "typos"])
        excluded = chance.random() < 0.25
        if kind == "phrase":
            return Term(f"{word} {self._model._word()}", excluded=excluded)
        if kind == "prefix":
            return Term(word[: chance.randint(1, 3)], prefix=True, excluded=excluded)
        if kind == "typos":
            return Term(self._misspelt(word), typos=chance.choice([1, 2]), prefix=chance.random() < 0.3, excluded=excluded)
        return Term(word, excluded=excluded)

    def _misspelt(self, word: str) -> str:
        place = self._chance.randrange(1, len(word) + 1)
        return self._chance.choice([word, word[:place] + "e" + word[place:], word[: place - 1 or 1] + word[place:]])

    def _condition(self, depth: int) -> Condition:
        chance = self._chance
        kind = chance.choice(["and", "or", "not", "leaf"]) if depth else "leaf"
        if kind == "not":
            return Not(self._condition(depth - 1))
        if kind == "leaf":
            return self._leaf()
        conditions = tuple(self._condition(depth - 1) for _ in range(chance.randint(1, 3)))
        return And(conditions) if kind == "and" else Or(conditions)

    def _leaf(self) -> Condition:
        chance = self._chance
        name = chance.choice([*COMPARED, "active", "status"])
        kind = chance.choice(["one of", "compare", "exists", "begins"])
        if kind == "exists":
            return Exists(name)
        if kind == "begins" and name in ("code", "label", "tags", "status"):
            return Begins(name, str(self._held(name))[: chance.randint(0, 2)])
        if kind == "compare" and name in COMPARED:
            return Compare(name, chance.choice(["<", "<=", ">", ">="]), self._held(name))
        return OneOf(name, tuple(self._held(name) for _ in range(chance.randint(1, 3))))

    def _held(self, name: str) -> Any:
        found = [document[name] for document in self._model.documents.values() if document.get(name) not in (None, [])]
        value = self._chance.choice(found)
        return self._chance.choice(value) if isinstance(value, list) else value

    def _refinements(self) -> tuple[tuple[str, tuple[Any, ...]], ...]:
        names = self._chance.sample(Model.FILTERED, self._chance.choice([0, 0, 1]))
        return tuple((name, tuple(self._held(name) for _ in range(self._chance.randint(1, 3)))) for name in names)


def _matches(document: Document, search: Search) -> bool:
    texts = [_fold(text or "").split() for text in (document.get("title"), document.get("label"), *document.get("lines", []))]
    return (
        all(any(_applies(term, texts) is not term.excluded for term in group) for group in search.text)
        and (search.filter is None or _true(search.filter, document))
        and all(_true(OneOf(name, values), document) for name, values in search.refinements)
    )


def _applies(term: Term, texts: list[list[str]]) -> bool:
    """Of one word, or of a phrase."""
    said = _fold(term.text).split()
    if len(said) > 1:
        return any(text[place : place + len(said)] == said for text in texts for place in range(len(text)))
    words = {word for text in texts for word in text}
    begins = term.prefix and any(word.startswith(said[0]) for word in words)
    return begins or any(word == said[0] or (word[0] == said[0][0] and distance(said[0], word) <= term.typos) for word in words)


def distance(one: str, other: str) -> int:
    """Letters inserted, deleted, replaced, or swapped with a neighbour that is not touched otherwise."""
    rows = [list(range(len(other) + 1))]
    for i, letter in enumerate(one, 1):
        row = [i]
        for j, against in enumerate(other, 1):
            row.append(min(rows[-1][j] + 1, row[-1] + 1, rows[-1][j - 1] + (letter != against)))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == against:
                row[-1] = min(row[-1], rows[-2][j - 2] + 1)
        rows.append(row)
    return rows[-1][-1]


def _true(condition: Condition, document: Document) -> bool:
    match condition:
        case And(conditions):
            return all(_true(each, document) for each in conditions)
        case Or(conditions):
            return any(_true(each, document) for each in conditions)
        case Not(inner):
            return not _true(inner, document)
        case _:
            value = document.get(condition.field)
            return any(_holds(condition, item) for item in (value if isinstance(value, list) else [value]) if item is not None)


def _holds(condition: OneOf | Compare | Begins | Exists, item: Any) -> bool:
    match condition:
        case OneOf(_, values):
            return item in values
        case Compare(_, operator, value):
            return SIDES[operator](item, value)
        case Begins(_, text):
            return item.startswith(text)
        case Exists():
            return True
