"""The protocol's side of `/mcp`. Imported when its first client comes, for the library is slow to import."""

from typing import Any

from mcp import MCPError
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel.server import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp_types import (
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    ListResourcesResult,
    ListResourceTemplatesResult,
    ListToolsResult,
    PaginatedRequestParams,
    ReadResourceRequestParams,
    ReadResourceResult,
    Resource,
    ResourceTemplate,
    TextContent,
    TextResourceContents,
    Tool,
    ToolAnnotations,
)
from starlette.requests import Request

import perdure
from perdure.chat.mcp import resources
from perdure.chat.mcp.tools import READING, TOOLS, Visitor
from perdure.kit.errors import PerdureError
from perdure.tools.arguments import check
from perdure.tools.dispatch import as_text
from perdure.tools.schema import schema_of

Context = ServerRequestContext[Any, Request]

INSTRUCTIONS = (
    "Agents with a memory of their own. `list_agents` tells which there are, `message_agent` talks to one; "
    "the others read what an agent knows and what was said."
)
FUNCTIONS = {schema["name"]: (function, schema) for function in TOOLS if (schema := schema_of(function))}


def session_manager() -> StreamableHTTPSessionManager:
    """What answers requests at `/mcp`. No sessions: any replica answers any request, each shows its key."""
    server: Server[Any] = Server(
        "perdure",
        version=perdure.__version__,
        title="Perdure",
        instructions=INSTRUCTIONS,
        on_list_tools=_list_tools,
        on_call_tool=_call_tool,
        on_list_resources=_list_resources,
        on_list_resource_templates=_list_templates,
        on_read_resource=_read_resource,
    )
    return StreamableHTTPSessionManager(server, stateless=True)


async def _list_tools(_ctx: Context, _params: PaginatedRequestParams | None) -> ListToolsResult:
    return ListToolsResult(
        tools=[
            Tool(
                name=name,
                description=schema["description"],
                input_schema=schema["parameters"],
                annotations=ToolAnnotations(read_only_hint=function in READING),
            )
            for name, (function, schema) in FUNCTIONS.items()
        ]
    )


async def _call_tool(ctx: Context, params: CallToolRequestParams) -> CallToolResult:
    if params.name not in FUNCTIONS:
        raise MCPError(INVALID_PARAMS, f"There is no tool {params.name}; there are {', '.join(FUNCTIONS)}.")
    function, schema = FUNCTIONS[params.name]
    arguments, faults = check(schema["parameters"], params.arguments or {})
    if faults:
        return _result(f"{params.name} was not run: {'; '.join(faults)}.", is_error=True)
    try:
        value = await function(_visitor(ctx), **arguments)
    except PerdureError as error:
        return _result(str(error), is_error=True)
    return _result(as_text(value), value)


async def _list_resources(ctx: Context, params: PaginatedRequestParams | None) -> ListResourcesResult:
    listed, cursor = await resources.list_resources(_visitor(ctx), params.cursor if params else None)
    found = [
        Resource(uri=each.uri, name=each.name, description=each.description, mime_type=each.mime_type)
        for each in listed
    ]
    return ListResourcesResult(resources=found, next_cursor=cursor)


async def _list_templates(
    _ctx: Context, _params: PaginatedRequestParams | None
) -> ListResourceTemplatesResult:
    agent = ResourceTemplate(name="agent", uri_template=resources.AGENT, mime_type="application/json")
    block = ResourceTemplate(name="block", uri_template=resources.BLOCK, mime_type="text/plain")
    archive = ResourceTemplate(name="archive", uri_template=resources.ARCHIVE, mime_type="application/json")
    return ListResourceTemplatesResult(resource_templates=[agent, block, archive])


async def _read_resource(ctx: Context, params: ReadResourceRequestParams) -> ReadResourceResult:
    try:
        content = await resources.read_resource(_visitor(ctx), params.uri)
    except PerdureError as error:
        raise MCPError(INVALID_PARAMS, str(error)) from error
    held = TextResourceContents(uri=params.uri, mime_type=content.mime_type, text=content.text)
    return ReadResourceResult(contents=[held])


def _visitor(ctx: Context) -> Visitor:
    assert ctx.request is not None  # there is none on transports without HTTP, which are not served
    return ctx.request.state.visitor


def _result(text: str, value: dict[str, Any] | None = None, *, is_error: bool = False) -> CallToolResult:
    return CallToolResult(content=[TextContent(text=text)], structured_content=value, is_error=is_error)
