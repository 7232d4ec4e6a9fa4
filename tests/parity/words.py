"""Words as the engines are to see them, by the simplest means: not one line is theirs."""

from __future__ import annotations

import re
import unicodedata

_WORD = re.compile(r"[^\W_]+")


def words(text: str) -> list[str]:
    """Runs of letters and digits, in lower case, without marks."""
    apart = unicodedata.normalize("NFKD", text)
    return _WORD.findall("".join(c for c in apart if not unicodedata.combining(c)).lower())


def distance(a: str, b: str) -> int:
    """How many letters are inserted, deleted, replaced or swapped with their neighbour; none is touched twice."""
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        before_that, before, row = before, row, [i]
        for j, y in enumerate(b, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                cost = min(cost, before_that[j - 2] + 1)
            row.append(cost)
    return row[-1]
