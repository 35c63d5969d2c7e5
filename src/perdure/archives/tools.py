"""Built-in tools over archival memory. Their docstrings are what models read."""

from typing import Any, Literal

from perdure.archives.archives import Archives
from perdure.archives.search_schemas import memory
from perdure.passages.store import NewPassage, PassageFilter, Provenance
from perdure.tools.base import ToolContext, ToolFailed, tool
from perdure.tools.dates import end_of, moment

MOST = 50


@tool("letta_core")
async def archival_memory_insert(
    archives: Archives, ctx: ToolContext, content: str, tags: list[str] | None = None
) -> None:
    """Keep something for good that need not be in view: it is found again by searching archival memory.

    Write each memory so that it can be understood by itself, with names and dates, one fact or event at a
    time.

    Args:
        content: What to keep, in words that you would look for later.
        tags: A few words to sort it by, such as ["project", "decision"]. Use the same ones again.

    Examples:
        archival_memory_insert(content="Ada moved from Oslo to Lisbon in May 2026.", tags=["ada", "home"])
    """
    if not content.strip():
        raise ToolFailed("content: there is nothing in it to keep.")
    await archives.remember(ctx.actor, ctx.agent_id, [NewPassage(content, tags or ())], written_by(ctx))


@tool("letta_core", parallel=True, repeatable=True)
async def archival_memory_search(
    archives: Archives,
    ctx: ToolContext,
    query: str,
    tags: list[str] | None = None,
    tag_match_mode: Literal["any", "all"] = "any",
    top_k: int = 5,
    start_datetime: str | None = None,
    end_datetime: str | None = None,
) -> Any:
    """Search archival memory: what you have kept there, and what you were given to know.

    Args:
        query: What to look for, in plain words; it is found by its words and by its meaning.
        tags: Only memories with these tags.
        tag_match_mode: Whether any of the tags is enough, or all must be there.
        top_k: How many results at the most.
        start_datetime: Only memories from this day or time on, such as 2026-03-31 or 2026-03-31T14:00.
        end_datetime: Only memories up to this day (the whole of it) or time.

    Examples:
        archival_memory_search(query="where does Ada live", tags=["home"])
    """
    wanted = PassageFilter(
        tags=tags or (),
        match_all_tags=tag_match_mode == "all",
        start=moment("start_datetime", start_datetime, ctx.timezone),
        end=end_of("end_datetime", end_datetime, ctx.timezone),
    )
    limit = max(1, min(top_k, MOST))
    found = await archives.recall(ctx.actor, ctx.agent_id, query, wanted, limit)
    return [memory(each, ctx.timezone).model_dump(exclude={"relevance"}) for each in found]


def written_by(ctx: ToolContext) -> Provenance:
    """Where a tool's call stands in its agent's history."""
    return Provenance(ctx.agent_id, ctx.run_id or None, ctx.step_id or None, ctx.message_id or None)


TOOLS = (archival_memory_insert, archival_memory_search)
