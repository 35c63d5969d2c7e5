"""Time: UTC with microseconds, and its spelling on the wire."""

import time
from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, PlainSerializer


def now() -> datetime:
    """The present, in UTC."""
    return datetime.now(UTC)


def iso(moment: datetime) -> str:
    """`2026-11-23T15:18:35.123456Z`, the spelling of every timestamp but a message's date."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def monotonic_ns() -> int:
    """Nanoseconds for measuring durations."""
    return time.perf_counter_ns()


def in_utc(moment: datetime) -> datetime:
    """A time in UTC, which one without a zone is taken to be in; `ValueError` where that has no year."""
    try:
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except OverflowError as error:
        raise ValueError(f"{moment.isoformat()} is before or after all times that can be kept.") from error


Moment = Annotated[datetime, AfterValidator(in_utc)]  # a time as callers write it
WIRE_TIME = PlainSerializer(iso, return_type=str, when_used="json")
