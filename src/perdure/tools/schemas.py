"""Tools on the wire."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, get_args

import orjson
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from perdure.kit.errors import InvalidArgument
from perdure.tools.requirements import MAX_REQUIREMENTS, Kind, requirement_line
from perdure.tools.store import RETURN_CHAR_LIMIT, ToolRow

MAX_SOURCE = 1_000_000

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


def _installable(kind: Kind) -> AfterValidator:
    """Requirements that name packages of an index."""

    def check(requirements: Any) -> Any:
        for requirement in requirements or ():
            requirement_line(kind, requirement.name, requirement.version)
        return requirements

    return AfterValidator(check)


def _storable_json(value: Any) -> Any:
    """JSON that both databases can hold."""
    try:
        orjson.dumps(value)
    except TypeError as error:
        raise ValueError(f"this cannot be stored: {error}") from error
    return value


PipRequirements = Annotated[
    list[PipRequirement] | None, Field(max_length=MAX_REQUIREMENTS), _installable("pip")
]
NpmRequirements = Annotated[
    list[NpmRequirement] | None, Field(max_length=MAX_REQUIREMENTS), _installable("npm")
]
Schema = Annotated[dict[str, Any] | None, AfterValidator(_storable_json)]
CharLimit = Annotated[int, Field(ge=1, le=1_000_000)]
Source = Annotated[str, Field(max_length=MAX_SOURCE)]


class DefineTool(BaseModel):
    """A tool from its source."""

    model_config = ConfigDict(extra="forbid")

    source_code: Source = Field(description="A top-level function with hints and a docstring.")
    source_type: str | None = Field(default="python", description="`python` or `typescript`.")
    json_schema: Schema = Field(default=None, description="What the model is told, in place of the source.")
    args_json_schema: Schema = Field(default=None, description="The parameters, in place of the hints.")
    description: str | None = Field(default=None, description="What it does, in place of the docstring.")
    tags: list[str] | None = None
    return_char_limit: CharLimit = RETURN_CHAR_LIMIT
    pip_requirements: PipRequirements = None
    npm_requirements: NpmRequirements = None
    default_requires_approval: bool | None = None
    enable_parallel_execution: bool | None = False


class UpdateTool(BaseModel):
    """What to change of a tool; what is left out stays, null goes back to the default."""

    source_code: Source | None = Field(default=None, description="Has a function of the tool's name.")
    source_type: str | None = None
    json_schema: Schema = Field(default=None, description="May rename the tool; null has it read anew.")
    args_json_schema: Schema = None
    description: str | None = None
    tags: list[str] | None = None
    return_char_limit: CharLimit | None = None
    pip_requirements: PipRequirements = None
    npm_requirements: NpmRequirements = None
    default_requires_approval: bool | None = None
    enable_parallel_execution: bool | None = None
    metadata_: Schema = None


class SourceCode(BaseModel):
    """A source to be read."""

    code: str
    source_type: str | None = "python"


class SearchTools(BaseModel):
    """What to look for."""

    model_config = ConfigDict(extra="forbid")

    query: str | None = None
    search_mode: Literal["vector", "fts", "hybrid"] = Field(
        default="hybrid", description="By words and by meaning, by words alone, or by meaning alone."
    )
    tool_types: list[str] | None = None
    tags: list[str] | None = Field(default=None, description="Tools with any of these.")
    limit: int = Field(default=50, ge=1, le=100)


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


class FoundTool(BaseModel):
    """A tool that was found, and how well it fits."""

    tool: Tool
    embedded_text: str | None = Field(default=None, description="What it was found by.")
    fts_rank: int | None = Field(default=None, description="Its place by words, from 1.")
    vector_rank: int | None = Field(default=None, description="Its place by meaning.")
    combined_score: float


class GenerateTool(BaseModel):
    """What the tool should do."""

    tool_name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}$")]
    prompt: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
    handle: str | None = Field(default=None, description="The model to ask; the server's default without.")
    starter_code: str | None = Field(default=None, description="A source to begin with.")
    validation_errors: list[str] = Field(default_factory=list, description="What was wrong with it.")


class GeneratedTool(BaseModel):
    """A tool to look at, then to create from its `source_code`."""

    tool: Tool
    sample_args: dict[str, Any]
    response: str


def known_types(field: str, kinds: Sequence[str]) -> tuple[str, ...]:
    """The types of tools a caller asked for; raises `InvalidArgument` where there is no such type."""
    if unknown := [kind for kind in kinds if kind not in TOOL_TYPES]:
        raise InvalidArgument(
            f"{field}: there is no tool type {', '.join(unknown)}. Types: {', '.join(TOOL_TYPES)}."
        )
    return tuple(kinds)
