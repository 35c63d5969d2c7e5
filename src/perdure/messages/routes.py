"""Routes: search what was said."""

from fastapi import APIRouter

from perdure.db import Db
from perdure.messages.search import search, words_of
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
RRF = 60  # the usual constant of reciprocal rank fusion


@router.post("/messages/search")
async def search_all_messages(body: SearchAllMessagesRequest, db: Db, actor: CurrentActor) -> list[Found]:
    """What was said by people and agents, the best matches first."""
    found = await db.read(search, actor, body.wanted(SPOKEN))
    words = words_of(body.query)
    return [item for row in found for item in shown(row, words)][: body.limit]


@router.post("/agents/messages/search")
async def search_messages(
    body: MessageSearchRequest, db: Db, actor: CurrentActor
) -> list[MessageSearchResult]:
    """Stored messages of any role, the best matches first, with their ranks."""
    found = await db.read(search, actor, body.wanted(tuple(body.roles or SPOKEN)))
    return [
        MessageSearchResult(
            embedded_text=searchable(row.parts),
            message=stored(row),
            fts_rank=rank,
            rrf_score=1 / (RRF + rank),
        )
        for rank, row in enumerate(found, 1)
    ]
