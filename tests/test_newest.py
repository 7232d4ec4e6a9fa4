"""Of operations that were read together, the newest of each id, and the next older one where that is refused."""

from __future__ import annotations

from twofold.index.port import Operation, Outcome, Verdict
from twofold.newest import Newest

NO = Outcome(Verdict.REJECTED, "no")


def of(*versions: tuple[str, int]) -> Newest[str]:
    newest: Newest[str] = Newest()
    for number, (id_, version) in enumerate(versions):
        newest.add(Operation(id_, version, b"{}"), f"message {number}")
    return newest


def test_the_older_ones_come_in_order_of_their_versions() -> None:
    newest = of(("a", 2), ("a", 5), ("a", 3), ("b", 1))
    asked = []
    while newest.found:
        asked.append([(each.id, each.version) for each in newest.operations])
        newest.judge([NO] * len(newest.operations))
    assert asked == [[("a", 5), ("b", 1)], [("a", 3)], [("a", 2)]]
