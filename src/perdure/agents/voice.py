"""The built-in tool by which the agent behind a voice keeps what was said, from numbered lines."""

import re
from collections.abc import Mapping

from sqlalchemy import Connection

from perdure.agents.groups import store as groups
from perdure.agents.schemas.voice import MemoryChunk
from perdure.archives.archives import Archives
from perdure.archives.tools import written_by
from perdure.content.parts import text_of
from perdure.messages import store as messages
from perdure.passages.store import NewPassage
from perdure.tools.base import ToolContext, ToolFailed, tool

NUMBERED = re.compile(r"\s*\[?(?:line\s+)?(\d{1,6})\]?\s*[:.)\]|-]?\s+(.*)", re.IGNORECASE)
LOOKED_BACK = 50


@tool("letta_voice_sleeptime_core")
async def store_memories(archives: Archives, ctx: ToolContext, chunks: list[MemoryChunk]) -> str:
    """Keep lines of the conversation that you were given, before they leave its view.

    Each group of lines is kept together with the sentence on what it is about, and found again by both.

    Args:
        chunks: The groups of lines to keep.

    Examples:
        store_memories(chunks=[{"start_index": 3, "end_index": 7, "context": "Ada plans a trip to Kyoto."}])
    """
    lines = numbered_lines(await ctx.db.read(_given, ctx.thread_id))
    items = [NewPassage(_text_of(chunk, lines)) for chunk in chunks]
    if not items:
        raise ToolFailed("chunks: there is nothing in it to keep.")
    agent_id = await ctx.db.read(_looked_after, ctx.agent_id)
    await archives.remember(ctx.actor, agent_id, items, written_by(ctx))
    return f"Kept {len(items)} {'memories' if len(items) > 1 else 'memory'}."


def numbered_lines(text: str) -> Mapping[int, str]:
    """The lines of a text that begin with numbers, by these; others belong to the line before."""
    lines: dict[int, str] = {}
    number: int | None = None
    for line in text.splitlines():
        if found := NUMBERED.fullmatch(line):
            number = int(found[1])
            lines[number] = found[2]
        elif number is not None and line.strip():
            lines[number] += f"\n{line.strip()}"
    return lines


def _text_of(chunk: MemoryChunk, lines: Mapping[int, str]) -> str:
    first, last = chunk["start_index"], chunk["end_index"]
    kept = [text for number, text in sorted(lines.items()) if first <= number <= last]
    if not kept:
        known = f"they go from {min(lines)} to {max(lines)}" if lines else "it has no numbered lines"
        raise ToolFailed(f"chunks: no lines from {first} to {last} are in what you were given; {known}.")
    return "\n".join((chunk["context"], *kept))


def _looked_after(conn: Connection, agent_id: str) -> str:
    """Whose memory it is: that of the agent which this one looks after, else its own."""
    group = groups.helped_by(conn, agent_id)
    return group.manager_agent_id if group else agent_id


def _given(conn: Connection, thread_id: str) -> str:
    """The latest that the agent was told by a user."""
    latest = reversed(messages.context_end(conn, thread_id, LOOKED_BACK))
    return next((text_of(row.parts) for row in latest if row.role == "user"), "")


TOOLS = (store_memories,)
