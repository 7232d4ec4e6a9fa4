"""Where calendar intervals begin: in UTC and of dates by SQL, in other time zones by a function of SQL in Python, which costs more."""

from __future__ import annotations

import sqlite3
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from twofold.index.search import Dates
from twofold.index.sqlite_text import Statement
from twofold.kinds import Form
from twofold.kinds.datetimes import timestamp

# The first day of the interval around `value`, whose text begins with a date.
_FIRST_DAYS = {
    "year": "substr(value, 1, 4) || '-01-01'",
    "quarter": "substr(value, 1, 5) || substr('010101040404070707101010', 2 * substr(value, 6, 2) - 1, 2) || '-01'",
    "month": "substr(value, 1, 7) || '-01'",
    "week": "date(substr(value, 1, 10), '-6 days', 'weekday 1')",
    "day": "substr(value, 1, 10)",
}


def register(connection: sqlite3.Connection) -> None:
    connection.create_function("beginning", 3, beginning, deterministic=True)


def beginning_of(facet: Dates, form: Form) -> Statement:
    """The beginning of the interval around `value` as an expression, and its parameters."""
    if form == "date":  # which is the same everywhere
        return _FIRST_DAYS[facet.interval], []
    if facet.time_zone != "UTC":
        return "beginning(value, ?, ?)", [facet.interval, facet.time_zone]
    if facet.interval == "hour":
        return "substr(value, 1, 13) || ':00:00.000Z'", []
    return f"{_FIRST_DAYS[facet.interval]} || 'T00:00:00.000Z'", []


def beginning(value: str | None, interval: str, time_zone: str) -> str | None:
    """Where the interval around a timestamp begins, as a timestamp; both in UTC."""
    if value is None:
        return None
    return _of_whole_hour(value[:13], interval, time_zone) or _exactly(value, interval, time_zone)


@lru_cache(maxsize=65_536)
def _of_whole_hour(hour: str, interval: str, time_zone: str) -> str | None:
    """Where all instants of an hour lie in one interval, its beginning: their clocks ran on, and the interval of both ends is one."""
    first, last = f"{hour}:00:00.000Z", f"{hour}:59:59.999Z"
    offsets = {datetime.fromisoformat(end).astimezone(ZoneInfo(time_zone)).utcoffset() for end in (first, last)}
    beginnings = {_exactly(end, interval, time_zone) for end in (first, last)}
    return beginnings.pop() if len(offsets) == len(beginnings) == 1 else None


def _exactly(value: str, interval: str, time_zone: str) -> str:
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
