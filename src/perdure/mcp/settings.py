"""What a person may set about MCP servers."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class McpSettings(BaseModel):
    """Servers of the Model Context Protocol whose tools agents may call."""

    model_config = ConfigDict(extra="forbid")

    stdio: Literal["off", "unsafe-local"] = Field(
        default="off",
        description="Servers that are commands (`stdio`): `off` refuses them; `unsafe-local` runs them as "
        "the server's own user, in a clean environment but not confined, so whoever may add one may do all.",
    )
    connect_seconds: float = Field(default=30.0, gt=0, description="How long connecting to one may take.")
    list_seconds: float = Field(default=30.0, gt=0, description="How long listing its tools may take.")
    call_seconds: float = Field(default=60.0, gt=0, description="How long a call of a tool may take.")
    max_bytes: int = Field(
        default=4_000_000,
        gt=0,
        description="The most that is read of one answer, which also `outbound.max_bytes` limits.",
    )
    idle_seconds: float = Field(
        default=300.0, gt=0, description="How long a connection that nobody uses stays open."
    )
    connections: int = Field(
        default=64, ge=1, description="How many connections stay open; the longest unused one makes room."
    )
    retry_seconds: float = Field(
        default=10.0, ge=0, description="How long calls fail at once after one could not be connected to."
    )
    login_seconds: float = Field(
        default=600.0, gt=0, description="How long a person has to allow access (OAuth) after `connect`."
    )
    callback_url: str | None = Field(
        default=None,
        description="Where a person's browser returns after that: "
        "`<public address>/v1/tools/mcp/oauth/callback`. Without it: at the address that the `connect` "
        "request came to.",
    )
