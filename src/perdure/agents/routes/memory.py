"""An agent's memory as it was."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from perdure.agents.conversations.place import ConversationId
from perdure.agents.past import memory_at
from perdure.db import Db
from perdure.kit.clock import WIRE_TIME, Moment, now
from perdure.kit.ids import AgentId
from perdure.memory.schemas import Block, wire_block
from perdure.tenancy.actor import CurrentActor

router = APIRouter(tags=["agents"])


class MemoryAsOf(BaseModel):
    """What an agent had in its memory at a time."""

    agent_id: str
    as_of: Annotated[datetime, WIRE_TIME]
    blocks: list[Block]


@router.get("/v1/agents/{agent_id}/memory")
async def memory_as_of(
    agent_id: AgentId,
    db: Db,
    actor: CurrentActor,
    as_of: Annotated[Moment | None, Query(description="A time; by default now.")] = None,
    conversation_id: Annotated[
        ConversationId | None, Query(description="As it is in this conversation of the agent.")
    ] = None,
) -> MemoryAsOf:
    """An agent's whole memory at a time: the blocks it had then, with what they said then."""
    at = as_of or now()
    found = await db.read(memory_at, actor, agent_id, at, conversation_id)
    return MemoryAsOf(agent_id=agent_id, as_of=at, blocks=[wire_block(block) for block in found])
