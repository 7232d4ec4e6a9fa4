"""Where calendar intervals begin in a time zone, by counting on the wall's clock."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from twofold.index.search import Interval
from twofold.kinds.datetimes import timestamp

_MINUTE = timedelta(minutes=1)


def beginning(value: str, interval: Interval, zone: str) -> str:
    """The beginning of the interval in which a date or a timestamp lies, in the form that it has. A date knows no zone and no hour."""
    if len(value) == len("2026-01-31"):
        return _first(date.fromisoformat(value), interval).isoformat()
    moment = datetime.fromisoformat(value)
    if interval == "hour":
        return timestamp(_hour(moment, ZoneInfo(zone)))
    local = moment.astimezone(ZoneInfo(zone))
    return timestamp(_midnight(_first(local.date(), interval), ZoneInfo(zone)))


def _first(day: date, interval: Interval) -> date:
    if interval == "week":
        return day - timedelta(days=day.weekday())
    month = {"year": 1, "quarter": (day.month - 1) // 3 * 3 + 1}.get(interval, day.month)
    return day if interval in ("day", "hour") else day.replace(month=month, day=1)


def _hour(moment: datetime, zone: ZoneInfo) -> datetime:
    """The last moment at which the clock showed a full hour. Where it is set back, that may be the same hour again."""
    local = moment.astimezone(zone)
    moment -= timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
    while moment.astimezone(zone).minute:  # it was set in between, by a part of an hour
        moment -= _MINUTE
    return moment


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    """The first moment of the day in the zone, which is later than midnight where the clock is set forward then."""
    moment = datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
    while moment.astimezone(zone).date() < day:
        moment += _MINUTE
    return moment
