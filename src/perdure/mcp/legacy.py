"""`/v1/tools/mcp/servers`: the same servers by their names, for older clients."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Request
from fastapi.responses import StreamingResponse

from perdure.db import Db
from perdure.kit.errors import Unprocessable
from perdure.mcp import edit, registered, store
from perdure.mcp.calls import run_tool
from perdure.mcp.connect import Attempt
from perdure.mcp.legacy_schemas import (
    Config,
    MCPTool,
    ServerConfigUpdate,
    SSEServerConfig,
    StdioServerConfig,
    StreamableHTTPServerConfig,
    ToolHealth,
)
from perdure.mcp.remote import RemoteTool, schema_health
from perdure.mcp.routes import OfAgent, redirect_uri
from perdure.mcp.schemas import (
    Changes,
    ServerCreate,
    ServerUpdate,
    SSEConfig,
    StdioConfig,
    StreamableHTTPConfig,
    UpdateSSEConfig,
    UpdateStdioConfig,
    UpdateStreamableHTTPConfig,
)
from perdure.mcp.servers import CurrentServers, Servers
from perdure.mcp.store import ServerNotFound, ServerRow
from perdure.mcp.target import Kind, Secrets, Target, target_of
from perdure.tenancy.actor import Actor, CurrentActor
from perdure.tools.execution_schemas import ToolExecuteRequest
from perdure.tools.schemas import Tool, tool_of

router = APIRouter(prefix="/v1/tools/mcp/servers", tags=["tools"])


NewConfig = Annotated[Config, Body()]


@router.get("")
async def list_servers(db: Db, servers: CurrentServers, actor: CurrentActor) -> dict[str, Config]:
    """The organization's servers by their names."""
    return {config.server_name: config for config in await _configs(db, servers, actor)}


@router.put("")
async def add_server(db: Db, servers: CurrentServers, actor: CurrentActor, body: NewConfig) -> list[Config]:
    """Add a server; all there are now."""
    await edit.create(servers, actor, _new(body))
    return await _configs(db, servers, actor)


@router.post("/test")
async def check_server(servers: CurrentServers, actor: CurrentActor, body: NewConfig) -> dict[str, Any]:
    """The tools of a server, without storing anything."""
    tools = await servers.tried(actor, await _target(servers, body))
    return {"status": "success", "tools": [_shown(tool) for tool in tools]}


@router.post("/connect", response_class=StreamingResponse)
async def connect_server(
    request: Request, db: Db, servers: CurrentServers, actor: CurrentActor, body: NewConfig
) -> StreamingResponse:
    """Try a server; where it wants a login, tell where a person allows it."""
    target = await _target(servers, body)
    try:
        row = await db.read(store.named, actor, body.server_name)
    except ServerNotFound:
        row = None
    stored = row if row and row.url == target.url else None
    return Attempt(servers, actor, target, redirect_uri(request, servers), stored).begin()


@router.patch("/{mcp_server_name}")
async def update_server(
    db: Db, servers: CurrentServers, actor: CurrentActor, mcp_server_name: str, body: ServerConfigUpdate
) -> Config:
    """Change a server."""
    row = await db.read(store.named, actor, mcp_server_name)
    changed = await edit.change(servers, actor, row.id, _update(row, body))
    return _config(servers, changed)


@router.delete("/{mcp_server_name}")
async def delete_server(
    db: Db, servers: CurrentServers, actor: CurrentActor, mcp_server_name: str
) -> list[Config]:
    """Delete a server and its tools; all there are now."""
    row = await db.read(store.named, actor, mcp_server_name)
    await edit.remove(servers, actor, row.id)
    return await _configs(db, servers, actor)


@router.get("/{mcp_server_name}/tools")
async def list_server_tools(
    db: Db, servers: CurrentServers, actor: CurrentActor, mcp_server_name: str
) -> list[MCPTool]:
    """The tools that a server has now, registered or not."""
    row = await db.read(store.named, actor, mcp_server_name)
    return [_shown(tool) for tool in await servers.listed(actor, row)]


@router.post("/{mcp_server_name}/resync")
async def resync_server(
    db: Db, servers: CurrentServers, actor: CurrentActor, mcp_server_name: str, agent_id: OfAgent = None
) -> Changes:
    """Make the registered tools those that the server has now."""
    row = await db.read(store.named, actor, mcp_server_name)
    return await edit.refresh(servers, actor, row, agent_id)


@router.post("/{mcp_server_name}/tools/{tool_name}/execute")
async def execute_server_tool(
    db: Db,
    servers: CurrentServers,
    actor: CurrentActor,
    mcp_server_name: str,
    tool_name: str,
    body: ToolExecuteRequest,
) -> dict[str, Any]:
    """Call a tool by the name it has at its server."""
    row = await db.read(store.named, actor, mcp_server_name)
    tool = await db.read(registered.by_name, actor, row.id, tool_name)
    if tool is None:
        raise ServerNotFound(f"{mcp_server_name!r} with a registered tool {tool_name!r}; resync it")
    done = await run_tool(servers, actor, tool, body.args)
    success = done.status == "success"
    return {"result": done.value if success else " ".join(done.stderr), "success": success}


@router.post("/{mcp_server_name}/{mcp_tool_name}")
async def add_server_tool(
    db: Db, servers: CurrentServers, actor: CurrentActor, mcp_server_name: str, mcp_tool_name: str
) -> Tool:
    """Register one tool of a server, or bring it up to date."""
    row = await db.read(store.named, actor, mcp_server_name)
    await edit.refresh(servers, actor, row, only=mcp_tool_name)
    tool = await db.read(registered.by_name, actor, row.id, mcp_tool_name)
    if tool is None:
        raise Unprocessable(f"The schema of {mcp_tool_name!r} cannot be a tool's; its server must mend it.")
    return tool_of(tool)


async def _configs(db: Db, servers: Servers, actor: Actor) -> list[Config]:
    return [_config(servers, row) for row in await db.read(store.all_of, actor)]


def _config(servers: Servers, row: ServerRow) -> Config:
    told = edit.on_wire(servers, row).model_dump(exclude={"id", "health", "mcp_server_type"})
    kinds = {
        "stdio": StdioServerConfig,
        "sse": SSEServerConfig,
        "streamable_http": StreamableHTTPServerConfig,
    }
    return kinds[row.kind].model_validate(told)


def _new(config: Config) -> ServerCreate:
    facts = config.model_dump(exclude={"server_name", "type"})
    kinds = {"stdio": StdioConfig, "sse": SSEConfig, "streamable_http": StreamableHTTPConfig}
    return ServerCreate(server_name=config.server_name, config=kinds[config.type].model_validate(facts))


def _update(row: ServerRow, body: ServerConfigUpdate) -> ServerUpdate:
    sent = body.model_dump(exclude_unset=True)
    if "token" in sent:
        sent.setdefault("auth_token", sent["token"])
    if row.kind == "stdio":
        config = UpdateStdioConfig.model_validate(sent.get("stdio_config") or {})
    else:
        kind = UpdateSSEConfig if row.kind == "sse" else UpdateStreamableHTTPConfig
        config = kind.model_validate({name: sent[name] for name in kind.model_fields if name in sent})
    return ServerUpdate(server_name=body.server_name, config=config)


async def _target(servers: Servers, config: Config) -> Target:
    """Where a server is that is not stored."""
    facts = config.model_dump()
    if config.type != "stdio":
        await edit.check_url(servers.fetcher, facts["server_url"])
    kind: Kind = config.type
    return target_of(
        config.server_name,
        kind,
        url=facts.get("server_url"),
        auth_header=facts.get("auth_header"),
        command=facts.get("command"),
        args=facts.get("args"),
        secrets=Secrets(facts.get("auth_token"), facts.get("custom_headers"), facts.get("env")),
        values={},
    )


def _shown(tool: RemoteTool) -> MCPTool:
    health = schema_health(tool)
    told = {**tool.wire, "health": ToolHealth(status=health.status, reasons=list(health.reasons))}
    return MCPTool.model_validate(told)
