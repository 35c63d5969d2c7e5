"""An agent's tools: list, attach, detach, and whether calls wait for approval."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from perdure.agents import links
from perdure.agents.pages import tools_page
from perdure.agents.schemas.agent import AgentState
from perdure.agents.state import read_state
from perdure.db import Db
from perdure.kit.errors import Unprocessable
from perdure.kit.ids import AgentId, ToolId
from perdure.kit.paging import Page, page_query
from perdure.providers.catalog import CurrentModels
from perdure.tenancy.actor import CurrentActor
from perdure.tools.schemas import Tool, tool_of

router = APIRouter(prefix="/v1/agents/{agent_id}/tools", tags=["agents"])


class Approval(BaseModel):
    """Whether calls of a tool wait for approval."""

    requires_approval: bool | None = None


@router.get("")
async def list_tools(
    agent_id: AgentId,
    page: Annotated[Page, page_query(limit=10, order="desc")],
    db: Db,
    actor: CurrentActor,
) -> list[Tool]:
    """A page of an agent's tools, by when they were attached."""
    return [tool_of(tool) for tool in await db.read(tools_page, actor, agent_id, page)]


@router.patch("/attach/{tool_id}")
async def attach_tool(
    agent_id: AgentId, tool_id: ToolId, db: Db, actor: CurrentActor, models: CurrentModels
) -> AgentState:
    """Attach a tool; nothing changes if it is attached already."""
    await db.write(links.attach_tool, actor, agent_id, tool_id)
    return await read_state(db, models, actor, agent_id)


@router.patch("/detach/{tool_id}")
async def detach_tool(
    agent_id: AgentId, tool_id: ToolId, db: Db, actor: CurrentActor, models: CurrentModels
) -> AgentState:
    """Detach a tool; nothing changes if it was not attached."""
    await db.write(links.detach_tool, actor, agent_id, tool_id)
    return await read_state(db, models, actor, agent_id)


@router.patch("/approval/{tool_name}")
async def update_approval(
    *,
    agent_id: AgentId,
    tool_name: str,
    db: Db,
    actor: CurrentActor,
    models: CurrentModels,
    body: Approval | None = None,
    requires_approval: Annotated[bool | None, Query(json_schema_extra={"deprecated": True})] = None,
) -> AgentState:
    """Say whether the agent's calls of a tool wait for approval; by the body, else by the query."""
    asked = body.requires_approval if body else None
    required = requires_approval if asked is None else asked
    if required is None:
        raise Unprocessable("requires_approval: say true or false in the body.")
    await db.write(links.set_approval, actor, agent_id, tool_name, required)
    return await read_state(db, models, actor, agent_id)
