"""Time: UTC with microseconds, and its spelling on the wire."""

import time
from datetime import UTC, datetime

from pydantic import PlainSerializer


def now() -> datetime:
    """The present, in UTC."""
    return datetime.now(UTC)


def iso(moment: datetime) -> str:
    """`2026-11-23T15:18:35.123456Z`, the spelling of every timestamp but a message's date."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def monotonic_ns() -> int:
    """Nanoseconds for measuring durations."""
    return time.perf_counter_ns()


WIRE_TIME = PlainSerializer(iso, return_type=str, when_used="json")
