"""What `q` means: words, phrases, alternatives, beginnings, exclusions, typos. No text is an error of syntax."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

from twofold.index.search import Term

MAX_QUERY = 256  # characters of q
MAX_TERMS = 16
FUZZY = ("off", "auto", "1", "2")
ONE_TYPO, TWO_TYPOS, SHORTEST = 5, 9, 3  # letters of a word that may have so many typos; by `auto`, and asked for
Fuzzy = Literal["auto", "off", "1", "2"]
Groups = tuple[tuple[Term, ...], ...]
_UNPRINTABLE = dict.fromkeys((*range(32), 127, *range(0xD800, 0xE000)), " ")
_TOKEN = re.compile(r'(\|)|(-*+)(?:"([^"]*)"?|([^\s|]+))')  # bar, or minus and phrase or word


class TooMany(ValueError):
    """`q` has more than MAX_TERMS terms."""


class _Piece(NamedTuple):
    """A term as it stands in the text, up to `end`. It is an `alternative` to the piece before it where a | stands between."""

    text: str
    begins: bool
    quoted: bool
    excluded: bool
    alternative: bool
    end: int


def read(q: str, fuzzy: Fuzzy = "off") -> Groups:
    """The groups that all have to apply, by one of their terms each. Raises TooMany.

    What has no letter, digit or symbol in it is passed over, unless there is nothing else: that finds nothing.
    """
    given = q.translate(_UNPRINTABLE)
    groups = _grouped(_pieces(given))
    if sum(map(len, groups)) > MAX_TERMS:
        raise TooMany
    finished = any(map(str.isspace, given[groups[-1][-1].end :])) if groups else True
    terms = [[_term(piece, fuzzy) for piece in group] for group in groups]
    if not finished:
        terms[-1][-1] = _unfinished(groups[-1][-1], terms[-1][-1])
    return tuple(map(tuple, terms))


def _pieces(given: str) -> Iterator[_Piece]:
    """Every term of the text. Lone marks are ignored."""
    alternative = False
    for match in _TOKEN.finditer(given):
        bar, minus, phrase, word = match.groups()
        text = word.rstrip("*") if word else (phrase or "").strip()
        if bar:
            alternative = True
        elif text:
            begins = word is not None and word.endswith("*")
            yield _Piece(text, begins, word is None, bool(minus), alternative, match.end())
            alternative = False


def _grouped(pieces: Iterable[_Piece]) -> list[list[_Piece]]:
    """`|` binds its neighbours tighter than what stands side by side."""
    groups: list[list[_Piece]] = []
    for piece in pieces:
        if piece.alternative and groups:
            groups[-1].append(piece)
        else:
            groups.append([piece])
    speaking = [group for each in groups if (group := [piece for piece in each if _speaks(piece.text)])]
    return speaking or groups


def _speaks(text: str) -> bool:
    return text.isalnum() or any(unicodedata.category(character)[0] in "LNS" for character in text)


def _term(piece: _Piece, fuzzy: Fuzzy) -> Term:
    literal = fuzzy == "off" or piece.quoted or piece.begins or piece.excluded
    return Term(piece.text, piece.begins, 0 if literal else _typos(piece.text, fuzzy), piece.excluded)


def _unfinished(piece: _Piece, term: Term) -> Term:
    """The last word may be the beginning of a longer one."""
    return term if piece.quoted or piece.excluded else Term(term.text, True, term.typos)


def _typos(word: str, fuzzy: Fuzzy) -> int:
    """How many a word may have. Only letters are mistyped: a digit, or a sign in an address, is meant as it stands."""
    kinds = [unicodedata.category(character)[0] for character in word]
    if not {"L", "M"}.issuperset(kinds):
        return 0
    letters = kinds.count("L")  # marks that stand behind a letter are none
    if fuzzy == "auto":
        return (letters >= ONE_TYPO) + (letters >= TWO_TYPOS)
    return int(fuzzy) if letters >= SHORTEST else 0
