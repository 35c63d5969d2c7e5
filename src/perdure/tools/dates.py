"""Days and times as models write them in calls."""

import re
from datetime import UTC, datetime
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
    return in_zone(field, read, timezone)


def end_of(field: str, value: str | None, timezone: str) -> datetime | None:
    """The same for the end of a span: of a day the last moment."""
    last = moment(field, value, timezone)
    if last is None or not DAY.match(value or ""):
        return last
    begun = last.astimezone(ZoneInfo(timezone))
    end = begun.replace(hour=23, minute=59, second=59, microsecond=999_999, fold=1)  # the zone's day
    return in_zone(field, end, timezone)


def in_zone(field: str, read: datetime, timezone: str) -> datetime:
    """A time in UTC; one that names no zone is in this one."""
    try:
        return (read if read.tzinfo else read.replace(tzinfo=ZoneInfo(timezone))).astimezone(UTC)
    except OverflowError as error:
        said = read.isoformat()
        raise ToolFailed(f"{field}: {said} is before or after all times that can be kept.") from error
