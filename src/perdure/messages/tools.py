"""Built-in tools over what was said."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select

from perdure.kit.clock import now
from perdure.messages.store import in_thread
from perdure.messages.tables import messages
from perdure.tenancy.actor import is_owned
from perdure.tools.base import ToolContext, ToolFailed, tool

DAY = re.compile(r"\d{4}-\d{2}-\d{2}$")
SHOWN = 500


@tool("letta_core", parallel=True)
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
    wanted = tuple(roles or ("assistant", "user"))
    found = await ctx.db.read(_search, ctx, query or "", wanted, max(1, limit), first, last)
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


def _search(
    conn: Connection,
    ctx: ToolContext,
    query: str,
    roles: tuple[str, ...],
    limit: int,
    first: datetime | None,
    last: datetime | None,
) -> list[Any]:
    """Messages with any of the words, those with the most of them first, then the latest."""
    words = list(dict.fromkeys(re.findall(r"\w+", query.lower())))
    matches = [_contains(word) for word in words]
    scope = [
        is_owned(messages, ctx.actor),
        in_thread(ctx.thread_id),
        messages.c.role.in_(roles),
        messages.c.text != "",
        or_(messages.c.run_id.is_(None), messages.c.run_id != ctx.run_id),
    ]
    if first:
        scope.append(messages.c.created_at >= first)
    if last:
        scope.append(messages.c.created_at < last)
    found = select(messages).where(and_(*scope), or_(*matches) if matches else and_(True))
    rows = conn.execute(found.order_by(messages.c.created_at.desc()).limit(SHOWN)).all()
    ranked = sorted(rows, key=lambda row: -sum(word in row.text.lower() for word in words))
    return list(ranked[:limit])


def _contains(word: str) -> ColumnElement[bool]:
    """Messages with a word in any case; databases know the cases of ASCII letters only."""
    spellings = {word} if word.isascii() else {word, word.capitalize(), word.upper()}
    lowered = func.lower(messages.c.text)
    return or_(
        *(lowered.contains(word, autoescape=True) for word in {_ascii_lower(each) for each in spellings})
    )


def _ascii_lower(word: str) -> str:
    return "".join(letter.lower() if letter.isascii() else letter for letter in word)


def _shown(row: Any, ctx: ToolContext) -> dict[str, Any]:
    at: datetime = row.created_at.astimezone(ZoneInfo(ctx.timezone))
    return {
        "timestamp": at.isoformat(timespec="seconds"),
        "time_ago": ago(now() - row.created_at),
        "role": row.role,
        "content": row.text,
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
