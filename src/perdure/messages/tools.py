"""Built-in tools over what was said."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from perdure.kit.clock import now
from perdure.messages.search import Search, search
from perdure.messages.spoken import searchable
from perdure.messages.store import MessageRow
from perdure.tools.base import ToolContext, ToolFailed, tool

DAY = re.compile(r"\d{4}-\d{2}-\d{2}$")


@tool("letta_core", parallel=True, repeatable=True)
async def conversation_search(
    ctx: ToolContext,
    query: str | None = None,
    roles: list[Literal["assistant", "user", "tool"]] | None = None,
    limit: int = 5,
    start_date: str | None = None,
    end_date: str | None = None,
) -> Any:
    """Search everything that was said in this conversation before, also what is no longer in view.

    Args:
        query: Words to look for. Without it the latest messages in the time span are returned.
        roles: Only messages of these roles.
        limit: How many results at the most.
        start_date: Only messages from this day or time on, such as 2026-03-31 or 2026-03-31T14:00.
        end_date: Only messages up to this day (the whole of it) or time.
    """
    zone = ZoneInfo(ctx.timezone)
    first, last = _moment("start_date", start_date, zone), _moment("end_date", end_date, zone)
    if last and end_date and DAY.match(end_date):
        last = (last.astimezone(zone) + timedelta(days=1)).astimezone(UTC)  # the zone's day: 23 or 25 hours
    wanted = Search(
        query=query or "",
        roles=roles or ("assistant", "user"),
        thread_id=ctx.thread_id,
        start=first,
        end=last,
        except_run=ctx.run_id,
        limit=max(1, limit),
    )
    found = await ctx.db.read(search, ctx.actor, wanted)
    message = f"Found {len(found)} of the latest matching messages." if found else "No message matches."
    return {"message": message, "results": [_shown(row, ctx) for row in found]}


def _moment(field: str, value: str | None, zone: ZoneInfo) -> datetime | None:
    """A day or time as the agent wrote it, in its own time zone unless it says another."""
    if not value:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError as error:
        raise ToolFailed(f"{field}: `{value}` is no date such as 2026-03-31 or 2026-03-31T14:00.") from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)


def _shown(row: MessageRow, ctx: ToolContext) -> dict[str, Any]:
    at = row.created_at.astimezone(ZoneInfo(ctx.timezone))
    return {
        "timestamp": at.isoformat(timespec="seconds"),
        "time_ago": ago(now() - row.created_at),
        "role": row.role,
        "content": searchable(row.parts),
    }


def ago(span: timedelta) -> str:
    """A span of time in words: `just now`, `5 minutes ago`, `3 days ago`."""
    seconds = max(0, int(span.total_seconds()))  # clocks are set back
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        count = seconds // length
        if count:
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return "just now"


TOOLS = (conversation_search,)
