"""Days and times as models write them in calls."""

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from perdure.tools.base import ToolFailed

DAY = re.compile(r"\d{4}-\d{2}-\d{2}$")


def moment(field: str, value: str | None, timezone: str) -> datetime | None:
    """A day or time as an agent wrote it, in its own time zone unless it says another."""
    if not value:
        return None
    try:
        read = datetime.fromisoformat(value)
    except ValueError as error:
        raise ToolFailed(f"{field}: `{value}` is no date such as 2026-03-31 or 2026-03-31T14:00.") from error
    return in_zone(read, timezone)


def end_of(field: str, value: str | None, timezone: str) -> datetime | None:
    """The same for the end of a span: of a day the last moment."""
    last = moment(field, value, timezone)
    if last is None or not DAY.match(value or ""):
        return last
    next_day = last.astimezone(ZoneInfo(timezone)) + timedelta(days=1)  # the zone's day: 23 or 25 hours
    return next_day.astimezone(UTC) - timedelta(microseconds=1)


def in_zone(read: datetime, timezone: str) -> datetime:
    """A time in UTC; one that names no zone is in this one."""
    return (read if read.tzinfo else read.replace(tzinfo=ZoneInfo(timezone))).astimezone(UTC)
