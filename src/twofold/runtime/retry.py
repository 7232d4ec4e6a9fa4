"""Waiting between tries, with full jitter, so that many clients of one engine do not come back at the same moment."""

from __future__ import annotations

import random


class Backoff:
    """Seconds to wait before the next try: random up to a bound that doubles from `first` to `longest`."""

    def __init__(self, first: float = 0.1, longest: float = 5.0) -> None:
        self._first, self._longest = first, longest
        self._bound = first

    def next(self) -> float:
        bound, self._bound = self._bound, min(self._bound * 2, self._longest)
        return random.uniform(bound / 2, bound)  # noqa: S311 - jitter, not a secret

    def reset(self) -> None:
        self._bound = self._first
