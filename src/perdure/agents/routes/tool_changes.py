"""`PATCH` and `DELETE` of `/v1/tools/{tool_id}`: what they change is also in the rules of agents."""

from fastapi import APIRouter

from perdure.agents.tool_changes import change_tool, delete_tool
from perdure.db import Db
from perdure.kit.ids import ToolId
from perdure.tenancy.actor import CurrentActor
from perdure.tools import store
from perdure.tools.define import changes_of
from perdure.tools.derive.parse import aside
from perdure.tools.schemas import Tool, UpdateTool, tool_of

router = APIRouter(prefix="/v1/tools", tags=["tools"])


@router.patch("/{tool_id}")
async def modify_tool(tool_id: ToolId, body: UpdateTool, db: Db, actor: CurrentActor) -> Tool:
    """Change a tool for all agents that have it. A new source has its schema read anew."""
    row = await db.read(store.get, actor, tool_id)
    values = await aside(body.source_code or row.source_code, changes_of, row, body)
    return tool_of(await db.write(change_tool, actor, tool_id, values))


@router.delete("/{tool_id}")
async def remove_tool(tool_id: ToolId, db: Db, actor: CurrentActor) -> None:
    """Delete a tool; no agent has it any longer."""
    await db.write(delete_tool, actor, tool_id)
