"""Routes: search what was said."""

from fastapi import APIRouter

from perdure.db import Db
from perdure.db.search import lexemes
from perdure.messages.search import search
from perdure.messages.search_schemas import (
    Found,
    MessageSearchRequest,
    MessageSearchResult,
    SearchAllMessagesRequest,
    shown,
    stored,
)
from perdure.messages.spoken import searchable
from perdure.tenancy.actor import CurrentActor

router = APIRouter(prefix="/v1", tags=["messages"])

SPOKEN = ("user", "assistant", "system")


@router.post("/messages/search")
async def search_all_messages(body: SearchAllMessagesRequest, db: Db, actor: CurrentActor) -> list[Found]:
    """What was said by people and agents, the best matches first."""
    found = await db.read(search, actor, body.wanted(SPOKEN))
    words = frozenset(lexemes(body.query))
    return [item for each in found for item in shown(each.row, words)][: body.limit]


@router.post("/agents/messages/search")
async def search_messages(
    body: MessageSearchRequest, db: Db, actor: CurrentActor
) -> list[MessageSearchResult]:
    """Stored messages of any role, the best matches first, with their ranks."""
    found = await db.read(search, actor, body.wanted(tuple(body.roles or SPOKEN)))
    return [
        MessageSearchResult(
            embedded_text=searchable(each.row.parts),
            message=stored(each.row),
            fts_rank=each.hit.lexical_rank if each.hit else None,
            vector_rank=each.hit.vector_rank if each.hit else None,
            rrf_score=each.hit.score if each.hit else 0.0,
        )
        for each in found
    ]
