"""Built-in tools over what was said."""

from datetime import datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from perdure.kit.clock import now
from perdure.messages.search import FoundMessage, Search, Surroundings, behind, search, surroundings
from perdure.messages.spoken import searchable
from perdure.messages.store import MessageRow
from perdure.tenancy.actor import Actor
from perdure.tools.base import ToolContext, ToolFailed, tool
from perdure.tools.dates import end_of, moment

SAID_EARLIER = 10
MOST = 100
AROUND = 200  # characters shown of what was said before and after


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
    last = end_of("end_date", end_date, ctx.timezone)
    wanted = Search(
        query=query or "",
        roles=roles or ("assistant", "user"),
        agent_id=ctx.agent_id,
        thread_id=ctx.thread_id,
        start=moment("start_date", start_date, ctx.timezone),
        end=behind(last),
        except_run=ctx.run_id,
        limit=max(1, min(limit, MOST)),
    )
    return await _told(wanted, ctx)


@tool("letta_voice_sleeptime_core", parallel=True, repeatable=True)
async def search_memory(
    ctx: ToolContext,
    convo_keyword_queries: list[str] | None = None,
    start_minutes_ago: int | None = None,
    end_minutes_ago: int | None = None,
) -> Any:
    """Look for something that was said earlier and is no longer in view, when the person asks about it.

    Args:
        convo_keyword_queries: Words and names to look for, each by itself. Without any, the latest that was
            said in the time span is returned.
        start_minutes_ago: Only what was said since so many minutes ago.
        end_minutes_ago: Only what was said before so many minutes ago.
    """
    wanted = Search(
        query=" ".join(convo_keyword_queries or ()),
        agent_id=ctx.agent_id,
        thread_id=ctx.thread_id,
        start=_ago("start_minutes_ago", start_minutes_ago),
        end=_ago("end_minutes_ago", end_minutes_ago),
        except_run=ctx.run_id,
        limit=SAID_EARLIER,
    )
    return await _told(wanted, ctx)


async def _told(wanted: Search, ctx: ToolContext) -> dict[str, Any]:
    found, near = await ctx.db.read(_with_surroundings, ctx.actor, wanted)
    message = f"Found {len(found)} matching messages." if found else "No message matches."
    return {"message": message, "results": [_shown(each.row, near, ctx) for each in found]}


def _with_surroundings(
    conn: Connection, actor: Actor, wanted: Search
) -> tuple[list[FoundMessage], Surroundings]:
    found = search(conn, actor, wanted)
    return found, surroundings(conn, actor, wanted, [each.row.id for each in found])


def _ago(field: str, minutes: int | None) -> datetime | None:
    if minutes is None:
        return None
    try:
        return now() - timedelta(minutes=minutes)
    except OverflowError as error:
        raise ToolFailed(f"{field}: {minutes} minutes is longer than time has been counted.") from error


def _shown(row: MessageRow, near: Surroundings, ctx: ToolContext) -> dict[str, Any]:
    at = row.created_at.astimezone(ZoneInfo(ctx.timezone))
    before, after = near.get(row.id, (None, None))
    around = {"said_before": _excerpt(before), "said_after": _excerpt(after)}
    return {
        "timestamp": at.isoformat(timespec="seconds"),
        "time_ago": ago(now() - row.created_at),
        "role": row.role,
        "content": searchable(row.parts),
        **{name: text for name, text in around.items() if text},
    }


def _excerpt(row: MessageRow | None) -> str:
    """Enough of a message to know what its neighbour was about."""
    if row is None:
        return ""
    words = " ".join(searchable(row.parts).split())
    return f"{row.role}: {words[:AROUND]}{'…' if len(words) > AROUND else ''}"


def ago(span: timedelta) -> str:
    """A span of time in words: `just now`, `5 minutes ago`, `3 days ago`."""
    seconds = max(0, int(span.total_seconds()))  # clocks are set back
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        count = seconds // length
        if count:
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return "just now"


TOOLS = (conversation_search, search_memory)
