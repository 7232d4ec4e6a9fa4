"""How many cores this process may use: of the machine's, those that it is bound to, and its control groups' share of them."""

from __future__ import annotations

import math
import os
from pathlib import Path

GROUPS = Path("/sys/fs/cgroup")


def usable(group: str | None = None, groups: Path = GROUPS) -> int:
    """At least 1. A share of a core counts as one."""
    bound = len(os.sched_getaffinity(0))
    name = _group() if group is None else group
    folder = groups / name.strip("/")
    quotas = [_quota(each / "cpu.max") for each in (folder, *folder.parents) if each.is_relative_to(groups)]
    return max(1, min([bound, *(math.ceil(quota) for quota in quotas if quota)]))


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
