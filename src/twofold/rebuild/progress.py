"""What a rebuild tells while it goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """`documents` of `total` are backfilled, `messages` of the log replayed. `total` is as of the beginning."""

    step: str
    generation: str
    documents: int = 0
    total: int = 0
    messages: int = 0


Report = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class Done:
    """What became of it: the generation behind the alias, with its live documents, and the one before; how many documents it refused, in
    all versions, and some of them.
    """

    generation: str
    before: str
    documents: int
    messages: int
    refused: int
    examples: tuple[tuple[str, str], ...]
