"""How far an import is: a bar on a terminal, a line every few seconds elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich import progress as bars
from rich.console import Console

EVERY_SECONDS = 5.0


class Progress:
    """`taken` tells how much of `size` was read; None where its size is not known."""

    def __init__(self, talk: Console, taken: Callable[[], int], size: int | None) -> None:
        self._talk, self._taken, self._size = talk, taken, size
        columns = (
            bars.SpinnerColumn(),
            bars.TextColumn("{task.fields[lines]:,} lines"),
            bars.BarColumn(),
            bars.TaskProgressColumn(),
            bars.TimeRemainingColumn(),
        )
        self._bar = bars.Progress(*columns, console=talk, transient=True, disable=not talk.is_terminal)
        self._task = self._bar.add_task("import", total=size, lines=0)
        self._begun = self._told = time.monotonic()

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._bar.stop()

    def show(self, lines: int) -> None:
        """Tells that so many lines are done."""
        taken = self._taken()
        self._bar.update(self._task, completed=taken, lines=lines)
        now = time.monotonic()
        if not self._talk.is_terminal and now - self._told >= EVERY_SECONDS:
            self._told = now
            share = f" ({taken / self._size:.0%} of the file)" if self._size else ""
            self._talk.print(f"{lines:,} lines{share}, {lines / (now - self._begun):,.0f} lines/s", highlight=False)
