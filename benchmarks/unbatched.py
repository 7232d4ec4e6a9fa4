"""`twofold query` with batching off: every batch holds one item. What batching buys is measured against it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from twofold.cli import main
from twofold.query import reader
from twofold.runtime.batcher import Batcher, Later

T = TypeVar("T")
R = TypeVar("R")


class Single(Batcher[T, R]):
    """A batcher that batches nothing."""

    def __init__(self, name: str, run: Callable[[list[T]], Sequence[R | BaseException | Later]], **options: Any) -> None:
        super().__init__(name, run, **{**options, "max_items": 1})


if __name__ == "__main__":
    vars(reader)["Batcher"] = Single
    main()
