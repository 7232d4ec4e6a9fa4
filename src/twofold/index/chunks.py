"""How much is asked of a read store at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson


def fitting(documents: Sequence[Mapping[str, Any]], size: int, *, most: int, least: int = 1) -> int:
    """How many documents as large as these have `size` bytes of JSON together, from `least` to `most`."""
    held = sum(len(orjson.dumps(each)) for each in documents)
    return min(most, max(least, size * len(documents) // max(held, 1)))
