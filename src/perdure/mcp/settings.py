"""What a person may set about MCP servers."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_settings import NoDecode


def _split(value: Any) -> Any:
    return value.replace(",", " ").split() if isinstance(value, str) else value


class CommandSettings(BaseModel):
    """Servers that are commands, in the sandbox: what each of them may use."""

    model_config = ConfigDict(extra="forbid")

    hosts: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)] = Field(
        default=(),
        description="Hosts that they may reach, through a proxy: names, `*.names` or `*`. None by default.",
    )
    paths: Annotated[tuple[Path, ...], NoDecode, BeforeValidator(_split)] = Field(
        default=(),
        description="Files and folders of this machine that they may read, beside the system's programs.",
    )
    memory_mb: int = Field(default=1024, ge=64, description="Memory of all processes of one, in MiB.")
    processes: int = Field(default=128, ge=1, description="How many processes and threads one may have.")
    files_mb: int = Field(default=1024, ge=1, description="How much one may keep in its home, in MiB.")


class McpSettings(BaseModel):
    """Servers of the Model Context Protocol whose tools agents may call."""

    model_config = ConfigDict(extra="forbid")

    stdio: Literal["sandbox", "off", "unsafe-local"] = Field(
        default="sandbox",
        description="Servers that are commands (`stdio`): `sandbox` runs each in namespaces of its own, "
        "where bubblewrap holds; `off` refuses them; `unsafe-local` runs them as the server's own user, in "
        "a clean environment but not confined, so whoever may add one may do all.",
    )
    commands: CommandSettings = CommandSettings()
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
