"""What each figure must be, and what it should reach, on two cores with all engines and the generator on the same machine."""

from __future__ import annotations

from twofold.bench.table import Engines, Target

TARGETS: dict[tuple[str, str, Engines], Target] = {}
