"""Calendar intervals in a time zone, as a function of SQL."""

from __future__ import annotations

import sqlite3
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from twofold.fields import timestamp


def register(connection: sqlite3.Connection) -> None:
    connection.create_function("beginning", 3, beginning, deterministic=True)


def beginning(value: str | None, interval: str, time_zone: str) -> str | None:
    """Where the interval around a date, or around a timestamp in UTC, begins: a value of the same kind."""
    if value is None:
        return None
    if len(value) == len("2026-01-02"):  # a date is the same everywhere
        return _first_day(date.fromisoformat(value), interval).isoformat()
    local = datetime.fromisoformat(value).astimezone(ZoneInfo(time_zone))
    if interval == "hour":
        return _hour(local)
    return _midnight(_first_day(local.date(), interval), time_zone)


def _hour(local: datetime) -> str:
    """The last instant at which clocks showed a full hour: the one before, where they were put forward over that by a part of an hour."""
    hour = local.replace(minute=0, second=0, microsecond=0)
    if hour.astimezone(UTC).astimezone(hour.tzinfo).minute == 0:
        return timestamp(hour)
    return _hour(hour.replace(fold=1).astimezone(UTC).astimezone(hour.tzinfo))


def _first_day(day: date, interval: str) -> date:
    match interval:
        case "year":
            return day.replace(month=1, day=1)
        case "quarter":
            return day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1)
        case "month":
            return day.replace(day=1)
        case "week":
            return day - timedelta(days=day.weekday())
    return day


@lru_cache(maxsize=65_536)
def _midnight(day: date, time_zone: str) -> str:
    """The first instant of the day. It is not 00:00 where clocks are put forward over that."""
    zone = ZoneInfo(time_zone)
    midnight = datetime.combine(day, time(), zone)
    first = midnight.astimezone(UTC)
    if first.astimezone(zone).replace(tzinfo=None) != midnight.replace(tzinfo=None):
        first = _transition(midnight.replace(fold=1).astimezone(UTC), first, zone)
    return timestamp(first)


def _transition(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """The first second with the zone's offset of `after`, halving what lies between."""
    offset = after.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=(after - before) // timedelta(seconds=2))
        before, after = (before, middle) if middle.astimezone(zone).utcoffset() == offset else (middle, after)
    return after
