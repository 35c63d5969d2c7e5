"""An agent's memory blocks, by label; and the agents of a block."""

from typing import Annotated

from fastapi import APIRouter, Response

from perdure.agents import links
from perdure.agents.blocks import block_labelled, change_block
from perdure.agents.filters import AgentFilters, AskedSince, Included, list_agents
from perdure.agents.pages import blocks_page
from perdure.agents.parts import parts_of
from perdure.agents.schemas.agent import AgentState, Memory
from perdure.agents.state import read_state, states_of
from perdure.db import Db
from perdure.kit.ids import AgentId, BlockId
from perdure.kit.paging import Page, page_query
from perdure.memory import store as memory
from perdure.memory.expected import Expected, tagged
from perdure.memory.schemas import Block, UpdateBlock, wire_block
from perdure.providers.catalog import CurrentModels
from perdure.tenancy.actor import CurrentActor

router = APIRouter(tags=["agents"])
CORE = "/v1/agents/{agent_id}/core-memory"


@router.get(CORE)
async def core_memory(agent_id: AgentId, db: Db, actor: CurrentActor) -> Memory:
    """All blocks of an agent, in the order they were attached."""
    found = await db.read(parts_of, actor, agent_id, ("agent.blocks",))
    kind = found.agent.agent_type
    return Memory(agent_type=kind, blocks=[wire_block(block) for block in found.blocks])  # type: ignore[arg-type]


@router.get(CORE + "/blocks")
async def list_blocks(
    agent_id: AgentId,
    page: Annotated[Page, page_query(limit=100, order="desc")],
    db: Db,
    actor: CurrentActor,
) -> list[Block]:
    """A page of an agent's blocks, by when they were attached."""
    return [wire_block(block) for block in await db.read(blocks_page, actor, agent_id, page)]


@router.get(CORE + "/blocks/{block_label:path}")
async def retrieve_block(
    agent_id: AgentId, block_label: str, db: Db, actor: CurrentActor, response: Response
) -> Block:
    """An agent's block of this label; its `ETag` can be the `If-Match` of a change."""
    return tagged(response, wire_block(await db.read(block_labelled, actor, agent_id, block_label)))


@router.patch(CORE + "/blocks/attach/{block_id}")
async def attach_block(
    agent_id: AgentId, block_id: BlockId, db: Db, actor: CurrentActor, models: CurrentModels
) -> AgentState:
    """Attach a block; nothing changes if it is attached already."""
    await db.write(links.attach_block, actor, agent_id, block_id)
    return await read_state(db, models, actor, agent_id)


@router.patch(CORE + "/blocks/detach/{block_id}")
async def detach_block(
    agent_id: AgentId, block_id: BlockId, db: Db, actor: CurrentActor, models: CurrentModels
) -> AgentState:
    """Detach a block, which stays."""
    await db.write(links.detach_block, actor, agent_id, block_id)
    return await read_state(db, models, actor, agent_id)


@router.patch(CORE + "/blocks/{block_label:path}")
async def update_block(
    *,
    agent_id: AgentId,
    block_label: str,
    body: UpdateBlock,
    db: Db,
    actor: CurrentActor,
    expected: Expected,
    response: Response,
) -> Block:
    """Change an agent's block of this label, for all agents that share it."""
    wanted = expected.of(body.expected_version)
    changed = await db.write(change_block, actor, agent_id, block_label, body, wanted)
    return tagged(response, wire_block(changed))


@router.get("/v1/blocks/{block_id}/agents", tags=["blocks"])
async def list_agents_of_block(
    *,
    block_id: BlockId,
    include: Included,
    page: Annotated[Page, page_query(limit=50, order="desc")],
    db: Db,
    actor: CurrentActor,
    models: CurrentModels,
    asked_since: AskedSince,
) -> list[AgentState]:
    """The agents a block is attached to, hidden ones too."""
    await db.read(memory.get, actor, block_id)
    filters = AgentFilters(block_id=block_id, show_hidden_agents=True)
    found = await db.read(list_agents, actor, filters, page, include)
    return await states_of(models, actor, found, asked_since)
