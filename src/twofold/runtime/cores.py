"""How many cores this process may use: of the machine's, those that it is bound to, its control groups' share of them, and its own share
among the workers of one service.
"""

from __future__ import annotations

import math
import os
import re
from pathlib import Path

GROUPS = Path("/sys/fs/cgroup")
WORKERS = "TWOFOLD_WORKER_COUNT"  # variable with how many there are, set by their supervisor


def usable(group: str | None = None, groups: Path = GROUPS) -> int:
    """At least 1. A share of a core counts as one."""
    bound = len(os.sched_getaffinity(0))
    name = _group() if group is None else group
    folder = groups / name.strip("/")
    quotas = [_quota(each / "cpu.max") for each in (folder, *folder.parents) if each.is_relative_to(groups)]
    return max(1, min([bound, *(math.ceil(quota) for quota in quotas if quota)]) // _workers())


def _workers() -> int:
    given = os.environ.get(WORKERS, "")
    return int(given) if re.fullmatch("[1-9][0-9]?", given) else 1


def _group() -> str:
    """Of control groups v2; in a container its own is the root."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return ""
    return next((line.removeprefix("0::") for line in lines if line.startswith("0::")), "")


def _quota(file: Path) -> float:
    """Cores, or 0 for no bound: the file says microseconds of each period, or max."""
    try:
        quota, period = file.read_text().split()
        return 0.0 if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError):
        return 0.0
