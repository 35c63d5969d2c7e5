"""`/v1/mcp-servers`: servers of the Model Context Protocol and their tools."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse

from perdure.db import Db
from perdure.kit.ids import AgentId
from perdure.mcp import edit, registered, store
from perdure.mcp.calls import run_tool
from perdure.mcp.connect import Attempt
from perdure.mcp.schemas import Changes, Server, ServerCreate, ServerUpdate
from perdure.mcp.servers import CurrentServers, Servers
from perdure.tenancy.actor import CurrentActor
from perdure.tools.execution_schemas import ToolExecuteRequest, ToolExecutionResult
from perdure.tools.schemas import Tool, tool_of

router = APIRouter(prefix="/v1/mcp-servers", tags=["mcp-servers"])
CALLBACK = "/v1/tools/mcp/oauth/callback"
OfAgent = Annotated[
    AgentId | None, Query(description="The agent whose secrets fill in the places of `{{ NAME }}`.")
]


@router.get("/")
async def list_mcp_servers(db: Db, servers: CurrentServers, actor: CurrentActor) -> list[Server]:
    """The organization's servers."""
    return [edit.on_wire(servers, row) for row in await db.read(store.all_of, actor)]


@router.post("/")
async def create_mcp_server(servers: CurrentServers, actor: CurrentActor, body: ServerCreate) -> Server:
    """Add a server and register its tools; one that does not answer is added, too."""
    return edit.on_wire(servers, await edit.create(servers, actor, body))


@router.get("/connect/{mcp_server_id}", response_class=StreamingResponse)
async def connect_mcp_server(
    request: Request, db: Db, servers: CurrentServers, actor: CurrentActor, mcp_server_id: str
) -> StreamingResponse:
    """Try a server and register its tools; where it wants a login, tell where a person allows it."""
    row = await db.read(store.get, actor, mcp_server_id)
    target = await servers.target(row, None)
    servers.pool.forget(row.id)
    return Attempt(servers, actor, target, redirect_uri(request, servers), row).begin()


@router.get("/{mcp_server_id}")
async def retrieve_mcp_server(
    db: Db, servers: CurrentServers, actor: CurrentActor, mcp_server_id: str
) -> Server:
    """One server, and how it is."""
    return edit.on_wire(servers, await db.read(store.get, actor, mcp_server_id))


@router.patch("/{mcp_server_id}")
async def update_mcp_server(
    servers: CurrentServers, actor: CurrentActor, mcp_server_id: str, body: ServerUpdate
) -> Server:
    """Change a server; its tools stay as they are until the next refresh."""
    return edit.on_wire(servers, await edit.change(servers, actor, mcp_server_id, body))


@router.delete("/{mcp_server_id}", status_code=204, response_class=Response)
async def delete_mcp_server(servers: CurrentServers, actor: CurrentActor, mcp_server_id: str) -> None:
    """Delete a server and its tools."""
    await edit.remove(servers, actor, mcp_server_id)


@router.patch("/{mcp_server_id}/refresh")
async def refresh_mcp_server(
    db: Db, servers: CurrentServers, actor: CurrentActor, mcp_server_id: str, agent_id: OfAgent = None
) -> Changes:
    """Make the registered tools those that the server has now."""
    row = await db.read(store.get, actor, mcp_server_id)
    return await edit.refresh(servers, actor, row, agent_id)


@router.get("/{mcp_server_id}/tools")
async def list_mcp_server_tools(db: Db, actor: CurrentActor, mcp_server_id: str) -> list[Tool]:
    """The registered tools of a server."""
    return [tool_of(row) for row in await db.read(registered.tools_from, actor, mcp_server_id)]


@router.get("/{mcp_server_id}/tools/{tool_id}")
async def retrieve_mcp_server_tool(db: Db, actor: CurrentActor, mcp_server_id: str, tool_id: str) -> Tool:
    """One registered tool of a server."""
    return tool_of((await db.read(registered.get, actor, mcp_server_id, tool_id)).tool)


@router.post("/{mcp_server_id}/tools/{tool_id}/run")
async def run_mcp_server_tool(
    db: Db,
    servers: CurrentServers,
    actor: CurrentActor,
    mcp_server_id: str,
    tool_id: str,
    body: ToolExecuteRequest | None = None,
) -> ToolExecutionResult:
    """Call a tool, outside of any agent."""
    tool = (await db.read(registered.get, actor, mcp_server_id, tool_id)).tool
    done = await run_tool(servers, actor, tool, body.args if body else {})
    return ToolExecutionResult.of(done)


def redirect_uri(request: Request, servers: Servers) -> str:
    """Where a browser returns after a login."""
    return servers.settings.callback_url or str(request.base_url).rstrip("/") + CALLBACK
