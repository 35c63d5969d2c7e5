"""MCP servers on the wire of older clients: by name, their type under another key."""

from typing import Annotated, Any, Literal, cast

from pydantic import BaseModel, Discriminator, Field, Tag

from perdure.mcp.schemas import Address, Command, Name, Url


class StdioServerConfig(Command):
    """A server that is a command."""

    server_name: Name
    type: Literal["stdio"] = "stdio"


class SSEServerConfig(Address):
    """A server that answers over server-sent events."""

    server_name: Name
    type: Literal["sse"] = "sse"


class StreamableHTTPServerConfig(Address):
    """A server that answers over streamable HTTP."""

    server_name: Name
    type: Literal["streamable_http"] = "streamable_http"


class ServerConfigUpdate(BaseModel):
    """What to change of a server of any type; `token` is another name of `auth_token`."""

    server_name: Name | None = None
    server_url: Url | None = None
    auth_header: str | None = None
    auth_token: str | None = None
    token: str | None = None
    custom_headers: dict[str, str] | None = None
    stdio_config: StdioServerConfig | None = None


def _kind_of(value: Any) -> str:
    """The type of a configuration; one without is a command if it has one."""
    if not isinstance(value, dict):
        return value.type
    told = cast("dict[str, Any]", value)
    return str(told.get("type") or ("stdio" if "command" in told else "sse"))


Config = Annotated[
    Annotated[StdioServerConfig, Tag("stdio")]
    | Annotated[SSEServerConfig, Tag("sse")]
    | Annotated[StreamableHTTPServerConfig, Tag("streamable_http")],
    Discriminator(_kind_of),
]


class ToolHealth(BaseModel):
    """What can be done with a tool's schema, and why not more."""

    status: str
    reasons: list[str] = Field(default_factory=list[str])


class MCPTool(BaseModel):
    """A tool as its server describes it."""

    model_config = {"extra": "allow"}

    name: str
    title: str | None = None
    description: str | None = None
    inputSchema: dict[str, Any]  # noqa: N815 - the protocol's word
    outputSchema: dict[str, Any] | None = None  # noqa: N815
    annotations: dict[str, Any] | None = None
    health: ToolHealth | None = None
