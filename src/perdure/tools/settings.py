"""What a person may set about the tools that users write. Plain values; `perdure.config` reads them."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_settings import NoDecode


def _split(value: Any) -> Any:
    return value.replace(",", " ").split() if isinstance(value, str) else value


class ToolSettings(BaseModel):
    """The tools that users write: what a call may use, and what it may reach."""

    model_config = ConfigDict(extra="forbid")

    max_wall_seconds: float = Field(
        default=300.0, gt=0, description="The longest time that a tool or an organization may ask for."
    )
    max_cpu_seconds: int = Field(
        default=300, ge=1, description="The most processor time that they may ask for."
    )
    max_memory_mb: int = Field(default=2048, ge=64, description="The most memory that they may ask for.")
    max_processes: int = Field(
        default=64, ge=1, description="The most processes and threads that they may ask for."
    )
    hosts: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)] = Field(
        default=(),
        description="The hosts that tools may reach, separated by commas: names, `*.names`, or `*` for all "
        "public ones. None by default. Organizations and tools can narrow it.",
    )
    server_url: str | None = Field(
        default=None,
        description="Where this server is reached by tools that use `client`. By default the address it "
        "listens on.",
    )
