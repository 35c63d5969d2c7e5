"""Create, read, change, delete, list and count agents."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Query

from perdure.agents import secrets, store
from perdure.agents.create import plan_agent
from perdure.agents.delete import delete_agent
from perdure.agents.filters import AskedSince, Filters, Included, count_agents, list_agents
from perdure.agents.schemas.agent import AgentState, Message
from perdure.agents.schemas.create import CreateAgent
from perdure.agents.schemas.update import UpdateAgent
from perdure.agents.secrets import SealedSecret
from perdure.agents.sleeptime import store_with_helper
from perdure.agents.state import read_state, states_of
from perdure.agents.update import apply_update, plan_change
from perdure.db import Db
from perdure.kit.ids import AgentId
from perdure.kit.paging import Page, page_query
from perdure.providers.catalog import CurrentModels, Models
from perdure.tenancy.actor import Actor, CurrentActor
from perdure.tenancy.run_tokens import WIDENING, check_fields

router = APIRouter(prefix="/v1/agents", tags=["agents"])


@router.get("/count")
async def count(filters: Filters, db: Db, actor: CurrentActor) -> int:
    """How many agents there are, of those the filters leave."""
    return await db.read(count_agents, actor, filters)


@router.get("/")
async def list_all(
    *,
    filters: Filters,
    include: Included,
    page: Annotated[Page, page_query(limit=50, order="desc")],
    db: Db,
    actor: CurrentActor,
    models: CurrentModels,
    asked_since: AskedSince,
    ascending: Annotated[bool, Query(json_schema_extra={"deprecated": True})] = False,
    sort_by: Annotated[str | None, Query(json_schema_extra={"deprecated": True})] = None,
) -> list[AgentState]:
    """A page of agents, newest first unless asked otherwise; relations only where included."""
    page = replace(page, order="asc" if ascending else page.order, order_by=page.order_by or sort_by)
    found = await db.read(list_agents, actor, filters, page, include)
    return await states_of(models, actor, found, asked_since)


@router.post("/")
async def create(body: CreateAgent, db: Db, actor: CurrentActor, models: CurrentModels) -> AgentState:
    """Create an agent. Nothing is stored unless all of it can be."""
    check_fields(actor, [name for name in WIDENING if getattr(body, name)])
    sealed = await _seal(models, actor, body.secrets)
    new = await plan_agent(models, actor, body, sealed)
    agent = await db.write(store_with_helper, actor, new)
    return await read_state(db, models, actor, agent.id)


@router.get("/{agent_id}")
async def retrieve(
    agent_id: AgentId,
    include: Included,
    db: Db,
    actor: CurrentActor,
    models: CurrentModels,
    asked_since: AskedSince,
) -> AgentState:
    """An agent; relations only where included."""
    return await read_state(db, models, actor, agent_id, include, asked_since)


@router.patch("/{agent_id}")
async def update(
    agent_id: AgentId, body: UpdateAgent, db: Db, actor: CurrentActor, models: CurrentModels
) -> AgentState:
    """Change the named fields of an agent. Lists replace, model settings merge, null clears."""
    check_fields(actor, body.model_fields_set)
    sealed = await _seal(models, actor, body.secrets)
    agent = await db.read(store.get, actor, agent_id)
    change = await plan_change(models, actor, body, sealed, agent.model)
    await db.write(apply_update, actor, agent_id, change)
    return await read_state(db, models, actor, agent_id)


@router.delete("/{agent_id}")
async def delete(agent_id: AgentId, db: Db, actor: CurrentActor) -> Message:
    """Delete an agent with its messages and runs; its blocks, tools and archives stay."""
    left = await db.write(delete_agent, actor, agent_id)
    kept = f" What it remembered stays in {', '.join(left)}, which no other agent has." if left else ""
    return Message(message=f"Agent {agent_id} was deleted.{kept}")


async def _seal(models: Models, actor: Actor, given: Mapping[str, str] | None) -> list[SealedSecret]:
    """The first use of the cipher loads it: off the event loop."""
    return await asyncio.to_thread(secrets.seal, models.keyring, actor, given) if given else []
