"""From a seed to a timetable of faults. Pure: the same seed and length give the same plan.

A plan is a list of rounds. In each, faults happen on several tracks at a time, one after the other on each track; a round ends with
everything up again. What is short holds every kind of fault once; what is long draws them again and again, and longer ones.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

ENGINES = ("mysql", "kafka", "elasticsearch")
STAGES = {"command": 2, "relay": 2, "project": 2, "query": 1}  # how many there are of each
ROLES = tuple(f"{stage}-{number}" for stage, count in STAGES.items() for number in range(1, count + 1))
ENGINE_FAULTS = [(kind, engine) for kind in ("kill", "pause") for engine in ENGINES] + [("cut", "mysql")]
ROLE_FAULTS = [(kind, stage) for kind in ("kill", "pause", "term") for stage in STAGES]
ROUND_SECONDS = 120.0  # of faults, at most, until all is looked at
LONG_SECONDS = 240.0  # a plan from this length on has faults of up to LONGEST
SHORTEST, SHORT, LONGEST = 1.0, 6.0, 45.0  # seconds that a fault lasts
GAPS = (0.5, 3.0)  # seconds between two faults of a track
KAFKA_PAUSES = (5.0, 11.0)  # a short plan has one of these: the broker wakes when it has just been given up


@dataclass(frozen=True, slots=True)
class Fault:
    """`kill`: SIGKILL, and away for `seconds`. `pause`: SIGSTOP for `seconds`. `term`: SIGTERM, and started again once it has ended.
    `cut`: every connection to MySQL is ended."""

    at: float
    kind: str
    target: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Round:
    number: int
    seconds: float
    faults: tuple[Fault, ...]


Drawn = tuple[str, str, float, float]  # kind, target, seconds, gap before


def plan(seed: int, seconds: float) -> list[Round]:
    count = max(1, round(seconds / ROUND_SECONDS))
    return [_round(seed, number, seconds / count, long=seconds >= LONG_SECONDS) for number in range(1, count + 1)]


def _round(seed: int, number: int, seconds: float, *, long: bool) -> Round:
    draw = random.Random(f"{seed}/{number}")
    tracks = [_track(draw, deck, seconds, long=long) for deck in (ENGINE_FAULTS, ROLE_FAULTS, *([ROLE_FAULTS] if long else []))]
    faults = sorted((fault for track in tracks for fault in track), key=lambda fault: fault.at)
    return Round(number, seconds, tuple(_apart(faults)))


def _track(draw: random.Random, deck: Sequence[tuple[str, str]], seconds: float, *, long: bool) -> list[Fault]:
    drawn = [_fault(draw, kind, target, long=long) for kind, target in draw.sample(deck, len(deck))]
    needed = sum(length + gap for _, _, length, gap in drawn)
    return list(_placed(drawn, seconds, 1.0 if long else min(1.0, seconds / needed)))


def _fault(draw: random.Random, kind: str, target: str, *, long: bool) -> Drawn:
    seconds = math.exp(draw.uniform(math.log(SHORTEST), math.log(LONGEST if long else SHORT)))
    if (kind, target) == ("pause", "kafka") and not long:
        seconds = draw.uniform(*KAFKA_PAUSES)
    if target in STAGES:
        target = f"{target}-{draw.randint(1, STAGES[target])}"
    return kind, target, 0.0 if kind in ("term", "cut") else seconds, draw.uniform(*GAPS)


def _placed(drawn: Sequence[Drawn], seconds: float, scale: float) -> Iterator[Fault]:
    """One after the other. Where time is short, gaps and lengths shrink; Kafka's pause does not, since its length is what matters."""
    at = 0.0
    for kind, target, length, gap in drawn:
        lasts = length if (kind, target) == ("pause", "kafka") else max(min(length, SHORTEST), length * scale)
        at += gap * scale
        if at + lasts > seconds and scale == 1.0:
            return
        yield Fault(round(at, 3), kind, target, round(lasts, 3))
        at += lasts


def _apart(faults: Sequence[Fault]) -> Iterator[Fault]:
    """Without those that would befall what another fault holds already."""
    free: dict[str, float] = {}
    for fault in faults:
        if fault.at >= free.get(fault.target, 0.0):
            free[fault.target] = fault.at + fault.seconds
            yield fault
