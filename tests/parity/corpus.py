"""The documents that every engine holds: some of every kind, with accents, lists, ties, missing values and tombstones; always the same."""

# ruff: noqa: RUF012 - Pydantic copies defaults
from __future__ import annotations

import random
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal, TypeVar

import orjson

from twofold import Keyword, Resource, Text
from twofold.fields import Places
from twofold.index.port import Operation
from twofold.kinds.datetimes import timestamp
from twofold.resource import Declaration

SEED = 20_261_125
LIVE = 20_000
DEAD = 400
Document = dict[str, Any]
Status = Literal["new", "open", "held", "done"]
T = TypeVar("T")


class Thing(Resource, name="parity"):
    """A field of every kind, and a list of each."""

    title: Annotated[str, Text()]
    label: Annotated[str | None, Text(), Keyword()] = None
    code: Annotated[str | None, Keyword()] = None
    note: str | None = None
    lines: Annotated[list[str], Text()] = []
    names: Annotated[list[str] | None, Text(), Keyword()] = None
    tags: Annotated[list[str], Keyword()] = []
    status: Status | None = None
    stages: list[Status] = []
    amount: int | None = None
    numbers: list[int] = []
    ratio: float | None = None
    ratios: list[float] = []
    active: bool | None = None
    flags: list[bool] = []
    born: date | None = None
    days: list[date] = []
    seen: datetime | None = None
    moments: list[datetime] = []
    price: Annotated[Decimal | None, Places(2)] = None
    prices: Annotated[list[Decimal], Places(3)] = []


def declared(index: str) -> Declaration:
    """The declaration under an index of its own."""
    return replace(Thing.declaration, index=index)


FAMILIAR = (
    "Ana Müller José Peña François Lefèvre Åsa Björk Zoë Brontë Dvořák Novák Škoda Šimek Žižka Čapek Ñuñez Muñoz Gonçalves Conceição João "
    "Magalhães Kovács Erdős Szűcs Țepeș Ștefan Öztürk Gül Şahin Ćosić Đorđe Nguyễn Trần Côté Noël Hélène Aïcha Ibáñez Señor Mañana "
    "Smörgås Façade Naïve Résumé Cliché Über Ärger Öl Köln Zürich Málaga Córdoba Ávila Ürümqi Ýmir Ðorđe Bogotá Brasília Óbidos Évora"
)
ACCENTED = {  # letters that fall apart into a letter and marks
    "a": "áàâäãåāăą", "c": "çćčĉċ", "d": "ď", "e": "éèêëēĕėęě", "g": "ğĝġģ", "h": "ĥ", "i": "íìîïĩīĭį", "j": "ĵ", "k": "ķ", "l": "ĺļľ",
    "n": "ñńņň", "o": "óòôöõōŏőớ", "r": "ŕŗř", "s": "śŝşš", "t": "ţťț", "u": "úùûüũūŭůűų", "w": "ŵ", "y": "ýÿŷ", "z": "źżž",
}  # fmt: skip
BETWEEN = (" ",) * 12 + (", ", " - ", " & ", " (", ") ", "; ", " / ", "! ", "? ", "\n", "  ")
WORDS_OF_TITLES = 1_200
DAWN, DUSK = datetime(1965, 1, 1, tzinfo=UTC), datetime(2035, 1, 1, tzinfo=UTC)


def documents() -> list[Document]:
    """The live documents, in the order of their ids."""
    maker = _Maker(random.Random(SEED))
    return [maker.document(number) for number in range(LIVE)]


def rounds(live: Sequence[Document]) -> list[list[Operation]]:
    """What is applied, one round after the other: documents, others that are deleted by the third round, tombstones also of the unknown."""
    doomed = [{**live[number * 7], "id": f"t{number * 7:05d}-gone", "version": 1} for number in range(DEAD)]
    tombstones = [{"id": document["id"], "version": 2, "deleted": True} for document in doomed]
    return [[_operation(document) for document in each] for each in (live, doomed[: DEAD // 2], tombstones)]


def _operation(document: Document) -> Operation:
    return Operation(document["id"], document["version"], orjson.dumps(document), deleted="deleted" in document)


class _Maker:
    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self.words = self._vocabulary()
        self._weights = [1 / (rank + 5) for rank in range(len(self.words))]
        self.codes = [self._code() for _ in range(300)]
        self.tags = [self._spelled(word) for word in self.words[:80]]
        self.labels = [self._text(1, 3) for _ in range(900)]
        self.amounts = [chance.randint(-50, 50) for _ in range(60)] + [2**53 + 1, 2**53, 1 - 2**63, 2**63 - 2, 10**15]
        self.ratios = [chance.randint(-40, 40) / 8 for _ in range(40)] + [0.1, 0.3, 0.30000000000000004, 1e-300, -1e15, 1e15, 2.5e-8, 0.0]
        self.days = [(date(1965, 1, 1) + timedelta(days=chance.randrange(25_000))).isoformat() for _ in range(700)]
        self.days += ["1000-01-01", "9999-12-31", "2024-02-29", "2000-12-31", "2001-01-01", "2021-01-03", "2021-01-04"]
        self.moments = [timestamp(moment) for moment in self._moments()]
        self.prices = [chance.randrange(-5_000, 100_000) for _ in range(200)] + [0, 10**17, -(10**17)]

    def document(self, number: int) -> Document:
        chance, maybe, some = self._chance, self._maybe, self._some
        return {
            "id": f"t{number:05d}-{chance.choice('aZ9')}",
            "version": chance.choice((1, 1, 1, 2, 3, 17)),
            "created_at": chance.choice(self.moments),
            "updated_at": chance.choice(self.moments),
            "title": self._text(1, 8) if chance.random() < 0.97 else chance.choice(("", "&", "- -")),
            "label": maybe(lambda: chance.choice(self.labels)),
            "code": maybe(lambda: chance.choice(self.codes)),
            "note": maybe(lambda: self._text(1, 3)),
            "lines": some(lambda: self._text(1, 6)),
            "names": maybe(lambda: some(lambda: chance.choice(self.labels))),
            "tags": some(lambda: self._frequent(self.tags)),
            "status": maybe(lambda: self._frequent(("open", "new", "done", "held"))),
            "stages": some(lambda: chance.choice(("new", "open", "held", "done"))),
            "amount": maybe(lambda: chance.choice(self.amounts)),
            "numbers": some(lambda: chance.choice(self.amounts)),
            "ratio": maybe(lambda: chance.choice(self.ratios)),
            "ratios": some(lambda: chance.choice(self.ratios)),
            "active": maybe(lambda: chance.random() < 0.3),
            "flags": some(lambda: chance.random() < 0.5),
            "born": maybe(lambda: chance.choice(self.days)),
            "days": some(lambda: chance.choice(self.days)),
            "seen": maybe(lambda: chance.choice(self.moments)),
            "moments": some(lambda: chance.choice(self.moments)),
            "price": maybe(lambda: chance.choice(self.prices)),
            "prices": some(lambda: chance.choice(self.prices)),
        }

    def _maybe(self, make: Callable[[], T]) -> T | None:
        return make() if self._chance.random() < 0.8 else None

    def _some(self, make: Callable[[], T]) -> list[T]:
        """None, one or a few, the same one twice at times."""
        return [make() for _ in range(self._chance.choice((0, 0, 1, 1, 1, 2, 2, 3, 5)))]

    def _frequent(self, choices: Sequence[T]) -> T:
        """The first ones more often."""
        return choices[int(len(choices) * self._chance.random() ** 3)]

    def _vocabulary(self) -> list[str]:
        familiar = [word for word in FAMILIAR.split() if _plain(word).isascii()]
        made = {self._word() for _ in range(WORDS_OF_TITLES)}
        numbers = ["1", "2", "7", "10", "42", "100", "2024", "2025", "a4", "b52", "3d", "mp3"]
        words = [*familiar, *sorted(made), *numbers]
        self._chance.shuffle(words)
        return words

    def _word(self) -> str:
        syllables = [self._chance.choice("bcdfghklmnprstvz") + self._chance.choice("aeiou") for _ in range(self._chance.randint(1, 4))]
        return "".join(syllables) + self._chance.choice(("", "", "n", "r", "s", "th"))

    def _text(self, least: int, most: int) -> str:
        words = self._chance.choices(self.words, self._weights, k=self._chance.randint(least, most))
        text = self._spelled(words[0])
        for word in words[1:]:
            text += ("-" if self._chance.random() < 0.08 else self._chance.choice(BETWEEN)) + self._spelled(word)
        return text

    def _spelled(self, word: str) -> str:
        """With or without accents, in this case or that."""
        chance = self._chance
        if chance.random() < 0.3:
            word = "".join(chance.choice(ACCENTED[letter]) if letter in ACCENTED and chance.random() < 0.3 else letter for letter in word)
        return chance.choice((str.lower, str.lower, str.title, str.upper))(word)

    def _code(self) -> str:
        """Strings whose order by bytes is not that of a dictionary, nor that of UTF-16."""
        return "".join(self._chance.choice("abAB01-_ .%é\ufb01\U0001f389") for _ in range(self._chance.randint(0, 5)))

    def _moments(self) -> Iterator[datetime]:
        span = int((DUSK - DAWN).total_seconds() * 1000)
        for _ in range(800):  # fewer hours than a facet tells
            yield DAWN + timedelta(milliseconds=self._chance.randrange(span))
        for change in CHANGES:  # around the hours at which clocks are set
            for minutes in (-90, -61, -60, -30, -1, 0, 1, 29, 30, 59, 60, 90):
                yield change + timedelta(minutes=minutes)
            yield change - timedelta(milliseconds=1)


# When clocks are set: Berlin, New York, São Paulo (at midnight), Kathmandu, Lord Howe (by half an hour), Apia (a day is left out).
CHANGES = [
    datetime(2024, 3, 31, 1, tzinfo=UTC),
    datetime(2024, 10, 27, 1, tzinfo=UTC),
    datetime(2024, 3, 10, 7, tzinfo=UTC),
    datetime(2024, 11, 3, 6, tzinfo=UTC),
    datetime(2018, 11, 4, 3, tzinfo=UTC),
    datetime(2018, 2, 18, 2, tzinfo=UTC),
    datetime(1985, 12, 31, 18, 30, tzinfo=UTC),
    datetime(2024, 4, 6, 15, tzinfo=UTC),
    datetime(2024, 10, 5, 15, 30, tzinfo=UTC),
    datetime(2011, 12, 30, 10, tzinfo=UTC),
    datetime(2023, 12, 31, 23, tzinfo=UTC),
    datetime(2025, 1, 1, tzinfo=UTC),
    datetime(2025, 1, 1, 5, tzinfo=UTC),
]


def _plain(word: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFD", word) if not unicodedata.combining(c))
