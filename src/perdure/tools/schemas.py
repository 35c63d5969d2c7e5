"""Tools on the wire."""

from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

from perdure.tools.store import RETURN_CHAR_LIMIT, ToolRow

ToolType = Literal[
    "custom",
    "letta_core",
    "letta_memory_core",
    "letta_multi_agent_core",
    "letta_sleeptime_core",
    "letta_voice_sleeptime_core",
    "letta_builtin",
    "letta_files_core",
    "external_langchain",
    "external_composio",
    "external_mcp",
]
TOOL_TYPES: tuple[str, ...] = get_args(ToolType)


class PipRequirement(BaseModel):
    """A Python package a tool needs."""

    name: str
    version: str | None = None


class NpmRequirement(BaseModel):
    """A Node package a tool needs."""

    name: str
    version: str | None = None


class Tool(BaseModel):
    """A tool as clients see it."""

    model_config = ConfigDict(extra="forbid")

    id: str
    tool_type: ToolType = "custom"
    description: str | None = None
    source_type: str | None = None
    name: str | None = None
    tags: list[str] = Field(default_factory=list)
    source_code: str | None = None
    json_schema: dict[str, Any] | None = None
    args_json_schema: dict[str, Any] | None = None
    return_char_limit: int = Field(default=RETURN_CHAR_LIMIT, ge=1, le=1_000_000)
    pip_requirements: list[PipRequirement] | None = None
    npm_requirements: list[NpmRequirement] | None = None
    default_requires_approval: bool | None = None
    enable_parallel_execution: bool | None = False
    created_by_id: str | None = None
    last_updated_by_id: str | None = None
    metadata_: dict[str, Any] | None = None
    project_id: str | None = None


def tool_of(row: ToolRow) -> Tool:
    """A stored tool as clients see it."""
    return Tool.model_validate(
        {
            "id": row.id,
            "tool_type": row.kind,
            "description": row.description,
            "source_type": row.source_type,
            "name": row.name,
            "tags": row.tags,
            "source_code": row.source_code,
            "json_schema": row.json_schema,
            "args_json_schema": row.args_json_schema,
            "return_char_limit": row.return_char_limit,
            "pip_requirements": row.pip_requirements,
            "npm_requirements": row.npm_requirements,
            "default_requires_approval": row.default_requires_approval,
            "enable_parallel_execution": row.parallel,
            "created_by_id": row.created_by,
            "last_updated_by_id": row.updated_by,
            "metadata_": row.metadata,
            "project_id": row.project_id,
        }
    )
