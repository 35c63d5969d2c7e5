"""Calls of tools from outside of any conversation, on the wire."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from perdure.tools.schemas import NpmRequirements, PipRequirements, Schema, Source


class ToolExecuteRequest(BaseModel):
    """The arguments of a call."""

    model_config = ConfigDict(extra="forbid")

    args: dict[str, Any] = Field(default_factory=dict[str, Any])


class ToolExecutionResult(BaseModel):
    """What came of a call; `func_return` is JSON as the tool returned it, null after an error."""

    status: Literal["success", "error"]
    func_return: Any = None
    agent_state: None = Field(default=None, description="Always null: what a tool changes is stored.")
    stdout: list[str] | None = None
    stderr: list[str] | None = None
    sandbox_config_fingerprint: str | None = None


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
