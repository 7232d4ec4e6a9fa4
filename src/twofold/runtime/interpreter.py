"""How Python itself runs in a process that has much to do."""

from __future__ import annotations

import gc
import sys


def tune() -> None:
    """To be called once everything is imported.

    A busy thread would make every round trip of another 5 ms long. And a full collection looks at everything that is imported, for some
    60 ms: what is there by now stays, and need not be looked at.
    """
    sys.setswitchinterval(0.0005)
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
