"""MCP servers on the wire, and their secrets as they are shown."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field, StringConstraints

from perdure.kit.clock import WIRE_TIME
from perdure.kit.errors import Unprocessable
from perdure.mcp.templates import is_only_places

REDACTED = "<redacted>"
Time = Annotated[datetime, WIRE_TIME]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Url = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4000)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=4000)]


class Command(BaseModel):
    """A command, which is spoken to through its standard input and output."""

    command: Text
    args: list[str]
    env: dict[str, str] | None = None


class Address(BaseModel):
    """An address, and what is shown there."""

    server_url: Url
    auth_header: str | None = None
    auth_token: str | None = None
    custom_headers: dict[str, str] | None = None


class StdioConfig(Command):
    """A server that is a command."""

    mcp_server_type: Literal["stdio"] = "stdio"


class SSEConfig(Address):
    """A server that answers over server-sent events."""

    mcp_server_type: Literal["sse"] = "sse"


class StreamableHTTPConfig(Address):
    """A server that answers over streamable HTTP."""

    mcp_server_type: Literal["streamable_http"] = "streamable_http"


class UpdateStdioConfig(BaseModel):
    """What to change of a command; what is not sent stays."""

    mcp_server_type: Literal["stdio"] = "stdio"
    command: Text | None = None
    args: list[str] | None = None
    env: dict[str, str] | None = None


class UpdateSSEConfig(BaseModel):
    """What to change of an address; what is not sent stays, null clears."""

    mcp_server_type: Literal["sse"] = "sse"
    server_url: Url | None = None
    auth_header: str | None = None
    auth_token: str | None = None
    custom_headers: dict[str, str] | None = None


class UpdateStreamableHTTPConfig(UpdateSSEConfig):
    """What to change of an address; what is not sent stays, null clears."""

    mcp_server_type: Literal["streamable_http"] = "streamable_http"  # pyright: ignore[reportIncompatibleVariableOverride]


NewConfig = Annotated[StdioConfig | SSEConfig | StreamableHTTPConfig, Field(discriminator="mcp_server_type")]
ChangedConfig = Annotated[
    UpdateStdioConfig | UpdateSSEConfig | UpdateStreamableHTTPConfig,
    Field(discriminator="mcp_server_type"),
]


class ServerCreate(BaseModel):
    """A new server."""

    server_name: Name
    config: NewConfig


class ServerUpdate(BaseModel):
    """What to change of a server."""

    server_name: Name | None = None
    config: ChangedConfig | None = None


class Changes(BaseModel):
    """The names of tools that are new, different and gone."""

    added: list[str] = Field(default_factory=list[str])
    updated: list[str] = Field(default_factory=list[str])
    deleted: list[str] = Field(default_factory=list[str])


class Health(BaseModel):
    """How a server is: when it last answered, why not, and how its tools differ from those stored here."""

    status: Literal["unknown", "ok", "failing"]
    connected_at: Time | None = None
    failed_at: Time | None = None
    error: str | None = None
    drift: Changes | None = None


class _Server(BaseModel):
    id: str
    server_name: str
    health: Health


class StdioServer(_Server, StdioConfig):
    """A server that is a command, as clients see it."""


class SSEServer(_Server, SSEConfig):
    """A server behind an address, as clients see it."""


class StreamableHTTPServer(_Server, StreamableHTTPConfig):
    """A server behind an address, as clients see it."""


Server = StdioServer | SSEServer | StreamableHTTPServer


def shown(value: str | None) -> str | None:
    """A secret as clients see it: whether there is one, and which of an agent's secrets it is."""
    return value if value is None or is_only_places(value) else REDACTED


def shown_all(values: Mapping[str, str] | None) -> dict[str, str] | None:
    """The same for the values of several."""
    return None if values is None else {name: shown(value) or "" for name, value in values.items()}


def kept(value: str | None, before: str | None, field: str) -> str | None:
    """What a client sent as a secret; what was redacted for it stays what it is."""
    if value == REDACTED:
        if before is None:
            raise Unprocessable(f"{field}: {REDACTED} stands for a value that is stored, and there is none.")
        return before
    return value


def kept_all(
    values: Mapping[str, str] | None, before: Mapping[str, str] | None, field: str
) -> dict[str, str] | None:
    """The same for the values of several."""
    if values is None:
        return None
    known = before or {}
    return {name: kept(value, known.get(name), f"{field}.{name}") or "" for name, value in values.items()}
