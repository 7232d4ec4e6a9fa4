"""What a verification found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from twofold.verify.compare import KINDS, Kind

SHOWN = 20  # ids of each kind
Tell = Callable[[str, str], None]  # kind and id


@dataclass(slots=True)
class Tally:
    """How many of one kind: `mended` of them by now, `refused` of them in the dead letters. `ids` of the first."""

    count: int = 0
    mended: int = 0
    refused: int = 0
    ids: list[str] = field(default_factory=list)

    def add(self, id_: str) -> None:
        self.count += 1
        if len(self.ids) < SHOWN:
            self.ids.append(id_)

    @property
    def left(self) -> int:
        return self.count - self.mended

    def json(self) -> dict[str, Any]:
        return {"count": self.count, "mended": self.mended, "dead_letters": self.refused, "ids": self.ids}


@dataclass(slots=True)
class Result:
    """`compared` ids, of which `rows` are in the write store (tombstones among them) and `documents` in the index. `reasons` say why
    something could not be decided or mended. `interrupted`: it is not all of them.
    """

    deep: bool
    compared: int = 0
    rows: int = 0
    documents: int = 0
    seconds: float = 0.0
    drift: dict[Kind, Tally] = field(default_factory=lambda: {kind: Tally() for kind in KINDS})
    undecided: Tally = field(default_factory=Tally)
    reasons: set[str] = field(default_factory=set)
    interrupted: bool = False

    @property
    def agrees(self) -> bool:
        """Whether both sides are the same by now, as far as was looked."""
        return not (self.interrupted or self.undecided.count or any(tally.left for tally in self.drift.values()))

    @property
    def rate(self) -> float:
        """Ids a second."""
        return self.compared / self.seconds if self.seconds else 0.0

    @property
    def left(self) -> dict[str, int]:
        """How many of each kind are not mended, or not decided."""
        return {**{str(kind): tally.left for kind, tally in self.drift.items()}, "undecided": self.undecided.count}

    def json(self) -> dict[str, Any]:
        return {
            "agrees": self.agrees,
            "deep": self.deep,
            "rows": self.rows,
            "documents": self.documents,
            "seconds": round(self.seconds, 3),
            "ids_per_second": round(self.rate),
            "drift": {kind: tally.json() for kind, tally in self.drift.items()},
            "undecided": {"count": self.undecided.count, "ids": self.undecided.ids},
            "reasons": sorted(self.reasons),
            "interrupted": self.interrupted,
        }
