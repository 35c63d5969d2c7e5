"""Tools that are run without being stored, on the wire."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from perdure.tools.schemas import NpmRequirements, PipRequirements, Schema, Source


class ToolRunFromSource(BaseModel):
    """A tool that is run without being stored."""

    model_config = ConfigDict(extra="forbid")

    source_code: Source
    args: dict[str, Any]
    env_vars: dict[str, str] = Field(default_factory=dict[str, str], max_length=1000)
    name: str | None = Field(default=None, description="The function. [default: as when a tool is made]")
    source_type: str | None = None
    args_json_schema: Schema = None
    json_schema: Schema = None
    pip_requirements: PipRequirements = None
    npm_requirements: NpmRequirements = None
