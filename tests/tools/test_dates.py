"""Days and times as models write them."""

import contextlib
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.tools.base import ToolFailed
from perdure.tools.dates import end_of, moment

ZONES = ("UTC", "Asia/Tokyo", "America/New_York", "Europe/Lisbon", "Pacific/Kiritimati")


@pytest.mark.parametrize(
    ("said", "zone", "meant"),
    [
        ("2026-03-31", "UTC", "2026-03-31T00:00:00+00:00"),
        ("2026-03-31", "Asia/Tokyo", "2026-03-30T15:00:00+00:00"),
        ("2026-03-31T14:00", "Asia/Tokyo", "2026-03-31T05:00:00+00:00"),
        ("2026-03-31T14:00:00Z", "Asia/Tokyo", "2026-03-31T14:00:00+00:00"),
        ("2026-03-31T14:00:00-05:00", "UTC", "2026-03-31T19:00:00+00:00"),
    ],
)
def test_a_time_is_in_the_agents_zone_unless_it_says_another(said: str, zone: str, meant: str) -> None:
    assert moment("x", said, zone) == datetime.fromisoformat(meant)


def test_the_end_of_a_day_is_its_last_moment_in_the_zone() -> None:
    last = end_of("x", "2026-03-31", "Asia/Tokyo")
    assert last == datetime(2026, 3, 31, 14, 59, 59, 999_999, tzinfo=UTC)
    # On that day clocks in New York were set back: it had 25 hours.
    first, last = (read("x", "2026-11-01", "America/New_York") for read in (moment, end_of))
    assert first
    assert last
    assert last - first == timedelta(hours=25, microseconds=-1)
    assert end_of("x", "2026-03-31T14:00", "UTC") == datetime(2026, 3, 31, 14, tzinfo=UTC)
    assert end_of("x", None, "UTC") is None


@given(st.text() | st.dates().map(str) | st.datetimes().map(str), st.sampled_from(ZONES))
def test_anything_is_a_time_or_refused(said: str, zone: str) -> None:
    for read in (moment, end_of):
        with contextlib.suppress(ToolFailed):
            found = read("field", said, zone)
            assert found is None or found.utcoffset() == timedelta(0)


@pytest.mark.parametrize("said", ["yesterday", "2026-13-01", "0001-01-01", "-1"])
def test_what_is_no_time_is_named(said: str) -> None:
    with pytest.raises(ToolFailed, match=r"^start: "):
        moment("start", said, "Asia/Tokyo")
