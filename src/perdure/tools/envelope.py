"""How a model sees what a tool returned; the wire shows the text alone. Pure."""

import json
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


def envelope(text: str, status: str, at: datetime, timezone: str) -> str:
    """A return's text as JSON with its status and time."""
    word = "OK" if status == "success" else "Failed"
    return json.dumps({"status": word, "message": text, "time": spelled(at, timezone)}, ensure_ascii=False)


def spelled(at: datetime, timezone: str) -> str:
    """A moment as models are told it: `2026-11-23 03:18:35 PM UTC+0000`; UTC where the zone is unknown."""
    try:
        zone = ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError):
        zone = UTC
    return at.astimezone(zone).strftime("%Y-%m-%d %I:%M:%S %p %Z%z")
