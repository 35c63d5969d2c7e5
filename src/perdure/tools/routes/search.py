"""Searching tools."""

from fastapi import APIRouter

from perdure.db import Db
from perdure.tenancy.actor import CurrentActor
from perdure.tools import store
from perdure.tools.schemas import FoundTool, SearchTools, known_types, tool_of
from perdure.tools.search import Hit, find, text_of
from perdure.tools.store import ToolFilter

router = APIRouter(prefix="/v1/tools", tags=["tools"])


@router.post("/search")
async def search_tools(body: SearchTools, db: Db, actor: CurrentActor) -> list[FoundTool]:
    """The tools that fit a query best, by its words, whatever `search_mode` says.

    `combined_score` is the usual fusion of ranks, 1 / (60 + rank). Without a query, the tools of these
    types and tags, newest first.
    """
    wanted = ToolFilter(kinds=known_types("tool_types", body.tool_types or ()), tags=tuple(body.tags or ()))
    rows = await db.read(store.all_, actor, wanted)
    hits = find(body.query, rows) if body.query else [Hit(row) for row in rows]
    return [
        FoundTool(
            tool=tool_of(hit.tool),
            embedded_text=text_of(hit.tool),
            fts_rank=hit.rank,
            combined_score=hit.score,
        )
        for hit in hits[: body.limit]
    ]
